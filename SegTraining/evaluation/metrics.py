"""How good a segmentation of one case is: as a whole, body by body, and slice by slice.

Predictions are canonical [I, P, L] and hold classes 1, 2, ... (or, for single bodies, instances). What nobody can judge
counts neither way, see `references.Reference`. For empty masks the rules are those of
`SpineInference.measuring.metrics`: nothing to find and nothing found is left out, never perfect.
"""

from dataclasses import dataclass

import numpy as np

from SpineInference.measuring.metrics import Spacing, agreement_of
from SpineInference.volume.geometry import SLICE_AXIS

from .references import Reference

FUSED = "fused"
"""What stands in the place of a plane's name for all planes together."""

MATCH_IOU = 0.5
"""A body counts as found when one predicted instance overlaps it by more than this (then it is the only one)."""


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
class BodyCount:
    """The bodies of one case one by one; None where the reference does not tell them apart."""

    bodies: int | None = None
    """Labelled bodies in the reference."""
    found: int | None = None
    """Those that one predicted instance matches."""
    spurious: int | None = None
    """Predicted instances that match none, with their centre in the rows that can be judged."""
    instance_dice: float | None = None
    """Mean over the labelled bodies, a missed one counting 0."""


@dataclass(frozen=True)
class Matches:
    """Which predicted instances are which bodies of the reference, by `MATCH_IOU`."""

    found: dict[int, int]
    """The predicted value of each reference value that was found."""
    dice: dict[int, float]
    """The Dice coefficient of each reference value, 0 for those that were missed."""
    spurious: list[int]
    """Predicted values that match none, with their centre in the rows that can be judged."""

    def count(self) -> BodyCount:
        mean = float(np.mean(list(self.dice.values()))) if self.dice else None
        return BodyCount(len(self.dice), len(self.found), len(self.spurious), mean)


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
    """Where class `value` was found and where it is, in the rows and voxels that can be judged."""
    known = ~reference.ignored[reference.rows]
    return (prediction[reference.rows] == value) & known, (reference.classes[reference.rows] == value) & known


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
    found, wanted = _masks(prediction, reference, value)
    if not found.size:
        return []
    scores = []
    for plane in planes:
        axis = SLICE_AXIS[plane]
        others = tuple({0, 1, 2} - {axis})
        counts = zip(*(mask.sum(axis=others).tolist() for mask in (found, wanted, found & wanted)), strict=True)
        first = reference.rows.start if axis == 0 else 0
        for index, (predicted, true, common) in enumerate(counts, start=first):
            dice = 2 * common / (predicted + true) if predicted + true else None
            scores.append(SliceScore(plane, index + 1, index * reference.spacing[axis], true, predicted, dice))
    return scores


def match_bodies(prediction: np.ndarray, reference: Reference) -> Matches:
    """Match the values of an instance map [I, P, L] with those of the reference, one by one."""
    rows = reference.rows
    prediction, truth = np.where(reference.ignored, 0, prediction), reference.instances
    overlaps = _pair_counts(prediction, truth)
    predicted_sizes = _sizes(prediction)
    found, dices = {}, {}
    for label, size in _sizes(truth).items():
        dices[label] = 0.0
        for value, predicted_size in predicted_sizes.items():
            common = overlaps.get((value, label), 0)
            if common / (size + predicted_size - common) > MATCH_IOU:
                found[label] = value
                dices[label] = 2 * common / (size + predicted_size)
    spurious = [
        value
        for value in predicted_sizes
        if value not in found.values() and rows.start <= np.nonzero(prediction == value)[0].mean() < rows.stop
    ]
    return Matches(found, dices, spurious)


def _sizes(labels: np.ndarray) -> dict[int, int]:
    """The number of voxels of each value above 0."""
    return {int(v): int(n) for v, n in zip(*np.unique(labels[labels > 0], return_counts=True), strict=True)}


def _pair_counts(prediction: np.ndarray, reference: np.ndarray) -> dict[tuple[int, int], int]:
    both = (prediction > 0) & (reference > 0)
    pairs, counts = np.unique(np.stack([prediction[both], reference[both]]), axis=1, return_counts=True)
    return {(int(p), int(r)): int(n) for (p, r), n in zip(pairs.T, counts, strict=True)}
