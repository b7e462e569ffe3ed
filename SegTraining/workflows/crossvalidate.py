"""Cross-validation: every fold trained without its patients and scored on them, and all folds packaged as one set.

DIR/configurations, DIR/runs  as of an experiment (see `experiments.runner`)
DIR/folds/N/                  the scores of fold N on its own patients, all planes fused
DIR/cases.csv                 the Dice of every case, by the fold that has not seen it
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from SpineInference.errors import SpineError
from SpineInference.models.catalog import ModelSet, open_set
from SpineInference.models.package_files import atomic_folder
from SpineInference.options import SegmentationOptions

from ..config.config import Config, changed, parse_config
from ..config.experiment import Experiment
from ..data.datasets import Case, find_cases
from ..evaluation.evaluate import evaluate, open_runs
from ..evaluation.manifest_metrics import manifest_metrics
from ..evaluation.output import CASES, SUMMARY, write_csv
from ..evaluation.statistics import statistics
from ..experiments.runner import PlannedRun, plan, run_experiment
from ..experiments.task import Executor
from ..export.package import package
from .held_out import dice_by_case, folds, mean, number

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CrossValidation:
    """What a person asks for. `configs` are those of the planes of one set, of the same data."""

    name: str
    configs: Sequence[Config]
    folds: int
    data: Path
    cache: Path
    output: Path
    models: Path
    seed: int = 0
    threads: int | None = None


def crossvalidate(wish: CrossValidation, execute: Executor) -> ModelSet:
    """The set of all folds, written to `wish.models`; logs the scores of every case by the fold that has not seen it.

    What an earlier call has finished is not done again. Raises SpineError before any work where something cannot be
    used.
    """
    if wish.models.exists():
        raise SpineError(f'"{wish.models}" is there already: choose another --models, or remove it.')
    _check(wish.configs)
    cases = [case for dataset in wish.configs[0].data.datasets for case in find_cases(dataset, wish.data)]
    dealt = folds(cases, wish.folds, wish.seed)
    experiment = Experiment(
        name=wish.name,
        configuration={},
        extra_runs={
            f"{config.plane}-fold-{fold}": _content(config, names)
            for fold, names in enumerate(dealt)
            for config in wish.configs
        },
        evaluate=(),
    )
    planned = plan(experiment, wish.output, wish.data, wish.cache)
    for fold, names in enumerate(dealt):
        _log.info(f"fold {fold}: {len(names)} cases are kept aside")
    run_experiment(planned, wish.output, execute)
    by_fold = [[one for one in planned if one.run.name.endswith(f"-fold-{fold}")] for fold in range(wish.folds)]
    for fold, members in enumerate(by_fold):
        _score(members, [case for case in cases if case.name in dealt[fold]], _scores(wish, fold), wish.threads)
    _log.info(_table(wish, cases))
    with atomic_folder(wish.models) as folder:
        for fold, members in enumerate(by_fold):
            for one in members:
                metrics = manifest_metrics(_scores(wish, fold) / SUMMARY, one.run.config.plane)
                package(one.task.run_folder, folder / one.run.config.name, metrics)
    return open_set(wish.models)


def _check(configs: Sequence[Config]) -> None:
    first = configs[0]
    for config in configs[1:]:
        same = (config.data.datasets, config.model_info.labels) == (first.data.datasets, first.model_info.labels)
        if not same:
            raise SpineError(
                f'"{first.name}" and "{config.name}" have different data sets or labels: validate them one by one.'
            )
    planes = [config.plane for config in configs]
    if len(set(planes)) < len(planes):
        raise SpineError(f"Two configurations are of the {planes[0]} plane: give one for each plane.")


def _content(config: Config, names: Sequence[str]) -> dict[str, Any]:
    """The configuration with `names` as its test cases; whatever else chose weights chooses them among the others."""
    split = config.data.split
    own = {
        "test": sorted(names),
        "test_fraction": None,
        "folds": None,
        "fold": 0,
        "validation": [name for name in split.validation if name not in names],
    }
    content = changed(config.model_dump(mode="json"), {f"data.split.{key}": value for key, value in own.items()})
    parse_config(content, f'The configuration "{config.name}"')
    return content


def _scores(wish: CrossValidation, fold: int) -> Path:
    return wish.output / "folds" / str(fold)


def _score(members: Sequence[PlannedRun], cases: list[Case], output: Path, threads: int | None) -> None:
    if (output / SUMMARY).exists():
        return
    labels = members[0].run.config.model_info.labels
    options = SegmentationOptions(threads=threads)
    with open_runs([one.task.run_folder for one in members]) as models:
        evaluate(models, cases, output, labels, options=options, tolerant=True)


def _table(wish: CrossValidation, cases: Sequence[Case]) -> str:
    """Dice of every case, written to `cases.csv` too, and the means of the folds and of all."""
    patient_of = {case.name: case.patient for case in cases}
    rows, lines = [], []
    for fold in range(wish.folds):
        scores = dice_by_case(_scores(wish, fold))
        for case in next(iter(scores.values())):
            row = {"fold": fold, "case": case, "patient": patient_of[case]}
            rows.append(row | {planes: dice[case] for planes, dice in scores.items()})
        means = ", ".join(f"{planes} {number(mean(list(dice.values())))}" for planes, dice in scores.items())
        lines.append(f"fold {fold}: {means}")
    write_csv(rows, wish.output / CASES)
    columns = [key for key in rows[0] if key not in ("fold", "case", "patient")]
    head = f"{'case':<28} fold  " + "  ".join(f"{column:<8}" for column in columns)
    each = [
        f"{row['case']:<28} {row['fold']:<4}  " + "  ".join(f"{number(row[column]):<8}" for column in columns)
        for row in rows
    ]
    total = []
    for column in columns:
        found = statistics([row[column] for row in rows], [row["patient"] for row in rows])
        if found is None:
            continue
        spread = "" if found.interval is None else f" ({found.interval.text(3)})"
        total.append(f"{column}: Dice {found.mean:.4f}{spread}, {found.n} cases of {found.patients} patients")
    return "\n".join(
        ["", head, *each, "", *lines, "", "All cases, each by networks that have not seen its patient:", *total]
    )
