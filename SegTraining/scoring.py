"""How good a segmentation of one case is, and what a group of cases says about the next one."""

from dataclasses import dataclass

import numpy as np

from SpineInference.metrics import agreement_of

FUSED = "fused"
"""What stands in the place of a plane's name for all planes together."""

MATCH_IOU = 0.5
"""A body counts as found when one predicted instance overlaps it by more than this (then it is the only one)."""

_RESAMPLES = 10_000


@dataclass(frozen=True)
class Score:
    """One case. Volume measures count the axial slices from the first to the last labelled one.

    None stands for what cannot be judged: everything without a reference, instances without reference instances.
    """

    dice: float | None
    hd95_mm: float | None
    assd_mm: float | None
    bodies: int | None
    """Labelled bodies in the reference."""
    found: int | None
    """Those that one predicted instance matches."""
    spurious: int | None
    """Predicted instances that match none, with their centre between the first and the last labelled slice."""
    instance_dice: float | None
    """Mean over the labelled bodies, a missed one counting 0."""


def score(
    prediction: np.ndarray, reference: np.ndarray, ignored: np.ndarray, spacing: tuple[float, float, float], named: bool
) -> Score:
    """Compare canonical label maps [I, P, L]; `spacing` in mm in the order of the axes.

    Voxels that are `ignored` (bool) are judged neither way. `named`: whether each body of `reference` has a value of
    its own; if not, instances are not judged.
    """
    prediction = np.where(ignored, 0, prediction)
    rows = np.flatnonzero((reference > 0).any(axis=(1, 2)))
    if not len(rows):
        return Score(None, None, None, None, None, None, None)
    within = slice(int(rows[0]), int(rows[-1]) + 1)
    agreement = agreement_of(prediction[within] > 0, reference[within] > 0, spacing)
    instances = _match(prediction, reference, within) if named else (None, None, None, None)
    return Score(agreement.dice, agreement.hd95_mm, agreement.assd_mm, *instances)


def _match(prediction: np.ndarray, reference: np.ndarray, within: slice) -> tuple[int, int, int, float]:
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
    return len(dices), int(sum(value > 0 for value in dices)), int(spurious), float(np.mean(dices))


def _pair_counts(prediction: np.ndarray, reference: np.ndarray) -> dict[tuple[int, int], int]:
    both = (prediction > 0) & (reference > 0)
    pairs, counts = np.unique(np.stack([prediction[both], reference[both]]), axis=1, return_counts=True)
    return {(int(p), int(r)): int(n) for (p, r), n in zip(pairs.T, counts, strict=True)}


def summarise(scores: list[Score]) -> dict[str, float | int | list[float] | None]:
    """Means over the cases, those of Dice, HD95 and ASSD with 95 % confidence intervals by bootstrap over the cases."""
    summary: dict[str, float | int | list[float] | None] = {"cases": len(scores)}
    for name in ("dice", "hd95_mm", "assd_mm", "instance_dice"):
        values = np.array([value for s in scores if (value := getattr(s, name)) is not None])
        summary[name] = round(float(values.mean()), 4) if len(values) else None
        summary[f"{name}_ci95"] = _interval(values)
        if name == "dice":
            summary["dice_min"] = round(float(values.min()), 4) if len(values) else None
            summary["not_judged"] = len(scores) - len(values)
    judged = [s for s in scores if s.bodies is not None]
    for name in ("bodies", "found", "spurious"):
        summary[name] = sum(getattr(s, name) for s in judged)
    summary["found_rate"] = round(summary["found"] / summary["bodies"], 4) if summary["bodies"] else None
    return summary


def _interval(values: np.ndarray) -> list[float] | None:
    if len(values) < 2:
        return None
    drawn = np.random.default_rng(0).choice(values, (_RESAMPLES, len(values)))
    return [round(float(bound), 4) for bound in np.percentile(drawn.mean(axis=1), [2.5, 97.5])]
