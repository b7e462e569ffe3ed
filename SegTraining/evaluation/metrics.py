"""How good a segmentation of one case is: as a whole and slice by slice (`bodies`: body by body).

Predictions are canonical [I, P, L] and hold classes 1, 2, ... What nobody can judge counts neither way, see
`references.Reference`. For empty masks the rules are those of `SpineInference.measuring.metrics`: nothing to find and
nothing found is left out, never perfect.
"""

from dataclasses import dataclass

import numpy as np

from SpineInference.measuring.metrics import Spacing, agreement_of
from SpineInference.volume.geometry import SLICE_AXIS

from .references import Reference

FUSED = "fused"
"""What stands in the place of a plane's name for all planes together."""


@dataclass(frozen=True)
class Score:
    """One class of one case. None stands for what cannot be judged."""

    dice: float | None = None
    iou: float | None = None
    nsd: float | None = None
    """Normalised surface Dice at `metrics.NSD_TOLERANCE_MM`."""
    hd95_mm: float | None = None
    assd_mm: float | None = None
    """Mean surface distance, of both surfaces from each other."""
    volume_ml: float | None = None
    reference_ml: float | None = None
    volume_error_ml: float | None = None
    """Predicted minus true volume."""
    volume_error_percent: float | None = None
    """The same in per cent of the true one; None where that is 0."""


@dataclass(frozen=True)
class SliceScore:
    """One class in one slice. `slice` counts from 1, from the right, the front and the top; `mm` is its distance from
    the first slice of the scan. `dice` is None where there was nothing to find and nothing was found."""

    slice_plane: str
    slice: int
    mm: float
    reference_pixels: int
    predicted_pixels: int
    dice: float | None


def score_classes(prediction: np.ndarray, reference: Reference, classes: int) -> list[Score]:
    """The score of each class 1 ... `classes`. A class that only one side has scores 0."""
    return [_score(*_masks(prediction, reference, value), reference.spacing) for value in range(1, classes + 1)]


def _masks(prediction: np.ndarray, reference: Reference, value: int) -> tuple[np.ndarray, np.ndarray]:
    """Where class `value` was predicted and where it is, in the rows and voxels that can be judged."""
    rows, known = reference.judged(value)
    return (prediction[rows] == value) & known, (reference.classes[rows] == value) & known


def _score(prediction: np.ndarray, reference: np.ndarray, spacing: Spacing) -> Score:
    agreement = agreement_of(prediction, reference, spacing)
    if agreement is None:
        return Score()
    volume, true_volume = (np.count_nonzero(mask) * np.prod(spacing) / 1000 for mask in (prediction, reference))
    return Score(
        agreement.dice,
        agreement.iou,
        agreement.nsd,
        agreement.hd95_mm,
        agreement.assd_mm,
        float(volume),
        float(true_volume),
        float(volume - true_volume),
        float(100 * (volume - true_volume) / true_volume) if true_volume else None,
    )


def score_slices(
    prediction: np.ndarray, reference: Reference, planes: tuple[str, ...], value: int = 1
) -> list[SliceScore]:
    """Class `value` in every slice of `planes` that can be judged."""
    predicted_mask, true_mask = _masks(prediction, reference, value)
    if not predicted_mask.size:
        return []
    masks = predicted_mask, true_mask, predicted_mask & true_mask
    scores = []
    for plane in planes:
        axis = SLICE_AXIS[plane]
        others = tuple({0, 1, 2} - {axis})
        counts = zip(*(mask.sum(axis=others).tolist() for mask in masks), strict=True)
        first = reference.judged(value)[0].start if axis == 0 else 0
        for index, (predicted, true, common) in enumerate(counts, start=first):
            dice = 2 * common / (predicted + true) if predicted + true else None
            scores.append(SliceScore(plane, index + 1, index * reference.spacing[axis], true, predicted, dice))
    return scores
