"""How deep voxels lie in a mask, looked for part by part."""

import numpy as np
from scipy import ndimage

from SpineInference.spine.instance_separation import certain_depth

SPACING = (1.0, 0.7, 3.3)


def test_depth_of_parts_is_that_of_the_mask():
    """Of parts that touch at edges and corners too, and at the border of the array."""
    mask = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(24, 20, 16)), 1.0) > 0.05
    parts, count = ndimage.label(mask)
    assert count > 5
    whole = ndimage.distance_transform_edt(mask, sampling=SPACING)
    assert np.array_equal(certain_depth(parts, SPACING, None, thickness=20.0), whole.astype(np.float32))
