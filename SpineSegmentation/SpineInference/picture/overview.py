"""The picture of a result: three planes with contours and names, and a table of the levels.

It is for seeing at a glance whether a segmentation is right.
"""

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import SimpleITK as sitk

from ..anatomy import DISC_CODE
from ..files.atomic import atomic
from ..measuring.measurements import ReferenceSummary, StructureMeasurement, VertebraMeasurement
from ..spine.quality import needs_review
from ..volume.slice_placement import placed
from .canvas import MUTED, TEXT, WARNING, Canvas, Rectangle
from .views import View, make_views

if TYPE_CHECKING:
    from ..result import Result

HEIGHT, MARGIN, GAP, HEADER, CAPTION = 1080, 36, 24, 96, 26
SIDE_WIDTH = 680
"""Width of the column with the axial view and the table, in pixels like all the numbers above."""
MAIN_WIDTH = 440, 1300
"""The sagittal and coronal view together are at least and at most this wide."""
NARROWEST = 150
AXIAL_HEIGHT = 250, 500
FACTS_WIDTH, NAME_WIDTH = 200, 170
ROW_HEIGHT, HEAD_HEIGHT, SUMMARY_HEIGHT = 28, 50, 34
NOTE_HEIGHT, NOTE_CHARACTERS = 20, 88
FEWEST_COLUMNS = 5
"""Fewer columns of the table do not spread over its width."""


def write_overview(scan: sitk.Image, result: "Result", name: str, path: Path) -> None:
    """Write the picture of `result` for `scan` (3D, the same grid) as a PNG to `path`. Raises SpineError."""
    canvas = draw_overview(scan, result, name)
    with atomic(path) as temporary:
        canvas.save(temporary)


def draw_overview(scan: sitk.Image, result: "Result", name: str) -> Canvas:
    """As `write_overview`, but only in memory."""
    # A structure as long as the spine, such as its canal, says nothing about where to look.
    bodies = [segment for segment in result.segments if segment.is_vertebra]
    beside = {segment.label for segment in result.segments if bodies and not segment.is_vertebra}
    labels, has_scale = result.labels, True
    if result.placement:
        scan, labels = placed(scan, result.placement), placed(labels, result.placement)
        has_scale = result.placement.has_scale
    views = make_views(scan, labels, result.partial | beside)
    main = [view for view in views if view.plane != "axial"] or views
    axial = next((view for view in views if view not in main), None)
    places = _place_main(main)
    side = Rectangle(places[-1].right + GAP, HEADER, SIDE_WIDTH, HEIGHT - HEADER - MARGIN)
    canvas = Canvas(side.right + MARGIN, HEIGHT)

    _draw_header(canvas, result, name)
    for view, place in zip(main, places, strict=True):
        canvas.view(place, view, result.segments, scale_bar=has_scale and place is places[0])
    side = _draw_axial_and_facts(canvas, axial, side, result, scan)
    if _rows(result):
        side = _draw_table(canvas, side, result)
    _draw_notes(canvas, side, result.notes)
    return canvas


def _place_main(views: list[View]) -> list[Rectangle]:
    """Side by side, in one scale, as large as they fit."""
    height = HEIGHT - HEADER - CAPTION - MARGIN
    height_mm, width_mm = max(view.size_mm[0] for view in views), sum(view.size_mm[1] for view in views)
    scale = min(height / height_mm, (MAIN_WIDTH[1] - GAP * (len(views) - 1)) / width_mm)
    widths = [max(NARROWEST, view.size_mm[1] * scale) for view in views]
    widths[0] += max(0, MAIN_WIDTH[0] - sum(widths))
    places, left = [], MARGIN
    for width in widths:
        places.append(Rectangle(left, HEADER + CAPTION, width, height))
        left += width + GAP
    return places


