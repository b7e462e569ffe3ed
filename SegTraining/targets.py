"""From the label map of a data set to what is taught: background, target, and voxels that say nothing."""

import numpy as np
from scipy import ndimage

from .config import Dataset

IGNORE = 255
"""Voxels of this value are neither target nor background: loss and metrics leave them out."""

_SURFACE_MM = 15.0
"""The upper surface of the topmost body lies at most this far below its highest point."""
_OVERHANG_MM = 12.0
"""How far around the topmost body its upper surface is continued, since the body above may jut out."""


def training_target(labels: np.ndarray, spacing: tuple[float, float, float], dataset: Dataset) -> np.ndarray:
    """uint8 [I, P, L]: 0 background, 1 target, 255 ignored, from a canonical label map `labels` [I, P, L].

    `spacing` in mm is in the order of the array axes. The rules are those of `dataset` (see `config.Dataset`).
    """
    ignored = np.isin(labels, dataset.ignore_labels)
    body = (labels > 0) & ~ignored
    target = body.astype(np.uint8)
    target[ignored] = IGNORE
    rows = np.flatnonzero(body.any(axis=(1, 2)))
    if not len(rows):
        return target
    if dataset.unlabelled_above == "ignore":
        above = np.arange(len(labels))[:, None, None] < _upper_surface(body, int(rows[0]), spacing)
        target[above & ~body] = IGNORE
    below = int(rows[-1]) + 1
    target[below : below + round(dataset.ignore_below_mm / spacing[0])] = IGNORE
    return target


def _upper_surface(body: np.ndarray, top: int, spacing: tuple[float, float, float]) -> np.ndarray:
    """Index [P, L] along axis 0 of the upper surface of the topmost body, continued around it; elsewhere `top`.

    The unlabelled body above follows the tilt of the topmost one, so a level cut at `top` would leave a wedge of it
    as background.
    """
    slab = body[top : top + round(_SURFACE_MM / spacing[0])]
    covered = slab.any(axis=0)
    first = slab.argmax(axis=0)
    distance, nearest = ndimage.distance_transform_edt(~covered, sampling=spacing[1:], return_indices=True)
    return top + np.where(distance <= _OVERHANG_MM, first[tuple(nearest)], 0)


def labelled_rows(target: np.ndarray) -> tuple[int, int]:
    """First row (axis 0) with target and the one after the last; (0, 0) where there is none."""
    rows = np.flatnonzero((target == 1).any(axis=(1, 2)))
    return (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)
