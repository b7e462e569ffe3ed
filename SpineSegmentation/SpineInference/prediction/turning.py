"""Slices as a network knows them: turned and mirrored from how the canonical volume shows them, and back."""

from dataclasses import dataclass

import numpy as np

from ..specs import OPPOSITE
from ..volume.geometry import SLICE_AXIS

_CANONICAL = "IPL"
"""Where the axes of a canonical array lead to."""


@dataclass(frozen=True)
class Turn:
    """What is done to canonical slices, in this order: the axes `mirrored` (of [n, channels, rows, columns]), then
    rows and columns `exchanged`. It comes to nothing for the canonical orientation."""

    mirrored: tuple[int, ...] = ()
    exchanged: bool = False

    @classmethod
    def between(cls, orientation: str, plane: str) -> "Turn":
        """From canonical slices of `plane` to those of volumes in `orientation` (where x, y and z grow)."""
        axes = []
        mirrored = []
        for letter in reversed(orientation):
            axis = next(axis for axis, known in enumerate(_CANONICAL) if known in (letter, OPPOSITE[letter]))
            in_stack = 1 if axis == SLICE_AXIS[plane] else 2 + sum(a < axis for a in range(3) if a != SLICE_AXIS[plane])
            if letter != _CANONICAL[axis]:
                mirrored.append(in_stack)
            if in_stack > 1:
                axes.append(in_stack)
        return cls(tuple(sorted(mirrored)), axes != sorted(axes))

    def to_network(self, batch: np.ndarray) -> np.ndarray:
        """Canonical slices `[n, channels, rows, columns]`, whose channels are neighbours, as the network knows them."""
        turned = np.flip(batch, self.mirrored)
        return np.ascontiguousarray(turned.swapaxes(2, 3) if self.exchanged else turned)

    def from_network(self, probabilities: np.ndarray) -> np.ndarray:
        """What the network says, `[n, labels, rows, columns]`, on canonical slices."""
        turned = probabilities.swapaxes(2, 3) if self.exchanged else probabilities
        return np.flip(turned, [axis for axis in self.mirrored if axis > 1])
