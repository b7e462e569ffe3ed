"""`segtraining levels`: the network that recognises levels."""

import argparse
from pathlib import Path

from .arguments import add_data, data_folder


def add_to(subparsers: argparse._SubParsersAction) -> None:
    command = subparsers.add_parser("levels", help="train the network that recognises levels, and make its package")
    command.add_argument("config", nargs="?", default="vertebral-levels", help="YAML file, or a preset (%(default)s)")
    add_data(command)
    command.add_argument("-o", "--output", type=Path, default=Path("models/vertebral-levels-mr"))
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from ..config.levels import load_level_config
    from ..levels.train import train_levels

    made = train_levels(load_level_config(options.config), data_folder(options), options.output)
    print(f"{options.output}: {made.size_bytes / 1e6:.2f} MB, {made.manifest.metrics}")
