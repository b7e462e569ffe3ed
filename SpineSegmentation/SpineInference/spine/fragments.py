"""Fragments of vertebral bodies: where they lie along the spine, and what they measure."""

import numpy as np
from scipy.spatial import cKDTree

Spacing = tuple[float, float, float]

DEPTH_PER_WIDTH = 0.7
"""Depth of a lumbar body over its width; cervical and thoracic bodies are relatively deeper."""
_ROUNDING_MM = 1e-6


class Fragment:
    """Voxels of one body or of a part of it; `voxels` are the three index arrays, in the whole array.

    `low`, `high` and `middle` tell where it lies along the spine in mm, `width` how wide it is. `thickness` is its mean
    chord from front to back in mm, or that of a body of its width, if that is more: a scan may hold only a slice of it.
    """

    def __init__(self, voxels: tuple[np.ndarray, ...], position: np.ndarray, spacing_ipl: Spacing):
        self.voxels, self.position, self.spacing = voxels, position, spacing_ipl
        self._points = np.column_stack(voxels) * spacing_ipl
        self._corners = self._points.min(axis=0), self._points.max(axis=0)
        self.low, self.high = np.percentile(position, [2, 98])
        self.middle = float(position.mean())
        self.thickness = thickness_of(voxels, position, spacing_ipl)
        self.width = float(np.ptp(voxels[2]) + 1) * spacing_ipl[2]

    @property
    def extent(self) -> float:
        """Height along the spine in mm, that of a voxel at least."""
        return max(self.high - self.low, self.spacing[0])

    @property
    def area(self) -> float:
        """Mean cross-section in mm2."""
        return len(self) * float(np.prod(self.spacing)) / self.extent

    def __len__(self) -> int:
        return len(self.position)

    def touches(self, shape: tuple[int, int, int], axes: tuple[int, ...] = (0, 1, 2)) -> bool:
        """Whether it reaches the first or last slice of an array of `shape`; an axis of one slice does not count."""
        return any(
            shape[axis] > 1 and (self.voxels[axis].min() == 0 or self.voxels[axis].max() == shape[axis] - 1)
            for axis in axes
        )

    def joined(self, *others: "Fragment") -> "Fragment":
        together = (self, *others)
        voxels = tuple(np.concatenate([fragment.voxels[axis] for fragment in together]) for axis in range(3))
        return Fragment(voxels, np.concatenate([fragment.position for fragment in together]), self.spacing)

    def gap_to(self, other: "Fragment", at_most: float) -> float:
        """Width in mm of the narrowest gap between both, 0 where they touch; infinite if wider than `at_most`."""
        reach = at_most + np.array(self.spacing)
        points, others = self._points_near(other, reach), other._points_near(self, reach)
        if not len(points) or not len(others):
            return np.inf
        apart, nearest = cKDTree(others).query(points, distance_upper_bound=np.linalg.norm(reach))
        near = np.isfinite(apart)
        gaps = np.maximum(np.abs(points[near] - others[nearest[near]]) - self.spacing, 0)
        narrowest = float(np.linalg.norm(gaps, axis=1).min(initial=np.inf))
        return narrowest if narrowest <= at_most + _ROUNDING_MM else np.inf

    def _points_near(self, other: "Fragment", reach: np.ndarray) -> np.ndarray:
        """Own voxel centres in the box around `other` widened by `reach`."""
        low, high = other._corners[0] - reach, other._corners[1] + reach
        if (self._corners[0] > high).any() or (self._corners[1] < low).any():
            return self._points[:0]
        return self._points[((self._points >= low) & (self._points <= high)).all(axis=1)]


def thickness_of(voxels: tuple[np.ndarray, ...], position: np.ndarray, spacing_ipl: Spacing) -> float:
    """The thickness of a `Fragment`: volume over the area of its shadow along P, or, scaled, along L."""
    section_mm = 1.05 * spacing_ipl[0]  # higher than a voxel, so that no section stays empty
    section = np.floor((position - position.min()) / section_mm).astype(np.int64)

    def chord(along: int, across: int) -> float:
        # The shadow in sections of the spine is too small for a spine leaning across, that in rows of voxels for one
        # leaning along.
        columns = int(voxels[across].max()) + 1
        in_sections = np.count_nonzero(np.bincount(section * columns + voxels[across])) * section_mm
        in_rows = np.count_nonzero(np.bincount(voxels[0] * columns + voxels[across])) * spacing_ipl[0]
        return len(position) * spacing_ipl[0] * spacing_ipl[along] / max(in_sections, in_rows)

    return max(chord(along=1, across=2), DEPTH_PER_WIDTH * chord(along=2, across=1))
