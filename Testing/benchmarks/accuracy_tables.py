"""From judged scans to numbers with intervals: the tables, the rows and the JSON of `accuracy.py`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from accuracy_cases import BodyScore, CaseScore, Source

from SegTraining.evaluation.statistics import Statistics, statistics
from SpineInference.anatomy import LEVELS

Value = float | bool | None


@dataclass(frozen=True)
class Metric:
    """One line of a table: what it is called, how many decimals it is worth, and its values in one case.

    Shares are the mean of true and false values, told as counts too.
    """

    key: str
    title: str
    decimals: int
    values: Callable[[CaseScore], Iterable[Value]]
    share: bool = False

    def statistics(self, scores: Sequence[CaseScore]) -> Statistics | None:
        """Of all the values, which are drawn by patient; None where there is none."""
        pairs = [(None if v is None else float(v), score.patient) for score in scores for v in self.values(score)]
        return statistics([value for value, _ in pairs], [patient for _, patient in pairs])

    def text(self, found: Statistics | None) -> str:
        if found is None:
            return "-"
        interval = "" if found.ci95 is None else " ({:.{d}f}-{:.{d}f})".format(*found.ci95, d=self.decimals)
        count = f"  {round(found.mean * found.n)} of {found.n}" if self.share else ""
        return f"{found.mean:.{self.decimals}f}{interval}{count}"


def _of_found(value: Callable[[BodyScore], Value]) -> Callable[[CaseScore], Iterable[Value]]:
    return lambda score: [value(body) for body in score.bodies if body.found]


METRICS = (
    Metric("volume_dice", "volume Dice", 4, lambda score: [score.score.dice]),
    Metric("instance_dice", "instance Dice, bodies found", 4, _of_found(lambda body: body.dice)),
    Metric("instance_dice_all", "instance Dice, missed = 0", 4, lambda score: [body.dice for body in score.bodies]),
    Metric("hd95_mm", "HD95, mm", 2, lambda score: [score.score.hd95_mm]),
    Metric("assd_mm", "mean surface distance, mm", 2, lambda score: [score.score.assd_mm]),
    Metric("recall", "detection recall", 3, lambda score: [body.found for body in score.bodies], share=True),
    Metric(
        "precision",
        "detection precision",
        3,
        lambda score: [True] * sum(body.found for body in score.bodies) + [False] * score.false,
        share=True,
    ),
    Metric("level_automatic", "level, automatic", 3, _of_found(lambda body: body.automatic), share=True),
    Metric("level_counted", "level, counted up", 3, _of_found(lambda body: body.counted), share=True),
    Metric("seconds", "seconds per scan", 1, lambda score: [score.seconds]),
)

_LEVEL_METRICS = (
    Metric("found", "found", 3, lambda score: [body.found for body in score.bodies], share=True),
    Metric("dice", "Dice, found", 4, _of_found(lambda body: body.dice)),
    Metric("hd95_mm", "HD95, mm", 2, _of_found(lambda body: body.hd95_mm)),
    Metric("assd_mm", "surface, mm", 2, _of_found(lambda body: body.assd_mm)),
)


def results_of(source: Source, scores: Sequence[CaseScore]) -> list[dict[str, Any]]:
    """For JSON: each model's numbers for one data set, the levels' and the cases' too."""
    results = []
    for model, members in _by_model(scores).items():
        patients = len({score.patient for score in members})
        result: dict[str, Any] = {"dataset": source.dataset.name, "model": model}
        result |= {"cases": len(members), "patients": patients, "in_front_of_canal_only": source.canal is not None}
        result |= {metric.key: _as_json(metric.statistics(members)) for metric in METRICS}
        result["levels"] = {
            level: {metric.key: _as_json(metric.statistics(of_level)) for metric in _LEVEL_METRICS}
            for level, of_level in _by_level(members).items()
        }
        results.append(result | {"scans": [asdict(score) for score in members]})
    return results


def row_of(score: CaseScore) -> dict[str, Any]:
    """One line of the CSV file."""
    row: dict[str, Any] = {name: getattr(score, name) for name in ("dataset", "model", "case", "patient")}
    row |= {"failure": score.failure}
    for metric in METRICS:
        known = [float(value) for value in metric.values(score) if value is not None]
        row[metric.key] = round(sum(known) / len(known), 4) if known else None
    row |= {"nsd_1mm": score.score.nsd, "volume_error_percent": score.score.volume_error_percent}
    bodies = len(score.bodies)
    row |= {"bodies": bodies, "found": bodies - len(score.missed), "false": score.false, "cut_off": score.cut_off}
    return row | {"missed": " ".join(score.missed)}


def report(source: Source, scores: Sequence[CaseScore]) -> str:
    """The table of one data set, a column for each model, its levels, and every scan on which something went wrong."""
    by_model = _by_model(scores)
    first = next(iter(by_model.values()))
    patients, bodies = len({score.patient for score in first}), sum(len(score.bodies) for score in first)
    lines = ["", f"{source.dataset.name}: {len(first)} scans of {patients} patients with {bodies} whole bodies"]
    cells = [["", *by_model]]
    for metric in METRICS:
        cells.append([metric.title, *(metric.text(metric.statistics(members)) for members in by_model.values())])
    lines += _aligned(cells)
    for model, members in by_model.items():
        levels = _by_level(members)
        if levels:
            title = ["level", *(metric.title for metric in _LEVEL_METRICS)]
            texts = [[n, *(m.text(m.statistics(of)) for m in _LEVEL_METRICS)] for n, of in levels.items()]
            lines += ["", model, *_aligned([title, *texts])]
        lines += ["", *_wrong(model, members)]
    return "\n".join(lines)


def _wrong(model: str, scores: Sequence[CaseScore]) -> list[str]:
    lines = [f"{model}: {score.case} failed and counts as Dice 0: {score.failure}" for score in scores if score.failure]
    for score in scores:
        parts = [f"missed {', '.join(score.missed)}"] if score.missed else []
        parts += [f"{score.false} false"] if score.false else []
        for what in ("automatic", "counted"):
            names = [body.name for body in score.bodies if getattr(body, what) is False]
            parts += [f"level ({what}) wrong: {', '.join(names)}"] if names else []
        if parts and not score.failure:
            lines.append(f"{model}: {score.case}: {'; '.join(parts)}")
    return lines


def _by_model(scores: Sequence[CaseScore]) -> dict[str, list[CaseScore]]:
    groups: dict[str, list[CaseScore]] = {}
    for score in scores:
        groups.setdefault(score.model, []).append(score)
    return groups


def _by_level(scores: Sequence[CaseScore]) -> dict[str, list[CaseScore]]:
    """For each known level, from the top, the scores with this level's body only."""
    names = {body.name for score in scores for body in score.bodies}
    return {
        level: [_only(score, level) for score in scores if any(body.name == level for body in score.bodies)]
        for level in LEVELS
        if level in names
    }


def _only(score: CaseScore, level: str) -> CaseScore:
    return CaseScore(**vars(score) | {"bodies": tuple(body for body in score.bodies if body.name == level)})


def _as_json(found: Statistics | None) -> dict[str, Any] | None:
    return found and asdict(found)


def _aligned(cells: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in cells]
