"""A dark picture drawn in pixels from the top left: text, lines and panels with a slice of a scan.

A thin layer over matplotlib without pyplot: no window, no global state, any thread. Importing it needs no matplotlib.
"""

import io
import math
import warnings
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ..anatomy import Segment
from .views import View

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BACKGROUND, TEXT, MUTED, FAINT, WARNING = "#0e1116", "#eef1f5", "#8d97a5", "#2b323c", "#f2b33d"

DOTS_PER_INCH = 120
_LETTERS = {"sagittal": "SIAP", "coronal": "SIRL", "axial": "APRL"}
"""What is above, below, left and right of a view: superior, inferior, anterior, posterior, right, left."""
_NICE_MM = (200, 100, 50, 20, 10, 5)


@dataclass(frozen=True)
class Rectangle:
    """A part of the picture, in pixels."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height


class Canvas:
    """A picture of `width` x `height` pixels; `figure` is matplotlib's."""

    def __init__(self, width: float, height: float):
        from matplotlib.figure import Figure

        self.width, self.height = width, height
        size = (width / DOTS_PER_INCH, height / DOTS_PER_INCH)
        self.figure = Figure(figsize=size, dpi=DOTS_PER_INCH, facecolor=BACKGROUND)

    def save(self, path: Path) -> None:
        """Write the picture as PNG. Raises OSError."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a letter that the font lacks is shown as a box
            # Level 3 is three times faster than the usual 6, for a file that is hardly larger.
            self.figure.savefig(path, format="png", facecolor=BACKGROUND, pil_kwargs={"compress_level": 3})

    def jpeg(self, scale: float = 1.0) -> bytes:
        """The picture as JPEG, `scale` times as large."""
        file = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.figure.savefig(file, format="jpeg", facecolor=BACKGROUND, dpi=scale * DOTS_PER_INCH)
        return file.getvalue()

    def text(self, x: float, y: float, text: str, size: float = 16, colour: str = TEXT, **style) -> None:
        """Write `text` with its baseline at y; `size` in pixels. A $ is a $, not mathematics."""
        x, y = x / self.width, 1 - y / self.height
        self.figure.text(x, y, text, size=_points(size), color=colour, parse_math=False, **style)

    def fitted(self, text: str, size: float, width: float, weight: str = "normal") -> str:
        """`text`, with its middle left out where it would be wider than `width` pixels."""
        full = self.width_of(text, size, weight)
        if full <= width:
            return text
        for kept in range(int(len(text) * min(1.0, 1.2 * width / full)), 1, -1):
            shown = f"{text[: kept - kept // 2]}…{text[-(kept // 2) :]}"
            if self.width_of(shown, size, weight) <= width:
                return shown
        return "…"

    def width_of(self, text: str, size: float, weight: str = "normal") -> float:
        """The width of `text` in pixels."""
        from matplotlib.font_manager import FontProperties
        from matplotlib.textpath import text_to_path

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            font = FontProperties(weight=weight, size=size)
            return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]

    def line(self, x: tuple[float, float], y: float, colour: str = FAINT) -> None:
        """A thin horizontal line from x[0] to x[1]."""
        from matplotlib.lines import Line2D

        xs, height = [value / self.width for value in x], 1 - y / self.height
        self.figure.add_artist(Line2D(xs, [height, height], color=colour, linewidth=_points(1)))

    def swatch(self, place: Rectangle, colour: tuple[int, int, int]) -> None:
        """A rectangle filled with `colour` (0-255)."""
        from matplotlib.patches import Rectangle as Patch

        corner = place.left / self.width, 1 - place.bottom / self.height
        size = place.width / self.width, place.height / self.height
        self.figure.add_artist(Patch(corner, *size, facecolor=_rgb(colour), linewidth=0))

    def view(self, place: Rectangle, view: View, segments: list[Segment], scale_bar: bool = True) -> "Axes":
        """A slice in `place`, centred, as large as it fits, with contours, names and letters of orientation.

        Returns matplotlib's axes, in mm from the upper left corner of the view.
        """
        self.text(place.left, place.top - 8, view.plane.capitalize(), 14, MUTED)
        axes = self._axes(place, view)
        height_mm, width_mm = view.size_mm
        pixels_per_mm = place.width / (axes.get_xlim()[1] - axes.get_xlim()[0])
        extent = (0, width_mm, height_mm, 0)
        axes.imshow(view.image, cmap="gray", vmin=0, vmax=1, extent=extent, interpolation="bicubic", aspect="auto")
        _draw_cuts(axes, view)
        shown = [segment for segment in segments if (view.labels == segment.label).any()]
        for segment in shown:
            _draw_contour(axes, view, segment)
        # Discs and canal are known by the vertebrae beside them.
        named = [segment for segment in shown if segment.is_vertebra] or shown
        names = _draw_names(axes, view, named, pixels_per_mm)
        _draw_letters(axes, place, view, names)
        if scale_bar:
            _draw_scale_bar(axes, place, pixels_per_mm)
        return axes

    def _axes(self, place: Rectangle, view: View) -> "Axes":
        position = (
            place.left / self.width,
            1 - place.bottom / self.height,
            place.width / self.width,
            place.height / self.height,
        )
        axes = self.figure.add_axes(position, facecolor="black", xticks=[], yticks=[])
        axes.spines[:].set_color(FAINT)
        height_mm, width_mm = view.size_mm
        mm_per_pixel = max(height_mm / place.height, width_mm / place.width)
        half_width, half_height = place.width * mm_per_pixel / 2, place.height * mm_per_pixel / 2
        axes.set(
            xlim=(width_mm / 2 - half_width, width_mm / 2 + half_width),
            ylim=(height_mm / 2 + half_height, height_mm / 2 - half_height),
            autoscale_on=False,
        )
        return axes


def _draw_contour(axes: "Axes", view: View, segment: Segment) -> None:
    # The outline between pixel centres, rounded by a little less than a pixel, so that it is no staircase.
    mask = np.pad((view.labels == segment.label).astype(np.float32), 1)
    mask = np.maximum(ndimage.gaussian_filter(mask, 0.6), 0.501 * (ndimage.uniform_filter(mask, 3) > 0.999))
    down, across = view.pixel_mm
    x = (np.arange(mask.shape[1]) - 0.5) * across
    y = (np.arange(mask.shape[0]) - 0.5) * down
    colour = _rgb(segment.colour)
    axes.contourf(x, y, mask, levels=[0.5, 2], colors=[colour], alpha=0.13)
    axes.contour(x, y, mask, levels=[0.5], colors=[colour], linewidths=_points(2.2))


def _draw_names(axes: "Axes", view: View, shown: list[Segment], pixels_per_mm: float) -> list[tuple[float, float]]:
    """The name of each body on its left, small enough for the narrowest gap; of other things where there is no body.

    Discs are named by the bodies beside them, and where the canal is everybody sees. Returns points on the names, as
    fractions of the axes.
    """
    down, across = view.pixel_mm
    places = {}
    bodies = [segment for segment in shown if segment.is_vertebra]
    for segment in bodies or shown:
        rows, columns = np.nonzero(view.labels == segment.label)
        places[segment] = (columns.min() * across, (rows.mean() + 0.5) * down)
    gaps = [below - above for above, below in pairwise(sorted(y for _, y in places.values()))]
    size = min(17.0, max(8.0, 0.8 * min(gaps, default=math.inf) * pixels_per_mm))
    points = []
    for segment, (x, y) in places.items():
        name = segment.name.removeprefix("Vertebra ")  # the number is enough in the picture
        width = 0.8 * size * len(name) / pixels_per_mm
        right = max(axes.get_xlim()[0] + 5 / pixels_per_mm + width, x - 8 / pixels_per_mm)
        _outlined(axes, right, y, name, size, _rgb(segment.colour), ha="right", va="center")
        points += [(right - share * width, y) for share in (0, 0.5, 1)]
    to_fraction = axes.transData + axes.transAxes.inverted()
    return [tuple(to_fraction.transform(point)) for point in points]


def _draw_cuts(axes: "Axes", view: View) -> None:
    for plane_axis, position in view.cuts.values():
        draw = axes.axvline if plane_axis else axes.axhline
        draw(position * view.pixel_mm[plane_axis], color="white", alpha=0.28, linewidth=_points(1), dashes=(4, 5))


def _draw_letters(axes: "Axes", place: Rectangle, view: View, names: list[tuple[float, float]]) -> None:
    """The letters of orientation, each in the middle of its side unless a body or one of the `names` is there."""
    above, below, left, right = _LETTERS[view.plane]
    x, y = 8 / place.width, 7 / place.height
    strip = 30 / place.height
    bodies = _bodies(axes, view)
    beside = _nearest_to_middle([down for _, down in names], 22 / place.height)
    at_top = _nearest_to_middle([across for across, up in bodies + names if up > 1 - strip], 14 / place.width)
    at_bottom = _nearest_to_middle([across for across, up in bodies + names if up < strip], 14 / place.width)
    style = {"transform": axes.transAxes}
    _outlined(axes, at_top, 1 - y, above, 14, TEXT, ha="center", va="top", **style)
    _outlined(axes, at_bottom, y, below, 14, TEXT, ha="center", va="bottom", **style)
    _outlined(axes, x, beside, left, 14, TEXT, ha="left", va="center", **style)
    _outlined(axes, 1 - x, beside, right, 14, TEXT, ha="right", va="center", **style)


def _bodies(axes: "Axes", view: View) -> list[tuple[float, float]]:
    """The pixels of all bodies as fractions of the axes."""
    pixels = np.argwhere(view.labels > 0)[:, ::-1] + 0.5
    to_fraction = axes.transData + axes.transAxes.inverted()
    return [tuple(point) for point in to_fraction.transform(pixels * view.pixel_mm[::-1])]


def _nearest_to_middle(taken: list[float], distance: float) -> float:
    """The fraction of a side nearest to its middle that keeps its `distance` from all that is `taken`."""
    candidates = np.linspace(0.2, 0.8, 61)
    return min(candidates, key=lambda at: (any(abs(at - other) < distance for other in taken), abs(at - 0.5)))


def _draw_scale_bar(axes: "Axes", place: Rectangle, pixels_per_mm: float) -> None:
    length_mm = next((mm for mm in _NICE_MM if mm * pixels_per_mm < 0.3 * place.width), 0)
    length = length_mm * pixels_per_mm / place.width
    if length * place.width < 40:
        return  # too narrow for its own text
    x, y = 12 / place.width, 14 / place.height
    axes.plot([x, x + length], [y, y], transform=axes.transAxes, color="white", linewidth=_points(2.5))
    _outlined(axes, x, y + 7 / place.height, f"{length_mm} mm", 12, TEXT, transform=axes.transAxes)


def _outlined(axes: "Axes", x: float, y: float, text: str, size: float, colour, **style) -> None:
    """Text with a dark rim, readable on any grey."""
    from matplotlib.patheffects import withStroke

    rim = [withStroke(linewidth=_points(3), foreground="#000000cc")]
    axes.text(x, y, text, size=_points(size), color=colour, path_effects=rim, weight="bold", clip_on=True, **style)


def _points(pixels: float) -> float:
    return pixels * 72 / DOTS_PER_INCH


def _rgb(colour: tuple[int, int, int]) -> tuple[float, ...]:
    return tuple(value / 255 for value in colour)
