"""Intensity normalisation: the rule a model was trained with, and the thesis's rule for reproduction."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..errors import SpineError
from ..processors import in_threads
from ..specs import IntensityRule
from .boxes import bounding_box

SAMPLE = 2_000_000
"""So many voxels tell the scale of a volume."""
_ROWS_AT_A_TIME = 8
FOREGROUND_FRACTION = 0.1
"""The body is what is brighter than this fraction of the robust range: air and background noise stay out."""


@dataclass(frozen=True)
class Scale:
    """How intensities become what the networks see: cut off at `low` and `high`, less `zero`, in units of `unit`.

    `of_nonzero`: what lies outside of all voxels other than 0 becomes 0.
    """

    low: float
    high: float
    zero: float
    unit: float
    of_nonzero: bool = False

    def of(self, array: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """`array` (any shape, any real type) on this scale, as float32; written into `out` where it is given."""
        outside = ~_nonzero_mask(array) if self.of_nonzero else None
        out = np.empty(array.shape, np.float32) if out is None else out

        def scale_some(start: int) -> None:
            part = out[start : start + _ROWS_AT_A_TIME]
            np.clip(
                array[start : start + _ROWS_AT_A_TIME],
                np.float32(self.low),
                np.float32(self.high),
                out=part,
                casting="unsafe",
            )
            part -= np.float32(self.zero)
            part /= np.float32(self.unit)

        in_threads(scale_some, range(0, len(array), _ROWS_AT_A_TIME))
        if outside is not None:
            out[outside] = 0
        return out


def scale_of(array: np.ndarray, rule: IntensityRule) -> Scale:
    """The scale that `rule` finds for `array` (any shape, any real type). Percentiles make single hot voxels harmless.

    Raises SpineError for a volume without contrast and for a rule this version does not know.
    """
    if rule.rule not in _SCALES:
        raise SpineError(f'the intensity rule "{rule.rule}" is not known to this version: update SpineSegmentation.')
    of_nonzero = rule.rule == "zscore_nonzero"
    low, high, zero, unit = _SCALES[rule.rule](array[_nonzero_mask(array)] if of_nonzero else array, rule)
    if not (high > low and unit > 0):
        raise SpineError("the scan has no contrast: every voxel of the body has the same value.")
    return Scale(float(low), float(high), float(zero), float(unit), of_nonzero)


def normalise(array: np.ndarray, rule: IntensityRule) -> np.ndarray:
    """`array` (any shape, any real type) on its own scale by `rule`, as float32. Raises SpineError like `scale_of`."""
    return scale_of(array, rule).of(array)


_Numbers = tuple[float, float, float, float]
"""Lowest and highest value that is kept, the one that becomes 0, and how far from it is 1."""


def _percentile_zscore(array: np.ndarray, rule: IntensityRule) -> _Numbers:
    sample = _sample(array)
    foreground = sample[foreground_mask(sample)]
    low, high = np.percentile(foreground, [rule.low, rule.high])
    inside = np.clip(foreground, low, high)
    return low, high, inside.mean(dtype=np.float64), inside.std(dtype=np.float64)


def _percentile_minmax(array: np.ndarray, rule: IntensityRule) -> _Numbers:
    sample = _sample(array)
    low, high = np.percentile(sample[foreground_mask(sample)], [rule.low, rule.high])
    return low, high, low, high - low


def _minmax(array: np.ndarray, rule: IntensityRule) -> _Numbers:
    _, _, _, contrast = _percentile_minmax(array, rule)
    low, high = float(array.min()), float(array.max())
    return low, high, low, (high - low) * (contrast > 0)


def _zscore(array: np.ndarray, rule: IntensityRule) -> _Numbers:
    box = bounding_box(array != 0)
    return _zscore_of_all(array if box is None else array[box], rule)


def _zscore_of_all(inside: np.ndarray, rule: IntensityRule) -> _Numbers:
    return -np.inf, np.inf, inside.mean(dtype=np.float64), inside.std(dtype=np.float64)


def _fixed(array: np.ndarray, rule: IntensityRule) -> _Numbers:
    return rule.low, rule.high, rule.mean, rule.std


_SCALES: dict[str, Callable[[np.ndarray, IntensityRule], _Numbers]] = {
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


def _sample(values: np.ndarray) -> np.ndarray:
    # Percentiles need a sort; a regular subsample gives them to about 0.01 percentage points.
    flat = values.reshape(-1)
    return flat[:: max(1, flat.size // SAMPLE)]


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
