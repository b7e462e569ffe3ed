"""Where to look: a coarse pass over every few millimetres finds the box that holds the spine.

The networks then run inside that box only, which is the largest saving of the whole pipeline: most slices and most
of each slice hold no vertebra.
"""

import math

import numpy as np
from scipy import ndimage

from ..engines.engine import Engine
from ..models.manifest import Manifest
from ..monitor import Monitor
from ..volume.boxes import Box, bounding_box
from ..volume.geometry import SLICE_AXIS
from .slices import predict_plane

COARSE_STEP_MM = 8.0
"""Distance of the slices looked at: two of them meet even a small cervical body."""
MARGIN_MM = 14.0
"""Context left around what the coarse pass found; bodies missed at an end are nearer than this to found ones."""
ROI_THRESHOLD = 0.3
"""Probability from which a pixel counts: lower than any threshold of a model, so that doubtful parts stay in."""
MIN_AREA_MM2 = 200.0
"""A connected part counts when its slices add up to this much, half a slice through a vertebral body; the small ones
that a network sees here and there, in one slice mostly, must not widen the box."""


def find_region(
    volume: np.ndarray, spacing: tuple[float, float, float], manifest: Manifest, engine: Engine, monitor: Monitor
) -> Box | None:
    """The box `[I, P, L]` of canonical `volume` that can hold any label of the model, or None where there is nothing.

    `spacing` in mm is in the order of the array axes. The box has a margin of `MARGIN_MM` on every side, as far as
    the volume reaches.
    """
    axis = SLICE_AXIS[manifest.plane]
    step = max(1, round(COARSE_STEP_MM / spacing[axis]))
    looked_at = range((volume.shape[axis] - 1) % step // 2, volume.shape[axis], step)
    slices = predict_plane(volume, manifest, engine, monitor, looked_at, stage="region")
    foreground = np.stack([(probability > ROI_THRESHOLD).any(axis=0) for _, probability in slices], axis)
    parts, _ = ndimage.label(foreground, structure=np.ones((3, 3, 3)))
    large = np.bincount(parts.ravel()) * math.prod(spacing) / spacing[axis] >= MIN_AREA_MM2
    large[0] = False
    found = bounding_box(large[parts])
    if found is None:
        return None
    box = []
    for other, (hits, mm, length) in enumerate(zip(found, spacing, volume.shape, strict=True)):
        first, last, beyond = hits.start, hits.stop - 1, math.ceil(MARGIN_MM / mm)
        if other == axis:  # it may begin right after the slice before, and end right before the slice after
            first, last, beyond = looked_at[first], looked_at[last], beyond + step - 1
        box.append(slice(max(0, first - beyond), min(length, last + 1 + beyond)))
    return tuple(box)


def clear_inner_faces(mask: np.ndarray, box: Box, shape: tuple[int, ...]) -> None:
    """Make background of the faces of `mask`, in place, at which its `box` ends inside the whole volume of `shape`.

    What reaches a face of the mask is taken to be cut off by the scan, which it is not there.
    """
    for axis, (span, length) in enumerate(zip(box, shape, strict=True)):
        faces = np.moveaxis(mask, axis, 0)
        if span.start > 0:
            faces[0] = False
        if span.stop < length:
            faces[-1] = False
