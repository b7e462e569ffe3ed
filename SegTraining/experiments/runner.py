"""Runs an experiment: what is done already is skipped, what fails is told, and at the end the report is written.

DIR/configurations/NAME.yaml  what each run is given
DIR/runs/NAME/                the folder of a run, with log.txt and evaluation/SPLIT
DIR/prerequisites/NAME/       the same of those that others build upon; the report leaves them out
DIR/report.html               with its tables beside it
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from SpineInference.errors import SpineError

from ..config.config import Config, load_config, save_config
from ..config.experiment import Experiment, ExperimentRun, expand
from ..data.datasets import split_cases
from ..reporting.report import write_report
from ..training.run_lock import run_lock
from .run_watch import RunWatch
from .task import Executor, Task, TaskOutcome

_log = logging.getLogger(__name__)

_RESOLVED = "config.yaml"
_PREREQUISITES = "prerequisites"


@dataclass(frozen=True)
class PlannedRun:
    """A run and the task that it is."""

    run: ExperimentRun
    task: Task

    @property
    def state(self) -> str:
        """In a word, for people."""
        return "done" if self.task.done else "begun" if self.task.run_folder.exists() else "new"


def plan(
    experiment: Experiment,
    output: Path,
    data_folder: Path,
    cache_folder: Path,
    changes: dict[str, Any] | None = None,
    only: Sequence[str] = ("*",),
) -> list[PlannedRun]:
    """All runs whose names fit one of the patterns `only`, and all prerequisites, with their tasks.

    `changes` ("training.seed": 1) go over every configuration. Raises SpineError for a configuration that is none,
    patterns that no run fits, and where `output` holds one of the runs with another configuration.
    """
    output = output.resolve()
    planned = []
    for run in expand(experiment, output / _PREREQUISITES, changes):
        if not run.prerequisite and not any(fnmatch(run.name, pattern) for pattern in only):
            continue
        folder = output / (_PREREQUISITES if run.prerequisite else "runs") / run.name
        _check_unchanged(run, folder)
        splits = () if run.prerequisite else experiment.evaluate
        config = output / "configurations" / f"{run.name}.yaml"
        resources = experiment.resources.model_dump()
        task = Task(run.name, config, folder, data_folder.resolve(), cache_folder.resolve(), splits, **resources)
        planned.append(PlannedRun(run, task))
    if all(each.run.prerequisite for each in planned):
        raise SpineError(f'No run of {experiment.name} is called {" or ".join(only)}: see their names with "--list".')
    return planned


def _check_unchanged(run: ExperimentRun, folder: Path) -> None:
    if not (folder / _RESOLVED).exists():
        return
    old, new = (_flat(config.model_dump(mode="json")) for config in (load_config(folder / _RESOLVED), run.config))
    for key in [*new, *old]:
        if old.get(key) != new.get(key):
            raise SpineError(
                f'"{folder}" was made with another configuration ({key} was {old.get(key)}, now it is {new.get(key)}): '
                "choose another output folder, or take that change back."
            )


def _flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def run_experiment(planned: list[PlannedRun], output: Path, execute: Executor) -> None:
    """Execute whatever is not done, log a line for each run, and write the report.

    Raises SpineError before anything is run where the data cannot be used or another process works in `output`, and at
    the end if runs have failed; executed again, it goes on where it was.
    """
    with run_lock(output):
        _check_data(planned)
        for each in planned:
            each.task.config.parent.mkdir(parents=True, exist_ok=True)
            save_config(each.run.config, each.task.config)
        progress = _Progress(planned)
        for prerequisite in (True, False):
            waiting = [each for each in planned if each.run.prerequisite == prerequisite and not each.task.done]
            if waiting:
                with RunWatch({each.task.run_folder: each.run.config.training.max_epochs for each in waiting}):
                    execute([each.task for each in waiting], progress.add)
        report_experiment(planned, output)
    if progress.failed:
        raise SpineError(
            f"{len(progress.failed)} of {len(planned)} runs have failed ({', '.join(progress.failed)}): "
            "see what was said of them, and start the same command again."
        )


def report_experiment(planned: list[PlannedRun], output: Path) -> None:
    """Write the report of the runs whose training has ended, as far as they have been evaluated."""
    folders = [each.task.run_folder for each in planned if each.task.trained and not each.run.prerequisite]
    if folders:
        _log.info(write_report(folders, output / "report.html")[0])


def _check_data(planned: list[PlannedRun]) -> None:
    """What would stop a run before it begins, told before any of them does."""
    seen: list[tuple[Any, ...]] = []
    for each in planned:
        key = (each.run.config.data, each.task.splits)
        if key in seen or each.task.done:
            continue
        seen.append(key)
        _check_splits(each.run.config, each.task)


def _check_splits(config: Config, task: Task) -> None:
    try:
        parts = split_cases(config.data, task.data_folder)
    except SpineError as error:
        raise SpineError(f'The run "{task.name}" cannot be made: {error}') from None
    empty = next((split for split in task.splits if not parts[split]), None)
    if empty is not None:
        raise SpineError(f'The run "{task.name}" has no {empty} cases to be evaluated on: add some to data.split.')


class _Progress:
    """One line for each run that has ended, with the time that the others will take."""

    def __init__(self, planned: list[PlannedRun]):
        self.failed: list[str] = []
        self._total = len(planned)
        self._before = self._ended = sum(each.task.done for each in planned)
        self._started = time.monotonic()
        _log.info(f"{self._total} runs, {self._before} of them done; each writes what it does into log.txt")

    def add(self, outcome: TaskOutcome) -> None:
        self._ended += 1
        if outcome.error is not None:
            self.failed.append(outcome.name)
        told = outcome.result if outcome.error is None else f"FAILED: {outcome.error.removesuffix('.')}"
        left = (time.monotonic() - self._started) / (self._ended - self._before) * (self._total - self._ended)
        _log.info(
            f"{self._ended} of {self._total}: {outcome.name}: {told}; {outcome.minutes:.1f} min, "
            f"about {_duration(left)} left"
        )


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 2 * 3600 else f"{seconds / 3600:.1f} h"
