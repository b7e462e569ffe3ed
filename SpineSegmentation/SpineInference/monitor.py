"""How a long computation talks to whoever started it: progress, notes, and the question whether to stop."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from .errors import Cancelled


@dataclass(frozen=True)
class Progress:
    """Where a run stands: `done` of `total` steps of one stage (for `stage == "network"`, slices of `plane`).

    `seconds_left` is the estimate for this stage, None before anything can be said.
    """

    stage: str
    done: int
    total: int
    plane: str | None = None
    seconds_left: float | None = None


class Monitor:
    """Passes progress and notes on, and raises `Cancelled` from `check` once `should_stop` says so.

    The default monitor is silent and never stops anything, so that every function can be called without one.
    """

    def __init__(
        self,
        on_progress: Callable[[Progress], None] | None = None,
        on_note: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ):
        self._on_progress = on_progress
        self._on_note = on_note
        self._should_stop = should_stop
        self._stage: tuple[str, str | None] | None = None
        self._started = 0.0

    def check(self) -> None:
        """Raise `Cancelled` if a stop was asked for. Called between slices, iterations and stages."""
        if self._should_stop is not None and self._should_stop():
            raise Cancelled

    def progress(self, stage: str, done: int, total: int, plane: str | None = None) -> None:
        """Report a step of `stage` and estimate the time left from the steps since the stage began."""
        self.check()
        if (stage, plane) != self._stage:
            self._stage, self._started = (stage, plane), time.monotonic()
        seconds_left = None
        if done:
            seconds_left = (time.monotonic() - self._started) / done * (total - done)
        if self._on_progress is not None:
            self._on_progress(Progress(stage, done, total, plane, seconds_left))

    def note(self, text: str) -> None:
        """Tell the user something that is not an error, as one sentence."""
        if self._on_note is not None:
            self._on_note(text)

    def collecting(self, notes: list[str]) -> "Monitor":
        """A monitor that does the same and also appends every note to `notes`."""

        def keep(text: str) -> None:
            notes.append(text)
            self.note(text)

        return Monitor(self._on_progress, keep, self._should_stop)
