"""How large vertebral bodies are in a mask: what lengths and areas that were chosen for lumbar bodies are scaled by.

Masks are boolean and canonical, [I, P, L]; `spacing_ipl` is in mm in the same order.
"""

import math

import numpy as np

LUMBAR_BODY_MM = 27.0
"""Edge of a cube of the volume of a small woman's lumbar body, the size from which on nothing is scaled."""
SMALLEST_BODY_MM = 8.0
"""Width, depth and height of the smallest vertebral body that is looked for: a child's neck."""

Spacing = tuple[float, float, float]


def body_scale(voxels: float, spacing_ipl: Spacing, shape: tuple[int, ...]) -> float:
    """The size of a body of so many `voxels` in an array of `shape`, relative to a lumbar one; 1 at most.

    In a single slice, whose thickness says nothing, it follows from the area.
    """
    lengths = [mm for mm, length in zip(spacing_ipl, shape, strict=True) if length > 1]
    if not lengths:
        return 1.0
    return min(1.0, (voxels * math.prod(lengths)) ** (1 / len(lengths)) / LUMBAR_BODY_MM)


def smallest_body(spacing_ipl: Spacing, shape: tuple[int, ...]) -> float:
    """How many voxels of an array of `shape` the smallest body has at least."""
    return math.prod(min(SMALLEST_BODY_MM / mm, length) for mm, length in zip(spacing_ipl, shape, strict=True))


def typical_part(sizes: np.ndarray) -> float:
    """The typical one of the `sizes` of the parts of a mask: that of the voxel in the middle when parts are ordered by
    size, so that many specks do not make it smaller."""
    ordered = np.sort(sizes)
    return float(ordered[np.searchsorted(np.cumsum(ordered), ordered.sum() / 2)])
