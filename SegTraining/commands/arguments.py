"""Arguments that several commands have, and what they stand for."""

import argparse
import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from SpineInference.errors import SpineError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from SpineInference.models.catalog import ModelSet

    from ..config.config import Config


def add_config(command: argparse.ArgumentParser, required: bool = True) -> None:
    command.add_argument("config", nargs=None if required else "?", help="YAML file, or the name of a preset")
    add_data(command)


def add_models(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", help="name of a set of models, or a folder or zip of packages")
    command.add_argument(
        "--run",
        dest="run_folders",
        type=Path,
        action="append",
        default=[],
        help="a run folder instead; may be given for each plane. Brings its CONFIG",
    )


def add_data_folder(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", type=Path, help="folder of the data sets (default: SPINE_DATA)")


def add_data(command: argparse.ArgumentParser) -> None:
    add_data_folder(command)
    command.add_argument("--cache", type=Path, default=Path("cache"), help="folder of prepared cases (default cache)")
    command.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting: training.max_minutes=60"
    )


def config_of(options: argparse.Namespace) -> "Config":
    from ..config.config import load_config

    return load_config(options.config, changes_of(options))


def changes_of(options: argparse.Namespace) -> dict[str, Any]:
    """What `--set` says."""
    import yaml

    changes: dict[str, Any] = {}
    for text in options.set:
        key, equals, value = text.partition("=")
        if not equals:
            raise SpineError(f'"--set {text}" is not understood: write KEY=VALUE, e.g. training.max_minutes=60.')
        changes[key] = yaml.safe_load(value)
    return changes


def data_folder(options: argparse.Namespace) -> Path:
    folder = options.data or os.environ.get("SPINE_DATA")
    if folder is None:
        raise SpineError("It is not known where the data sets are: give --data FOLDER or set SPINE_DATA.")
    return Path(folder)


def check_models(options: argparse.Namespace) -> None:
    if bool(options.model) == bool(options.run_folders):
        raise SpineError("It is not said with what models: give --model, or --run and a run folder.")
    if options.run_folders:
        options.config = options.config or str(options.run_folders[0] / "config.yaml")


def models_of(options: argparse.Namespace) -> "AbstractContextManager[ModelSet]":
    from SpineInference.models.catalog import open_set

    from ..evaluation.evaluate import open_runs

    return open_runs(options.run_folders) if options.run_folders else nullcontext(open_set(options.model))
