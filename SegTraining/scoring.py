"""How good a segmentation of one case is: as a whole, body by body, and slice by slice.

Label maps are canonical [I, P, L] and hold classes 1, 2, ... (or, for single bodies, instances); `spacing` is in mm in
the order of the axes. What nobody can judge counts neither way: voxels that are ignored, and the axial slices above
the first and below the last labelled one of the reference. The rules for empty masks are those of
`SpineInference.metrics`: nothing to find and nothing found is left out, never perfect.
"""

from dataclasses import dataclass

import numpy as np

from SpineInference.geometry import SLICE_AXIS
from SpineInference.metrics import agreement_of, labelled_slices

FUSED = "fused"
"""What stands in the place of a plane's name for all planes together."""

MATCH_IOU = 0.5
"""A body counts as found when one predicted instance overlaps it by more than this (then it is the only one)."""

Spacing = tuple[float, float, float]


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
    """Predicted instances that match none, with their centre between the first and the last labelled slice."""
    instance_dice: float | None = None
    """Mean over the labelled bodies, a missed one counting 0."""


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


def score_classes(
    prediction: np.ndarray, reference: np.ndarray, ignored: np.ndarray, spacing: Spacing, classes: int
) -> list[Score]:
    """The score of each class 1 ... `classes`. `ignored` is bool; a class that only one side has scores 0."""
    if not reference.any():
        return [Score()] * classes
    within = labelled_slices(reference > 0)
    known = ~ignored[within]
    return [
        _score((prediction[within] == value) & known, (reference[within] == value) & known, spacing)
        for value in range(1, classes + 1)
    ]


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
    prediction: np.ndarray,
    reference: np.ndarray,
    ignored: np.ndarray,
    spacing: Spacing,
    planes: tuple[str, ...],
    value: int = 1,
) -> list[SliceScore]:
    """Class `value` in every slice of `planes` that can be judged."""
    if not reference.any():
        return []
    within = labelled_slices(reference > 0)
    known = ~ignored[within]
    found, wanted = (prediction[within] == value) & known, (reference[within] == value) & known
    scores = []
    for plane in planes:
        axis = SLICE_AXIS[plane]
        others = tuple({0, 1, 2} - {axis})
        counts = zip(*(mask.sum(axis=others).tolist() for mask in (found, wanted, found & wanted)), strict=True)
        first = within.start if axis == 0 else 0
        for index, (predicted, true, common) in enumerate(counts, start=first):
            dice = 2 * common / (predicted + true) if predicted + true else None
            scores.append(SliceScore(plane, index + 1, index * spacing[axis], true, predicted, dice))
    return scores


def score_bodies(prediction: np.ndarray, reference: np.ndarray, ignored: np.ndarray) -> BodyCount:
    """Match the bodies of two instance maps."""
    if not reference.any():
        return BodyCount()
    prediction, within = np.where(ignored, 0, prediction), labelled_slices(reference > 0)
    overlaps = _pair_counts(prediction, reference)
    predicted_sizes = dict(zip(*np.unique(prediction[prediction > 0], return_counts=True), strict=True))
    true_sizes = dict(zip(*np.unique(reference[reference > 0], return_counts=True), strict=True))
    matched, dices = set(), []
    for label, size in true_sizes.items():
        best = 0.0
        for value in predicted_sizes:
            common = overlaps.get((value, label), 0)
            if common / (size + predicted_sizes[value] - common) > MATCH_IOU:
                matched.add(value)
                best = 2 * common / (size + predicted_sizes[value])
        dices.append(best)
    spurious = 0
    for value in set(predicted_sizes) - matched:
        centre = np.nonzero(prediction == value)[0].mean()
        spurious += within.start <= centre < within.stop
    return BodyCount(len(dices), int(sum(value > 0 for value in dices)), int(spurious), float(np.mean(dices)))


def _pair_counts(prediction: np.ndarray, reference: np.ndarray) -> dict[tuple[int, int], int]:
    both = (prediction > 0) & (reference > 0)
    pairs, counts = np.unique(np.stack([prediction[both], reference[both]]), axis=1, return_counts=True)
    return {(int(p), int(r)): int(n) for (p, r), n in zip(pairs.T, counts, strict=True)}
