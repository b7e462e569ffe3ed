"""`segtraining predict`: label maps of scans, on their grids."""

import argparse
from pathlib import Path

from SpineInference.errors import SpineError

from .arguments import add_data_folder, add_models, check_models, data_folder, models_of


def add_to(subparsers: argparse._SubParsersAction) -> None:
    command = subparsers.add_parser("predict", help="write what models find in scans as label maps on the scans' grids")
    command.add_argument("scans", nargs="*", metavar="SCAN", help="image file, DICOM folder, or folder of scans")
    add_models(command)
    command.add_argument("--split", choices=("training", "validation", "test"), help="these cases of CONFIG instead")
    command.add_argument("--config", help="of --split: YAML file, or the name of a preset (default: that of the run)")
    add_data_folder(command)
    command.add_argument("-o", "--output", type=Path, required=True, help="folder of the label maps")
    command.add_argument("--format", choices=("nii.gz", "nrrd", "seg.nrrd"), default="nii.gz", help="(%(default)s)")
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (%(default)s)")
    command.add_argument(
        "--precision", choices=("auto", "full"), default="auto", help="full computes in single precision (%(default)s)"
    )
    command.add_argument("--threads", type=int, help="processor threads (default: all)")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    check_models(options)
    if bool(options.scans) == bool(options.split):
        raise SpineError("It is not said what to look at: give scans, or --split for the cases of a configuration.")

    from SpineInference.options import SegmentationOptions

    from ..config.config import load_config
    from ..data.datasets import split_cases
    from ..evaluation.predict import predict_scans, scans_at, scans_of_cases

    if options.scans:
        scans = scans_at(options.scans, options.output)
    elif options.config is None:
        raise SpineError("It is not said of which configuration the cases are: give --config, or --run.")
    else:
        scans = scans_of_cases(split_cases(load_config(options.config).data, data_folder(options))[options.split])
    choices = SegmentationOptions(device=options.device, precision=options.precision, threads=options.threads)
    with models_of(options) as models:
        predict_scans(models, scans, options.output, options.format, choices)
