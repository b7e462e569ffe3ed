"""The box around what a mask holds, so that costly filters need not look at the empty rest of a volume."""

import numpy as np

Box = tuple[slice, ...]

BORDER_MM = 1.5
"""What ends nearer to the border of a scan may go on beyond it: smoothing moves ends."""


def bounding_box(mask: np.ndarray, margin: int | tuple[int, ...] = 0) -> Box | None:
    """The smallest box that holds the voxels of `mask` (or of a label map) that are not 0, or None without any.

    The box is widened by `margin` voxels (one number, or one per axis) as far as the array reaches.
    """
    margins = (margin,) * mask.ndim if isinstance(margin, int) else margin
    box = [slice(None)] * mask.ndim
    for axis in range(mask.ndim):  # each time within the box so far
        others = tuple(other for other in range(mask.ndim) if other != axis)
        occupied = np.flatnonzero(mask[tuple(box)].any(axis=others))
        if not len(occupied):
            return None
        box[axis] = slice(int(occupied[0]), int(occupied[-1]) + 1)
    return tuple(
        slice(max(0, side.start - width), min(length, side.stop + width))
        for side, width, length in zip(box, margins, mask.shape, strict=True)
    )


def counted_from(outer: Box, box: Box) -> Box:
    """A `box` inside the `outer` one in the indices of what was cut out there."""
    return tuple(
        slice(side.start - first.start, side.stop - first.start) for first, side in zip(outer, box, strict=True)
    )


def widened(box: Box, voxels: int = 1) -> Box:
    """A `box` with so many voxels more around it, where the array goes on: as slices, it may reach beyond its end."""
    return tuple(slice(max(0, side.start - voxels), side.stop + voxels) for side in box)


def box_around(*boxes: Box) -> Box:
    """The smallest box that holds all of them."""
    sides = zip(*boxes, strict=True)
    return tuple(slice(min(s.start for s in side), max(s.stop for s in side)) for side in sides)


def is_at_border(box: Box, shape: tuple[int, ...], spacing: tuple[float, ...]) -> bool:
    """Whether what fills `box` ends nearer than `BORDER_MM` to the outermost voxels of an array of `shape`, along some
    axis of more than one voxel; `spacing` is in mm in the order of the axes."""
    return any(
        length > 1 and min(side.start, length - side.stop) * mm < BORDER_MM
        for side, length, mm in zip(box, shape, spacing, strict=True)
    )
