"""Bodies that are boxes, so that their scores are worked out by hand."""

import numpy as np

SHAPE = (90, 30, 26)
TOPS = (4, 22, 40, 58)
"""Of four bodies of 12 x 12 x 12 voxels, T12 to L3."""
ACROSS = (slice(8, 20), slice(7, 19))


def bodies(*values: int, tops: tuple[int, ...] = TOPS) -> np.ndarray:
    """Canonical label map: one box for each value, 0 for none."""
    labels = np.zeros(SHAPE, np.uint8)
    for value, top in zip(values, tops, strict=False):
        labels[(slice(top, top + 12), *ACROSS)] = value
    return labels
