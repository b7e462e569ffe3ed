"""`segtraining evaluate`: scores of whole volumes."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from SpineInference.errors import SpineError

from .arguments import add_config, add_models, check_models, config_of, data_folder, models_of

if TYPE_CHECKING:
    from ..config.data import Label
    from ..data.datasets import Case


def add_to(subparsers: argparse._SubParsersAction) -> None:
    command = subparsers.add_parser("evaluate", help="score whole volumes with the runtime's own pipeline")
    add_models(command)
    add_config(command, required=False)
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
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from SpineInference.options import DEFAULT_MODEL, SegmentationOptions

    check_models(options)
    if options.run_folders:
        options.split = options.split or (None if options.datasets else "test")
    if not options.datasets and None in (options.config, options.split):
        raise SpineError("It is not said which cases to evaluate: give --dataset, or a configuration and --split.")
    output = options.output or Path("evaluation")
    if len(options.run_folders) == 1 and options.output is None:
        judged = "-and-".join(Path(name).name for name in options.datasets or ()) or options.split
        output = options.run_folders[0] / "evaluation" / judged
    choices = SegmentationOptions(
        model=options.model or DEFAULT_MODEL,
        planes=tuple(options.planes.split(",")) if options.planes else None,
        device=options.device,
        threads=options.threads,
        restrict_to_spine=not options.whole_volume,
    )

    from ..evaluation.evaluate import evaluate, labels_of
    from ..reporting.activation_maps import write_activation_maps

    labels = config_of(options).model_info.labels if options.config is not None else None
    with models_of(options) as models:
        labels = labels or labels_of(models)
        cases = _cases(options, labels)
        evaluate(
            models,
            cases,
            output,
            labels,
            not options.fused_only,
            choices,
            body_by_body=options.bodies,
            tolerant=True,
            keep_results=options.results,
        )
        write_activation_maps(models, cases[0], labels, output)


def _cases(options: argparse.Namespace, labels: "tuple[Label, ...]") -> "list[Case]":
    from ..data.datasets import find_cases, split_cases
    from ..data.raw_folder import describe_raw_folder

    if options.datasets:
        folders = [_dataset_folder(name, options) for name in options.datasets]
        cases = [case for folder in folders for case in find_cases(describe_raw_folder(folder, labels), folder.parent)]
    else:
        cases = split_cases(config_of(options).data, data_folder(options))[options.split]
    if options.cases is None:
        return cases
    chosen = {name for entry in options.cases for name in _names(entry)}
    if unknown := chosen - {case.name for case in cases}:
        raise SpineError(f'The case "{min(unknown)}" is not among those to evaluate: correct --cases.')
    return [case for case in cases if case.name in chosen]


def _dataset_folder(name: str, options: argparse.Namespace) -> Path:
    """The folder itself, or the one of this name below the folder of the data sets."""
    folder = Path(name).absolute()
    return folder if (folder / "imagesTr").is_dir() or "/" in name or os.sep in name else data_folder(options) / name


def _names(entry: str) -> list[str]:
    """The name of a case, or those in a file."""
    lines = Path(entry).read_text("utf-8").splitlines() if Path(entry).is_file() else [entry]
    return [line.strip() for line in lines if line.strip()]