def _draw_header(canvas: Canvas, result: "Result", name: str) -> None:
    warning = "Not for clinical use"
    room = canvas.width - 2 * MARGIN - canvas.width_of(warning, 17, "bold") - GAP
    canvas.text(MARGIN, 50, canvas.fitted(name, 28, room, "bold"), 28, weight="bold")
    canvas.text(canvas.width - MARGIN, 48, warning, 17, WARNING, weight="bold", ha="right")
    seconds = sum(result.timings.values())
    by_networks = " + ".join(dict.fromkeys(result.models)), ", ".join(result.planes), result.device.name
    facts = "   ·   ".join([*(result.made_from if result.labels_given else by_networks), f"{seconds:.0f} s"])
    canvas.text(MARGIN, 78, canvas.fitted(facts, 15, canvas.width - 2 * MARGIN), 15, MUTED)


def _draw_axial_and_facts(
    canvas: Canvas, view: View | None, side: Rectangle, result: "Result", scan: sitk.Image
) -> Rectangle:
    """The axial view, as high as the table leaves room, and facts beside it; returns the rest of `side`."""
    if view is None:
        bottom = _draw_facts(canvas, side.left, side.top + CAPTION, result, scan)
    else:
        least, most = AXIAL_HEIGHT
        table_height = HEAD_HEIGHT + len(_rows(result)) * ROW_HEIGHT + SUMMARY_HEIGHT
        height = min(most, max(least, side.height - CAPTION - GAP - table_height))
        height_mm, width_mm = view.size_mm
        width = min(side.width - FACTS_WIDTH - GAP, max(NARROWEST, height * width_mm / height_mm))
        place = Rectangle(side.left, side.top + CAPTION, width, min(height, width * height_mm / width_mm))
        canvas.view(place, view, result.segments)
        _draw_facts(canvas, place.right + GAP, place.top, result, scan)
        bottom = place.bottom
    top = bottom + GAP
    return Rectangle(side.left, top, side.width, side.bottom - top)


def _draw_facts(canvas: Canvas, left: float, top: float, result: "Result", scan: sitk.Image) -> float:
    """What was found and in which scan; returns the lower end."""
    names = [segment.name for segment in result.segments if segment.is_vertebra]
    levels = f"{names[0]} to {names[-1]}" if names else "none"
    structures = len(result.measurements.structures)
    facts = {}
    if names or not structures:
        facts["Vertebral bodies"] = f"{len(names)}"
        facts["Levels"] = "counted from the top" if levels.startswith("Vertebra") else levels
    if discs := sum(segment.code == DISC_CODE[0] for segment in result.segments):
        facts["Discs"] = f"{discs}"
    if structures > discs:
        others = [each.name for each in result.segments if not each.is_vertebra and each.code != DISC_CODE[0]]
        if names:
            facts["Other structures"] = canvas.fitted(", ".join(others) or "none", 16, FACTS_WIDTH)
        else:
            facts["Structures"] = f"{len(others)} of {structures}"
    has_scale = result.placement is None or result.placement.has_scale
    facts |= {
        "Voxels": " × ".join(f"{count}" for count in scan.GetSize()),
        "Spacing": " × ".join(f"{mm:.3g}" for mm in scan.GetSpacing()) + " mm" if has_scale else "not known",
    }
    for what, value in facts.items():
        canvas.text(left, top + 14, what, 13, MUTED)
        canvas.text(left, top + 35, value, 16)
        top += 52
    return top


@dataclass(frozen=True)
class _Column:
    """A column of numbers: its heading and unit, the field that it shows in units of `per`, and how it is written."""

    heading: str
    unit: str
    field: str
    decimals: int
    per: float = 1.0

    def value(self, row: VertebraMeasurement | StructureMeasurement) -> float | None:
        value = getattr(row, self.field, None)
        return None if value is None else value / self.per

    def text(self, row: VertebraMeasurement | StructureMeasurement) -> str:
        value = self.value(row)
        return "–" if value is None else f"{round(value, self.decimals) + 0.0:.{self.decimals}f}"  # never "-0"

    def look_first(self, row: VertebraMeasurement | StructureMeasurement) -> bool:
        return self.field == "quality" and needs_review(self.value(row))


