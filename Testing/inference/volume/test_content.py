"""Where a scan shows something, and what ends there."""

import numpy as np
import pytest

from SpineInference.volume.content import content_of

SHAPE, SPACING = (30, 24, 16), np.array([1.0, 1.0, 2.0])
INSIDE = slice(8, 20), slice(6, 18), slice(4, 12)


def scan(seed=0):
    voxels = np.random.default_rng(seed).integers(1, 200, SHAPE).astype(np.uint8)
    voxels[15, 12, 8] = 0  # the darkest lies inside
    return voxels


def body(*sides):
    mask = np.zeros(SHAPE, bool)
    mask[sides] = True
    return mask


def axes_cut(voxels, *sides):
    content, mask = content_of(voxels, sides), body(*sides)
    return [] if content is None else content.cuts_along(mask[sides], tuple(side.start for side in sides), SPACING)


def test_a_full_scan_has_no_limits():
    assert content_of(scan(), INSIDE) is None


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("at_end", [False, True])
def test_a_body_that_ends_with_the_content(axis, at_end):
    side, voxels = INSIDE[axis], scan()
    np.moveaxis(voxels, axis, 0)[slice(side.stop, None) if at_end else slice(side.start)] = 0
    assert axes_cut(voxels, *INSIDE) == [axis]
    smaller = [slice(each.start + 3, each.stop - 3) for each in INSIDE]
    assert axes_cut(voxels, *smaller) == []


def test_a_curved_border_as_after_correction_of_distortion():
    voxels = scan()
    for behind in range(SHAPE[1]):
        voxels[: abs(behind - 12), behind] = 0
    assert axes_cut(voxels, slice(8, 20), slice(2, 8), slice(4, 12))
    assert axes_cut(voxels, slice(8, 20), slice(9, 15), slice(4, 12)) == []


def test_dark_tissue_is_no_border():
    voxels = scan()
    voxels[7, 6:18, 4:12] = 0
    assert axes_cut(voxels, *INSIDE) == []
    voxels[:8, 10, 7] = 0  # a dark vessel that comes from the border
    assert axes_cut(voxels, *INSIDE) == []


def test_what_the_content_holds():
    voxels = scan()
    voxels[:5], voxels[:, :, 14:] = 0, 0
    content = content_of(voxels, INSIDE)
    index = np.array([[4.4, 10, 8], [4.6, 10, 8], [10, 10, 13.4], [10, 10, 13.6], [29.4, 20, 8]])
    assert content.holds(index).tolist() == [False, True, True, False, True]
    assert content.holds(index, 0.3).tolist() == [False, False, False, False, False]


def test_across_a_single_slice_nothing_ends():
    voxels = scan()[:, :, :1]
    voxels[:5] = 0
    content = content_of(voxels, (slice(8, 20), slice(6, 18), slice(0, 1)))
    assert content.holds(np.array([[10.0, 10, 0]]), 0.3).all()
