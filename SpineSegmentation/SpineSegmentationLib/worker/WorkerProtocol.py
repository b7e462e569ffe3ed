"""Parses the output of a worker: bytes of two pipes in; progress, lines for a log, and the answer out.

Knows neither Qt nor Slicer. The lines are described in `SpineInference.app.worker`.
"""

import json
from collections.abc import Callable

from SpineInference.errors import Cancelled, SpineError


class UnexpectedError(SpineError):
    """The worker failed unexpectedly or died. `details` are for developers: a traceback, or its last messages."""

    def __init__(self, message: str, details: str):
        super().__init__(message)
        self.details = details


class SceneClosed(Cancelled):
    """The scene was closed during a run: nobody waits for its result, and there is nothing to be said."""


class WorkerProtocol:
    """The output of one worker for one request.

    `onProgress` gets every "progress" event; `onText` every line that a person may want to read: notes, and what
    libraries print to standard error.
    """

    def __init__(self, onProgress: Callable[[dict], None], onText: Callable[[str], None]):
        self._onProgress = onProgress
        self._onText = onText
        self._events = _LineSplitter(self._onEventLine)
        self._messages = _LineSplitter(self._onMessage)
        self._lastMessages: list[str] = []
        self._answer: dict = {}

    @property
    def isAnswered(self) -> bool:
        """Whether the request has ended; the worker may live on for the next one."""
        return bool(self._answer)

    def receiveOutput(self, data: bytes) -> None:
        """Take the next bytes of standard output. They may end in the middle of a line or of a character."""
        self._events.add(data)

    def receiveErrorOutput(self, data: bytes) -> None:
        """Take the next bytes of standard error."""
        self._messages.add(data)

    def end(self) -> None:
        """There are no more bytes: a last line without its end counts too."""
        for lines in (self._events, self._messages):
            lines.end()

    def result(self, exitCode: int) -> dict:
        """The "result" event, asked for when the worker has answered or ended.

        Raises SpineError with the worker's own message, UnexpectedError, or Cancelled if the worker was stopped.
        """
        kind = self._answer.get("event")
        if kind == "result":
            return self._answer
        if kind == "cancelled":
            raise Cancelled
        if kind == "error" and self._answer.get("details"):
            raise UnexpectedError(self._answer["message"], self._answer["details"])
        if kind == "error":
            raise SpineError(self._answer["message"])
        raise UnexpectedError(
            f"the worker process ended without a result (exit code {exitCode}), perhaps for want of memory: close "
            "other programs and try again.",
            "\n".join(self._lastMessages),
        )

    def _onMessage(self, line: str) -> None:
        self._lastMessages = [*self._lastMessages[-49:], line]
        self._onText(line)

    def _onEventLine(self, line: str) -> None:
        try:
            event = json.loads(line)
            kind = event["event"]
        except (ValueError, TypeError, KeyError):
            self._onText(line)  # printed by something else, such as a start script of Python
            return
        if kind == "progress":
            self._onProgress(event)
        elif kind == "note":
            self._onText(event["text"])
        else:
            self._answer = event


class _LineSplitter:
    """Splits a stream of bytes into lines of text, without empty ones."""

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
