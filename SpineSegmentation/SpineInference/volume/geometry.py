"""Anatomical planes, and the exact way to the working grid and back.

A volume is first put into *canonical* orientation by permuting and flipping axes only, so that its numpy array
(SimpleITK order `[k, j, i]`) has the axes

    [0] superior -> inferior (I),   [1] anterior -> posterior (P),   [2] right -> left (L).

Every slice then looks as radiologists show it: axial `a[k]`, coronal `a[:, k]`, sagittal `a[:, :, k]`. Oblique
volumes keep their direction cosines: each axis is named after the anatomical axis nearest to it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from ..errors import SpineError
from ..processors import in_threads
from ..specs import OPPOSITE

if TYPE_CHECKING:
    from scipy.sparse import csr_array  # what reads a header need not wait for it

PLANES = ("sagittal", "coronal", "axial")
SLICE_AXIS = {"sagittal": 2, "coronal": 1, "axial": 0}
"""The array axis of a canonical volume along which the slices of a plane follow each other."""

SAME_SPACING = 0.15
"""Spacings that differ by less than this fraction are taken as equal: resampling would cost more than it gives."""

_CANONICAL = "LPI"
_SLICES_AT_A_TIME = 16
_SHEARED = 1e-3
"""How much the products of direction cosines may differ from those at right angles, in whatever file they stand."""

_SMALLEST_MM, _LONGEST_MM, _LONGEST_PICTURE_MM = 1.0, 3000.0, 20000.0
_LARGEST_MM3 = 2e9
"""What a person, and a scanner's bore, may take up."""
_FARTHEST_MM = 1e5
"""From the origin of a scanner, or of a template."""
_COARSEST_MM = 10.0
"""Slices may lie further apart than this, pixels may not: a vertebral body is three of them wide."""


def check_geometry(image: sitk.Image) -> None:
    """Raise SpineError when the place of the voxels of `image` cannot be trusted; see `check_grid`."""
    check_grid(Grid.of(image))


def check_grid(grid: "Grid") -> None:
    """Raise SpineError for spacings, positions and directions that no scan has.

    One axis may have a single voxel, whose extent then does not matter; several voxels along no axis say nothing.
    """
    if not all(math.isfinite(mm) and mm > 0 for mm in grid.spacing):
        raise SpineError(f"the voxel spacing {_by(grid.spacing)} mm is not positive: correct the header of the scan.")
    if not all(abs(mm) < _FARTHEST_MM for mm in grid.origin):
        shown = f"({', '.join(f'{mm:.4g}' for mm in grid.origin)})"
        raise SpineError(f"the position of the scan, {shown} mm, is in no scanner: correct the header of the scan.")
    direction = np.array(grid.direction).reshape(len(grid.size), len(grid.size))
    if not np.allclose(direction.T @ direction, np.eye(len(grid.size)), rtol=0, atol=_SHEARED):
        raise SpineError(
            "the axes of the scan are not at right angles (sheared or gantry-tilted): resample it to a regular grid."
        )
    _check_lengths(grid)


def _check_lengths(grid: "Grid") -> None:
    axes = [(count * mm, mm) for count, mm in zip(grid.size, grid.spacing, strict=True) if count > 1]
    if not axes:
        return
    lengths, spacings = zip(*axes, strict=True)
    shown = f"the field of view of {_by(lengths)} mm ({_by(grid.size)} voxels of {_by(grid.spacing)} mm)"
    if max(lengths) < _SMALLEST_MM:
        raise SpineError(f"{shown} is too small for a spine: correct the header, its lengths are not in mm.")
    # A picture of unknown scale has pixels of 1 mm, so that a large one is not of wrong units.
    longest, volume = (_LONGEST_MM, _LARGEST_MM3) if len(axes) > 2 else (_LONGEST_PICTURE_MM, math.inf)
    if max(lengths) > longest or math.prod(lengths) > volume or sorted(spacings)[:2][-1] > _COARSEST_MM:
        raise SpineError(f"{shown} is none of a person: correct the header, its lengths are not in mm.")


def _by(numbers: Sequence[float]) -> str:
    return " x ".join(f"{number:.6g}" for number in numbers)


def orientation_of(image: sitk.Image) -> str:
    """Three letters, such as "LPS": the anatomical direction in which x, y and z grow."""
    return sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection())


def reorient(image: sitk.Image, orientation: str) -> sitk.Image:
    """`sitk.DICOMOrient` of a 3D image: axes permuted and flipped, voxels untouched."""
    return image_on(*oriented_view(image, orientation))


def oriented_view(image: sitk.Image, orientation: str = _CANONICAL) -> tuple[np.ndarray, "Grid"]:
    """What `reorient` makes of a 3D `image`, without a copy: its voxels `[k, j, i]`, and where they lie.

    The array is not to be changed, and is there as long as the image is.
    """
    return oriented(sitk.GetArrayViewFromImage(image), Grid.of(image), orientation)


