"""Several opinions, one volume: planes and models are fused as they arrive, into a single half-precision volume."""

import numpy as np

FUSIONS = ("mean", "vote")

NEGLIGIBLE = 1e-3
"""Smaller probabilities become 0: most of a volume, and half-precision numbers below 6e-5 are ten times as slow."""


class Fusion:
    """Mean probability, or the share of members that vote for foreground (pixel-wise majority vote).

    Either way the result is compared with the threshold of the decision: `threshold` for the mean; for the vote more
    than half of the members (a tie is background). One float16 array `[I, P, L]` is all that is kept.
    """

    def __init__(self, shape: tuple[int, int, int], members: int, rule: str, threshold: float):
        self.result = np.zeros(shape, np.float16)
        # Just above one half: the halves of rounded float16 shares must not turn a tie into a majority.
        self.threshold = threshold if rule == "mean" else 0.51
        self._vote_threshold = threshold if rule == "vote" else None
        self._members = members

    def add(self, probability: np.ndarray, axis: int | None = None, index: int | None = None) -> None:
        """Add one member's whole volume, or its slice `index` along `axis`."""
        share = probability if self._vote_threshold is None else probability > self._vote_threshold
        target = self.result if axis is None else np.moveaxis(self.result, axis, 0)[index]
        share = np.where(share < NEGLIGIBLE, np.float32(0), share) / np.float32(self._members)
        np.add(target, share, out=target, casting="same_kind")
