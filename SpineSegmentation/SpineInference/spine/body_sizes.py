"""How large whole bodies are along a spine, told by the fragments that its mask falls into.

No size is taken for granted: a neck in one slice and a tall man's back go the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .fragments import DEPTH_PER_WIDTH, Fragment

HEIGHT_PER_THICKNESS = 1.1
"""Height of a body over its thickness (see `Fragment`): 1.0 (T11) to 1.3 (L5) in the reference masks."""
DISC_PER_HEIGHT = 0.3
"""Height of a disc over that of a body: 0.2 (thoracic) to 0.35 (lumbar and cervical)."""
NEIGHBOURHOOD = 2.2
"""How far along the spine (standard deviation, in heights of a body) bodies have about the same size."""

_HEIGHTS = np.geomspace(0.3, 5.0, 100)
"""The heights considered, in thicknesses of the column."""
_DOUBT_SEEN, _DOUBT_UNSEEN = 0.35, 0.6
"""How far (standard deviation of the logarithm) heights are from those of usual bodies of the same thickness, where
the whole width of the bodies is seen and where only a slice of it is."""
_SPREAD, _MOST_UNLIKE = 0.15, 3.0
"""How far (likewise) the length of a fragment is from that of whole bodies, and how much it can speak against a height,
as pieces and bodies cut by the border do."""
_GAPS, _CUTS = (0.13, 0.23), (0.2, 2.0)
"""How much a fragment to be cut speaks against a height, by the narrower of the gaps above and below in its length.
Between bodies the gaps are a third of their length; between pairs of bodies, with the same discs, an eighth."""
_WAISTS, _WAISTLESS = (0.02, 0.1), (2.0, 0.0)
"""How much it speaks against a height to cut a fragment that has hardly a waist (see `instance_separation.waist`)."""


class BodyHeights:
    """How high the bodies are along a spine, from the lengths of the `fragments` that its mask falls into by itself.

    At each place it is the height that explains the fragments near there best: each should be as long as one body, or
    as several with their discs. Fragments that would have to be cut speak against a height, most between open discs
    and without a waist (`waists`, one for each), and so does its distance from that of a usual body of this thickness,
    the more the larger the share of the bodies' width that is seen: beside the middle, a slice through a body is as
    high as the body but thin.
    """

    def __init__(self, fragments: list[Fragment], waists: Sequence[float]):
        extent, thickness, width, self._voxels, self._middle = np.array(
            [(f.extent, f.thickness, f.width, len(f), f.middle) for f in fragments]
        ).T
        self._thickness = thickness
        self._largest, column, typical, shown = (
            _weighted_median(values, self._voxels) for values in (self._voxels, thickness, extent, width)
        )
        seen = min(1.0, DEPTH_PER_WIDTH * shown / column)
        self._doubt = _DOUBT_SEEN * seen + _DOUBT_UNSEEN * (1 - seen)
        self._reach = NEIGHBOURHOOD * typical
        self._heights = column * _HEIGHTS[:, None]
        lengths = extent / self._heights
        several = np.maximum(1, np.rint((lengths + DISC_PER_HEIGHT) / (1 + DISC_PER_HEIGHT)))
        cost_of_cuts = _cost_between_gaps(fragments) + np.interp(waists, _WAISTS, _WAISTLESS)
        as_one = _unlike(lengths)
        as_several = _unlike(lengths / _length_of(several)) + cost_of_cuts * (several > 1)
        self._costs = np.minimum(as_one, as_several)
        self._of_each = extent / np.where(as_one <= as_several, 1, _length_of(several))

    def at(self, middle: float) -> float:
        """The height in mm at the place `middle` (mm) along the spine."""
        near = _near(np.array([middle]), self._middle, self._reach)[0]
        thickness = _weighted_median(self._thickness, near * self._voxels)
        prior = np.square(np.log(self._heights[:, 0] / (HEIGHT_PER_THICKNESS * thickness)) / self._doubt) / 2
        weights = near * np.minimum(1, self._voxels / self._largest)
        best = int(np.argmin(self._costs @ weights + prior))
        # By now it is known how many bodies each fragment holds; how high these are, they tell alone.
        told_by = weights * (self._costs[best] < _MOST_UNLIKE)
        return _weighted_median(self._of_each[best], told_by) if told_by.any() else float(self._heights[best, 0])


@dataclass(frozen=True)
class ExpectedBody:
    """What a whole body measures at some place of the spine: height in mm, cross-section in mm2, voxels."""

    height: float
    area: float
    voxels: float


def expected_bodies(fragments: list[Fragment], heights: BodyHeights) -> list[ExpectedBody]:
    """What a whole body would measure at each of the `fragments`, which they tell themselves but for the heights."""
    area, voxels, middle = np.array([(fragment.area, len(fragment), fragment.middle) for fragment in fragments]).T
    height = np.array([heights.at(place) for place in middle.tolist()])
    # The size of bodies changes along the spine: each fragment counts by its volume, and by how near it is.
    weights = voxels * _near(middle, middle, NEIGHBOURHOOD * float(np.median(height)))
    return [
        ExpectedBody(mm, _weighted_median(area, row), _weighted_median(voxels, row))
        for mm, row in zip(height.tolist(), weights, strict=True)
    ]


def _near(places: np.ndarray, others: np.ndarray, reach: float) -> np.ndarray:
    """How much each of the `others` [n] counts at each of the `places` [m]: 1 where they are the same."""
    return np.exp(-0.5 * np.square((places[:, None] - others) / reach))


def _cost_between_gaps(fragments: list[Fragment]) -> np.ndarray:
    """How much the need to cut each of the `fragments` speaks against a height: most between two open discs."""
    order = np.argsort([fragment.middle for fragment in fragments])
    low, high, length = (np.array([getattr(fragments[i], of) for i in order]) for of in ("low", "high", "extent"))
    between = low[1:] - np.maximum.accumulate(high)[:-1]
    nearer = np.minimum(np.append(between, np.inf), np.insert(between, 0, np.inf))
    gap = np.where(np.isfinite(nearer), nearer, 0) / length
    costs = np.empty(len(fragments))
    costs[order] = np.interp(gap, _GAPS, _CUTS)
    return costs


def _length_of(bodies: np.ndarray) -> np.ndarray:
    """How long so many bodies with their discs are, in heights of a body."""
    return bodies + (bodies - 1) * DISC_PER_HEIGHT


def _unlike(lengths: np.ndarray) -> np.ndarray:
    """How little something looks like a body when it is as long as these times its height."""
    return np.minimum(np.square(np.log(lengths) / _SPREAD) / 2, _MOST_UNLIKE)


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(below, below[-1] / 2)]])
