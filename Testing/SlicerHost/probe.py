"""Measures how long the event loop has been kept from running."""

import time

from PySide6.QtCore import Qt, QTimer


class EventLoopProbe:
    """A timer of 10 ms; `largestGap` (seconds) is the longest time between two of its ticks while it runs."""

    def __init__(self):
        self.largestGap = 0.0
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)

    def __enter__(self) -> "EventLoopProbe":
        self._last = time.perf_counter()
        self._timer.start(10)
        return self

    def __exit__(self, *error) -> None:
        self._tick()
        self._timer.stop()

    def _tick(self) -> None:
        now = time.perf_counter()
        self.largestGap = max(self.largestGap, now - self._last)
        self._last = now
