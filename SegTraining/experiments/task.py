"""One configuration of an experiment as a task: trained and evaluated by whoever executes it, wherever that is.

An executor is given tasks and calls back with an outcome for each; it may run them in any order and place, as long as
they see the same files: one after the other on this computer (`local_executor`), or in a cluster (`ray_executor`).
"""

import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from SpineInference.errors import SpineError
from SpineInference.files.atomic import atomic

from ..config.console import show_progress
from ..evaluation.output import SUMMARY

if TYPE_CHECKING:
    from ..config.config import Config

_log = logging.getLogger(__name__)

LOG = "log.txt"
TRAINED = "trained"
"""Lies in a run folder whose training has reached its end."""


@dataclass(frozen=True)
class Task:
    """A configuration to train and evaluate, and what that takes of the node of a cluster."""

    name: str
    config: Path
    """The YAML file."""
    run_folder: Path
    data_folder: Path
    cache_folder: Path
    splits: tuple[str, ...] = ("test",)
    """On whose cases the trained network is evaluated."""
    cpus: int = 1
    gpus: int = 0
    memory_gb: float = 4.0

    @property
    def log(self) -> Path:
        """What training and evaluation print."""
        return self.run_folder / LOG

    @property
    def trained(self) -> bool:
        """Whether the training has reached its end."""
        return (self.run_folder / TRAINED).exists()

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self.trained and not self.missing_splits

    @property
    def missing_splits(self) -> list[str]:
        """Those that have not been evaluated yet."""
        return [split for split in self.splits if not (self.evaluation(split) / SUMMARY).exists()]

    def evaluation(self, split: str) -> Path:
        return self.run_folder / "evaluation" / split


@dataclass(frozen=True)
class TaskOutcome:
    """How a task has ended: `error` is a sentence, None for one that was done."""

    name: str
    minutes: float
    result: str = ""
    """What it has reached, for people."""
    error: str | None = None


Executor = Callable[[Sequence[Task], Callable[[TaskOutcome], None]], None]
"""`executor(tasks, on_outcome)` calls `on_outcome` once for each task, and returns when all of them have ended."""


def run_task(task: Task, threads: int | None = None) -> TaskOutcome:
    """Train and evaluate in this process, going on from whatever an earlier attempt has left; never raises Exception.

    What is done already is not done again. Prints into the task's log. The evaluation has as many `threads` as the
    training if the configuration says how many; None are as many as there are processors.
    """
    started = time.monotonic()
    result, error = "", None
    try:
        with _logged(task.log):
            result = _train_and_evaluate(task, threads)
    except SpineError as told:
        error = str(told)
    except Exception as unexpected:
        error = f'{type(unexpected).__name__}: {unexpected} (more in "{task.log}").'
    return TaskOutcome(task.name, (time.monotonic() - started) / 60, result, error)


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a", encoding="utf-8", buffering=1)
    except OSError as error:
        raise SpineError(f'"{path}" cannot be written ({error.strerror}): choose another folder.') from error
    with file, redirect_stdout(file), redirect_stderr(file):
        show_progress()
        _log.info(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')}, process {os.getpid()}")
        try:
            yield
        except BaseException:
            traceback.print_exc(file=sys.stderr)
            raise


def train_to_the_end(config: "Config", data_folder: Path, cache_folder: Path, run_folder: Path) -> None:
    """Train into `run_folder`, going on from whatever an earlier attempt has left there; raises as `train` does."""
    from ..training.run_folder import CONFIG, check_run_folder
    from ..training.train import train

    if (run_folder / TRAINED).exists():
        check_run_folder(config, run_folder, resume=True)
        return
    begun = (run_folder / CONFIG).exists()
    train(config, data_folder, cache_folder, run_folder, resume=begun)
    with atomic(run_folder / TRAINED) as aside:
        aside.touch()


def _train_and_evaluate(task: Task, threads: int | None) -> str:
    from ..config.config import load_config

    config = load_config(task.config)
    train_to_the_end(config, task.data_folder, task.cache_folder, task.run_folder)
    if missing := task.missing_splits:
        from SpineInference.options import SegmentationOptions

        from ..data.datasets import split_cases
        from ..evaluation.evaluate import evaluate, open_runs
        from ..reporting.activation_maps import write_activation_maps

        # Not only where the spine seems to be: networks trained on whole slices find nothing in parts of them.
        options = SegmentationOptions(threads=config.training.threads or threads, restrict_to_spine=False)
        cases, labels = split_cases(config.data, task.data_folder), config.model_info.labels
        with open_runs([task.run_folder]) as models:
            for split in missing:
                # Before the summary, which says that nothing is missing.
                write_activation_maps(models, cases[split][0], labels, task.evaluation(split))
                evaluate(models, cases[split], task.evaluation(split), labels, options=options)
    return _reached(task.run_folder)


def _reached(run_folder: Path) -> str:
    from ..reporting.runs import read_runs

    (run,) = read_runs([run_folder])
    dice = {"validation": run.validation_dice} | {split: run.dice(split) for split in run.evaluations}
    return ", ".join(f"{split} Dice {value:.4f}" for split, value in dice.items() if value is not None)
