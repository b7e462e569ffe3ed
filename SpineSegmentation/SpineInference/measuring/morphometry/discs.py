"""The size of a disc from its own mask: three heights and the volume.

Heights are taken as radiologists do on a mid-sagittal slice, in front, in the middle and behind (Fyllos et al. 2018),
but as means over the middles of the three thirds of the depth and a slab around the middle of the width: a disc has no
corners, and its edges are round. Its axis is the normal of its middle surface, halfway between both endplates. Its
front and back are those of the endplates beside it, so that a bulge makes a disc neither deeper nor lower.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..body_shape import ALIKE, SampledBody, sample_body, walls
from .frames import Scan, axes_along

_THIRDS = ((0.1, 0.233), (0.433, 0.567), (0.767, 0.9))
"""Where heights are measured, in depths from the front: the middles of the thirds, without the round edges."""
_SLAB = 0.2
"""Heights are taken in a slab through the middle of this fraction of the width."""
_INNER = 0.6
"""The middle part of depth and width that tells the axis."""
_REFINEMENTS = 2
_STEEPEST = np.cos(np.radians(60))
"""A disc's axis is within this of the spine's."""
_FEWEST_VOXELS = 20
_MOST_MISSING = 0.25
"""There is no height where more of the columns than this are empty."""

Point = np.ndarray


@dataclass(frozen=True, eq=False)
class DiscMask:
    """The voxels of one disc in the array `mask`, cut out of the scan's array at index `first`."""

    mask: np.ndarray
    first: tuple[int, ...]

    def points(self, scan: Scan) -> np.ndarray:
        """Its voxels [n, 3], LPS mm."""
        return scan.origin + np.einsum("va,ax->vx", np.argwhere(self.mask) + self.first, scan.steps)

    def cut_along(self, scan: Scan) -> set[int]:
        """The array axes along which it touches the border of the scan; never that across a single slice."""
        ends = [start + length for start, length in zip(self.first, self.mask.shape, strict=True)]
        touched = {
            axis
            for axis, length in enumerate(scan.shape)
            if length > 1
            and np.take(self.mask, [0] * (self.first[axis] == 0) + [-1] * (ends[axis] == length), axis=axis).any()
        }
        emptied = scan.content.cuts_along(self.mask, self.first, scan.spacing) if scan.content else ()
        return touched.union(emptied)


@dataclass(frozen=True, eq=False)
class DiscShape:
    """`axes`: rows posterior, left and superior (LPS). Of the anterior, middle and posterior third the height (mm) and
    the line that it stands for; None where the mask does not reach."""

    axes: np.ndarray
    centre: Point
    depth: float
    width: float
    heights: tuple[float | None, ...]
    lines: tuple[tuple[Point, Point] | None, ...]

    @property
    def mean_height(self) -> float | None:
        """Of all three, mm."""
        return None if None in self.heights else float(np.mean(self.heights))


