"""Intensity normalisation: the rule a model was trained with, and the thesis's rule for reproduction."""

import numpy as np

from ..errors import SpineError
from ..specs import IntensityRule

FOREGROUND_FRACTION = 0.1
"""The body is what is brighter than this fraction of the robust range: air and background noise stay out."""


def normalise(array: np.ndarray, rule: IntensityRule) -> np.ndarray:
    """`array` (any shape, any real type) normalised as float32. Percentiles make single hot voxels harmless.

    Raises SpineError for a volume without contrast and for a rule this version does not know.
    """
    foreground = array[foreground_mask(array)]
    low, high = np.percentile(_sample(foreground), [rule.low, rule.high])
    if not high > low:
        raise SpineError("the scan has no contrast: every voxel of the body has the same value.")
    if rule.rule == "minmax":
        low, high = float(array.min()), float(array.max())
    if rule.rule in ("percentile_minmax", "minmax"):
        zero, unit = low, high - low
    elif rule.rule == "percentile_zscore":
        inside = np.clip(foreground, low, high)
        zero, unit = inside.mean(dtype=np.float64), inside.std(dtype=np.float64)
    else:
        raise SpineError(f'the intensity rule "{rule.rule}" is not known to this version: update SpineSegmentation.')
    normalised = np.clip(array.astype(np.float32), np.float32(low), np.float32(high))
    normalised -= np.float32(zero)
    normalised /= np.float32(unit)
    return normalised


def foreground_mask(array: np.ndarray) -> np.ndarray:
    """Boolean mask of the body: voxels above a tenth of the way from the 0.5th to the 99.5th percentile."""
    low, high = np.percentile(_sample(array), [0.5, 99.5])
    mask = array > low + FOREGROUND_FRACTION * (high - low)
    return mask if mask.any() else np.ones(array.shape, bool)


def _sample(values: np.ndarray, count: int = 2_000_000) -> np.ndarray:
    # Percentiles need a sort; a regular subsample of two million voxels gives them to about 0.01 percentage points.
    flat = values.reshape(-1)
    return flat[:: max(1, flat.size // count)]


def thesis_normalise(array: np.ndarray, vertebrae: np.ndarray) -> np.ndarray:
    """Equations 4.1-4.4 of the thesis (Utegulov 2020): z-score over the vertebra voxels, then min-max to 0..1.

    For reproducing its training only: the rule needs the reference mask `vertebrae` (same shape as `array`), so no
    scan can be segmented with it, and the min-max step cancels the z-score. Raises SpineError for an empty mask.
    """
    inside = array[vertebrae.astype(bool)].astype(np.float64)
    if inside.size < 2 or not inside.std() > 0:
        raise SpineError("the thesis's normalisation needs vertebra voxels of differing values in the reference mask.")
    z = (array - inside.mean()) / inside.std(ddof=1)  # 4.1-4.3
    return ((z - z.min()) / (z.max() - z.min())).astype(np.float32)  # 4.4
