"""Evaluates models as a user will run them: whole volumes through the runtime's own pipeline."""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import SimpleITK as sitk

from SpineInference.engines.engine_cache import EngineCache
from SpineInference.errors import SpineError
from SpineInference.files.atomic import atomic
from SpineInference.measuring.metrics import NSD_TOLERANCE_MM
from SpineInference.models.catalog import ModelSet, open_set
from SpineInference.options import SegmentationOptions
from SpineInference.volume.geometry import PLANES, canonical

from ..config.data import Label
from ..data.datasets import Case
from ..export.package import package
from .examples import Examples
from .metrics import FUSED, BodyCount, Matches, match_bodies, score_classes, score_slices
from .output import BODIES, CASES, EXAMPLES, SLICES, SUMMARY, write_csv
from .prediction import Prediction, predict_or_nothing
from .references import Reference, read_reference
from .summary import Body, Row, levels, summaries, worst_bodies


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
) -> dict:
    """Score `cases` with the fused planes and, if asked, with each plane alone; the summary, also printed.

    `labels` says which values of the references are which of the models' classes, in their order; without, a single
    class is everything labelled, and several have the values that the package gives them.

    Writes the files that `evaluation_folder` names into `output`. Raises SpineError where there is nothing to evaluate
    or a case cannot be read.
    """
    if not cases:
        raise SpineError("There is no case to evaluate: name some with --cases, or another --split.")
    labels = labels or _labels_of(model_set)
    engines, options = EngineCache(), options or SegmentationOptions()
    found = _Findings(labels)
    output.mkdir(parents=True, exist_ok=True)
    for number, case in enumerate(cases, start=1):
        scan, reference = read_reference(case, labels)
        for planes, prediction in _predictions(model_set, scan, each_plane, options, engines):
            for row in found.add(case, scan, reference, planes, prediction):
                shown = "-" if row.score.dice is None else f"{row.score.dice:.4f}"
                what = f"{planes}, {row.label}" if len(labels) > 1 else planes
                print(f"{number} of {len(cases)}: {case.name}, {what}: Dice {shown}, {row.seconds:.1f} s", flush=True)
    summary = {
        "model": model_set.name,
        "packages": {p.manifest.name: p.manifest.files for p in model_set.packages},
        "nsd_tolerance_mm": NSD_TOLERANCE_MM,
        "cases": sorted(case.name for case in cases),
        "results": summaries(found.rows),
        "levels": levels(found.bodies),
        "worst_bodies": worst_bodies(found.bodies),
    }
    found.write(output)
    with atomic(output / SUMMARY) as path:
        path.write_text(json.dumps(summary, indent=1), "utf-8")
    print(_table(summary["results"]))
    return summary


class _Findings:
    """What has been found so far, case by case."""

    def __init__(self, labels: tuple[Label, ...]):
        self.rows: list[Row] = []
        self.bodies: list[Body] = []
        self._slices: list[dict] = []
        self._examples = Examples()
        self._labels = labels

    def add(self, case: Case, scan: sitk.Image, reference: Reference, planes: str, found: Prediction) -> list[Row]:
        """Score one prediction; its rows, one for each label."""
        scores = score_classes(found.classes, reference, len(self._labels))
        bodies = BodyCount()
        if case.labels_are_instances and found.instances is not None and reference.rows.start < reference.rows.stop:
            bodies = self._add_bodies(case, planes, match_bodies(found.instances, reference))
        along = (planes,) if planes in PLANES else PLANES
        rows = []
        for value, (label, score) in enumerate(zip(self._labels, scores, strict=True), start=1):
            names = (case.name, case.patient, case.dataset.name, planes, label.name)
            rows.append(Row(*names, found.seconds, score, bodies))
            place = {"case": case.name, "planes": planes, "label": label.name}
            self._slices += [place | asdict(s) for s in score_slices(found.classes, reference, along, value)]
        grey = sitk.GetArrayFromImage(canonical(scan))
        self._examples.add(case.name, planes, along[0], grey, found.classes, reference)
        self.rows += rows
        return rows

    def _add_bodies(self, case: Case, planes: str, matches: Matches) -> BodyCount:
        for label, dice in matches.dice.items():
            self.bodies.append(Body(case.dataset.name, case.name, planes, label, dice))
        return matches.count()

    def write(self, output: Path) -> None:
        write_csv([row.as_dict() for row in self.rows], output / CASES)
        write_csv([body.as_dict() for body in self.bodies], output / BODIES)
        write_csv(self._slices, output / SLICES)
        self._examples.write(output / EXAMPLES)


def _labels_of(model_set: ModelSet) -> tuple[Label, ...]:
    own = model_set.packages[0].manifest.labels
    return tuple(Label(name=label.name, values=(label.value,) if len(own) > 1 else ()) for label in own)


def _predictions(
    model_set: ModelSet, scan: sitk.Image, each_plane: bool, options: SegmentationOptions, engines: EngineCache
) -> Iterator[tuple[str, Prediction]]:
    """The name of each choice of planes and what is found with it, all planes last."""
    planes = [package.manifest.plane for package in model_set.packages]
    choices: list[tuple[str, tuple[str, ...] | None]] = [(FUSED, None)]
    if len(planes) == 1:
        choices = [(planes[0], None)]
    elif each_plane:
        choices = [*((plane, (plane,)) for plane in dict.fromkeys(planes)), *choices]
    for name, chosen in choices:
        yield name, predict_or_nothing(scan, model_set, replace(options, planes=chosen), engines)


_COLUMNS: dict[str, Callable[[dict], str]] = {
    "data set": lambda r: r["dataset"],
    "planes": lambda r: r["planes"],
    "label": lambda r: r["label"],
    "n": lambda r: str(r["cases"]),
    "Dice": lambda r: _number(r["dice"], 4),
    "95 % CI": lambda r: "-".join(f"{bound:.3f}" for bound in r["dice_ci95"] or ()),
    "sd": lambda r: _number(r["dice_sd"], 3),
    "worst": lambda r: _number(r["dice_min"], 4),
    "IoU": lambda r: _number(r["iou"], 3),
    "NSD": lambda r: _number(r["nsd"], 3),
    "HD95 mm": lambda r: _number(r["hd95_mm"], 2),
    "ASSD mm": lambda r: _number(r["assd_mm"], 2),
    "volume %": lambda r: _number(r["volume_error_percent"], 1),
    "found": lambda r: f"{r['found']}/{r['bodies']}" if r["bodies"] else "",
    "spurious": lambda r: str(r["spurious"]) if r["bodies"] else "",
}


def _table(results: list[dict]) -> str:
    lines = [tuple(_COLUMNS), *(tuple(text(result) for text in _COLUMNS.values()) for result in results)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
