"""Evaluates models as a user will run them: whole volumes through the runtime's own pipeline."""

import json
import logging
import os
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from SpineInference import __version__
from SpineInference.anatomy import HOLDERS
from SpineInference.app.requests import Request
from SpineInference.app.results import write_result
from SpineInference.engines.engine_cache import EngineCache
from SpineInference.errors import Implausible, SpineError
from SpineInference.files.atomic import atomic
from SpineInference.files.result_folder import check_output
from SpineInference.measuring.metrics import NSD_TOLERANCE_MM
from SpineInference.models.catalog import ModelSet, open_set
from SpineInference.options import SegmentationOptions
from SpineInference.volume.geometry import PLANES, canonical

from ..config.data import Label
from ..data.datasets import Case
from ..data.targets import numbers_of_vertebrae
from ..export.package import package
from .bodies import BodyCount, score_bodies
from .body_summary import body_summaries
from .examples import Examples
from .identical_images import IdenticalImages
from .metrics import FUSED, score_classes, score_slices
from .output import BODIES, CASES, EXAMPLES, SLICES, SUMMARY, write_csv
from .predicted_classes import Prediction, predict_or_nothing
from .references import Reference, read_reference
from .summary import BodyRow, Row, levels, summaries, worst_bodies
from .tables import RULES, body_tables, results_table

_log = logging.getLogger(__name__)

_BUSY = 0.5
"""More running processes than this before it begins make the times worthless."""


@contextmanager
def open_runs(run_folders: Sequence[Path]) -> Iterator[ModelSet]:
    """The best weights of some runs as a set of models, whose planes are fused; packaged for as long as the block."""
    with tempfile.TemporaryDirectory() as folder:
        packages = Path(folder) / "-and-".join(run.resolve().name for run in run_folders)[:80]
        for number, run in enumerate(run_folders):
            package(run, packages / str(number))
        yield open_set(packages)


def evaluate(
    model_set: ModelSet,
    cases: list[Case],
    output: Path,
    labels: tuple[Label, ...] | None = None,
    each_plane: bool = True,
    options: SegmentationOptions | None = None,
    *,
    body_by_body: bool = False,
    tolerant: bool = False,
    keep_results: Path | None = None,
) -> dict:
    """Score `cases` with the fused planes and, if asked, with each plane alone; the summary, whose tables are logged.

    `labels` says which values of the references are which of the models' classes, in their order; by default
    `labels_of` the models. `body_by_body` also logs the tables of single bodies and the rules, and takes masks of all
    bodies apart for it. `keep_results` is a folder for what `spine-segment` would write of each scan with all planes.

    Writes the files that `output` names into `output`, the scores known so far after every case. A spine such as there
    is none counts as nothing found; if `tolerant`, so does whatever else goes wrong with a scan, as long as it does not
    with all. Raises SpineError where there is nothing to evaluate, or a case cannot be read.
    """
    if not cases:
        raise SpineError("There is no case to evaluate: name some with --cases, or another --split.")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    labels = labels or labels_of(model_set)
    engines, options = EngineCache(), options or SegmentationOptions()
    scores, images = _Scores(labels), IdenticalImages()
    tolerated = Exception if tolerant else Implausible
    for case in cases if keep_results else ():
        check_output(_result_folder(keep_results, case))
    output.mkdir(parents=True, exist_ok=True)
    (output / SUMMARY).unlink(missing_ok=True)  # that of another evaluation would not fit what is written from here on
    for number, case in enumerate(cases, start=1):
        scan, reference = read_reference(case, labels, separate_bodies=body_by_body)
        case = replace(case, patient=images.patient_of(case, scan))
        for planes, chosen in _choices(model_set, each_plane, options):
            prediction = predict_or_nothing(scan, model_set, replace(options, planes=chosen), engines, tolerated)
            known = _known_labels(model_set, chosen)
            for row in scores.add(case, scan, reference, planes, prediction, known):
                _log.info(f"{number} of {len(cases)}: {_line(row, len(labels) > 1)}")
        if keep_results and prediction.result is not None:
            folder = _result_folder(keep_results, case)
            write_result(prediction.result, scan, folder, Request(str(case.image), str(folder), options))
        scores.write_scores(output)
    scores.check()
    scores.write_slices(output)
    notes = list(images.notes)
    if load > _BUSY:
        notes.append(f"The machine was busy before this began (load {load:.1f}): do not trust the seconds.")
    summary = {
        "program": __version__,
        "model": model_set.name,
        "packages": {p.manifest.name: p.manifest.files for p in model_set.packages},
        "nsd_tolerance_mm": NSD_TOLERANCE_MM,
        "rules": RULES,
        "notes": notes,
        "cases": sorted(case.name for case in cases),
        "results": summaries(scores.rows),
        "bodies": body_summaries(scores.rows, scores.bodies),
        "levels": levels(scores.bodies),
        "worst_bodies": worst_bodies(scores.bodies),
    }
    with atomic(output / SUMMARY) as path:
        path.write_text(json.dumps(summary, indent=1), "utf-8")
    _log.info(results_table(summary["results"]))
    if body_by_body:
        _log.info("\n\n".join([body_tables(scores.rows, scores.bodies), RULES]))
    for note in notes:
        _log.info(note)
    return summary


