"""The box around what a mask holds, so that costly filters need not look at the empty rest of a volume."""

import numpy as np

Box = tuple[slice, ...]


def bounding_box(mask: np.ndarray, margin: int | tuple[int, ...] = 0) -> Box | None:
    """The smallest box that holds the true voxels of `mask`, or None when there are none.

    The box is widened by `margin` voxels (one number, or one per axis) as far as the array reaches.
    """
    margins = (margin,) * mask.ndim if isinstance(margin, int) else margin
    box = []
    for axis, width in enumerate(margins):
        occupied = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        if not len(occupied):
            return None
        box.append(slice(max(0, int(occupied[0]) - width), min(mask.shape[axis], int(occupied[-1]) + 1 + width)))
    return tuple(box)
