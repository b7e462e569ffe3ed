"""Fine-tunes a set of models with corrected cases: every plane, measured before and after on cases kept aside."""

import json
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from SpineInference.anatomy import VERTEBRA_CODE
from SpineInference.errors import SpineError
from SpineInference.files.atomic import atomic
from SpineInference.models.catalog import ModelSet, open_set
from SpineInference.models.model_package import ModelPackage, copy_package
from SpineInference.models.package_files import atomic_folder
from SpineInference.options import SegmentationOptions

from ..config.config import Config, load_config
from ..config.data import Data, Dataset, Label, Split
from ..config.errors import explain
from ..data.datasets import Case, find_cases
from ..data.prepare import voxel_hash
from ..data.raw_folder import describe_raw_folder
from ..evaluation.evaluate import evaluate, labels_of
from ..evaluation.manifest_metrics import manifest_metrics
from ..evaluation.output import SUMMARY
from ..experiments.task import train_to_the_end
from ..export.package import package
from ..planning.rules import useful_planes
from ..planning.survey import Survey, survey
from ..planning.tuned import changed_config, tuned_config
from ..training.run_folder import CONFIG
from .held_out import LEAST_PATIENTS, dice_by_case, held_out, mean, number

_log = logging.getLogger(__name__)

BEFORE, AFTER, LEARNED = "before", "after", "learned-from.json"
BEYOND_MM = 40.0
"""Below the lowest corrected body nothing is taught so far down: there others may be seen that nobody has drawn."""


@dataclass(frozen=True)
class FineTuning:
    """What a person asks for. `output` becomes the set's folder, `work` holds runs and scores."""

    start: str
    folder: Path
    name: str
    output: Path
    work: Path
    cache: Path
    planes: tuple[str, ...] | None = None
    held_out: tuple[str, ...] = ()
    test_folder: Path | None = None
    patient_pattern: str | None = None
    epochs: int | None = None
    minutes: float | None = None
    threads: int | None = None
    seed: int = 0
    changes: dict[str, Any] = field(default_factory=dict)


def finetune(wish: FineTuning) -> ModelSet:
    """The tuned set, which is written to `wish.output`; logs the gain on the cases kept aside.

    Networks of planes that are not tuned, and the one for levels, are taken along as they are. An interrupted call
    goes on where it was when repeated. Raises SpineError before any work where something cannot be used.
    """
    if wish.output.exists():
        raise SpineError(f'"{wish.output}" is there already: choose another --output, or remove it.')
    start = open_set(wish.start)
    labels = labels_of(start)
    dataset = _dataset(wish, labels)
    cases = find_cases(dataset, wish.folder.resolve().parent)
    aside = held_out(cases, wish.seed, wish.held_out)
    found = survey([case for case in cases if case not in aside], labels)
    judged = [*aside, *_others(wish, labels, found)]
    tuned = _packages_to_tune(start, wish, found, dataset)
    split = Split(test=tuple(sorted(case.name for case in aside)))
    configs = [_config(wish, position, tuned, dataset, split, labels, found) for position in range(len(tuned))]
    _tell(start, tuned, found, aside, judged)
    _check_work(wish.work, cases)

    options = SegmentationOptions(threads=wish.threads)
    if judged:
        evaluate(start, judged, wish.work / BEFORE, labels, False, options, tolerant=True)
    runs = [wish.work / config.name for config in configs]
    for config, run in zip(configs, runs, strict=True):
        _log.info(f"fine-tuning {config.name}")
        train_to_the_end(config, wish.folder.resolve().parent, wish.cache, run)
    kept = [one for one in start.all_packages if one not in tuned]
    if judged:
        with tempfile.TemporaryDirectory() as folder:
            _write_set(Path(folder) / wish.name, runs, kept)
            after = open_set(Path(folder) / wish.name)
            evaluate(after, judged, wish.work / AFTER, labels, False, options, tolerant=True)
    with atomic_folder(wish.output) as folder:
        _write_set(folder, runs, kept, wish.work if judged else None)
    if judged:
        _log.info(gain_table(wish.work))
    return open_set(wish.output)


def gain_table(work: Path) -> str:
    """Dice of every case before and after, and what the mean has gained."""
    [before], [after] = (list(dice_by_case(work / name).values()) for name in (BEFORE, AFTER))
    lines = ["", "Dice of cases that were not learned from:", f"{'case':<28} before   after    gain"]
    rows = {case: (before[case], after[case]) for case in before}
    means = tuple(mean(list(column)) for column in zip(*rows.values(), strict=True))
    for case, (old, new) in (rows | {"mean": means}).items():
        gain = "-" if None in (old, new) else f"{new - old:+.4f}"
        lines.append(f"{case:<28} {number(old):<8} {number(new):<8} {gain}")
    if None not in means and means[1] < means[0]:
        lines.append("It is worse than before on these: keep the model that you have.")
    return "\n".join(lines)


def _dataset(wish: FineTuning, labels: tuple[Label, ...]) -> Dataset:
    dataset = describe_raw_folder(wish.folder.resolve(), labels)
    of_vertebrae = any(label.code == VERTEBRA_CODE[0] for label in labels)
    beyond = {"ignore_below_mm": BEYOND_MM} if len(labels) == 1 or of_vertebrae else {}
    pattern = {} if wish.patient_pattern is None else {"patient_pattern": wish.patient_pattern}
    try:
        return Dataset.model_validate(dataset.model_dump() | beyond | pattern)
    except ValidationError as error:
        raise SpineError(f"--patient-pattern is wrong: {explain(error, Dataset)}.") from None


