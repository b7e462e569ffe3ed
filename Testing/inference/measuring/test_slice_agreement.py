"""Dice slice by slice: counted from the right, the front and the top, however the scan is stored."""

import numpy as np
import pytest
import SimpleITK as sitk

from SpineInference.measuring.slice_agreement import dice_per_slice


@pytest.fixture
def pair():
    """Labels and reference [slice from below, row from the front, column from the right] of 6 x 5 x 4 voxels."""
    reference = np.zeros((6, 5, 4), np.uint8)
    reference[2:5, 1:3, 1:3] = 1
    labels = reference.copy()
    labels[2, 1, 1] = 0
    labels[5] = 1  # above what the reference has labelled: not judged
    return sitk.GetImageFromArray(labels), sitk.GetImageFromArray(reference)


def test_slices_that_hold_something_are_judged(pair):
    slices = dice_per_slice(*pair)
    assert slices["axial"] == {"slice": [2, 3, 4], "dice": [1, 1, round(6 / 7, 4)]}
    assert slices["sagittal"] == {"slice": [2, 3], "dice": [round(10 / 11, 4), 1]}
    assert slices["coronal"] == {"slice": [2, 3], "dice": [round(10 / 11, 4), 1]}


def test_the_way_of_storing_does_not_matter(pair):
    turned = [sitk.DICOMOrient(image, "ASR") for image in pair]
    assert dice_per_slice(*turned) == dice_per_slice(*pair)


def test_nothing_to_judge(pair):
    empty = pair[0] * 0
    assert list(dice_per_slice(empty, empty).values()) == [{"slice": [], "dice": []}] * 3
