"""Segments are grown in mm, at their borders only, and never into each other."""

import numpy as np
import SimpleITK as sitk

from SpineInference.volume.dilation import dilated


def image(array: np.ndarray, spacing: tuple[float, float, float]) -> sitk.Image:
    """`array` [z, y, x] as an image; `spacing` in the order of an image, x first."""
    made = sitk.GetImageFromArray(array)
    made.SetSpacing(spacing)
    made.SetOrigin((7, 8, 9))
    return made


def test_growing_is_in_millimetres_along_each_axis():
    labels = np.zeros((9, 21, 21), np.uint8)
    labels[3:6, 8:13, 8:13] = 7
    grown = dilated(image(labels, (0.5, 1.0, 4.0)), 2.0)
    assert grown.GetOrigin() == (7, 8, 9) and grown.GetSpacing() == (0.5, 1.0, 4.0)
    found = np.argwhere(sitk.GetArrayFromImage(grown) == 7)
    assert found.min(0).tolist() == [3, 6, 4] and found.max(0).tolist() == [5, 14, 16]


def test_neighbours_meet_and_keep_their_voxels():
    labels = np.zeros((1, 1, 12), np.uint8)
    labels[..., 1:4], labels[..., 8:11] = 1, 2
    grown = sitk.GetArrayFromImage(dilated(image(labels, (1, 1, 1)), 5.0)).ravel()
    assert grown.tolist() == [1] * 6 + [2] * 6


def test_nothing_to_grow():
    empty = image(np.zeros((3, 3, 3), np.uint8), (1, 1, 1))
    assert dilated(empty, 3.0) is empty
    full = image(np.ones((3, 3, 3), np.uint8), (1, 1, 1))
    assert dilated(full, 0.0) is full
