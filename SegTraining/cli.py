"""The command `segtraining`: from data sets to evaluated model packages; `segtraining --help` lists what it can do."""

import argparse
import sys

from SpineInference.app.streams import unread_output_allowed
from SpineInference.errors import SpineError
from SpineInference.memory import enough_memory

from .commands import data, evaluate, experiment, levels, package, phantom, predict, report, train
from .commands.examples import add_examples
from .config.console import show_progress
from .training.threads import let_waiting_threads_sleep

COMMANDS = (phantom, data, train, evaluate, predict, experiment, report, levels, package)
"""In the order of `--help`."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code: 0 done, 2 something the user can correct, 130 interrupted."""
    with unread_output_allowed():
        return _main(_parser().parse_args(arguments))


def _main(options: argparse.Namespace) -> int:
    show_progress()
    let_waiting_threads_sleep()
    try:
        with enough_memory(options.command):
            options.run(options)
    except SpineError as error:
        print(f"segtraining: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if error.name.partition(".")[0] in ("SegTraining", "SpineInference"):
            raise
        print(
            f'segtraining: the Python package "{error.name}" is not installed: run "make develop", or pip install '
            '".[training]" in the project\'s folder.',
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt as interruption:
        print(f"segtraining: {interruption or 'interrupted.'}", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="segtraining", description="Makes models: data, training, evaluation, package."
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    for command in COMMANDS:
        command.add_to(subparsers)
    add_examples(parser, subparsers.choices)
    return parser


if __name__ == "__main__":
    sys.exit(main())
