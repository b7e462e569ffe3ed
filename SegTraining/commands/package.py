"""`segtraining package`: the model package of a run."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from SpineInference.errors import SpineError

if TYPE_CHECKING:
    from SpineInference.models.model_package import ModelPackage


def add_to(subparsers: argparse._SubParsersAction) -> None:
    command = subparsers.add_parser("package", help="make a model package of a run")
    command.add_argument("run_folder", type=Path, metavar="RUN", help="run folder; with --zip also a finished package")
    command.add_argument("-o", "--output", type=Path, help="folder of the package (default models/RUN)")
    command.add_argument("--evaluation", type=Path, help="summary.json of evaluate, to go into the manifest")
    command.add_argument(
        "--zip", type=Path, metavar="FILE", help="write the package as one file too, and print the entry of a catalog"
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from SpineInference.models.model_package import MANIFEST, ModelPackage

    if (options.run_folder / MANIFEST).is_file():
        if options.zip is None or options.output or options.evaluation:
            raise SpineError(f'"{options.run_folder}" is a finished package: only --zip FILE can be asked for.')
        made = ModelPackage.open(options.run_folder)
    else:
        made = _made_of_run(options)
    if options.zip is not None:
        _publish(made, options.zip)


def _made_of_run(options: argparse.Namespace) -> "ModelPackage":
    from ..config.config import load_config
    from ..evaluation.manifest_metrics import manifest_metrics
    from ..export.package import package

    folder = options.output or Path("models") / options.run_folder.resolve().name
    config = load_config(options.run_folder / "config.yaml")
    metrics = manifest_metrics(options.evaluation, config.plane) if options.evaluation else None
    made = package(options.run_folder, folder, metrics)
    print(f"{folder}: {made.size_bytes / 1e6:.1f} MB")
    return made


def _publish(made: "ModelPackage", path: Path) -> None:
    from SpineInference.schema import as_json

    from ..export.publishing import publish

    entry = publish(made, path)
    [remote] = entry.remote
    print(f"{path}: {remote.size / 1e6:.1f} MB, SHA-256 {remote.sha256}")
    print('To offer it: the file on a web server, its address into "url", and this into the "sets" of a catalog.json:')
    print(as_json(entry))
