"""What the command line shows while it works: a progress bar on a terminal, plain lines anywhere else."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ..monitor import Monitor, Progress

if TYPE_CHECKING:
    from tqdm import tqdm


class Display:
    """Results go to standard output, everything else to standard error. `quiet` leaves only errors."""

    def __init__(self, quiet: bool = False):
        self._quiet = quiet
        self._bar: tqdm | None = None
        self._stage: tuple[str, str | None] | None = None
        self._stop_asked = False
        for stream in (sys.stdout, sys.stderr):
            # A file name that the console cannot show must not stop the work.
            stream.reconfigure(errors="backslashreplace")

    def line(self, text: str) -> None:
        """A result, on standard output."""
        self._clear()
        if not self._quiet:
            print(text, flush=True)

    def note(self, text: str) -> None:
        """Something worth knowing, on standard error."""
        if not self._quiet:
            self.error(text)

    def error(self, text: str) -> None:
        """What went wrong, on standard error."""
        self._clear()
        print(text, file=sys.stderr, flush=True)

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM stop the work at the next opportunity, and a second one at once.

        Not an exception out of the blue: it could be lost in a callback from native code.
        """

        def stop(*_) -> None:
            if self._stop_asked:
                raise KeyboardInterrupt
            self._stop_asked = True
            # Not print, nor the bar: the signal may have come in the middle of either.
            with suppress(OSError):  # nobody reads any more
                os.write(2, b"\nStopping ...\n")

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            self._clear()
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def scan(self, title: str) -> Iterator[Monitor]:
        """A monitor for the work on one scan, which is called `title`."""

        def show(progress: Progress) -> None:
            if not self._quiet:
                self._show(title, progress)

        self._stage = None
        try:
            yield Monitor(show, lambda text: self.note(f"{title}: {text}"), lambda: self._stop_asked)
        finally:
            self._clear()

    def _show(self, title: str, progress: Progress) -> None:
        begins = (progress.stage, progress.plane) != self._stage
        if begins:
            self._clear()
            self._stage = (progress.stage, progress.plane)
        name = progress.stage + (f", {progress.plane}" if progress.plane else "")
        if not sys.stderr.isatty():
            if begins:
                print(f"{title}: {name}", file=sys.stderr, flush=True)
            return
        if self._bar is None:
            from tqdm import tqdm

            shape = "{desc} {percentage:3.0f} %|{bar}| {n_fmt}/{total_fmt}{postfix}"
            shape = shape if progress.total > 1 else "{desc} ..."
            self._bar = tqdm(
                total=progress.total, desc=f"{title}: {name}", bar_format=shape, leave=False, dynamic_ncols=True
            )
        if progress.seconds_left is not None:
            # Not the bar's own estimate, which begins anew whenever a line has been printed in between.
            self._bar.set_postfix_str(f"{self._bar.format_interval(progress.seconds_left)} left", refresh=False)
        self._bar.update(progress.done - self._bar.n)

    def _clear(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
