"""A placement puts the pixels of a single slice where they belong, and moves none of them."""

import numpy as np
import pytest
import SimpleITK as sitk

from SpineInference.placement import SlicePlacement
from SpineInference.volume.geometry import PLANES, SLICE_AXIS, canonical, check_geometry
from SpineInference.volume.slice_placement import placed, plane_of, spacing_in_plane

UPRIGHT = np.arange(12, dtype=np.uint8).reshape(4, 3)


@pytest.mark.parametrize("across", [0, 1, 2])
@pytest.mark.parametrize("plane", PLANES)
def test_upright_after_turns_and_mirror(plane, across):
    for turns in range(4):
        for mirrored in (False, True):
            picture = np.rot90(UPRIGHT[:, ::-1] if mirrored else UPRIGHT, turns)
            image = sitk.GetImageFromArray(np.ascontiguousarray(np.expand_dims(picture, across)))
            result = placed(image, SlicePlacement(plane, (0.5, 0.7), True, turns, mirrored))
            check_geometry(result)
            assert plane_of(result) == plane and spacing_in_plane(result) == (0.5, 0.7)
            assert np.array_equal(sitk.GetArrayFromImage(result), sitk.GetArrayFromImage(image))
            view = np.take(sitk.GetArrayFromImage(canonical(result)), 0, SLICE_AXIS[plane])
            assert np.array_equal(view, UPRIGHT)


def test_a_known_position_stays():
    image = sitk.Image([1, 5, 6], sitk.sitkUInt8)
    image.SetOrigin((3.0, 4.0, 5.0))
    image.SetDirection((1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, -1.0))
    result = placed(image, SlicePlacement("sagittal", (0.5, 0.7), True))
    assert result.GetSpacing() == (1.0, 0.7, 0.5)
    assert (result.GetOrigin(), result.GetDirection()) == (image.GetOrigin(), image.GetDirection())