def _check_work(work: Path, cases: Sequence[Case]) -> None:
    """Raise SpineError where `work` holds what an earlier call has made of other cases, or of these as they were."""
    stats = {path: path.stat() for case in cases for path in (case.image, case.labels)}
    files = {f"{path.parent.name}/{path.name}": [stat.st_size, stat.st_mtime_ns] for path, stat in stats.items()}
    told = work / LEARNED
    if told.exists() and json.loads(told.read_text("utf-8")) != files:
        raise SpineError(
            f'"{work}" was made with other cases, or before they were changed: remove it, or choose another --name.'
        )
    work.mkdir(parents=True, exist_ok=True)
    with atomic(told) as aside:
        aside.write_text(json.dumps(files, indent=1), "utf-8")


def _others(wish: FineTuning, labels: tuple[Label, ...], found: Survey) -> list[Case]:
    """The cases of the folder to measure on, none of which may be among those that are learned from."""
    if wish.test_folder is None:
        return []
    folder = wish.test_folder.resolve()
    cases = find_cases(describe_raw_folder(folder, labels), folder.parent)
    learned = {fact.voxel_hash: fact.name for fact in found.cases}
    for case in cases:
        if other := learned.get(voxel_hash(case.read_image())):
            raise SpineError(
                f'"{case.name}" of the folder to measure on is "{other}", which is learned from: remove it.'
            )
    return cases


def _packages_to_tune(start: ModelSet, wish: FineTuning, found: Survey, dataset: Dataset) -> list[ModelPackage]:
    """Those of the planes asked for, or of the planes that the cases show well enough, that know a label of them."""
    offered = [one.manifest.plane for one in start.packages]
    if missing := sorted(set(wish.planes or ()) - set(offered)):
        raise SpineError(f'The model "{start.name}" has no network for the {missing[0]} plane: correct --planes.')
    planes, left_out = useful_planes(found, start.packages[0].manifest.input.spacing_mm)
    if wish.planes is None:
        for plane, why in left_out.items():
            if plane in offered:
                _log.info(f"The {plane} network stays as it is: {why}. --planes tunes it all the same.")
    chosen = [
        one
        for one in start.packages
        if one.manifest.plane in (wish.planes or planes)
        and any(label.name not in dataset.unlabelled for label in one.manifest.labels)
    ]
    if not chosen:
        raise SpineError(f'The cases show no plane of "{start.name}" well enough: name one with --planes.')
    return chosen


def _for_package(
    package: ModelPackage, dataset: Dataset, labels: tuple[Label, ...]
) -> tuple[Dataset, tuple[Label, ...]]:
    """The data set and the `labels` as a package sees them that knows only some of these: others are background."""
    names = {label.name for label in package.manifest.labels}
    own, others = ([x for x in labels if (x.name in names) is is_own] for is_own in (True, False))
    rest = sorted(value for label in others for value in dataset.values_of(label))
    rules = {
        "label_values": {name: values for name, values in dataset.label_values.items() if name in names},
        "unlabelled": tuple(name for name in dataset.unlabelled if name in names),
        "background_labels": tuple(sorted({*dataset.background_labels, *rest})),
    }
    return dataset.model_copy(update=rules), tuple(own)


def _config(
    wish: FineTuning,
    position: int,
    tuned: list[ModelPackage],
    dataset: Dataset,
    split: Split,
    labels: tuple[Label, ...],
    found: Survey,
) -> Config:
    dataset, labels = _for_package(tuned[position], dataset, labels)
    data = Data(datasets=(dataset,), split=split)
    plane = tuned[position].manifest.plane
    earlier = sum(one.manifest.plane == plane for one in tuned[:position])
    name = f"{wish.name}-{plane}" + (f"-{earlier + 1}" if earlier else "")
    minutes = None if wish.minutes is None else wish.minutes / len(tuned)
    config = tuned_config(tuned[position], name, data, labels, found, wish.epochs, minutes)
    threads = {} if wish.threads is None else {"training.threads": wish.threads}
    return changed_config(config, threads | wish.changes)


def _tell(start: ModelSet, tuned: list[ModelPackage], found: Survey, aside: list[Case], judged: list[Case]) -> None:
    planes = ", ".join(one.manifest.plane for one in tuned)
    _log.info(f"{start.name} ({planes}) learns from {len(found.cases)} cases of {found.patients} patients")
    if judged:
        _log.info(f"{len(judged)} cases are kept aside to measure the gain: {', '.join(case.name for case in judged)}")
    if not aside:
        measured = (
            "the gain is measured on --test" if judged else "the gain is not measured: --test or --held-out does it"
        )
        _log.info(
            f"All are learned from, as fewer than {LEAST_PATIENTS} patients are too few to keep one aside; {measured}"
        )


def _write_set(folder: Path, runs: Sequence[Path], kept: Sequence[ModelPackage], work: Path | None = None) -> None:
    """The packages of the runs, with the scores in `work`, and those that are `kept` as they are."""
    for run in runs:
        package(run, folder / run.name, None if work is None else _metrics(work, load_config(run / CONFIG).plane))
    for one in kept:
        (folder / one.manifest.name).mkdir(parents=True)
        copy_package(one, folder / one.manifest.name)


def _metrics(work: Path, plane: str) -> dict[str, Any]:
    before, after = (manifest_metrics(work / name / SUMMARY, plane) for name in (BEFORE, AFTER))
    return after | {"before_fine_tuning": before["evaluation"]}
