"""Intensity normalisation: the rule a model was trained with, and the thesis's rule for reproduction."""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from ..errors import SpineError
from ..specs import IntensityRule
from .boxes import bounding_box

FOREGROUND_FRACTION = 0.1
"""The body is what is brighter than this fraction of the robust range: air and background noise stay out."""


def normalise(array: np.ndarray, rule: IntensityRule) -> np.ndarray:
    """`array` (any shape, any real type) normalised as float32. Percentiles make single hot voxels harmless.

    Raises SpineError for a volume without contrast and for a rule this version does not know.
    """
    if rule.rule not in _SCALES:
        raise SpineError(f'the intensity rule "{rule.rule}" is not known to this version: update SpineSegmentation.')
    nonzero = _nonzero_mask(array) if rule.rule == "zscore_nonzero" else None
    low, high, zero, unit = _SCALES[rule.rule](array if nonzero is None else array[nonzero], rule)
    if not (high > low and unit > 0):
        raise SpineError("the scan has no contrast: every voxel of the body has the same value.")
    normalised = np.clip(array.astype(np.float32), np.float32(low), np.float32(high))
    normalised -= np.float32(zero)
    normalised /= np.float32(unit)
    if nonzero is not None:
        normalised[~nonzero] = 0
    return normalised


_Scale = tuple[float, float, float, float]
"""Lowest and highest value that is kept, the one that becomes 0, and how far from it is 1."""


def _percentile_zscore(array: np.ndarray, rule: IntensityRule) -> _Scale:
    foreground = array[foreground_mask(array)]
    low, high = np.percentile(_sample(foreground), [rule.low, rule.high])
    inside = np.clip(foreground, low, high)
    return low, high, inside.mean(dtype=np.float64), inside.std(dtype=np.float64)


def _percentile_minmax(array: np.ndarray, rule: IntensityRule) -> _Scale:
    low, high = np.percentile(_sample(array[foreground_mask(array)]), [rule.low, rule.high])
    return low, high, low, high - low


def _minmax(array: np.ndarray, rule: IntensityRule) -> _Scale:
    _, _, _, contrast = _percentile_minmax(array, rule)
    low, high = float(array.min()), float(array.max())
    return low, high, low, (high - low) * (contrast > 0)


def _zscore(array: np.ndarray, rule: IntensityRule) -> _Scale:
    box = bounding_box(array != 0)
    return _zscore_of_all(array if box is None else array[box], rule)


def _zscore_of_all(inside: np.ndarray, rule: IntensityRule) -> _Scale:
    return -np.inf, np.inf, inside.mean(dtype=np.float64), inside.std(dtype=np.float64)


def _fixed(array: np.ndarray, rule: IntensityRule) -> _Scale:
    return rule.low, rule.high, rule.mean, rule.std


_SCALES: dict[str, Callable[[np.ndarray, IntensityRule], _Scale]] = {
    "percentile_zscore": _percentile_zscore,
    "percentile_minmax": _percentile_minmax,
    "minmax": _minmax,
    "zscore": _zscore,
    "zscore_nonzero": _zscore_of_all,
    "fixed": _fixed,
}


def _nonzero_mask(array: np.ndarray) -> np.ndarray:
    """What voxels other than 0 enclose; all of a volume that has none."""
    mask = ndimage.binary_fill_holes(array != 0)
    return mask if mask.any() else np.ones(array.shape, bool)


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
