"""The tables that an evaluation shows."""

from collections.abc import Callable, Iterable, Sequence

from SpineInference.measuring.intervals import LEAST_PATIENTS, interval_of
from SpineInference.measuring.matching import FOUND_IOU

from .body_summary import METRICS, OF_LEVELS, CaseBodies, Metric, by_level, group_scans
from .statistics import Statistics
from .summary import BodyRow, Row

RULES = f"""\
Judged are the axial slices from the first to the last labelled one, or all where the data set labels every body. There,
every voxel counts for Dice, HD95 and ASSD, but for what lies below the surface of the lowest body where the next one is
not labelled; both masks empty: left out, one empty: Dice 0 and the diagonal of the volume as distance. A body is found
when the predicted one that it is matched with overlaps it with IoU > {FOUND_IOU:g}. Of the predicted bodies those with
their centre in the judged slices count: unlabelled levels above and below are not false. Bodies that the upper or lower
border of the scan cuts off, and the sacrum, count neither way for detection.
Level, automatic: of the bodies found in scans for which the pipeline itself names levels, those named rightly.
Level, counted up: the lowest body found is given its true level; of the others, those that counting up names rightly.
A scan that fails has Dice 0 and all its bodies missed. In brackets: 95 % confidence interval, by patient; with fewer
than {LEAST_PATIENTS} patients, or where none differs from another, the range of the values."""

_COLUMNS: dict[str, Callable[[dict], str]] = {
    "data set": lambda r: r["dataset"],
    "planes": lambda r: r["planes"],
    "label": lambda r: r["label"],
    "n": lambda r: str(r["cases"]),
    "Dice": lambda r: _number(r["dice"], 4),
    "95 % CI or range": lambda r: ((interval := interval_of(r)) and interval.text(3)) or "",
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


def results_table(results: Sequence[dict]) -> str:
    """One line for each of the `summary.summaries`."""
    return "\n".join(_aligned([[*_COLUMNS], *([text(result) for text in _COLUMNS.values()] for result in results)]))


def body_tables(rows: Sequence[Row], bodies: Sequence[BodyRow]) -> str:
    """For each data set a table with a column for each choice of planes, one of its levels, and what went wrong."""
    groups = group_scans(rows, bodies)
    lines = []
    for dataset in dict.fromkeys(dataset for dataset, _ in groups):
        by_planes = {planes: scans for (name, planes), scans in groups.items() if name == dataset}
        scans = next(iter(by_planes.values()))
        patients, count = len({scan.row.patient for scan in scans}), sum(len(scan.bodies) for scan in scans)
        lines += ["", f"{dataset}: {len(scans)} scans of {patients} patients with {count} whole bodies"]
        texts = [[m.title, *(_text(m, m.statistics(scans)) for scans in by_planes.values())] for m in METRICS]
        lines += _aligned([["", *by_planes], *texts])
        for planes, members in by_planes.items():
            if levels := by_level(members):
                texts = [[name, *(_text(m, m.statistics(of)) for m in OF_LEVELS)] for name, of in levels.items()]
                lines += ["", planes, *_aligned([["level", *(metric.title for metric in OF_LEVELS)], *texts])]
            lines += ["", *_what_went_wrong(planes, members)]
    return "\n".join(lines)


def _what_went_wrong(planes: str, scans: Iterable[CaseBodies]) -> list[str]:
    lines = []
    for scan in scans:
        if scan.row.failure:
            lines.append(f"{planes}: {scan.row.case} failed and counts as Dice 0: {scan.row.failure}")
            continue
        missed = [body.level for body in scan.bodies if not body.found]
        parts = [f"missed {', '.join(missed)}"] if missed else []
        parts += [f"{scan.row.bodies.spurious} false"] if scan.row.bodies.spurious else []
        for what, how in (("named_rightly", "automatic"), ("counted_rightly", "counted up")):
            wrong = [body.level for body in scan.bodies if getattr(body, what) is False]
            parts += [f"level ({how}) wrong: {', '.join(wrong)}"] if wrong else []
        if parts:
            lines.append(f"{planes}: {scan.row.case}: {'; '.join(parts)}")
    return lines


def _text(metric: Metric, numbers: Statistics | None) -> str:
    if numbers is None:
        return "-"
    # The smallest and the largest of right and wrong say nothing.
    interval = None if metric.share and numbers.ci95 is None else numbers.interval
    brackets = f" ({interval.text(metric.decimals)})" if interval else ""
    count = f"  {round(numbers.mean * numbers.n)} of {numbers.n}" if metric.share else ""
    return f"{numbers.mean:.{metric.decimals}f}{brackets}{count}"


def _aligned(cells: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
