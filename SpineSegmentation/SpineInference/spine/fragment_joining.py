"""Which fragments of vertebral bodies belong to the same body."""

from collections.abc import Callable

import numpy as np

from .body_sizes import BodyHeights, ExpectedBody, expected_bodies
from .fragments import Fragment

_MIN_FRAGMENT_SHARE, _MIN_CUT_FRAGMENT_SHARE = 0.1, 0.02
"""What holds less than this share of a body is no body of its own; the latter where the scan ends and cuts it."""


def join_fragments(fragments: list[Fragment], heights: BodyHeights, shape: tuple[int, int, int]) -> list[Fragment]:
    """The bodies that the `fragments` make up, in an array of `shape`; tiny ones that belong to none are left out.

    Joined are fragments side by side, fragments that are too short for a body but make one together, thin appendages
    with the body they hang on (such as the dens with C2), and tiny fragments with the body they lie on. A slice of a
    body where the scan ends is neither an appendage nor a tiny fragment.
    """

    top = min(fragment.low for fragment in fragments)

    def appendage(upper: Fragment, lower: Fragment, expected: ExpectedBody) -> bool:
        thin = any(p.area < 0.5 * expected.area and not p.touches(shape, axes=(0, 1)) for p in (upper, lower))
        return (thin or dens(upper, expected)) and upper.gap_to(lower, at_most=0) == 0

    def dens(upper: Fragment, expected: ExpectedBody) -> bool:
        # Of a cross-section a single slice shows a chord, whose square the area is.
        thin = shape[2] == 1 and upper.area < 0.5**0.5 * expected.area and not upper.touches(shape, axes=(0, 1))
        return thin and upper.low == top and upper.extent > 0.7 * expected.height

    bodies, tiny_fragments = _sorted_out(fragments, heights, lambda fragment: _MIN_CUT_FRAGMENT_SHARE)
    for belong_together in (_side_by_side, _halves, appendage):
        bodies = _join_neighbours(bodies, heights, belong_together)
    bodies, small = _sorted_out(
        bodies,
        heights,
        lambda fragment: _MIN_CUT_FRAGMENT_SHARE if fragment.touches(shape, axes=(0, 1)) else _MIN_FRAGMENT_SHARE,
    )
    lying_on = [[body] for body in bodies]
    for tiny in tiny_fragments + small:
        gaps = [tiny.gap_to(body, at_most=0.1 * body.thickness) for body in bodies]
        if min(gaps) < np.inf:
            lying_on[int(np.argmin(gaps))].append(tiny)
    return [body if len(parts) == 1 else body.joined(*parts[1:]) for body, parts in zip(bodies, lying_on, strict=True)]


def _sorted_out(
    fragments: list[Fragment], heights: BodyHeights, least_share: Callable[[Fragment], float]
) -> tuple[list[Fragment], list[Fragment]]:
    """The fragments that hold at least this share of the voxels of a whole body, and those that do not."""
    large, small = [], []
    for fragment, expected in zip(fragments, expected_bodies(fragments, heights), strict=True):
        (large if len(fragment) >= least_share(fragment) * expected.voxels else small).append(fragment)
    return large, small


def _join_neighbours(
    fragments: list[Fragment],
    heights: BodyHeights,
    belong_together: Callable[[Fragment, Fragment, ExpectedBody], bool],
) -> list[Fragment]:
    """Joins neighbours along the spine, the upper one of each pair first, until no two belong together."""
    fragments = sorted(fragments, key=lambda fragment: fragment.low)
    expected_all = expected_bodies(fragments, heights)
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
