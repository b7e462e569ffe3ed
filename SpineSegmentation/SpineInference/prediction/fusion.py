"""Several opinions, one volume: planes and models are fused as they arrive, in one half-precision volume per label."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..specs import OutputSpec
from ..volume.boxes import Box

NEGLIGIBLE = 1e-3
"""Smaller probabilities become 0: most of a volume, and half-precision numbers below 6e-5 are ten times as slow."""

MAJORITY = 0.51
"""Just above one half: the halves of rounded float16 shares must not turn a tie into a majority."""


class Fusion:
    """For each label its mean probability, or the share of members that vote for it (pixel-wise majority vote).

    Members count by their weights, whose sum is 1 for each label: not every member knows all of them. All that is kept
    is one float16 array `[labels, I, P, L]`, which `settled` hands over when all opinions are in.

    What the background has: with the mean, the threshold of the model; of a softmax over several labels, its own
    probability (what the labels leave); with the vote, half of the members (a tie is background).

    `holders` tells by number of a label that lies inside another one the number of that. The classes of a softmax
    exclude each other, so that they have no holders.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        rule: str,
        output: OutputSpec,
        labels: int = 1,
        holders: Mapping[int, int] | None = None,
    ):
        self._shares = np.zeros((labels, *shape), np.float16)
        own = None if output.activation == "softmax" and labels > 1 else output.threshold
        self._background = MAJORITY if rule == "vote" else own
        self._voting, self._background_of_member = rule == "vote", own
        self._holders = dict(holders or {}) if own is not None else {}

    def within(self, box: Box) -> "Fusion":
        """The part inside `box`, for members that see no more: what is added to it is added here."""
        part = copy.copy(self)
        part._shares = self._shares[(slice(None), *box)]
        return part

    def add(
        self,
        probability: np.ndarray,
        axis: int,
        index: int | slice,
        shares: Sequence[tuple[int, float]],
        threshold: float | None = None,
    ) -> None:
        """Add the slice `[labels, rows, columns]`, or slices `[labels, n, rows, columns]`, of a member along `axis`.

        `shares` holds for each of the member's labels which one it is here, from 0, and what the opinion weighs.
        Probabilities of a member with another `threshold` than that of the model are scaled so that both meet.
        """
        if threshold and self._background_of_member and threshold != self._background_of_member:
            probability = probability * np.float32(self._background_of_member / threshold)
        if self._voting:
            numbers = [place + 1 for place, _ in shares]
            known = {i: o for i, o in self._holders.items() if {i, o} <= {*numbers}}
            own = {numbers.index(inner) + 1: numbers.index(outer) + 1 for inner, outer in known.items()}
            probability = probability.copy()
            _join(probability, own)
            choice = _classes(probability, _left_for_background(probability, self._background_of_member), own)
            probability = np.stack([choice == number for number in range(1, len(probability) + 1)])
            _join(probability, own)  # who says cord says canal
        for opinion, (place, weight) in zip(probability, shares, strict=True):
            target = np.moveaxis(self._shares[place], axis, 0)[index]
            share = np.where(opinion >= NEGLIGIBLE, opinion, np.float32(0)) * np.float32(weight)
            np.add(target, share, out=target, casting="same_kind")

    def settled(self) -> "Fused":
        """What all opinions make together, when all of them are in."""
        _join(self._shares, self._holders)
        return Fused(self._shares, self._background, self._holders)


@dataclass(frozen=True, eq=False)
class Fused:
    """The opinions of all members in `class_probabilities`, float16 `[labels, I, P, L]`.

    A voxel belongs to the label that is ahead of all others and of the `background`, which is None where it has what
    the labels leave. A label and what it holds, by the `holders`, are one label to all others; within it the inner one
    counts where it reaches what the background has.
    """

    class_probabilities: np.ndarray
    background: float | None
    holders: Mapping[int, int]

    def classes(self) -> np.ndarray:
        """uint8 `[I, P, L]`: the number (1, 2, ...) of the label that each voxel belongs to, 0 for the background."""
        shares, least = self.class_probabilities, _left_for_background(self.class_probabilities, self.background)
        if self.background is not None:
            # Numbers that are not negative have the order of their bits, which compare ten times as fast as float16.
            shares, least = shares.view(np.uint16), np.float16(least).view(np.uint16)
        return _classes(shares, least, self.holders)

    @property
    def border(self) -> float:
        """Where the `margin` of a label ends."""
        return self.background if len(self.class_probabilities) == 1 else 0.0

    def margin(self, number: int, box: Box) -> np.ndarray:
        """How far label `number` (0: the background) is ahead of all others in `box`: a field to be interpolated.

        Of a single label it is simply what the label has. A label counts with what it holds, which has no margin but a
        `depth`.
        """
        if len(self.class_probabilities) == 1:
            return self.class_probabilities[0][box].astype(np.float32)
        shares = self.class_probabilities[(slice(None), *box)]
        of_all = {0: np.full(shares.shape[1:], _left_for_background(shares, self.background), np.float32)}
        of_all |= {other: share for other, share in enumerate(shares, start=1) if other not in self.holders}
        own, *others = of_all.pop(number), *of_all.values()
        highest = others[0].astype(np.float32)
        for other in others[1:]:
            np.maximum(highest, other, out=highest)
        return np.subtract(own, highest, out=highest)

    def depth(self, number: int, box: Box) -> np.ndarray:
        """How far label `number`, which lies inside another one, is beyond its border to that in `box`."""
        return self.class_probabilities[number - 1][box].astype(np.float32) - self.background


def _join(shares: np.ndarray, holders: Mapping[int, int]) -> None:
    """Make of the share of the outer label, in place, that of what it holds where that is more: [labels, ...]."""
    for inner, outer in holders.items():
        np.maximum(shares[outer - 1], shares[inner - 1], out=shares[outer - 1])


def _classes(shares: np.ndarray, least: np.ndarray | float, holders: Mapping[int, int]) -> np.ndarray:
    """The number of the label [...] that has most of the `shares` [labels, ...], if not less than `least`."""
    classes, highest = np.zeros(shares.shape[1:], np.uint8), None
    for number, share in enumerate(shares, start=1):
        if number in holders:
            continue
        classes[(share >= least) if highest is None else (share > highest) & (share >= least)] = number
        highest = share if highest is None else np.maximum(highest, share)
    for inner, outer in holders.items():
        classes[(classes == outer) & (shares[inner - 1] >= least)] = inner
    return classes


def _left_for_background(shares: np.ndarray, background: float | None) -> np.ndarray | float:
    return 1 - shares.sum(axis=0, dtype=np.float32) if background is None else background
