"""What a worker says while it works: bytes of two pipes in, progress, lines for a log, and the answer out.

Knows neither Qt nor Slicer. The lines are described in `SpineInference.app.worker`.
"""

import json
from collections.abc import Callable

from SpineInference.errors import Cancelled, SpineError


class UnexpectedError(SpineError):
    """The worker met something that should never happen, or died. `details` is what a developer wants to see."""

    def __init__(self, sentence: str, details: str):
        super().__init__(sentence)
        self.details = details


class WorkerProtocol:
    """Listens to one worker that carries out one request.

    `onProgress` gets every "progress" event; `onText` every line that a person may want to read: notes, and what
    libraries print to standard error.
    """

    def __init__(self, onProgress: Callable[[dict], None], onText: Callable[[str], None]):
        self._onProgress = onProgress
        self._onText = onText
        self._events = _Lines(self._onEventLine)
        self._messages = _Lines(self._onMessage)
        self._lastMessages: list[str] = []
        self._answer: dict = {}

    @property
    def isAnswered(self) -> bool:
        """Whether the worker has said how the request ended. It may live on for the next one."""
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

        Raises SpineError with the worker's own sentence, UnexpectedError, or Cancelled if the worker was stopped.
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
            self._onText(line)  # a start script of Python may have something to say as well
            return
        if kind == "progress":
            self._onProgress(event)
        elif kind == "note":
            self._onText(event["text"])
        else:
            self._answer = event


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