class _Scores:
    """What is known so far, case by case."""

    def __init__(self, labels: tuple[Label, ...]):
        self.rows: list[Row] = []
        self.bodies: list[BodyRow] = []
        self._slices: list[dict] = []
        self._examples = Examples()
        self._labels = labels
        self._errors: list[Exception | None] = []

    def add(
        self,
        case: Case,
        scan: sitk.Image,
        reference: Reference,
        planes: str,
        prediction: Prediction,
        known: Collection[int],
    ) -> list[Row]:
        """Score one prediction; its rows, one for each label that the data set labels and the planes know: the numbers
        `known`."""
        self._errors.append(prediction.error)
        prediction = replace(prediction, classes=self._as_labelled(prediction.classes, case))
        scores = score_classes(prediction.classes, reference, len(self._labels))
        count = BodyCount()
        if reference.has_bodies and prediction.instances is not None and reference.rows.start < reference.rows.stop:
            bodies, count = score_bodies(prediction.instances, prediction.bodies, reference)
            self.bodies += [BodyRow(case.dataset.name, case.name, case.patient, planes, body) for body in bodies]
        along = (planes,) if planes in PLANES else PLANES
        rows, vertebrae = [], numbers_of_vertebrae(self._labels)
        for value, (label, score) in enumerate(zip(self._labels, scores, strict=True), start=1):
            if label.name in case.dataset.unlabelled or value not in known:
                continue
            names = (case.name, case.patient, case.dataset.name, planes, label.name)
            bodies_of_label = count if value in vertebrae else BodyCount()
            rows.append(Row(*names, prediction.seconds, score, bodies_of_label, prediction.failure))
            place = {"case": case.name, "planes": planes, "label": label.name}
            self._slices += [place | asdict(s) for s in score_slices(prediction.classes, reference, along, value)]
        grey = sitk.GetArrayFromImage(canonical(scan))
        judged = [row.label for row in rows]
        others = [number for number, label in enumerate(self._labels, start=1) if label.name not in judged]
        shown = np.where(np.isin(prediction.classes, others), 0, prediction.classes)
        self._examples.add(case.name, planes, along[0], grey, shown, reference)
        self.rows += rows
        return rows

    def _as_labelled(self, classes: np.ndarray, case: Case) -> np.ndarray:
        """What lies inside another structure counts as that where the data set does not tell it apart, as the cord."""
        numbers = {label.code: number for number, label in enumerate(self._labels, start=1)}
        for label in self._labels:
            holder = numbers.get(HOLDERS.get(label.code))
            if holder and label.name in case.dataset.unlabelled:
                classes = np.where(classes == numbers[label.code], np.uint8(holder), classes)
        return classes

    def write_scores(self, output: Path) -> None:
        write_csv([row.as_dict() for row in self.rows], output / CASES)
        write_csv([body.as_dict() for body in self.bodies], output / BODIES)

    def write_slices(self, output: Path) -> None:
        write_csv(self._slices, output / SLICES)
        self._examples.write(output / EXAMPLES)

    def check(self) -> None:
        """Raise SpineError if nothing was predicted at all, and not because of what the networks found."""
        if all(error is not None and not isinstance(error, Implausible) for error in self._errors):
            raise SpineError(f"Every scan failed, the first one so: {self._errors[0]}")


def _line(row: Row, with_label: bool) -> str:
    dice = "-" if row.score.dice is None else f"{row.score.dice:.4f}"
    what = f"{row.planes}, {row.label}" if with_label else row.planes
    bodies = row.bodies
    found = f", {bodies.found} of {bodies.bodies} bodies, {bodies.spurious} false" if bodies.bodies else ""
    return f"{row.case}, {what}: Dice {dice}{found}, {row.seconds:.1f} s"


def labels_of(model_set: ModelSet) -> tuple[Label, ...]:
    """What the classes of the models are in a reference of which nothing else is known: a single one is everything
    labelled, and several have the values that the package gives them."""
    own = model_set.recipe.labels
    return tuple(
        Label(
            name=label.name,
            colour=label.colour,
            code=label.code,
            meaning=label.meaning,
            values=(label.value,) if len(own) > 1 else (),
            value=label.value,
        )
        for label in own
    )


def _known_labels(model_set: ModelSet, planes: tuple[str, ...] | None) -> set[int]:
    """The numbers (1, 2, ...) of the labels that the networks of these planes, None for all, know."""
    packages = [one.manifest for one in model_set.packages if planes is None or one.manifest.plane in planes]
    known = [label for manifest in packages for label in manifest.labels]
    return {number for number, label in enumerate(model_set.recipe.labels, start=1) if label in known}


def _result_folder(folder: Path, case: Case) -> Path:
    return folder / case.dataset.name / case.name


def _choices(
    model_set: ModelSet, each_plane: bool, options: SegmentationOptions
) -> list[tuple[str, tuple[str, ...] | None]]:
    """The name of each choice of planes, and the planes (None for all that help); the most complete one last."""
    if options.planes is not None:
        return [("+".join(options.planes), options.planes)]
    planes = list(dict.fromkeys(package.manifest.plane for package in model_set.packages))
    if len(planes) == 1:
        return [(planes[0], None)]
    return [*((plane, (plane,)) for plane in planes if each_plane), (FUSED, None)]
