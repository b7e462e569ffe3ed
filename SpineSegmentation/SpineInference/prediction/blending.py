"""How overlapping canvases of one slice become one answer: how far they overlap, and of what which means are taken."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

GAUSSIAN_SIGMA = 1 / 8
"""Of the weights of a canvas, in its sides: as in nnU-Net."""

SURE = 1e-7
"""Probabilities nearer than this to 0 or 1 have no finite logit."""


@dataclass(frozen=True)
class Blending:
    """`overlap` of neighbours, at least, and the `weight` of each pixel of a canvas, float32 [rows, columns].

    `to_mean` gives of probabilities [n, classes, rows, columns], which are those of an activation, that of which the
    weighted mean is taken; `from_mean` makes probabilities of the mean.
    """

    overlap: float
    weight: Callable[[tuple[int, int]], np.ndarray]
    to_mean: Callable[[np.ndarray, str], np.ndarray]
    from_mean: Callable[[np.ndarray, str], np.ndarray]


def _gaussian(canvas: tuple[int, int]) -> np.ndarray:
    from_middle = [(np.arange(side) - side // 2) / (GAUSSIAN_SIGMA * side) for side in canvas]
    rows, columns = (np.exp(-0.5 * distance**2) for distance in from_middle)
    return np.outer(rows, columns).astype(np.float32)


def _equal(canvas: tuple[int, int]) -> np.ndarray:
    return np.ones(canvas, np.float32)


def _to_logits(probabilities: np.ndarray, activation: str) -> np.ndarray:
    probabilities = probabilities.astype(np.float32)
    if activation == "sigmoid":
        return special.logit(np.clip(probabilities, SURE, 1 - SURE))
    return np.log(np.maximum(probabilities, SURE))  # up to a constant of each pixel, which softmax does not see


def _from_logits(logits: np.ndarray, activation: str) -> np.ndarray:
    return special.expit(logits) if activation == "sigmoid" else special.softmax(logits, axis=1)


def _as_they_are(probabilities: np.ndarray, activation: str) -> np.ndarray:
    return probabilities


BLENDINGS = {
    "equal": Blending(0.25, _equal, _as_they_are, _as_they_are),
    "gaussian": Blending(0.5, _gaussian, _to_logits, _from_logits),
}
"""By the name that a manifest calls them."""
