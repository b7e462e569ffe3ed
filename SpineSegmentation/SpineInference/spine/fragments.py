"""Fragments of vertebral bodies: what they measure, and which of them belong to the same body."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

Spacing = tuple[float, float, float]

HEIGHT_PER_THICKNESS = 1.1
"""Height of a body over its thickness (see `Fragment`): 1.0 (T11) to 1.3 (L5) in the reference masks."""
DEPTH_PER_WIDTH = 0.7
"""Depth of a lumbar body over its width; cervical and thoracic bodies are relatively deeper."""
NEIGHBOURHOOD_MM = 60.0
"""How far along the spine (standard deviation) bodies have about the same size."""

_HIGHEST_RATIOS = 1.4, 1.8
"""Up to where a fragment is taken for one body, in `HEIGHT_PER_THICKNESS`; beyond the first only where nothing else
is."""
_MIN_FRAGMENT_SHARE, _MIN_CUT_FRAGMENT_SHARE = 0.1, 0.02
"""What holds less than this share of a body is no body of its own; the latter where the scan ends and cuts it."""
_ROUNDING_MM = 1e-6


class Fragment:
    """Voxels of one body or of a part of it; `voxels` are the three index arrays, in the whole array.

    `low`, `high` and `middle` tell where it lies along the spine in mm. `thickness` is its mean chord from front to
    back in mm, or that of a body of its width, if that is more: a scan may hold only a slice of it.
    """

    def __init__(self, voxels: tuple[np.ndarray, ...], position: np.ndarray, spacing_ipl: Spacing):
        self.voxels, self.position, self.spacing = voxels, position, spacing_ipl
        self._points = np.column_stack(voxels) * spacing_ipl
        self._corners = self._points.min(axis=0), self._points.max(axis=0)
        self.low, self.high = np.percentile(position, [2, 98])
        self.middle = float(position.mean())
        self.thickness = thickness_of(voxels, position, spacing_ipl)

    @property
    def extent(self) -> float:
        """Height along the spine in mm."""
        return self.high - self.low

    @property
    def area(self) -> float:
        """Mean cross-section in mm2."""
        return len(self) * float(np.prod(self.spacing)) / max(self.extent, self.spacing[0])

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
    section_mm = max(1.0, 1.05 * spacing_ipl[0])  # higher than a voxel, so that no section stays empty
    section = np.floor((position - position.min()) / section_mm).astype(np.int64)

    def chord(along: int, across: int) -> float:
        # The shadow in sections of the spine is too small for a spine leaning across, that in rows of voxels for one
        # leaning along.
        columns = int(voxels[across].max()) + 1
        in_sections = len(np.unique(section * columns + voxels[across])) * section_mm
        in_rows = len(np.unique(voxels[0] * columns + voxels[across])) * spacing_ipl[0]
        return len(position) * spacing_ipl[0] * spacing_ipl[along] / max(in_sections, in_rows)

    return max(chord(along=1, across=2), DEPTH_PER_WIDTH * chord(along=2, across=1))


@dataclass(frozen=True)
class ExpectedBody:
    """What a whole body measures at some place of the spine: height in mm, cross-section in mm2, voxels."""

    height: float
    area: float
    voxels: float


def expected_bodies(fragments: list[Fragment]) -> list[ExpectedBody]:
    """What a whole body would measure at each of the fragments.

    The height comes from the thickness of the column there, by the ratio of both in this very spine as far as it shows
    whole bodies. A mask that is too thin all along makes them look high; two bodies in one fragment are higher still.
    """
    extent, thickness, area, voxels, middle = np.array(
        [(fragment.extent, fragment.thickness, fragment.area, len(fragment), fragment.middle) for fragment in fragments]
    ).T
    ratios = extent / thickness
    ratio = HEIGHT_PER_THICKNESS
    for highest in _HIGHEST_RATIOS:
        plausible = ratios[(ratios > 0.6 * HEIGHT_PER_THICKNESS) & (ratios < highest * HEIGHT_PER_THICKNESS)]
        if len(plausible) >= 3:
            ratio = np.median(plausible)
            break
    # The size of bodies changes along the spine: each fragment counts by its volume, and by how near it is.
    weights = voxels * np.exp(-0.5 * np.square((middle[:, None] - middle) / NEIGHBOURHOOD_MM))
    medians = [_weighted_medians(values, weights) for values in (ratio * thickness, area, voxels)]
    return [ExpectedBody(*values) for values in zip(*medians, strict=True)]


def _weighted_medians(values: np.ndarray, weights: np.ndarray) -> list[float]:
    """The median of `values` [n] for each row of `weights` [m, n]."""
    order = np.argsort(values)
    below = np.cumsum(weights[:, order], axis=1)
    return [float(values[order[np.searchsorted(row, row[-1] / 2)]]) for row in below]


def join_fragments(fragments: list[Fragment], shape: tuple[int, int, int]) -> list[Fragment]:
    """The bodies that the `fragments` make up, in an array of `shape`; tiny ones that belong to none are left out.

    Joined are fragments side by side, fragments that are too short for a body but make one together, thin appendages
    with the body they hang on (such as the dens with C2), and tiny fragments with the body they lie on. A slice of a
    body where the scan ends is neither an appendage nor a tiny fragment.
    """

    def appendage(upper: Fragment, lower: Fragment, expected: ExpectedBody) -> bool:
        thin = any(p.area < 0.5 * expected.area and not p.touches(shape, axes=(0, 1)) for p in (upper, lower))
        return thin and upper.gap_to(lower, at_most=0) == 0

    bodies, tiny_fragments = _sorted_out(fragments, lambda fragment: _MIN_CUT_FRAGMENT_SHARE)
    for belong_together in (_side_by_side, _halves, appendage):
        bodies = _join_neighbours(bodies, belong_together)
    bodies, small = _sorted_out(
        bodies,
        lambda fragment: _MIN_CUT_FRAGMENT_SHARE if fragment.touches(shape, axes=(0, 1)) else _MIN_FRAGMENT_SHARE,
    )
    lying_on = [[body] for body in bodies]
    for tiny in tiny_fragments + small:
        gaps = [tiny.gap_to(body, at_most=0.1 * body.thickness) for body in bodies]
        if min(gaps) < np.inf:
            lying_on[int(np.argmin(gaps))].append(tiny)
    return [body if len(parts) == 1 else body.joined(*parts[1:]) for body, parts in zip(bodies, lying_on, strict=True)]


def _sorted_out(
    fragments: list[Fragment], least_share: Callable[[Fragment], float]
) -> tuple[list[Fragment], list[Fragment]]:
    """The fragments that hold at least this share of the voxels of a whole body, and those that do not."""
    large, small = [], []
    for fragment, expected in zip(fragments, expected_bodies(fragments), strict=True):
        (large if len(fragment) >= least_share(fragment) * expected.voxels else small).append(fragment)
    return large, small


def _join_neighbours(
    fragments: list[Fragment], belong_together: Callable[[Fragment, Fragment, ExpectedBody], bool]
) -> list[Fragment]:
    """Joins neighbours along the spine, the upper one of each pair first, until no two belong together."""
    fragments = sorted(fragments, key=lambda fragment: fragment.low)
    expected_all = expected_bodies(fragments)
    first = 0
    while first < len(fragments):
        upper, expected = fragments[first], expected_all[first]
        near = (i for i in range(first + 1, len(fragments)) if fragments[i].low < upper.high + expected.height)
        second = next((i for i in near if belong_together(upper, fragments[i], expected)), None)
        if second is None:
            first += 1
        else:
            fragments[first] = upper.joined(fragments.pop(second))
            del expected_all[second]
    return fragments


def _side_by_side(upper: Fragment, lower: Fragment, expected: ExpectedBody) -> bool:
    shared = min(upper.high, lower.high) - max(upper.low, lower.low)
    return (
        shared > 0.5 * min(upper.extent, lower.extent)
        and _extent_together(upper, lower) < 1.5 * expected.height
        and upper.gap_to(lower, at_most=0.25 * expected.height) < np.inf
    )


def _halves(upper: Fragment, lower: Fragment, expected: ExpectedBody) -> bool:
    return (
        max(upper.extent, lower.extent) < 0.7 * expected.height
        and _extent_together(upper, lower) < 1.2 * expected.height
        and upper.gap_to(lower, at_most=0.1 * expected.height) < np.inf  # far less than a disc
    )


def _extent_together(upper: Fragment, lower: Fragment) -> float:
    return max(upper.high, lower.high) - min(upper.low, lower.low)
