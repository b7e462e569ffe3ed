"""`segtraining train`: a network of a configuration."""

import argparse
from pathlib import Path

from .arguments import add_config, config_of, data_folder


def add_to(subparsers: argparse._SubParsersAction) -> None:
    command = subparsers.add_parser("train", help="train a network; prepares first what is not in the cache")
    add_config(command)
    command.add_argument("-o", "--output", type=Path, help="run folder (default runs/CONFIG)")
    command.add_argument("--resume", action="store_true", help="go on with the run in that folder")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from ..training.run_folder import CONFIG
    from ..training.train import train

    folder = options.output or Path("runs") / Path(options.config).stem
    try:
        print(train(config_of(options), data_folder(options), options.cache, folder, options.resume))
    except KeyboardInterrupt:
        begun = (folder / CONFIG).exists()
        advice = f'the same command with --resume goes on with "{folder}"' if begun else "the training had not begun"
        raise KeyboardInterrupt(f"interrupted: {advice}.") from None
