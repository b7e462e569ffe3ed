"""The picture of the measures: a sagittal slice with the lines they were taken along, and their table beside it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import SimpleITK as sitk

from ..files.atomic import atomic
from ..measuring.morphometry.measure import Measure
from ..measuring.morphometry.tables import RESEARCH_USE, value_text
from ..volume.geometry import oriented_view
from ..volume.slice_placement import placed
from .canvas import MUTED, TEXT, WARNING, Canvas, Rectangle
from .views import View, make_views

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..result import Result

HEIGHT, MARGIN, GAP, TOP = 1080, 36, 28, 110
VIEW_WIDTH, TABLE_WIDTH, ROW_HEIGHT = 300, 760, 26
_ENDPLATE_COLOUR, _SLIP_COLOUR, _CURVE_COLOUR = "#5fd0ff", "#ff7a6b", "#f2e36b"
_DIAMETER_COLOURS = {"canal_diameter": "#7be08f", "cord_diameter": "#ffb48a"}
_EXTENSION = 0.35
"""The lines of a curve reach so far beyond the endplate, in its own lengths."""
_BODY = {
    "Ant. mm": "anterior_height",
    "Mid. mm": "middle_height",
    "Post. mm": "posterior_height",
    "A / P": "wedge_ratio",
    "M / P": "biconcave_ratio",
    "Genant": "genant_grade",
}
_LEVEL = {
    "Slip mm": "slip",
    "Slip %": "slip_percent",
    "Meyerding": "meyerding_grade",
    "Disc °": "disc_angle",
    "Segment °": "segmental_angle",
}
_DISC = {
    "Disc ant. mm": "anterior_disc_height",
    "Mid. mm": "middle_disc_height",
    "Post. mm": "posterior_disc_height",
    "Index": "disc_height_index",
    "Signal": "disc_signal",
}
_CANAL = {"Canal mm": "canal_diameter", "mm²": "canal_area", "Cord mm": "cord_diameter"}
_TABLES = ((("body",), _BODY | _CANAL), (("level",), _LEVEL), (("disc", "level"), _DISC | _CANAL))
"""The kinds of measures whose places are the rows of a table, and its columns."""
_FOR_ALL = "narrowest_level", "disc_signal"
"""What is told of several levels together, where it is."""


def write_morphometry_picture(scan: sitk.Image, result: "Result", name: str, path: Path) -> None:
    """Write the picture of `result.morphometry` on `scan` (3D, the grid of its labels) as PNG. Raises SpineError."""
    canvas = draw_morphometry(scan, result, name)
    with atomic(path) as temporary:
        canvas.save(temporary)


def draw_morphometry(scan: sitk.Image, result: "Result", name: str) -> Canvas:
    """As `write_morphometry_picture`, but only in memory."""
    grid, labels = scan, result.labels
    if result.placement:
        scan, labels = placed(scan, result.placement), placed(labels, result.placement)
    views = make_views(scan, labels, result.partial)
    view = next((view for view in views if view.plane == "sagittal"), views[0])
    height = HEIGHT - TOP - MARGIN
    width = max(VIEW_WIDTH, min(800.0, view.size_mm[1] * height / view.size_mm[0]))
    canvas = Canvas(MARGIN + width + GAP + TABLE_WIDTH + MARGIN, HEIGHT)
    canvas.text(MARGIN, 50, canvas.fitted(name, 28, canvas.width - 2 * MARGIN, "bold"), 28, weight="bold")
    canvas.text(MARGIN, 76, RESEARCH_USE, 15, WARNING)
    bodies = [segment for segment in result.segments if segment.is_vertebra]
    has_scale = result.placement is None or result.placement.has_scale
    axes = canvas.view(Rectangle(MARGIN, TOP, width, height), view, bodies, scale_bar=has_scale)
    if view.plane == "sagittal":
        draw_lines(axes, view, result.morphometry, grid, scan)
    _draw_tables(canvas, MARGIN + width + GAP, result.morphometry)
    return canvas


def draw_lines(axes: "Axes", view: View, measures: Sequence[Measure], grid: sitk.Image, scan: sitk.Image) -> None:
    """Draw the endplates, slips and ends of curves of `measures` over a sagittal `view` of the `scan`, which was placed
    where a single slice lies. `grid` is the scan as it was read, whose coordinates the measures have."""
    _, shown = oriented_view(scan)

    def at(point: tuple[float, float, float]) -> tuple[float, float]:
        # A single slice is shown where it was placed, and its measures are in its own coordinates.
        index = grid.TransformPhysicalPointToContinuousIndex(point)
        index = shown.index_of(scan.TransformContinuousIndexToPhysicalPoint(index))
        row, column = (index[2 - axis] + 0.5 - first for axis, first in zip(view.axes, view.first, strict=True))
        return column * view.pixel_mm[1], row * view.pixel_mm[0]

    for measure in measures:
        if measure.name == "disc_angle":
            for start, end in measure.lines:
                _line(axes, at(start), at(end), _ENDPLATE_COLOUR)
        elif measure.name in _DIAMETER_COLOURS:
            for start, end in measure.lines:
                _line(axes, at(start), at(end), _DIAMETER_COLOURS[measure.name])
        elif measure.name == "slip_percent" and measure.lines and _is_slipped(measures, measure.at):
            start, end = measure.lines[1]
            _line(axes, at(start), at(end), _SLIP_COLOUR, 3.0)
        elif measure.kind == "curve" and measure.definition.unit == "deg" and measure.name != "coronal_cobb":
            for start, end in measure.lines:
                (x, y), (to_x, to_y) = at(start), at(end)
                dx, dy = _EXTENSION * (to_x - x), _EXTENSION * (to_y - y)
                _line(axes, (x - dx, y - dy), (to_x + dx, to_y + dy), _CURVE_COLOUR)


def _is_slipped(measures: Sequence[Measure], at: str) -> bool:
    return any(each.at == at and each.name == "meyerding_grade" and each.value for each in measures)


def _line(axes: "Axes", start: tuple[float, float], end: tuple[float, float], colour: str, width: float = 1.3) -> None:
    axes.plot((start[0], end[0]), (start[1], end[1]), color=colour, linewidth=width, solid_capstyle="round")


def _draw_tables(canvas: Canvas, left: float, measures: Sequence[Measure]) -> None:
    single = [measure for measure in measures if not _is_of_all(measure)]
    together = [each for each in measures if _is_of_all(each) and (each.value is not None or each.kind != "curve")]
    tables = []
    for kinds, columns in _TABLES:
        places = list(dict.fromkeys(each.at for kind in kinds for each in single if each.kind == kind))
        # A narrow scan cuts off the canal at all levels.
        told = [each for each in single if each.at in places and (each.value is not None or each.kind != "canal")]
        names = {each.name for each in told}
        shown = {title: name for title, name in columns.items() if name in names}
        if shown:
            tables.append((places, shown))
    rows = sum(len(places) + 2.5 for places, _ in tables) + len(together)
    height = min(ROW_HEIGHT, (HEIGHT - TOP - MARGIN) / max(rows, 1))
    y = TOP + height
    for places, shown in tables:
        y = _draw_table(canvas, left, y, height, places, single, shown) + height
    for measure in together:
        colour = WARNING if measure.marks else TEXT
        text = f"{measure.definition.title} {measure.at}: {value_text(measure)}"
        canvas.text(left, y, text, 0.6 * height, colour)
        y += height
    if any(measure.marks for measure in measures):
        words = "; ".join(sorted({mark for measure in measures for mark in measure.marks}))
        canvas.text(left, HEIGHT - MARGIN, f"In this colour: {words}.", 14, WARNING)


def _is_of_all(measure: Measure) -> bool:
    return measure.kind == "curve" or (measure.name in _FOR_ALL and " to " in measure.at)


def _draw_table(
    canvas: Canvas,
    left: float,
    y: float,
    height: float,
    places: Sequence[str],
    measures: Sequence[Measure],
    columns: dict[str, str],
) -> float:
    """Rows by place and columns by measure, from `y` on; returns where it ends."""
    size, name_width = 0.6 * height, 120
    step = (TABLE_WIDTH - name_width) / max(len(columns), 1)
    for number, title in enumerate(columns):
        canvas.text(left + name_width + step * (number + 1), y, title, 0.85 * size, MUTED, ha="right")
    canvas.line((left, left + TABLE_WIDTH), y + 0.35 * height)
    y += 1.2 * height
    by_place = {(measure.at, measure.name): measure for measure in measures}
    for place in places:
        canvas.text(left, y, place.replace("Vertebra ", ""), size, weight="bold")
        for number, field in enumerate(columns.values()):
            measure = by_place.get((place, field))
            if measure is not None:
                colour = WARNING if measure.marks else TEXT
                text = value_text(measure).split(" ")[0].rstrip("°")
                canvas.text(left + name_width + step * (number + 1), y, text, size, colour, ha="right")
        y += height
    return y
