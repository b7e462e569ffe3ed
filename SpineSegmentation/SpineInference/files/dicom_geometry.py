"""Where the images of a DICOM series lie, and whether they make up one regular volume.

Positions and axes are those of the tags Image Position (Patient) and Image Orientation (Patient): LPS, mm.
"""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..errors import SpineError, about
from ..volume.geometry import Grid, check_grid

SAME_POSITION_MM = 1e-3
_MISSING = 1.5  # a step longer than this many usual ones means that slices are missing
_REFUSED = 0.2  # of a step: a slice this far from its regular place makes the volume wrong
_NOTED = 0.02
_SKEWED = 0.01


@dataclass(frozen=True, eq=False)
class StackGeometry:
    """Where headers say that parallel images lie. The sizes are None when they do not say.

    `positions` [n, 3] of the first pixels and `axes` [2, 3], the directions of growing column and row number, in LPS;
    `pixel_mm` is the spacing along the axes, `thickness_mm` the extent of a single image.
    """

    positions: np.ndarray
    axes: np.ndarray
    pixel_mm: tuple[float, float] | None
    thickness_mm: float | None


@dataclass(frozen=True)
class Placement:
    """A regular stack: the `order` of its images along the normal, and its grid in SimpleITK's terms.

    `note` is a sentence about a small irregularity or an assumption, or None.
    """

    order: list[int]
    origin: tuple[float, ...]
    spacing: tuple[float, ...]
    direction: tuple[float, ...]
    note: str | None

    def check(self, size: tuple[int, int, int], name: str) -> None:
        """Raise SpineError, beginning with `name`, unless so many columns, rows and slices are what a scan may be."""
        with about(name):
            check_grid(Grid(size, self.spacing, self.origin, self.direction))

    def apply(self, image: sitk.Image) -> None:
        """Put the 3D `image`, whose slices are already in `order`, in its place."""
        image.SetOrigin(self.origin)
        image.SetSpacing(self.spacing)
        image.SetDirection(self.direction)


def check_pixel_size(pixel_mm: tuple[float, float] | None, name: str) -> None:
    """Raise SpineError, beginning with `name`, unless both sides of a pixel have a known, positive length."""
    if pixel_mm is None:
        raise SpineError(f"{name}: the size of its pixels (Pixel Spacing) is missing, correct the header of the scan.")
    if min(pixel_mm) <= 0:
        raise SpineError(f"{name}: the pixel spacing {pixel_mm} mm is not positive: correct the header of the scan.")


def repeats(positions: np.ndarray, axes: np.ndarray) -> bool:
    """Whether two of the `positions` [n, 3] lie in the same plane of the `axes` [2, 3]."""
    return bool((np.diff(np.sort(positions @ np.cross(*axes))) < SAME_POSITION_MM).any())


def place(stack: StackGeometry, name: str) -> Placement:
    """Put the images of `stack` in order along their normal.

    Raises SpineError, beginning with `name`, for a stack that is not regular or has no pixel size.
    """
    positions, axes, pixel_mm = stack.positions, stack.axes, stack.pixel_mm
    check_pixel_size(pixel_mm, name)
    if not np.allclose(axes @ axes.T, np.eye(2), rtol=0, atol=_SKEWED):
        raise SpineError(f"{name}: the orientation in the header is not two directions at right angles.")
    row, column = axes
    row = row / np.linalg.norm(row)
    column = column - (column @ row) * row  # tags are rounded: make the right angle exact
    column /= np.linalg.norm(column)
    normal = np.cross(row, column)
    heights = positions @ normal
    order = np.argsort(heights, kind="stable")
    positions, heights = positions[order], heights[order]
    step, note = _regular_step(heights, name) if len(heights) > 1 else _single_step(stack.thickness_mm, name)
    _check_straight(positions, normal, min(pixel_mm), name)
    return Placement(
        order.tolist(),
        tuple(positions[0].tolist()),
        (*pixel_mm, step),
        tuple(np.stack([row, column, normal], axis=1).ravel().tolist()),
        note,
    )


def _single_step(thickness_mm: float | None, name: str) -> tuple[float, str | None]:
    if thickness_mm is not None:
        return thickness_mm, None
    return 1.0, f"{name}: the thickness of the slice is not known, 1 mm is assumed."


def _regular_step(heights: np.ndarray, name: str) -> tuple[float, str | None]:
    steps = np.diff(heights)
    if steps.min() < SAME_POSITION_MM:
        raise SpineError(
            f"{name}: there are several images at the same position (a series of echoes or times?), "
            "export one volume of it."
        )
    usual = float(np.median(steps))
    if steps.max() > _MISSING * usual:
        missing = int(np.maximum(np.rint(steps / usual) - 1, 0).sum())
        raise SpineError(
            f"{name}: about {missing} of {missing + len(heights)} slices are missing (slices are {usual:.4g} mm apart, "
            f"but one gap is {steps.max():.4g} mm), export the whole series again."
        )
    deviation = np.abs(heights - np.linspace(heights[0], heights[-1], len(heights))).max() / usual
    if deviation > _REFUSED:
        raise SpineError(
            f"{name}: the slices are unevenly spaced ({steps.min():.4g} to {steps.max():.4g} mm), "
            "resample the series to a regular grid."
        )
    mean = float(heights[-1] - heights[0]) / len(steps)
    note = f"{name}: the slices are {steps.min():.4g} to {steps.max():.4g} mm apart, {mean:.4g} mm is used."
    return mean, note if deviation > _NOTED else None


def _check_straight(positions: np.ndarray, normal: np.ndarray, pixel_mm: float, name: str) -> None:
    shifts = positions - positions[0]
    sideways = np.linalg.norm(shifts - np.outer(shifts @ normal, normal), axis=1).max()
    if sideways > pixel_mm / 2:
        raise SpineError(
            f"{name}: the slices are shifted against each other by up to {sideways:.3g} mm (a tilted gantry?), "
            "resample the series to a regular grid."
        )
