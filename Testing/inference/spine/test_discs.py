"""Single discs out of a mask of all of them, named by the bodies beside them."""

import numpy as np
import pytest
from columns import CERVICAL, LUMBAR, column, oblique, scoliotic, straight
from scipy import ndimage

from SpineInference.anatomy import DISC_CODE, numbered, parse_level
from SpineInference.specs import LabelSpec
from SpineInference.spine.discs import disc_segments, separate_discs

LABEL = LabelSpec(2, "Intervertebral disc", (90, 160, 200), *DISC_CODE)


def spine_with_discs(count, size, spacing, line=straight):
    """Bodies 1 to n, and for each disc voxel the number of the body above it, 0 outside."""
    whole = column(2 * count - 1, {**size, "height": (size["height"] + size["disc"]) / 2}, spacing, line, disc=0)
    bodies = np.where(whole % 2 == 1, (whole + 1) // 2, 0).astype(np.uint8)
    return bodies, np.where((whole % 2 == 0) & (whole > 0), whole // 2, 0)


@pytest.mark.parametrize("line", [straight, oblique, scoliotic])
@pytest.mark.parametrize(("size", "spacing"), [(LUMBAR, (1.0, 1.0, 4.0)), (CERVICAL, (1.0, 1.0, 1.0))])
def test_each_disc_belongs_to_the_body_above_it(line, size, spacing):
    bodies, truth = spine_with_discs(5, size, spacing, line)
    found = separate_discs(truth > 0, bodies, spacing)
    assert set(np.unique(found)) == {0, 2, 3, 4, 5}
    inside = truth > 0
    assert (found[inside] == truth[inside] + 1).mean() > 0.98


def test_discs_that_touch_over_a_body_are_cut():
    bodies, truth = spine_with_discs(3, LUMBAR, (1.0, 1.0, 2.0))
    rows, _, slices = (int(axis.mean()) for axis in np.nonzero(bodies == 2))
    front = int(np.nonzero(bodies == 2)[1].min())
    bridge = truth > 0
    bridge[rows - 20 : rows + 20, front - 3 : front, slices] = True
    found = separate_discs(bridge, bodies, (1.0, 1.0, 2.0))
    assert ndimage.label(bridge)[1] == 1 and set(np.unique(found)) == {0, 2, 3}
    assert not (found[rows - 12 : rows - 2] == 3).any() and not (found[rows + 2 : rows + 12] == 2).any()


def test_ends_crumbs_and_nothing():
    spacing = (1.0, 1.0, 2.0)
    bodies, truth = spine_with_discs(4, LUMBAR, spacing)
    bodies[bodies == 4] = 0  # its disc is below the last body now
    bodies[bodies == 1] = 0
    bodies[bodies > 0] -= 1
    found = separate_discs(truth > 0, bodies, spacing)
    assert set(np.unique(found)) == {0, 1, 2, 3}
    crumb = np.where(truth == 1, 0, truth) > 0
    crumb[tuple(np.argwhere(truth == 1)[len(np.argwhere(truth == 1)) // 2])] = True
    assert set(np.unique(separate_discs(crumb, bodies, spacing))) == {0, 2, 3}
    assert not separate_discs(truth > 0, np.zeros_like(bodies), spacing).any()
    assert not separate_discs(truth < 0, bodies, spacing).any()


def test_names_and_values_come_from_the_vertebrae():
    discs = disc_segments([parse_level(name) for name in ("T12", "L1")], LABEL)
    assert [(disc.label, disc.name) for disc in discs] == [
        (118, "Disc T11-T12"),
        (119, "Disc T12-L1"),
        (120, "Disc L1-L2"),
    ]
    assert all(disc.code == DISC_CODE[0] and not disc.is_vertebra for disc in discs)
    ends = disc_segments([parse_level(name) for name in ("C2", "C3")], LABEL)
    assert ends[0] is None and ends[1].name == "Disc C2-C3"
    sacrum = disc_segments([parse_level(name) for name in ("L5", "S1")], LABEL)
    assert (sacrum[1].label, sacrum[1].name) == (124, "Disc L5-S1") and sacrum[2] is None
    extra = disc_segments([parse_level(name) for name in ("L5", "L6", "S1")], LABEL)
    assert [disc.name for disc in extra[:3]] == ["Disc L4-L5", "Disc L5-L6", "Disc L6-S1"]


def test_between_numbered_vertebrae():
    discs = disc_segments([numbered(1), numbered(2)], LABEL)
    assert [(disc.label, disc.name) for disc in discs] == [
        (130, "Disc above 1"),
        (131, "Disc 1-2"),
        (132, "Disc below 2"),
    ]
    assert disc_segments([], LABEL) == [None]
