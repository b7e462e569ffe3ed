"""Several opinions, one volume: planes and models are fused as they arrive, in one half-precision volume per label."""

import copy
from collections.abc import Sequence

import numpy as np

from ..specs import LabelSpec, OutputSpec
from ..volume.boxes import Box

NEGLIGIBLE = 1e-3
"""Smaller probabilities become 0: most of a volume, and half-precision numbers below 6e-5 are ten times as slow."""

MAJORITY = 0.51
"""Just above one half: the halves of rounded float16 shares must not turn a tie into a majority."""


class Fusion:
    """For each label its mean probability, or the share of members that vote for it (pixel-wise majority vote).

    Members count by their weights, whose sum is 1 for each label: not every member knows all of them.

    A voxel belongs to the label that is ahead of all others and of the background. What the background has: with the
    mean, the threshold of the model; of a softmax over several labels, its own probability (what the labels leave);
    with the vote, half of the members (a tie is background). One float16 array `class_probabilities` `[labels, I, P,
    L]` is all that is kept.
    """

    def __init__(self, shape: tuple[int, int, int], rule: str, output: OutputSpec, labels: int = 1):
        self.class_probabilities = np.zeros((labels, *shape), np.float16)
        own = None if output.activation == "softmax" and labels > 1 else output.threshold
        self._background = MAJORITY if rule == "vote" else own
        self._voting, self._background_of_member = rule == "vote", own

    def within(self, box: Box) -> "Fusion":
        """The part inside `box`, for members that see no more: what is added to it is added here."""
        part = copy.copy(self)
        part.class_probabilities = self.class_probabilities[(slice(None), *box)]
        return part

    def add(self, probability: np.ndarray, axis: int, index: int | slice, shares: Sequence[tuple[int, float]]) -> None:
        """Add the slice `[labels, rows, columns]`, or slices `[labels, n, rows, columns]`, of a member along `axis`.

        `shares` holds for each of the member's labels which one it is here, from 0, and what the opinion weighs.
        """
        if self._voting:
            choice = _classes(probability, self._background_of_member)
            probability = np.stack([choice == number for number in range(1, len(probability) + 1)])
        for opinion, (place, weight) in zip(probability, shares, strict=True):
            target = np.moveaxis(self.class_probabilities[place], axis, 0)[index]
            share = np.where(opinion < NEGLIGIBLE, np.float32(0), opinion) * np.float32(weight)
            np.add(target, share, out=target, casting="same_kind")

    def classes(self) -> np.ndarray:
        """uint8 `[I, P, L]`: the number (1, 2, ...) of the label that each voxel belongs to, 0 for the background."""
        return _classes(self.class_probabilities, self._background)

    @property
    def border(self) -> float:
        """Where the `margin` of a label ends."""
        return self._background if len(self.class_probabilities) == 1 else 0.0

    def margin(self, number: int, box: Box) -> np.ndarray:
        """How far label `number` (0: the background) is ahead of all others in `box`: a field to be interpolated.

        Of a single label it is simply what the label has.
        """
        if len(self.class_probabilities) == 1:
            return self.class_probabilities[0][box].astype(np.float32)
        shares = self.class_probabilities[(slice(None), *box)]
        of_all = [np.full(shares.shape[1:], _left_for_background(shares, self._background), np.float32), *shares]
        own = of_all.pop(number)
        highest = of_all[0].astype(np.float32)
        for other in of_all[1:]:
            np.maximum(highest, other, out=highest)
        return own - highest


def shares_of(
    members: Sequence[tuple[Sequence[LabelSpec], float]], labels: Sequence[LabelSpec]
) -> list[list[tuple[int, float]]]:
    """The `shares` of `Fusion.add` for each of the `members`, which know these labels and have these weights.

    All of them are among `labels`. The weights of those that know a label become 1 together.
    """
    total = {label.value: sum(weight for known, weight in members if label in known) for label in labels}
    return [[(labels.index(label), weight / total[label.value]) for label in known] for known, weight in members]


def _classes(shares: np.ndarray, background: float | None) -> np.ndarray:
    least, highest = _left_for_background(shares, background), shares[0]
    classes = (highest >= least).view(np.uint8)
    for number, share in enumerate(shares[1:], start=2):
        classes[(share > highest) & (share >= least)] = number
        highest = np.maximum(highest, share)
    return classes


def _left_for_background(shares: np.ndarray, background: float | None) -> np.ndarray | float:
    return 1 - shares.sum(axis=0, dtype=np.float32) if background is None else background