def disc_shape(
    disc: DiscMask, spine: np.ndarray, scan: Scan, fronts: Sequence[Point], backs: Sequence[Point]
) -> DiscShape | None:
    """The shape of a disc in the `spine`'s axes; None for a handful of voxels.

    `fronts` and `backs` are the corners (LPS) of the endplates beside it, as far as they are known; without them the
    disc's own front and back count.
    """
    points = disc.points(scan)
    if len(points) < _FEWEST_VOXELS:
        return None
    centroid = points.mean(axis=0)
    axes = axes_along(_flat_axis(points - centroid, spine), spine[1])
    sampled = sample_body(disc.mask, scan.steps, axes)
    for _ in range(_REFINEMENTS):
        axis = _normal_of_middle(sampled) @ axes
        if axis @ spine[2] < _STEEPEST or axis @ axes[2] > ALIKE:
            break
        axes = axes_along(axis, spine[1])
        sampled = sample_body(disc.mask, scan.steps, axes)
    thickness = sampled.density.sum(axis=2) * sampled.step_mm
    left = _middle(sampled, thickness.max(axis=0), 1)
    own = _ends(sampled.grid[0], thickness.max(axis=1))
    front, back = (
        float(np.mean([axes[0] @ (point - centroid) for point in known])) if known else end
        for known, end in zip((fronts, backs), own, strict=True)
    )
    slab = np.abs(sampled.grid[1] - left) <= max(_SLAB * sampled.size[1] / 2, 0.5 * sampled.step_mm)
    found = [_height(sampled, thickness, slab, front, back, third) for third in _THIRDS]
    lines = [
        height and tuple(centroid + np.array([at, left, middle + way * height / 2]) @ axes for way in (1, -1))
        for height, at, middle in found
    ]
    centre = centroid + np.array([(front + back) / 2, left, found[1][2]]) @ axes
    heights = tuple(height for height, _, _ in found)
    return DiscShape(axes, centre, back - front, sampled.size[1], heights, tuple(lines))


def _flat_axis(offsets: np.ndarray, spine: np.ndarray) -> np.ndarray:
    """The direction in the sagittal plane in which the disc is thinnest, upwards; or else the spine's own."""
    flat = np.einsum("vx,ax->va", offsets, spine[[0, 2]])
    axis = np.linalg.eigh(np.einsum("va,vb->ab", flat, flat))[1][:, 0] @ spine[[0, 2]]
    axis = axis * np.sign(axis @ spine[2])
    return axis if axis @ spine[2] > _STEEPEST else spine[2]


def _normal_of_middle(disc: SampledBody) -> np.ndarray:
    """The normal of the plane through the middles of the inner columns, in the disc's axes; upwards."""
    filled = disc.density.sum(axis=2)
    inner = disc.middle(0, _INNER)[:, None] & disc.middle(1, _INNER) & (filled > 0)
    weights = filled[inner]
    middles = np.einsum("nw,w->n", disc.density[inner], disc.grid[2]) / weights
    places = np.stack([grid[inner] for grid in np.meshgrid(*disc.grid[:2], indexing="ij")], axis=1)
    # Without anything to tell a slope, as across a single slice, the least squares give 0.
    terms = np.column_stack([places, np.ones(len(places))]) * np.sqrt(weights)[:, None]
    back, left, _ = np.linalg.lstsq(terms, middles * np.sqrt(weights), rcond=1e-6)[0]
    normal = np.array([-back, -left, 1.0])
    return normal / np.linalg.norm(normal)


def _ends(positions: np.ndarray, profile: np.ndarray) -> tuple[float, float]:
    """Where a profile of thickness rises above and falls below half its median."""
    found = walls(positions, profile / np.median(profile[profile > 0]))
    return found or (float(positions[profile > 0].min()), float(positions[profile > 0].max()))


def _middle(disc: SampledBody, profile: np.ndarray, axis: int) -> float:
    return float(np.mean(_ends(disc.grid[axis], profile)))


def _height(
    disc: SampledBody, thickness: np.ndarray, slab: np.ndarray, front: float, back: float, third: tuple[float, float]
) -> tuple[float | None, float, float]:
    """Height (mm), place along the depth, and the middle of the height there, all in the disc's axes."""
    low, high = (front + share * (back - front) for share in third)
    at = (low + high) / 2
    away = np.abs(disc.grid[0] - at)
    rows = away <= max((high - low) / 2, away.min())
    columns = np.sort(thickness[rows][:, slab].ravel())
    filled = disc.density[rows][:, slab].sum(axis=(0, 1))
    if np.count_nonzero(columns == 0) > _MOST_MISSING * len(columns):
        return None, at, 0.0
    # A node or a gap is not what a height is.
    outer = len(columns) // 4
    height = float(columns[outer : len(columns) - outer].mean())
    return height, at, float(filled @ disc.grid[2] / filled.sum())