_COLUMNS = (
    _Column("Volume", "cm³", "volume_mm3", 1, per=1000),
    _Column("Area", "cm²", "area_mm2", 1, per=100),
    _Column("Anterior", "mm", "anterior_height_mm", 1),
    _Column("Middle", "mm", "middle_height_mm", 1),
    _Column("Posterior", "mm", "posterior_height_mm", 1),
    _Column("Tilt", "°", "sagittal_tilt_deg", 0),
    _Column("Quality", "0 to 1", "quality", 2),
    _Column("Dice", "", "dice", 3),
)


def _rows(result: "Result") -> list[VertebraMeasurement | StructureMeasurement]:
    """What the table shows: all but discs, whose measures are in a picture of their own."""
    discs = {segment.label for segment in result.segments if segment.code == DISC_CODE[0]}
    return [row for row in result.measurements.rows if row.label not in discs]


def _draw_table(canvas: Canvas, side: Rectangle, result: "Result") -> Rectangle:
    """The measurements from the top of `side` on, in rows as high as they fit; returns the rest."""
    rows, reference = _rows(result), result.measurements.reference
    columns = [column for column in _COLUMNS if any(column.value(row) is not None for row in rows)]
    step = (side.width - NAME_WIDTH) / max(len(columns), FEWEST_COLUMNS)
    right = [side.left + NAME_WIDTH + step * (number + 1) for number in range(len(columns))]
    for x, column in zip(right, columns, strict=True):
        canvas.text(x, side.top + 14, column.heading, 14, MUTED, ha="right")
        canvas.text(x, side.top + 34, column.unit, 12, MUTED, ha="right")
    y = side.top + HEAD_HEIGHT
    canvas.line((side.left, side.right), y - 8)

    colours = {segment.label: segment.colour for segment in result.segments}
    height = min(ROW_HEIGHT, (side.height - HEAD_HEIGHT - SUMMARY_HEIGHT) / len(rows))
    size = min(16, 0.68 * height)
    for row in rows:
        base = y + 0.68 * height
        partial = isinstance(row, VertebraMeasurement) and row.partial
        if row.label in colours:
            canvas.swatch(Rectangle(side.left, base - 0.75 * size, 0.75 * size, 0.75 * size), colours[row.label])
        canvas.text(side.left + 22, base, canvas.fitted(row.level, size, NAME_WIDTH - 22, "bold"), size, weight="bold")
        if partial:
            canvas.text(side.left + NAME_WIDTH, base, "partial", 0.85 * size, WARNING, ha="right")
        for x, column in zip(right, columns, strict=True):
            colour = WARNING if column.look_first(row) else MUTED if partial else TEXT
            canvas.text(x, base, column.text(row), size, colour, ha="right")
        y += height
    if reference is not None:
        canvas.line((side.left, side.right), y + 6)
        canvas.text(side.left, y + 28, _agreement(reference), 14, MUTED)
    top = y + SUMMARY_HEIGHT + GAP
    return Rectangle(side.left, top, side.width, max(0, side.bottom - top))


def _agreement(reference: ReferenceSummary) -> str:
    """Everything together against the reference, on one line."""
    if reference.dice is None:
        return "Against the reference: nothing in either"
    parts = [f"Against the reference: Dice {reference.dice:.3f}"]
    if reference.hd95_mm is not None:
        parts += [f"HD95 {reference.hd95_mm:.1f} mm", f"surface distance {reference.assd_mm:.2f} mm"]
    if reference.n_missed or reference.n_false:
        parts.append(f"{reference.n_missed} missed, {reference.n_false} false")
    return "   ".join(parts)


def _draw_notes(canvas: Canvas, side: Rectangle, notes: list[str]) -> None:
    """As many of the notes as there is room for, none of them cut off."""
    y = side.top + 14
    for lines in (textwrap.wrap(note, width=NOTE_CHARACTERS) for note in notes):
        if y + NOTE_HEIGHT * (len(lines) - 1) > side.bottom:
            return
        for line in lines:
            canvas.text(side.left, y, line, 14, MUTED)
            y += NOTE_HEIGHT
