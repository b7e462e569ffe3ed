"""Measures as a table with one row for each, as JSON with the lines they were taken along, and as text to read."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import SpineError
from ...files.atomic import atomic
from .measure import DEFINITIONS, Measure

RESEARCH_USE = "For research only: not for clinical use."
_COLUMNS = ("kind", "at", "measure", "value", "unit", "error", "marks", "normal_from", "normal_to", "source")
_UNITS = {"deg": "°", "ratio": "", "grade": "", "mm2": " mm²", "mm3": " mm³"}
_TITLES = {
    "body": "Vertebral bodies",
    "level": "Levels",
    "disc": "Discs",
    "canal": "Spinal canal",
    "curve": "Curves",
}


def as_rows(measures: Sequence[Measure]) -> list[dict[str, Any]]:
    """One row for each measure, rounded to what it is worth; `marks` are joined by semicolons."""
    rows = []
    for measure in measures:
        definition = measure.definition
        low, high = definition.normal or (None, None)
        values = (
            measure.kind,
            measure.at,
            measure.name,
            _rounded(measure.value, measure.digits + 1),
            definition.unit,
            _rounded(measure.error, measure.digits + 1),
            "; ".join(measure.marks),
            low,
            high,
            definition.source,
        )
        rows.append(dict(zip(_COLUMNS, values, strict=True)))
    return rows


def as_json(measures: Sequence[Measure]) -> dict[str, Any]:
    """{"use": a sentence, "measures": the rows of `as_rows`, whose marks are a list, with their "title" and "lines"
    ([[from, to], ...], each LPS mm)}."""
    rows = [
        row | {"title": measure.definition.title, "marks": list(measure.marks), "lines": measure.lines}
        for row, measure in zip(as_rows(measures), measures, strict=True)
    ]
    return {"use": RESEARCH_USE, "measures": rows}


def from_json(content: dict[str, Any]) -> list[Measure]:
    """The measures of `as_json`. Raises SpineError for anything else."""
    try:
        return [
            Measure(
                row["kind"],
                row["at"],
                row["measure"],
                row["value"],
                row["error"],
                tuple(row["marks"]),
                tuple((tuple(start), tuple(end)) for start, end in row["lines"]),
            )
            for row in content["measures"]
            if row["measure"] in DEFINITIONS
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise SpineError("the measures of the spine are damaged: segment or measure the scan again.") from error


def write_csv(measures: Sequence[Measure], path: Path | str) -> None:
    """Write the rows as a comma-separated table, an empty cell for what is not known. Raises SpineError."""
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, _COLUMNS)
        table.writeheader()
        table.writerows(as_rows(measures))


def write_json(measures: Sequence[Measure], path: Path | str) -> None:
    """Write `as_json`. Raises SpineError."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(as_json(measures), indent=1, allow_nan=False) + "\n", encoding="ascii")


def value_text(measure: Measure) -> str:
    """A value with its unit, "-" where there is none."""
    if measure.value is None:
        return "-"
    if not isinstance(measure.value, float):
        return str(measure.value)
    unit = _UNITS.get(measure.definition.unit, f" {measure.definition.unit}")
    return f"{round(measure.value, measure.digits) + 0.0:.{measure.digits}f}{unit}"  # never "-0"


def as_text(measures: Sequence[Measure]) -> str:
    """A line for each body, level and curve, to be pasted into a note; what is marked says why."""
    lines = [RESEARCH_USE]
    for kind, title in _TITLES.items():
        of_kind = [measure for measure in measures if measure.kind == kind]
        if of_kind:
            lines += ["", title]
        for at in dict.fromkeys(measure.at for measure in of_kind):
            here = [measure for measure in of_kind if measure.at == at]
            told, lacking = ([each for each in here if (each.value is None) is absent] for absent in (False, True))
            shown = ", ".join(f"{each.definition.title} {value_text(each)}" for each in told)
            parts = [f"{shown}{_marks_text(told)}"] if told else []
            if lacking:
                names = f" {', '.join(each.definition.title for each in lacking)}" if told else ""
                parts.append(f"not measured{names}{_marks_text(lacking)}")
            lines.append(f"{at}: {'; '.join(parts)}")
    return "\n".join(lines) + "\n"


def _marks_text(measures: Sequence[Measure]) -> str:
    marks = sorted({mark for each in measures for mark in each.marks})
    return f" ({', '.join(marks)})" if marks else ""


def _rounded(value: float | int | str | None, digits: int) -> float | int | str | None:
    return round(value, digits) if isinstance(value, float) else value
