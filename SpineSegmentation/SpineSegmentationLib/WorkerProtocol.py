"""What a worker says while it works: bytes of two pipes in, progress, lines for a log, and the result out.

Knows neither Qt nor Slicer. The lines are described in `SpineInference.worker`.
"""

import json
from collections.abc import Callable

from SpineInference.errors import Cancelled, SpineError


class WorkerProtocol:
    """Listens to one worker that carries out one request.

    `onProgress` gets every "progress" event; `onText` every line that a person may want to read: notes, and what
    libraries print to standard error.
    """

    def __init__(self, onProgress: Callable[[dict], None], onText: Callable[[str], None]):
        self._onProgress = onProgress
        self._onText = onText
        self._events = _Lines(self._onEventLine)
        self._messages = _Lines(onText)
        self._last: dict = {}

    def receiveOutput(self, data: bytes) -> None:
        """Take the next bytes of standard output. They may end in the middle of a line or of a character."""
        self._events.add(data)

    def receiveErrorOutput(self, data: bytes) -> None:
        """Take the next bytes of standard error."""
        self._messages.add(data)

    def result(self, exitCode: int) -> dict:
        """The "result" event, asked for when the worker has ended.

        Raises SpineError with the worker's own sentence, or one that says that it died; Cancelled if it was stopped.
        """
        for lines in (self._events, self._messages):
            lines.end()
        kind = self._last.get("event")
        if kind == "result":
            return self._last
        if kind == "cancelled":
            raise Cancelled
        if kind == "error":
            if self._last.get("details"):
                self._onText(self._last["details"])
            raise SpineError(self._last["message"])
        raise SpineError(f"the segmentation ended without a result (exit code {exitCode}): see the log.")

    def _onEventLine(self, line: str) -> None:
        try:
            event = json.loads(line)
            kind = event["event"]
        except (ValueError, TypeError, KeyError):
            self._onText(line)  # a start script of Python may have something to say as well
            return
        if kind == "progress":
            self._onProgress(event)
        elif kind == "note":
            self._onText(event["text"])
        else:
            self._last = event


class _Lines:
    """Cuts a stream of bytes into lines of text."""

    def __init__(self, onLine: Callable[[str], None]):
        self._onLine = onLine
        self._rest = b""

    def add(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if text := line.decode("utf-8", errors="replace").rstrip():
                self._onLine(text)

    def end(self) -> None:
        self.add(b"\n")
