"""`segtraining crossvalidate`: how good a recipe is on every patient, and an ensemble of its folds."""

import argparse
from pathlib import Path

from SpineInference.errors import SpineError

from .arguments import add_data, changes_of, data_folder


def add_to(subparsers: argparse._SubParsersAction) -> None:
    command = subparsers.add_parser(
        "crossvalidate",
        help="train and score k folds by patient, and package them as one set",
        epilog="Example: segtraining crossvalidate first-sagittal.yaml first-axial.yaml --folds 3 --data data",
    )
    command.add_argument("configs", nargs="+", metavar="CONFIG", help="YAML file or preset; one for each plane")
    add_data(command)
    command.add_argument("--folds", type=int, default=5, help="number of folds, dealt by patient (default 5)")
    command.add_argument("--seed", type=int, default=0, help="of the dealing (default 0)")
    command.add_argument("-o", "--output", type=Path, help="folder of runs and scores (default crossvalidation/CONFIG)")
    command.add_argument("--models", type=Path, help="folder of the ensemble (default models/CONFIG-folds)")
    command.add_argument("--zip", type=Path, metavar="FILE", help="write the ensemble as one file too")
    command.add_argument("--threads", type=int, help="processor threads of the scoring")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    if options.folds < 2:
        raise SpineError("--folds must be at least 2: one part is learned from, the other is scored.")

    from SpineInference.models.model_package import pack

    from ..config.config import load_config
    from ..experiments.local_executor import run_locally
    from ..workflows.crossvalidate import CrossValidation, crossvalidate

    changes = changes_of(options)
    configs = [load_config(config, changes) for config in options.configs]
    name = configs[0].name.removesuffix(f"-{configs[0].plane}")
    models = options.models or Path("models") / f"{name}-folds"
    wish = CrossValidation(
        name,
        configs,
        options.folds,
        data_folder(options),
        options.cache,
        options.output or Path("crossvalidation") / name,
        models,
        options.seed,
        options.threads,
    )
    try:
        crossvalidate(wish, run_locally)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("interrupted: the same command goes on where it was.") from None
    print(f"{models}: give it with --model, or import it in the panel")
    if options.zip is not None:
        pack(models, options.zip)
        print(options.zip)
