"""The command `segtraining`: from data sets to evaluated model packages; `segtraining --help` lists what it can do."""

import argparse
import sys
from pathlib import Path

from SpineInference.app.streams import unread_output_allowed
from SpineInference.errors import SpineError
from SpineInference.memory import enough_memory

from . import commands
from .config.console import show_progress


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code: 0 done, 2 something the user can correct, 130 interrupted."""
    with unread_output_allowed():
        return _main(_parser().parse_args(arguments))


def _main(options: argparse.Namespace) -> int:
    show_progress()
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

    command = subparsers.add_parser("phantom", help="write a data set of synthetic spines, bone scans or radiographs")
    command.add_argument("output", type=Path, help="folder of the new data set")
    command.add_argument(
        "--kind",
        choices=("spine", "varied-spine", "close-spine", "scintigraphy", "radiograph"),
        default="spine",
        help="what it shows (default spine: lumbar T1, T2 and water images in turn; varied-spine: any region and scan; "
        "close-spine: sharp cut-outs, mostly of necks, as large as networks are shown them)",
    )
    command.add_argument("--region", help="of spines, what is in the middle: cervical, thoracic, lumbar, ... (by kind)")
    command.add_argument("--count", type=int, default=24, help="scans or images (default 24)")
    command.add_argument("--seed", type=int, default=1)
    command.set_defaults(run=commands.run_phantom)

    command = subparsers.add_parser("prepare", help="put the data sets of a configuration into the cache")
    _add_config(command)
    command.add_argument("--processes", type=int, default=1, help="cases prepared at the same time (default 1)")
    command.set_defaults(run=commands.run_prepare)

    command = subparsers.add_parser("inspect", help="print and draw what the data sets hold, and find their faults")
    _add_config(command)
    command.add_argument("-o", "--output", type=Path, default=Path("inspection.png"), help="the contact sheet")
    command.set_defaults(run=commands.run_inspect)

    command = subparsers.add_parser("show-augmentations", help="draw training samples as the network sees them")
    _add_config(command)
    command.add_argument("-o", "--output", type=Path, default=Path("augmentations.png"))
    command.set_defaults(run=commands.run_show_augmentations)

    command = subparsers.add_parser("train", help="train a network; prepares first what is not in the cache")
    _add_config(command)
    command.add_argument("-o", "--output", type=Path, help="run folder (default runs/CONFIG)")
    command.add_argument("--resume", action="store_true", help="go on with the run in that folder")
    command.set_defaults(run=commands.run_train)

    command = subparsers.add_parser("evaluate", help="score whole volumes with the runtime's own pipeline")
    _add_models(command)
    _add_config(command, required=False)
    command.add_argument(
        "--split", choices=("training", "validation", "test"), help="these cases of CONFIG (of a --run: test)"
    )
    command.add_argument(
        "--dataset",
        dest="datasets",
        action="append",
        metavar="FOLDER",
        help="any data set in nnU-Net's raw layout, below --data or wherever it lies, instead of CONFIG and --split; "
        "may be repeated",
    )
    command.add_argument("--cases", nargs="+", metavar="CASE|FILE", help="only these: names, or a file with one a line")
    command.add_argument("--bodies", action="store_true", help="tell detection, agreement and levels body by body")
    command.add_argument("--fused-only", action="store_true", help="do not score each plane alone")
    command.add_argument("--planes", metavar="P,P", help="score these together, some of sagittal,coronal,axial")
    command.add_argument("--whole-volume", action="store_true", help="compute all of each scan, not only the spine")
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (%(default)s)")
    command.add_argument("--threads", type=int, help="processor threads (default: all)")
    command.add_argument(
        "--results", type=Path, metavar="FOLDER", help="keep what spine-segment writes of each scan, with pictures"
    )
    command.add_argument("-o", "--output", type=Path, help="default: evaluation; of one --run: RUN/evaluation/SPLIT")
    command.set_defaults(run=commands.run_evaluate)

    command = subparsers.add_parser("predict", help="write what models find in scans as label maps on the scans' grids")
    command.add_argument("scans", nargs="*", metavar="SCAN", help="image file, DICOM folder, or folder of scans")
    _add_models(command)
    command.add_argument("--split", choices=("training", "validation", "test"), help="these cases of CONFIG instead")
    command.add_argument("--config", help="of --split: YAML file, or the name of a preset (default: that of the run)")
    _add_data_folder(command)
    command.add_argument("-o", "--output", type=Path, required=True, help="folder of the label maps")
    command.add_argument("--format", choices=("nii.gz", "nrrd", "seg.nrrd"), default="nii.gz", help="(%(default)s)")
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (%(default)s)")
    command.add_argument("--precision", choices=("full", "int8"), default="full", help="of the CPU (%(default)s)")
    command.add_argument("--threads", type=int, help="processor threads (default: all)")
    command.set_defaults(run=commands.run_predict)

    command = subparsers.add_parser("experiment", help="train and evaluate many configurations, resumably, and report")
    command.add_argument("experiment", help="YAML file of an experiment, or the name of a preset")
    _add_data(command)
    command.add_argument("-o", "--output", type=Path, help="folder of the experiment (default experiments/NAME)")
    command.add_argument("--only", nargs="+", default=["*"], metavar="PATTERN", help="runs with such names: *-sagittal")
    command.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="run in the Ray cluster at host:port or ray://host:port, or several at a time on this computer (local)",
    )
    command.add_argument("--list", action="store_true", help="show the runs and how far they are, and run nothing")
    command.add_argument("--report", action="store_true", help="write the report of what is there, and run nothing")
    command.set_defaults(run=commands.run_experiment)

    command = subparsers.add_parser("report", help="write curves, pictures and tables of runs as one HTML file")
    command.add_argument("run_folders", type=Path, nargs="+", metavar="RUN", help="run folder, or output of evaluate")
    command.add_argument("-o", "--output", type=Path, default=Path("report.html"))
    command.set_defaults(run=commands.run_report)

    command = subparsers.add_parser("levels", help="train the network that recognises levels, and make its package")
    command.add_argument("config", nargs="?", default="vertebral-levels", help="YAML file, or a preset (%(default)s)")
    _add_data(command)
    command.add_argument("-o", "--output", type=Path, default=Path("models/vertebral-levels-mr"))
    command.set_defaults(run=commands.run_levels)

    command = subparsers.add_parser("package", help="make a model package of a run")
    command.add_argument("run_folder", type=Path, metavar="RUN", help="run folder; with --zip also a finished package")
    command.add_argument("-o", "--output", type=Path, help="folder of the package (default models/RUN)")
    command.add_argument("--evaluation", type=Path, help="summary.json of evaluate, to go into the manifest")
    command.add_argument(
        "--int8", action="store_true", help="add an 8-bit version for CPUs, if it is good on the validation cases"
    )
    command.add_argument(
        "--zip", type=Path, metavar="FILE", help="write the package as one file too, and print the entry of a catalog"
    )
    _add_data_folder(command)
    command.set_defaults(run=commands.run_package)
    return parser


def _add_config(command: argparse.ArgumentParser, required: bool = True) -> None:
    command.add_argument("config", nargs=None if required else "?", help="YAML file, or the name of a preset")
    _add_data(command)


def _add_models(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", help="name of a set of models, or a folder or zip of packages")
    command.add_argument(
        "--run",
        dest="run_folders",
        type=Path,
        action="append",
        default=[],
        help="a run folder instead; may be given for each plane. Brings its CONFIG",
    )


def _add_data_folder(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", type=Path, help="folder of the data sets (default: SPINE_DATA)")


def _add_data(command: argparse.ArgumentParser) -> None:
    _add_data_folder(command)
    command.add_argument("--cache", type=Path, default=Path("cache"), help="folder of prepared cases (default cache)")
    command.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting: training.max_minutes=60"
    )


if __name__ == "__main__":
    sys.exit(main())
