"""The spinal canal along its own course: centreline and cross-sections.

A section is perpendicular to the canal, not to the patient or the slices, as the cross-section of the cord is measured.
The course is a smooth curve through the middles of the sections.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ...anatomy import CANAL_LABEL, CORD_LABEL
from ...processors import in_threads
from ...spine.spine_curve import SpineCurve, fit_spine_curve
from ...volume.boxes import box_around
from ..body_shape import POSTERIOR, SUPERIOR, walls
from ..matching import Places, find_labels, layers_of
from .frames import LEFT, Scan, axes_along

_MM_PER_BEND = 35.0
"""The canal may bend once in about a body and its disc."""
_FEWEST_VOXELS = 50
_REACH_MM, _STEP_MM = 25.0, 0.5
"""A section is sampled so far from the course."""
_THICKNESS_MM = 2.0
"""Sections are means over so much of the course."""
_SLAB_MM = 3.0
"""The diameter is that of the middle of the width, as wide as this."""
_PATIENT = np.stack([POSTERIOR, LEFT, SUPERIOR])


@dataclass(frozen=True, eq=False)
class Section:
    """A cut through canal or cord; None for what the scan cuts off. `front` and `back`: ends of the diameter."""

    diameter_mm: float | None
    area_mm2: float | None
    front: np.ndarray
    back: np.ndarray


@dataclass(frozen=True, eq=False)
class _Cut:
    """Where a section is sampled: `across` in both directions (mm), in rows along the `axes`, around the `foot` (LPS);
    `index` holds the places, through its thickness as well, in voxels of the padded mask."""

    foot: np.ndarray
    axes: np.ndarray
    across: np.ndarray
    index: list[np.ndarray]


@dataclass(frozen=True, eq=False)
class Canal:
    """The canal in the array `mask`, cut out of the scan's array at index `first`, and the `cord` in it where one was
    found. `axes` are those of the spine: in rows posterior, left and superior (LPS)."""

    mask: np.ndarray
    cord: np.ndarray | None
    first: tuple[int, ...]
    scan: Scan
    axes: np.ndarray

    @cached_property
    def points(self) -> np.ndarray:
        """Its voxels [n, 3], LPS mm."""
        return self.scan.origin + np.einsum("va,ax->vx", np.argwhere(self.mask) + self.first, self.scan.steps)

    @cached_property
    def _course(self) -> SpineCurve:
        return fit_spine_curve(self._turned(self.points), _MM_PER_BEND)

    @cached_property
    def _ends(self) -> tuple[float, float]:
        position = self._course.position_of(self._turned(self.points[:: max(1, len(self.points) // 20_000)]))
        return float(position.min()), float(position.max())

    def _turned(self, points: np.ndarray) -> np.ndarray:
        """Points in the order of `SpineCurve`: inferior, posterior, left of the spine."""
        return np.einsum("vx,ax->va", points, np.stack([-self.axes[2], self.axes[0], self.axes[1]]))

    def _back(self, turned: np.ndarray) -> np.ndarray:
        return np.einsum("va,ax->vx", turned, np.stack([-self.axes[2], self.axes[0], self.axes[1]]))

    def position_of(self, points: np.ndarray) -> np.ndarray:
        """How far along the course, downwards in mm, the `points` [n, 3] (LPS) lie."""
        return self._course.position_of(self._turned(points))

    def centreline(self, step_mm: float) -> np.ndarray:
        """Points [n, 3] (LPS mm) of the course from top to bottom."""
        heights = self._turned(self.points)[:, 0]
        along = np.linspace(heights.min(), heights.max(), 1000)
        line = self._back(self._course.at(along)[0])
        length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
        at = np.linspace(0, length[-1], max(2, round(length[-1] / step_mm) + 1))
        return np.stack([np.interp(at, length, line[:, axis]) for axis in range(3)], axis=1)

    def sections_at(self, places: Sequence[np.ndarray]) -> list[tuple[Section, Section | None] | None]:
        """The sections of the canal and of the cord through `places` (LPS) beside them; None where there is none."""
        _ = self._ends  # so that not each thread begins with them
        return in_threads(self._section_at, places)

    def _section_at(self, place: np.ndarray) -> tuple[Section, Section | None] | None:
        turned = self._turned(place[None])
        if not self._ends[0] <= self._course.position_of(turned)[0] <= self._ends[1]:
            return None
        foot, down = (self._back(found)[0] for found in self._course.at(self._course.foot_of(turned)))
        axes = axes_along(-down, self.axes[1])
        across = np.arange(-_REACH_MM, _REACH_MM + _STEP_MM / 2, _STEP_MM)
        along = np.array([-0.5, 0.0, 0.5]) * _THICKNESS_MM
        # In voxels, too, the places of a section are a grid.
        first = np.where(np.array(self.scan.shape) == 1, 0, np.array(self.first) - 1)
        origin, *ends = self.scan.index_of(foot + np.vstack([np.zeros(3), axes])) - first
        index = [
            start + across[:, None, None] * back + across[:, None] * left + along * up
            for start, back, left, up in zip(origin, *(end - origin for end in ends), strict=True)
        ]
        cut = _Cut(foot, axes, across, index)
        canal = self._section(self.mask, cut)
        return canal and (canal, None if self.cord is None else self._section(self.cord, cut))

    def _section(self, mask: np.ndarray, cut: _Cut) -> Section | None:
        # Beyond the scan there is none, but a single slice is taken to go on.
        padded = np.pad(mask, [(0, 0) if length == 1 else (1, 1) for length in self.scan.shape])
        density = ndimage.map_coordinates(padded, cut.index, np.float32, order=1, mode="constant").mean(axis=2)
        if density.max() < 0.5:
            return None
        density = _largest_part(density)
        middle = float(density.sum(axis=0) @ cut.across / density.sum())
        slab = np.abs(cut.across - middle) <= _SLAB_MM / 2
        found = walls(cut.across, density[:, slab].mean(axis=1))
        if found is None:
            return None
        front, back = (cut.foot + np.array([end, middle, 0.0]) @ cut.axes for end in found)
        diameter = found[1] - found[0] if self.scan.shows_beyond(np.stack([front, back])).all() else None
        inner = cut.foot + np.einsum("va,ax->vx", cut.across[np.argwhere(density >= 0.5)], cut.axes[:2])
        whole = self.scan.shows_beyond(inner).all()
        return Section(diameter, float(density.sum()) * _STEP_MM**2 if whole else None, front, back)


def find_canal(places: Places, scan: Scan, axes: np.ndarray = _PATIENT) -> Canal | None:
    """The canal among the `places` of a label map, in the `axes` of the spine; None where there is none.

    The cord belongs to it, also where it has a label of its own.
    """
    if CANAL_LABEL not in places:
        return None
    parts = [places[label] for label in (CANAL_LABEL, CORD_LABEL) if label in places]
    box = box_around(*(own for _, own in parts))
    masks = [array[box] == label for (array, _), label in zip(parts, (CANAL_LABEL, CORD_LABEL), strict=False)]
    mask, cord = np.any(masks, axis=0), masks[1] if len(masks) > 1 else None
    if np.count_nonzero(mask) < _FEWEST_VOXELS:
        return None
    return Canal(mask, cord, tuple(side.start for side in box), scan, axes)


def canal_centreline(labels: sitk.Image, step_mm: float = 5.0) -> list[tuple[float, float, float]]:
    """The course of the canal in a label map: points (LPS mm) from top to bottom, none where there is no canal."""
    canal = find_canal(find_labels(layers_of(labels)), Scan.of(labels))
    return [] if canal is None else [tuple(map(float, point)) for point in canal.centreline(step_mm)]


def _largest_part(density: np.ndarray) -> np.ndarray:
    """Without what lies apart from the canal in the section."""
    parts, count = ndimage.label(density > 0)
    if count < 2:
        return density
    sizes = ndimage.sum_labels(density, parts, np.arange(1, count + 1))
    return np.where(parts == 1 + int(np.argmax(sizes)), density, 0)
