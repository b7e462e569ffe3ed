"""The label that a voxel beside several ones belongs to, where borders are found again at the scan's resolution."""

import numpy as np
from scipy import ndimage

from SpineInference.prediction.regridding import _nearest_label


def test_neighbours_take_the_nearest_label():
    random = np.random.default_rng(0)
    labels = np.kron(random.integers(0, 5, (5, 5, 5)), np.ones((4, 3, 2))).astype(np.uint8)
    labels[random.random(labels.shape) < 0.4] = 0
    nearest = ndimage.distance_transform_edt(labels == 0, return_distances=False, return_indices=True)
    beside = ndimage.binary_dilation(labels > 0, np.ones((3, 3, 3)))
    assert np.array_equal(_nearest_label(labels)[beside], labels[tuple(nearest)][beside])
