"""`segtraining prepare`, `inspect` and `show-augmentations`: the data before they are trained on."""

import argparse
from pathlib import Path

from SpineInference.errors import SpineError

from .arguments import add_config, config_of, data_folder


def add_to(subparsers: argparse._SubParsersAction) -> None:
    command = subparsers.add_parser("prepare", help="put the data sets of a configuration into the cache")
    add_config(command)
    command.add_argument("--processes", type=int, default=1, help="cases prepared at the same time (default 1)")
    command.set_defaults(run=run_prepare)

    command = subparsers.add_parser("inspect", help="print and draw what the data sets hold, and find their faults")
    add_config(command)
    command.add_argument("-o", "--output", type=Path, default=Path("inspection.png"), help="the contact sheet")
    command.set_defaults(run=run_inspect)

    command = subparsers.add_parser("show-augmentations", help="draw training samples as the network sees them")
    add_config(command)
    command.add_argument("-o", "--output", type=Path, default=Path("augmentations.png"))
    command.set_defaults(run=run_show_augmentations)


def run_prepare(options: argparse.Namespace) -> None:
    from ..data.prepare import prepare

    parts = prepare(config_of(options), data_folder(options), options.cache, options.processes)
    print(", ".join(f"{len(cases)} cases for {part}" for part, cases in parts.items()))


def run_inspect(options: argparse.Namespace) -> None:
    from ..reporting.inspect import inspect

    fatal = [fault for fault in inspect(config_of(options), data_folder(options), options.output) if fault.fatal]
    print(options.output)
    if fatal:
        raise SpineError(f"{len(fatal)} faults stand in the way of training: correct them (see FAULT above).")


def run_show_augmentations(options: argparse.Namespace) -> None:
    from ..data.prepare import prepare
    from ..reporting.batch_pictures import show_augmentations

    config = config_of(options)
    show_augmentations(prepare(config, data_folder(options), options.cache)["training"], config, options.output)
    print(options.output)