def oriented(array: np.ndarray, grid: "Grid", orientation: str) -> tuple[np.ndarray, "Grid"]:
    """A view of the `array` on `grid`, and where it lies; components stay last."""
    own = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(grid.direction)
    order = [next(axis for axis in range(3) if own[axis] in (to, OPPOSITE[to])) for to in orientation]
    flipped = [own[axis] != to for axis, to in zip(order, orientation, strict=True)]
    # Axes of arrays count backwards: x is the last one.
    array = array.transpose([*(2 - axis for axis in reversed(order)), *range(3, array.ndim)])
    array = np.flip(array, [2 - axis for axis in range(3) if flipped[axis]])
    first = [0, 0, 0]
    for axis, is_flipped in zip(order, flipped, strict=True):
        first[axis] = (grid.size[axis] - 1) * is_flipped
    origin = image_on(np.zeros((1, 1, 1), np.uint8), grid).TransformIndexToPhysicalPoint(first)
    directions = np.reshape(grid.direction, (3, 3))[:, order] * np.where(flipped, -1.0, 1.0)
    spacing = tuple(grid.spacing[axis] for axis in order)
    return array, Grid(array.shape[2::-1], spacing, origin, tuple(directions.ravel().tolist()))


def image_on(array: np.ndarray, grid: "Grid") -> sitk.Image:
    """An image of the voxels in `array` `[k, j, i]`, of which components are the last axis, that lie on `grid`."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(array), isVector=array.ndim > 3)
    image.SetSpacing(grid.spacing)
    image.SetDirection(grid.direction)
    image.SetOrigin(grid.origin)
    return image


def canonical(image: sitk.Image) -> sitk.Image:
    """The 3D `image` with its axes permuted and flipped into canonical orientation; voxels are untouched."""
    return reorient(image, _CANONICAL)


def restore(image: sitk.Image, like: sitk.Image) -> sitk.Image:
    """The inverse of `canonical`: `image` (on the canonical grid of `like`) on the grid of `like` itself."""
    restored = reorient(image, orientation_of(like))
    if restored.GetSize() != like.GetSize():
        raise ValueError(f"{restored.GetSize()} voxels do not fit the scan's grid of {like.GetSize()}")
    restored.CopyInformation(like)
    return restored


def spacing_ipl(image: sitk.Image) -> tuple[float, float, float]:
    """Spacing in mm of a canonical image, in the order of its array axes (I, P, L)."""
    return tuple(reversed(image.GetSpacing()))


def canonical_spacing(image: sitk.Image) -> tuple[float, float, float]:
    """Spacing in mm along I, P and L of an image in any orientation."""
    return _along_ipl(image, image.GetSpacing())


def canonical_extent(image: sitk.Image) -> tuple[float, float, float]:
    """How many mm an image in any orientation reaches along I, P and L."""
    return _along_ipl(image, [n * mm for n, mm in zip(image.GetSize(), image.GetSpacing(), strict=True)])


def _along_ipl(image: sitk.Image, lengths: Sequence[float]) -> tuple[float, float, float]:
    """`lengths` along the axes of `image`, in the order I, P, L."""
    carrier = sitk.Image([1, 1, 1], sitk.sitkUInt8)  # orienting the scan itself would copy every voxel
    carrier.SetSpacing(lengths)
    carrier.SetDirection(image.GetDirection())
    return spacing_ipl(canonical(carrier))


@dataclass(frozen=True)
class Grid:
    """Where voxels lie, without the voxels. All tuples in x, y, z order, mm."""

    size: tuple[int, ...]
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]

    @classmethod
    def of(cls, image: sitk.Image) -> "Grid":
        return cls(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())

    def index_of(self, point: Sequence[float]) -> np.ndarray:
        """The continuous index (x, y, z) of a `point` in LPS mm."""
        directions = np.array(self.direction).reshape(len(self.size), -1)
        return np.linalg.solve(directions * self.spacing, np.subtract(point, self.origin))


def working_grid(image: sitk.Image, spacing_mm: float) -> Grid:
    """The grid over the field of view of `image` whose axes finer than `spacing_mm` are coarsened to it.

    Coarser axes stay as they are: a thick slice is worth one prediction, not several interpolated ones.
    """
    return _grid(image, [spacing_mm if s < spacing_mm * (1 - SAME_SPACING) else s for s in image.GetSpacing()])


def plane_grid(image: sitk.Image, plane: str, spacing_mm: float) -> Grid:
    """The grid of `image`, but with both in-plane axes of `plane` at `spacing_mm` where they are not already."""
    spacing = list(image.GetSpacing())
    for axis in range(3):
        in_plane = axis != 2 - SLICE_AXIS[plane]
        if in_plane and abs(spacing[axis] - spacing_mm) > SAME_SPACING * spacing_mm:
            spacing[axis] = spacing_mm
    return _grid(image, spacing)


def _grid(image: sitk.Image, wanted: list[float]) -> Grid:
    # The field of view is kept exactly, so the spacing is `wanted` up to a fraction of a voxel over the whole axis.
    size, spacing, first_voxel = [], [], []
    for voxels, old, new in zip(image.GetSize(), image.GetSpacing(), wanted, strict=True):
        count = voxels if new == old else max(1, round(voxels * old / new))
        size.append(count)
        spacing.append(old * voxels / count)
        first_voxel.append((voxels / count - 1) / 2)
    origin = image.TransformContinuousIndexToPhysicalPoint(first_voxel)
    return Grid(tuple(size), tuple(spacing), origin, image.GetDirection())


def resample(image: sitk.Image, grid: Grid, nearest: bool = False) -> sitk.Image:
    """3D `image` on `grid`, which has the same axes: linear, anti-aliased where coarser; `nearest` for labels.

    Beyond its outermost voxels the image goes on unchanged. An image that is on the grid already comes back as it is.
    """
    if same_grid(image, grid):
        return image
    if nearest:
        return sitk.Resample(
            image, grid.size, sitk.Transform(), sitk.sitkNearestNeighbor, grid.origin, grid.spacing, grid.direction
        )
    return image_on(voxels_on(image, grid), grid)


def canonical_resampled(image: sitk.Image, grid: "Grid") -> sitk.Image:
    """`canonical` of `image` on `grid` (linear), without another volume on the way."""
    if same_grid(image, grid):
        return canonical(image)
    _, own = oriented(np.broadcast_to(np.float32(0), grid.size[::-1]), grid, _CANONICAL)
    voxels = np.empty(own.size[::-1], np.float32)
    voxels_on(image, grid, out=oriented(voxels, own, orientation_of(image))[0])
    return image_on(voxels, own)


def voxels_on(image: sitk.Image, grid: Grid, out: np.ndarray | None = None) -> np.ndarray:
    """The voxels `[k, j, i]` of `resample` (linear), as float32; written into `out` where it is given.

    Some slices at a time, so that never all of them are held that were resampled in their plane only.
    """
    columns, rows, slices = _axis_weights(image, grid)
    array = sitk.GetArrayViewFromImage(image)
    resampled = np.empty(grid.size[::-1], np.float32) if out is None else out

    def resample_some(start: int) -> None:
        target, weights = (whole[start : start + _SLICES_AT_A_TIME] for whole in (resampled, slices))
        first, last = weights.indices.min(), weights.indices.max() + 1
        in_plane = np.empty((last - first, *target.shape[1:]), np.float32)
        for source, plane in zip(array[first:last], in_plane, strict=True):
            plane[:] = (columns @ (rows @ source.astype(np.float32)).T).T
        target[:] = (weights[:, first:last] @ in_plane.reshape(len(in_plane), -1)).reshape(target.shape)

    in_threads(resample_some, range(0, len(resampled), _SLICES_AT_A_TIME))
    return resampled


def _axis_weights(image: sitk.Image, grid: Grid) -> list["csr_array"]:
    """For x, y and z the weights [voxels of `grid`, voxels of `image`] of the voxels along that axis.

    Each is a mean weighted by a triangle as wide as the coarser voxels: with a half-width of one voxel of the image
    this is linear interpolation; wider, it also keeps fine detail from aliasing.
    """
    from scipy.sparse import csr_array

    first = image.TransformPhysicalPointToContinuousIndex(grid.origin)
    weights = []
    for start, voxels, old, wanted, new in zip(
        first, image.GetSize(), image.GetSpacing(), grid.size, grid.spacing, strict=True
    ):
        positions = np.clip(start + np.arange(wanted) * new / old, 0, voxels - 1)
        dense = np.maximum(0, 1 - np.abs(positions[:, None] - np.arange(voxels)) / max(1.0, new / old))
        weights.append(csr_array((dense / dense.sum(axis=1, keepdims=True)).astype(np.float32)))
    return weights


def same_grid(image: sitk.Image, grid: Grid) -> bool:
    """Whether the voxels of `image` lie on `grid`, to a millionth of a millimetre."""
    own = Grid.of(image)
    return own.size == grid.size and all(
        np.allclose(getattr(own, name), getattr(grid, name), rtol=0, atol=1e-6)
        for name in ("spacing", "origin", "direction")
    )


def crop(image: sitk.Image, box: tuple[slice, slice, slice]) -> sitk.Image:
    """The part of `image` inside `box`, which is given in array axes `[k, j, i]`, with its place in space kept."""
    start = [s.start for s in reversed(box)]
    size = [s.stop - s.start for s in reversed(box)]
    return sitk.RegionOfInterest(image, size, start)
