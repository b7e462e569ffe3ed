"""Where to look: a coarse pass over every few millimetres finds the box that holds the spine.

The networks then run inside that box only, which is the largest saving of the whole pipeline: most slices and most
of each slice hold no vertebra.
"""

import numpy as np

from .engines import Engine
from .geometry import SLICE_AXIS
from .manifest import Manifest
from .monitor import Monitor
from .slices import predict_plane

COARSE_STEP_MM = 4.0
"""Distance of the slices looked at. Vertebral bodies are at least three times as wide."""
MARGIN_MM = 14.0
"""Context left around what the coarse pass found; bodies missed at an end are nearer than this to found ones."""
SUSPICION = 0.3
"""Probability from which a pixel counts: lower than any threshold of a model, so that doubtful parts stay in."""
MIN_AREA_MM2 = 20.0
"""A slice counts when it holds this much; single noisy pixels do not widen the box."""

Box = tuple[slice, slice, slice]


def find_region(
    volume: np.ndarray, spacing: tuple[float, float, float], manifest: Manifest, engine: Engine, monitor: Monitor
) -> Box | None:
    """The box `[I, P, L]` of canonical `volume` that can hold vertebral bodies, or None where there are none.

    `spacing` in mm is in the order of the array axes. The box has a margin of `MARGIN_MM` on every side, as far as
    the volume reaches.
    """
    axis = SLICE_AXIS[manifest.plane]
    row_axis, column_axis = (other for other in range(3) if other != axis)
    step = max(1, round(COARSE_STEP_MM / spacing[axis]))
    least_pixels = MIN_AREA_MM2 / (spacing[row_axis] * spacing[column_axis])
    found = [np.zeros(length, bool) for length in volume.shape]
    for index, probability in predict_plane(volume, manifest, engine, monitor, step, stage="region"):
        suspicious = probability > SUSPICION
        if suspicious.sum() >= least_pixels:
            found[axis][max(0, index - step + 1) : index + step] = True
            found[row_axis] |= suspicious.any(axis=1)
            found[column_axis] |= suspicious.any(axis=0)
    if not found[axis].any():
        return None
    return tuple(_with_margin(hits, mm) for hits, mm in zip(found, spacing, strict=True))


def _with_margin(hits: np.ndarray, spacing_mm: float) -> slice:
    positions = np.flatnonzero(hits)
    margin = int(np.ceil(MARGIN_MM / spacing_mm))
    return slice(max(0, int(positions[0]) - margin), min(len(hits), int(positions[-1]) + 1 + margin))
