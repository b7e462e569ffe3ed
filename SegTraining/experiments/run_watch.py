"""Tells while an experiment runs how far its runs are, wherever they run: by what each writes into its folder."""

import csv
import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path

_log = logging.getLogger(__name__)

_METRICS = "metrics.csv"
LOOK_SECONDS, TELL_SECONDS = 5.0, 60.0
"""How often the folders are looked at, and how often at most a run is told of."""


class RunWatch:
    """Used as a context: until it ends, a line for each run of `epochs_of` (run folder: epochs that it will have)
    whenever it has done another epoch, and at most once in `tell_seconds`."""

    def __init__(
        self, epochs_of: Mapping[Path, int], look_seconds: float = LOOK_SECONDS, tell_seconds: float = TELL_SECONDS
    ):
        self._epochs_of = epochs_of
        self._look_seconds, self._tell_seconds = look_seconds, tell_seconds
        self._changed = {folder: _time_of_change(folder) for folder in epochs_of}
        self._told = dict.fromkeys(epochs_of, float("-inf"))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "RunWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(self._look_seconds):
            self.look()

    def look(self) -> None:
        """Tell of the runs that have come further."""
        for folder, epochs in self._epochs_of.items():
            changed = _time_of_change(folder)
            if changed == self._changed[folder] or time.monotonic() - self._told[folder] < self._tell_seconds:
                continue
            try:
                with (folder / _METRICS).open(newline="", encoding="utf-8") as file:
                    *_, row = csv.DictReader(file)
            except (OSError, ValueError):
                continue
            self._changed[folder], self._told[folder] = changed, time.monotonic()
            dice = f", validation Dice {row['validation_dice']}" if row["validation_dice"] else ""
            _log.info(f"{folder.name}: epoch {row['epoch']} of at most {epochs}, loss {row['loss']}{dice}")


def _time_of_change(folder: Path) -> int:
    """Of the metrics of a run; 0 where there are none yet."""
    try:
        return (folder / _METRICS).stat().st_mtime_ns
    except OSError:
        return 0
