"""From the scores of single cases to the numbers of a group: what `summary.json` holds."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np

from SpineInference.anatomy import LEVELS

from .bodies import BodyCount, BodyScore
from .metrics import Score
from .statistics import statistics

ALL = "all"
"""What stands in the place of a data set's or a label's name for all of them together."""

Value = str | int | float | list[float] | None


@dataclass(frozen=True)
class Row:
    """One label of one case with some planes: one plane's name, or `metrics.FUSED`."""

    case: str
    patient: str
    dataset: str
    planes: str
    label: str
    seconds: float
    score: Score
    bodies: BodyCount
    failure: str | None = None
    """Why there is no prediction, which then counts as nothing found."""

    def as_dict(self) -> dict[str, Value]:
        """The columns of `cases.csv`."""
        named = (self.case, self.patient, self.dataset, self.planes, self.label, round(self.seconds, 2))
        keys = ("case", "patient", "dataset", "planes", "label", "seconds")
        numbers = _rounded(asdict(self.score) | asdict(self.bodies))
        return dict(zip(keys, named, strict=True)) | numbers | {"failure": self.failure}


@dataclass(frozen=True)
class BodyRow:
    """One body of a reference that tells bodies apart."""

    dataset: str
    case: str
    patient: str
    planes: str
    score: BodyScore

    def as_dict(self) -> dict[str, Value]:
        """The columns of `bodies.csv`."""
        named = {"dataset": self.dataset, "case": self.case, "planes": self.planes}
        words = {True: "yes", False: "no"}
        return named | {
            name: words[value] if isinstance(value, bool) else value
            for name, value in _rounded(asdict(self.score)).items()
        }


WORST = 5
"""So many of the worst bodies are told."""


METRICS: dict[str, Callable[[Row], float | None]] = {
    "dice": lambda row: row.score.dice,
    "iou": lambda row: row.score.iou,
    "nsd": lambda row: row.score.nsd,
    "hd95_mm": lambda row: row.score.hd95_mm,
    "assd_mm": lambda row: row.score.assd_mm,
    "volume_error_ml": lambda row: row.score.volume_error_ml,
    "volume_error_percent": lambda row: row.score.volume_error_percent,
    # Too much in one case and too little in another shall not pass for right.
    "volume_error_percent_magnitude": lambda row: (
        None if row.score.volume_error_percent is None else abs(row.score.volume_error_percent)
    ),
    "instance_dice": lambda row: row.bodies.instance_dice,
}


def summarise(rows: list[Row]) -> dict[str, Value]:
    """Mean, sd, smallest and largest value and, of ten patients and more, 95 % interval of each metric over the rows,
    each of another case.

    Also counts: cases and patients, cases `not_judged` (neither side has anything), `missed` (nothing found of what
    is there), `false_positive_cases` (found what is not there) and `failed`, and the bodies.
    """
    summary: dict[str, Value] = {
        "cases": len(rows),
        "patients": len({(row.dataset, row.patient) for row in rows}),
        "not_judged": sum(row.score.dice is None for row in rows),
        "missed": sum(row.score.volume_ml == 0 for row in rows),
        "false_positive_cases": sum(row.score.reference_ml == 0 for row in rows),
        "failed": sum(row.failure is not None for row in rows),
    }
    patients = [(row.dataset, row.patient) for row in rows]
    for name, metric in METRICS.items():
        numbers = statistics([metric(row) for row in rows], patients)
        summary[name] = None if numbers is None else numbers.mean
        for key in ("sd", "min", "max", "ci95"):
            value = None if numbers is None else getattr(numbers, key)
            summary[f"{name}_{key}"] = list(value) if isinstance(value, tuple) else value
    judged = [row.bodies for row in rows if row.bodies.bodies is not None]
    for name in ("bodies", "found", "spurious"):
        summary[name] = sum(getattr(bodies, name) for bodies in judged)
    summary["found_rate"] = summary["found"] / summary["bodies"] if summary["bodies"] else None
    return _rounded(summary)


def summaries(rows: list[Row]) -> list[dict[str, Value]]:
    """One summary for each data set, choice of planes and label; and for all data sets, for all labels together."""
    rows = [*rows, *_means_of_labels(rows)]
    groups: dict[tuple[str, str, str], list[Row]] = {}
    several = len({row.dataset for row in rows}) > 1
    for row in rows:
        for dataset in (row.dataset, ALL) if several else (row.dataset,):
            groups.setdefault((dataset, row.planes, row.label), []).append(row)
    return [
        {"dataset": dataset, "planes": planes, "label": label, **summarise(members)}
        for (dataset, planes, label), members in groups.items()
    ]


def levels(bodies: list[BodyRow]) -> list[dict[str, Value]]:
    """For each choice of planes and level, from the top of the spine down, the mean Dice, and how many were found.

    A body that was missed counts 0. Bodies of unknown level are left out.
    """
    groups: dict[tuple[str, str], list[BodyScore]] = {}
    for planes in sorted({body.planes for body in bodies}):
        for level in LEVELS:
            groups[planes, level] = [b.score for b in bodies if (b.planes, b.score.level) == (planes, level)]
    return [
        {
            "planes": planes,
            "level": level,
            "bodies": len(scores),
            "found": sum(score.found for score in scores),
            "dice": round(float(np.mean([score.dice for score in scores])), 4),
        }
        for (planes, level), scores in groups.items()
        if scores
    ]


def worst_bodies(bodies: list[BodyRow]) -> list[dict[str, Value]]:
    """The `WORST` bodies of each choice of planes, the worst first."""
    worst = []
    for planes in sorted({body.planes for body in bodies}):
        ranked = sorted((body for body in bodies if body.planes == planes), key=lambda body: body.score.dice)
        for body in ranked[:WORST]:
            named = {"dataset": body.dataset, "case": body.case, "planes": planes, "level": body.score.level}
            worst.append(named | {"dice": round(body.score.dice, 4)})
    return worst


def _means_of_labels(rows: list[Row]) -> list[Row]:
    """For each case and choice of planes the mean over the labels that could be judged, where there are several."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.dataset, row.case, row.planes), []).append(row)
    means = []
    for members in groups.values():
        if len(members) > 1:
            scores = [asdict(row.score) for row in members]
            score = Score(**{name: _mean([s[name] for s in scores]) for name in scores[0]})
            first = members[0]
            means.append(replace(first, label=ALL, score=score, bodies=BodyCount()))
    return means


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _rounded(values: dict[str, Value]) -> dict[str, Value]:
    def plain(value: Value) -> Value:
        if isinstance(value, list):
            return [round(part, 4) for part in value]
        return round(value, 4) if isinstance(value, float) else value

    return {name: plain(value) for name, value in values.items()}
