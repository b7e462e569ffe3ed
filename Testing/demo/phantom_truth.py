"""Compares the bodies that were found with those that the phantom has."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from SpineInference.anatomy import LEVELS

_NAMES = {segment.label: segment.name for segment in LEVELS.values()}


@dataclass(frozen=True)
class Comparison:
    """The true level that a found body overlaps most ("-" if none), and their Dice coefficient."""

    level: str
    dice: float


def compare(found: sitk.Image, truth: sitk.Image) -> dict[int, Comparison]:
    """For every label of `found`, the true body (VerSe labels, the same grid) it is and how well they agree."""
    found_array, true_array = sitk.GetArrayViewFromImage(found), sitk.GetArrayViewFromImage(truth)
    comparisons = {}
    for label in map(int, np.unique(found_array)[1:]):
        body = found_array == label
        overlap = np.bincount(true_array[body].ravel(), minlength=2)
        best = int(overlap[1:].argmax()) + 1
        dice = 2 * overlap[best] / (body.sum() + (true_array == best).sum())
        comparisons[label] = Comparison(_NAMES[best] if overlap[best] else "-", float(dice))
    return comparisons
