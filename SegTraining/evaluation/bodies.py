"""How good a segmentation of one case is body by body: which are found, how well, and whether they are named rightly.

What is found follows the rule of `SpineInference.measuring.matching`, within the slices that can be judged. Bodies that
the upper or lower border of the scan cuts off count neither way: a part of one may rightly be left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from SpineInference.anatomy import NUMBERED_OFFSET
from SpineInference.errors import SpineError
from SpineInference.measuring.matching import Pair, match_instances
from SpineInference.measuring.metrics import agreement_of
from SpineInference.spine.vertebrae import assign_levels
from SpineInference.volume.boxes import bounding_box

from .references import LEVEL_NAMES, Reference


@dataclass(frozen=True)
class BodyScore:
    """One body of a reference, whole and in the slices that can be judged. Its `dice` is 0 if it was missed.

    `named_rightly`: whether the pipeline gave it its level, None where it gave none. `counted_rightly`: whether it
    gets its level when the lowest body found is given its own and the others are counted up from there; None for that
    one. Both, like the distances, are None where the body was missed, or where the reference does not know.
    """

    level: str
    """Its name, or "body 3", counted from the smallest value, where the reference does not know it."""
    found: bool
    dice: float
    hd95_mm: float | None = None
    assd_mm: float | None = None
    named_rightly: bool | None = None
    counted_rightly: bool | None = None


@dataclass(frozen=True)
class BodyCount:
    """The bodies of one case one by one; None where the reference does not tell them apart."""

    bodies: int | None = None
    """Labelled whole bodies in the reference."""
    found: int | None = None
    """Those that were found."""
    spurious: int | None = None
    """Predicted bodies that are none of the reference, with their centre in the slices that can be judged."""
    instance_dice: float | None = None
    """Mean over the labelled bodies, a missed one counting 0."""
    cut_off: int | None = None
    """Labelled bodies that the border of the scan cuts off."""


def score_bodies(
    prediction: np.ndarray, order: Sequence[int], reference: Reference
) -> tuple[list[BodyScore], BodyCount]:
    """Score an instance map [I, P, L] whose values, from the top of the spine down, are `order`."""
    prediction = np.where(reference.ignored, 0, prediction)
    matching = match_instances(prediction, reference.instances, reference.rows)
    counted = _counted_up(matching.found, order) if reference.levels_known else {}
    scores = []
    for number, label in enumerate(np.unique(reference.instances[reference.instances > 0]).tolist(), start=1):
        if label in reference.cut_off:
            continue
        level = LEVEL_NAMES[label] if reference.levels_known else f"body {number}"
        pair = matching.found.get(label)
        if pair is None:
            scores.append(BodyScore(level, False, 0.0))
            continue
        masks = prediction == pair.prediction, reference.instances == label
        box = bounding_box(masks[0] | masks[1])
        agreement = agreement_of(masks[0][box], masks[1][box], reference.spacing)
        named = pair.prediction == label if reference.levels_known and pair.prediction <= NUMBERED_OFFSET else None
        distances = agreement.hd95_mm, agreement.assd_mm
        scores.append(BodyScore(level, True, pair.dice, *distances, named, counted.get(label)))
    spurious = sum(not _on_cut_off(prediction == value, reference) for value in matching.false)
    mean = float(np.mean([score.dice for score in scores])) if scores else None
    found = sum(score.found for score in scores)
    return scores, BodyCount(len(scores), found, spurious, mean, len(reference.cut_off))


def _counted_up(found: dict[int, Pair], order: Sequence[int]) -> dict[int, bool]:
    """Of each body found but the lowest, whether counting up from that one gives it its true level."""
    if not found:
        return {}
    places = {label: order.index(pair.prediction) for label, pair in found.items()}
    lowest = max(places, key=places.get)
    highest = min(places.values())
    try:
        names = assign_levels(places[lowest] - highest + 1, bottom_level=LEVEL_NAMES[lowest])
    except SpineError:  # counted beyond C1
        names = []
    given = {place: segment.label for place, segment in enumerate(names, start=highest)}
    return {label: given.get(place) == label for label, place in places.items() if label != lowest}


def _on_cut_off(body: np.ndarray, reference: Reference) -> bool:
    """Whether most of a predicted body lies on bodies that are cut off."""
    return 2 * np.count_nonzero(np.isin(reference.instances[body], list(reference.cut_off))) > np.count_nonzero(body)
