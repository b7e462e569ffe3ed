"""The page about one scan: pictures, tables of the measures with what is unsure, and how it was made."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import SimpleITK as sitk

from ..anatomy import CANAL_LABEL, CORD_LABEL, DISC_OFFSET
from ..files.atomic import atomic
from ..measuring.measurements import Measurements, StructureMeasurement, VertebraMeasurement
from ..measuring.morphometry.measure import CUT_OFF, DOUBTFUL_BODY
from ..picture.report_pictures import draw_report_pictures
from ..result import Result
from ..spine.quality import needs_review
from .page import jpeg_uri, write_page
from .page_tables import Cell, Marks, Table, curve_table, table_of
from .words import found_in_words, levels_in_words

_THUMBNAIL = 0.25
_ALTERNATIVES = {
    "sagittal": "Sagittal slice with the contours of the segments, their names and the lines of the measures",
    "coronal": "Coronal slice with the contours of the segments and their names",
    "axial": "Axial slice with the contours of the segments and their names",
}


Row = VertebraMeasurement | StructureMeasurement


@dataclass(frozen=True)
class _Column:
    """A number of a row of the measurements, divided by `per`."""

    heading: str
    unit: str
    field: str
    per: float
    digits: int

    def of(self, row: Row) -> float | None:
        return getattr(row, self.field, None)


@dataclass(frozen=True)
class _Picture:
    plane: str
    uri: str
    words: str


def write_report(scan: sitk.Image, result: Result, name: str, path: Path, thumbnail: Path) -> None:
    """Write the page about `result` of `scan` (3D, the same grid), which is called `name`, to `path`, and a small
    picture (JPEG) to `thumbnail`. Raises SpineError."""
    drawn = draw_report_pictures(scan, result)
    with atomic(thumbnail) as temporary:
        temporary.write_bytes(next(iter(drawn.values())).jpeg(_THUMBNAIL))
    marks = Marks()
    tables = _tables(result, marks)
    write_page(
        "scan.html.j2",
        path,
        name=name,
        found=found_in_words(
            [segment.name for segment in result.segments if segment.is_vertebra],
            [segment.name for segment in result.segments if not segment.is_vertebra],
        ),
        levels=levels_in_words(result.measurements.naming) if result.measurements.vertebrae else "",
        notes=result.notes,
        pictures=[_Picture(plane, jpeg_uri(canvas.jpeg()), _ALTERNATIVES[plane]) for plane, canvas in drawn.items()],
        tables=tables,
        curves=curve_table(result.morphometry, marks),
        marks=marks.signs,
        lines="sagittal" in drawn and any(measure.lines for measure in result.morphometry),
        agreement=_agreement(result.measurements),
        sources=sorted({measure.definition.source for measure in result.morphometry}),
        has_quality=any(row.quality is not None for row in result.measurements.vertebrae),
        made_from=result.made_from,
        made=[(what, text) for what, text in _how(result, scan) if text],
    )


def _tables(result: Result, marks: Marks) -> list[Table]:
    """Bodies and levels with the canal behind them, discs, and what else was found."""
    measures, measured = result.morphometry, result.measurements
    bodies = [row.level for row in measured.vertebrae]
    behind = [each for each in measures if each.kind == "canal"]
    of_bodies = [each for each in measures if each.kind == "body"] + [each for each in behind if each.at in bodies]
    of_levels = [each for each in measures if each.kind == "level"] + [each for each in behind if each.at not in bodies]
    of_discs = [each for each in measures if each.kind == "disc"]
    told = ({CANAL_LABEL, CORD_LABEL} if behind else set()) | ({DISC_OFFSET} if of_discs else set())
    others = [row for row in measured.structures if row.centroid_lps_mm and _family(row.label) not in told]
    tables = [
        _with_size(table_of("Vertebral bodies", of_bodies, marks, bodies), measured.vertebrae, result.partial, marks),
        table_of("Levels", of_levels, marks),
        table_of("Discs", of_discs, marks),
        _with_size(Table("Other structures", [], [(row.level, []) for row in others]), others, result.partial, marks),
    ]
    return [table for table in tables if table.rows and table.columns]


def _family(label: int) -> int:
    return DISC_OFFSET if label > DISC_OFFSET else label


def _with_size(table: Table, rows: Sequence[Row], partial: set[int], marks: Marks) -> Table:
    """The `table` with the quality before and the size behind what is measured, for its first rows."""
    first = [_Column("Quality", "", "quality", 1.0, 2)]
    last = [
        _Column("Volume", "cm³", "volume_mm3", 1000.0, 1),
        _Column("Area", "cm²", "area_mm2", 100.0, 2),
        _Column("Dice", "reference", "dice", 1.0, 3),
    ]
    first, last = (
        [column for column in side if any(column.of(row) is not None for row in rows)] for side in (first, last)
    )

    def cell(column: _Column, row: Row) -> Cell:
        value = column.of(row)
        if value is None:
            return Cell("")
        doubts = [DOUBTFUL_BODY] if column.field == "quality" and needs_review(value) else []
        cut = [CUT_OFF] if column in last[:1] and row.label in partial else []
        return Cell(f"{value / column.per:.{column.digits}f}", marks.of(doubts + cut))

    lines = [
        (name, [*(cell(each, row) for each in first), *cells, *(cell(each, row) for each in last)])
        for (name, cells), row in zip(table.rows, rows, strict=True)
    ]
    heads = [[(each.heading, each.unit) for each in side] for side in (first, last)]
    return Table(table.title, [*heads[0], *table.columns, *heads[1]], lines)


def _agreement(measurements: Measurements) -> str:
    summary = measurements.reference
    if summary is None or summary.dice is None:
        return ""
    hd95 = "" if summary.hd95_mm is None else f", HD95 {summary.hd95_mm:.1f} mm"
    return f"Dice {summary.dice:.3f}{hd95}, {summary.n_missed} missed, {summary.n_false} false"


def _how(result: Result, scan: sitk.Image) -> Sequence[tuple[str, str]]:
    has_scale = result.placement is None or result.placement.has_scale
    size = " × ".join(str(count) for count in scan.GetSize())
    spacing = " × ".join(f"{mm:.3g}" for mm in scan.GetSpacing()) + " mm" if has_scale else "of unknown size"
    return [
        ("Scan", f"{size} voxels, {spacing}"),
        ("Planes", ", ".join(result.planes)),
        ("Computed by", ", ".join(filter(None, (result.engine, result.device.name)))),
        ("Time", f"{sum(result.timings.values()):.0f} s, finished {datetime.now():%Y-%m-%d %H:%M}"),
    ]
