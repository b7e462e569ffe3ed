"""From single bodies to the numbers of a group: detection, agreement and levels, with their intervals."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from SpineInference.anatomy import LEVELS

from .bodies import BodyScore
from .statistics import Statistics, statistics
from .summary import BodyRow, Row

Value = float | bool | None


@dataclass(frozen=True)
class CaseBodies:
    """One case with some planes: its row, of whatever label, and its bodies."""

    row: Row
    bodies: tuple[BodyScore, ...]


@dataclass(frozen=True)
class Metric:
    """What it is called, how many decimals it is worth, and its values in one scan.

    A share is the mean of true and false values.
    """

    key: str
    title: str
    decimals: int
    values: Callable[[CaseBodies], Iterable[Value]]
    share: bool = False

    def statistics(self, scans: Sequence[CaseBodies]) -> Statistics | None:
        """Of all values of all scans, with the patient as the unit; None where there is none."""
        pairs = [(None if v is None else float(v), scan.row.patient) for scan in scans for v in self.values(scan)]
        return statistics([value for value, _ in pairs], [patient for _, patient in pairs])


def _of_found(value: Callable[[BodyScore], Value]) -> Callable[[CaseBodies], Iterable[Value]]:
    return lambda scan: [value(body) for body in scan.bodies if body.found]


def _are_right(scan: CaseBodies) -> list[bool]:
    return [True] * (scan.row.bodies.found or 0) + [False] * (scan.row.bodies.spurious or 0)


METRICS = (
    Metric("dice_found", "Dice, bodies found", 4, _of_found(lambda body: body.dice)),
    Metric("dice", "Dice, missed = 0", 4, lambda scan: [body.dice for body in scan.bodies]),
    Metric("hd95_mm", "HD95 of a body, mm", 2, _of_found(lambda body: body.hd95_mm)),
    Metric("assd_mm", "ASSD of a body, mm", 2, _of_found(lambda body: body.assd_mm)),
    Metric("recall", "found", 3, lambda scan: [body.found for body in scan.bodies], share=True),
    Metric("precision", "of the predicted", 3, _are_right, share=True),
    Metric("named_rightly", "level, automatic", 3, _of_found(lambda body: body.named_rightly), share=True),
    Metric("counted_rightly", "level, counted up", 3, _of_found(lambda body: body.counted_rightly), share=True),
    Metric("seconds", "seconds per scan", 1, lambda scan: [scan.row.seconds]),
)
OF_LEVELS = tuple(
    metric for key in ("recall", "dice_found", "hd95_mm", "assd_mm") for metric in METRICS if metric.key == key
)


def group_scans(rows: Sequence[Row], bodies: Sequence[BodyRow]) -> dict[tuple[str, str], list[CaseBodies]]:
    """The scans of each data set and choice of planes whose reference tells bodies apart."""
    of_scan: dict[tuple[str, str, str], list[BodyScore]] = {}
    for body in bodies:
        of_scan.setdefault((body.dataset, body.planes, body.case), []).append(body.score)
    groups: dict[tuple[str, str], list[CaseBodies]] = {}
    for row in rows:
        if row.bodies.bodies is not None:
            scan = CaseBodies(row, tuple(of_scan.get((row.dataset, row.planes, row.case), ())))
            groups.setdefault((row.dataset, row.planes), []).append(scan)
    return groups


def by_level(scans: Sequence[CaseBodies]) -> dict[str, list[CaseBodies]]:
    """For each known level, from the top, the scans that have it, with this level's body only."""
    levels = {
        level: [CaseBodies(scan.row, tuple(b for b in scan.bodies if b.level == level)) for scan in scans]
        for level in LEVELS
    }
    present = {level: [scan for scan in members if scan.bodies] for level, members in levels.items()}
    return {level: members for level, members in present.items() if members}


def body_summaries(rows: Sequence[Row], bodies: Sequence[BodyRow]) -> list[dict[str, Any]]:
    """For each data set and choice of planes the statistics of every metric, those of each level too."""
    return [
        {
            "dataset": dataset,
            "planes": planes,
            "cases": len(scans),
            "patients": len({scan.row.patient for scan in scans}),
            "cut_off": sum(scan.row.bodies.cut_off or 0 for scan in scans),
            **_statistics(METRICS, scans),
            "levels": {level: _statistics(OF_LEVELS, of_level) for level, of_level in by_level(scans).items()},
        }
        for (dataset, planes), scans in group_scans(rows, bodies).items()
    ]


def _statistics(metrics: Sequence[Metric], scans: Sequence[CaseBodies]) -> dict[str, dict[str, Any] | None]:
    found = {metric.key: metric.statistics(scans) for metric in metrics}
    return {key: value and asdict(value) for key, value in found.items()}
