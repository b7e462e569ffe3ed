"""What the engines of the CPU share: several slices at the same time, each a pass of its own."""

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..processors import available_processors

PASSES_AT_A_TIME = 4
"""Slices computed at the same time on a CPU: each needs its own memory, so more only where that keeps threads busy."""
ROUNDS_PER_CALL = 4
"""A call should bring so many times as many slices: threads that are done wait for the others at its end."""


class CpuEngine(ABC):
    """A network on the CPU, see `engine.Engine`.

    Each slice is a pass of its own, several at the same time: threads that share a pass wait for each other, those with
    passes of their own do not (1.4 times as fast with two threads).
    """

    def __init__(self, threads: int | None = None):
        self.threads = threads or available_processors()
        self.passes = passes_at_a_time(self.threads)
        self.batch_size = ROUNDS_PER_CALL * self.passes
        self._pool = ThreadPoolExecutor(self.passes)

    @abstractmethod
    def run(self, batch: np.ndarray) -> np.ndarray:
        """As `probabilities`, but the whole batch in one pass: more memory, and slower. Called from several threads."""

    @abstractmethod
    def describe(self) -> str:
        """What computes, for people: software, threads, precision."""

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        """See Engine. Returns float32."""
        outputs = list(self._pool.map(self.run, np.split(batch, len(batch))))
        return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)

    def close(self) -> None:
        """See Engine."""
        self._pool.shutdown()


def passes_at_a_time(threads: int) -> int:
    """The number of passes that shares `threads` so that the fewest are idle: about `PASSES_AT_A_TIME` of them.

    Every pass has the same number of threads: 4 passes would keep only four of six or seven busy.
    """
    if threads < PASSES_AT_A_TIME:
        return threads
    return max(range(PASSES_AT_A_TIME, 2 * PASSES_AT_A_TIME), key=lambda passes: passes * (threads // passes))
