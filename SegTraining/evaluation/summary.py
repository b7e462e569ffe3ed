"""From the scores of single cases to the numbers of a group: what `summary.json` holds."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from SpineInference.anatomy import LEVELS

from .metrics import BodyCount, Score
from .statistics import statistics

ALL = "all"
"""What stands in the place of a data set's or a label's name for all of them together."""

Value = str | int | float | list[float] | None


@dataclass(frozen=True)
class Row:
    """One label of one case with some planes: one plane's name, or `scoring.FUSED`."""

    case: str
    patient: str
    dataset: str
    planes: str
    label: str
    seconds: float
    score: Score
    bodies: BodyCount

    def as_dict(self) -> dict[str, Value]:
        """The columns of `cases.csv`."""
        named = (self.case, self.patient, self.dataset, self.planes, self.label, round(self.seconds, 2))
        keys = ("case", "patient", "dataset", "planes", "label", "seconds")
        return dict(zip(keys, named, strict=True)) | _rounded(asdict(self.score) | asdict(self.bodies))


@dataclass(frozen=True)
class Body:
    """One body of a reference that tells bodies apart; `dice` is 0 where it was missed."""

    dataset: str
    case: str
    planes: str
    label: int
    dice: float

    @property
    def level(self) -> str:
        """The name of the level; a value that is none stands for itself."""
        return _LEVEL_NAMES.get(self.label, str(self.label))

    def as_dict(self) -> dict[str, Value]:
        """The columns of `bodies.csv`."""
        named = {"dataset": self.dataset, "case": self.case, "planes": self.planes, "level": self.level}
        return named | {"dice": round(self.dice, 4)}


_LEVEL_NAMES = {segment.label: name for name, segment in LEVELS.items()}

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
    """Mean, sd, smallest and largest value and 95 % interval of each metric over the rows, each of another case.

    Also counts: cases and patients, cases `not_judged` (neither side has anything), `missed` (nothing found of what
    is there) and `invented` (found what is not there), and the bodies.
    """
    summary: dict[str, Value] = {
        "cases": len(rows),
        "patients": len({(row.dataset, row.patient) for row in rows}),
        "not_judged": sum(row.score.dice is None for row in rows),
        "missed": sum(row.score.volume_ml == 0 for row in rows),
        "invented": sum(row.score.reference_ml == 0 for row in rows),
    }
    patients = [(row.dataset, row.patient) for row in rows]
    for name, metric in METRICS.items():
        found = statistics([metric(row) for row in rows], patients)
        summary[name] = None if found is None else found.mean
        for key in ("sd", "min", "max", "ci95"):
            value = None if found is None else getattr(found, key)
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


def levels(bodies: list[Body]) -> list[dict[str, Value]]:
    """For each choice of planes and level, from the top of the spine down, the mean Dice, and how many were found."""
    groups: dict[tuple[str, int], list[Body]] = {}
    for body in bodies:
        groups.setdefault((body.planes, body.label), []).append(body)
    return [
        {
            "planes": planes,
            "level": members[0].level,
            "bodies": len(members),
            "found": sum(body.dice > 0 for body in members),
            "dice": round(float(np.mean([body.dice for body in members])), 4),
        }
        for (planes, _), members in sorted(groups.items(), key=lambda group: group[0])
    ]


def worst_bodies(bodies: list[Body]) -> list[dict[str, Value]]:
    """The `WORST` bodies of each choice of planes, the worst first."""
    ranked = sorted(bodies, key=lambda body: (body.planes, body.dice))
    return [
        body.as_dict()
        for planes in dict.fromkeys(body.planes for body in ranked)
        for body in [each for each in ranked if each.planes == planes][:WORST]
    ]


def _means_of_labels(rows: list[Row]) -> list[Row]:
    """For each case and choice of planes the mean over the labels that could be judged, where there are several."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.case, row.planes), []).append(row)
    means = []
    for members in groups.values():
        if len(members) > 1:
            scores = [asdict(row.score) for row in members]
            score = Score(**{name: _mean([s[name] for s in scores]) for name in scores[0]})
            first = members[0]
            means.append(
                Row(first.case, first.patient, first.dataset, first.planes, ALL, first.seconds, score, BodyCount())
            )
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
