"""The posterior tips of discs: at the right place with and without segmented discs, and as SCT takes them."""

from functools import cache

import numpy as np
import pytest
import SimpleITK as sitk
from generated_discs import generated_column
from generated_result import generated_result

from SpineInference.anatomy import DISC_CODE, DISC_OFFSET, LEVELS, Segment, numbered
from SpineInference.measuring.morphometry.disc_points import DiscPoint, disc_points, level_image


@cache
def column(degrees: float = 0.0):
    """A healthy generated spine with discs, and its truth before it was turned."""
    return generated_column(3, (1.0, 1.0, 3.0), (110.0, 150.0, 60.0), disease=0.0, degrees=degrees)


def result_of(with_discs: bool, degrees: float = 0.0):
    """Its result; of its discs those between two bodies, where wanted."""
    labels = column(degrees)[0]
    values = set(np.unique(sitk.GetArrayViewFromImage(labels)).tolist())
    below = {value: 26 if value == 24 else value + 1 for value in range(1, 25)}
    discs = [
        Segment(DISC_OFFSET + above, f"Disc {above}", (0, 0, 0), *DISC_CODE, False)
        for above in below
        if {above, below[above], DISC_OFFSET + above} <= values
    ]
    return generated_result(labels=labels, structures=discs * with_discs)[1]


def points_of(result) -> dict[str, DiscPoint]:
    return {point.at: point for point in disc_points(result.labels, result.segments, result.morphometry)}


def test_tips_lie_at_the_back_of_the_discs():
    result = result_of(with_discs=True)
    found, array = points_of(result), sitk.GetArrayFromImage(result.labels)
    assert "L4-L5" in found and len(found) >= 3
    posterior = column()[1].truth.axes[0]
    for point in found.values():
        assert not point.of_bodies
        voxels = np.argwhere(array == DISC_OFFSET + point.above)[:, ::-1].tolist()
        offsets = np.array([result.labels.TransformIndexToPhysicalPoint(voxel) for voxel in voxels]) - point.tip
        assert np.linalg.norm(offsets, axis=1).min() < 2.0
        in_the_middle = offsets[np.abs(offsets @ column()[1].truth.axes[1]) < 2.0]
        assert (in_the_middle @ posterior).max() < 2.0


def test_without_discs_the_corners_of_bodies_tell():
    found, true = points_of(result_of(with_discs=False)), points_of(result_of(with_discs=True))
    assert len(found) >= 3 and found.keys() <= true.keys() and all(point.of_bodies for point in found.values())
    distances = [np.linalg.norm(np.subtract(found[at].tip, true[at].tip)) for at in found]
    assert np.mean(distances) < 3.0


@pytest.mark.parametrize("with_discs", [True, False])
def test_a_turned_person_has_the_same_tips(with_discs):
    upright, turned = result_of(with_discs), result_of(with_discs, 20.0)
    found, others = points_of(upright), points_of(turned)
    assert found.keys() == others.keys()
    for at, point in found.items():
        # The same voxels in another place of the world.
        index = upright.labels.TransformPhysicalPointToContinuousIndex(point.tip)
        other = turned.labels.TransformPhysicalPointToContinuousIndex(others[at].tip)
        np.testing.assert_allclose(other, index, atol=1.0)


def test_a_disc_without_a_body_above_has_a_tip():
    labels = np.zeros((40, 40, 20), np.uint8)
    labels[10:16, 10:30, 5:15] = DISC_OFFSET + 21
    image = sitk.GetImageFromArray(labels)  # [z, y, x]: superior, posterior, left
    disc = Segment(DISC_OFFSET + 21, "Disc L2-L3", (0, 0, 0), "360499006", "Disc", False)
    (point,) = disc_points(image, [disc], [])
    assert (point.at, point.above) == ("L2-L3", 21)
    np.testing.assert_allclose(point.tip, (9.5, 29.0, 12.5), atol=0.6)


@pytest.mark.parametrize(("above", "value"), [("C2", 3), ("C7", 8), ("T12", 20), ("L4", 24), ("L5", 25), ("L6", 26)])
def test_values_are_those_of_sct(above, value):
    grid = sitk.Image(10, 10, 10, sitk.sitkUInt8)
    image = level_image([DiscPoint("x", LEVELS[above].label, (4.2, 5.4, 6.0), False)], grid)
    assert image[4, 5, 6] == value and np.count_nonzero(sitk.GetArrayViewFromImage(image)) == 1


def test_discs_without_a_level_or_outside_have_no_voxel():
    grid = sitk.Image(10, 10, 10, sitk.sitkUInt8)
    points = [DiscPoint("1-2", numbered(1).label, (4, 5, 6), False), DiscPoint("L1-L2", 20, (4, 5, 60), False)]
    assert not sitk.GetArrayFromImage(level_image(points, grid)).any()
