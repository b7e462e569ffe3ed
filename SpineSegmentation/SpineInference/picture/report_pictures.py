"""The pictures of the report: the planes along the spine, each by itself, with names and lines and without tables."""

from typing import TYPE_CHECKING

import SimpleITK as sitk

from ..volume.slice_placement import placed
from .canvas import Canvas, Rectangle
from .morphometry_picture import draw_lines
from .views import View, make_views

if TYPE_CHECKING:
    from ..result import Result

_HEIGHT = 900
_WIDTH = 260.0, 900.0
"""In pixels: how high a picture is, and between what it is wide."""


def draw_report_pictures(scan: sitk.Image, result: "Result") -> dict[str, Canvas]:
    """The sagittal view of `scan` (3D, the grid of the result) with the lines of its measures, and the coronal one, by
    plane; of a scan that has neither its only view."""
    grid, labels = scan, result.labels
    if result.placement:
        scan, labels = placed(scan, result.placement), placed(labels, result.placement)
    bodies = {segment.label for segment in result.segments if segment.is_vertebra}
    beside = {segment.label for segment in result.segments if bodies and not segment.is_vertebra}
    views = make_views(scan, labels, result.partial | beside)
    views = [view for view in views if view.plane != "axial"] or views[:1]
    pictures = {}
    for view in views:
        place = Rectangle(0, 0, _width_of(view), _HEIGHT)
        canvas = Canvas(place.width, _HEIGHT)  # what it is called stands above it, outside
        has_scale = result.placement is None or result.placement.has_scale
        axes = canvas.view(place, view, result.segments, scale_bar=has_scale)
        if view.plane == "sagittal":
            draw_lines(axes, view, result.morphometry, grid, scan)
        pictures[view.plane] = canvas
    return pictures


def _width_of(view: View) -> float:
    height_mm, width_mm = view.size_mm
    return min(max(_WIDTH[0], _HEIGHT * width_mm / height_mm), _WIDTH[1])
