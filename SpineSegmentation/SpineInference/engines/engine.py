"""What an engine is: a network on a device, behind one small interface."""

import importlib.util
from typing import Protocol

import numpy as np

from ..errors import SpineError


class Engine(Protocol):
    """A network on a device."""

    @property
    def batch_size(self) -> int:
        """How many slices a call should bring. It may shrink from call to call when memory runs out."""

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        """float32 [n, channels, rows, cols], any n -> probabilities, float16 or float32 [n, classes, rows, cols].

        rows and cols must be multiples of the manifest's pad_multiple. With sigmoid and one class that class is
        the foreground; with softmax class 0 is the background.
        """

    def describe(self) -> str:
        """What computes, for people: software, device, precision."""

    def close(self) -> None:
        """Give the memory back. The engine cannot be used afterwards."""


def require(*packages: str) -> None:
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise SpineError(f'The Python package "{package}" is not installed: install it, or use another device.')
