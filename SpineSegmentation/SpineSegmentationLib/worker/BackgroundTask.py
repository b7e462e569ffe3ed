"""Downloads, imports, remeasuring and the search for devices, in a process of their own: the window never waits."""

import json
from collections.abc import Callable

from SpineInference.errors import Cancelled

from .WorkerProcess import WorkerProcess
from .WorkerProtocol import WorkerProtocol


class BackgroundTask:
    """One task of `SpineInference.app.background_tasks`.

    Ends in exactly one call `onEnd(answer, error)`, where one of both is None.
    """

    def __init__(
        self,
        onEnd: Callable[[dict | None, Exception | None], None],
        onProgress: Callable[[dict], None] = lambda event: None,
    ):
        self._onEnd = onEnd
        self._protocol = WorkerProtocol(onProgress, lambda line: None)
        self._worker = WorkerProcess("SpineInference.app.background_tasks", keepAlive=False)
        self._cancelled = False

    def start(self, kind: str, **fields: object) -> None:
        """Start "download", "import", "devices" or "measure" with the fields that it needs."""
        self._worker.send(json.dumps({"kind": kind, **fields}), self._protocol, self._onWorkerEnd)

    def wait(self) -> None:
        """Block until the end: for scripts."""
        self._worker.wait()

    def cancel(self) -> None:
        """Stop and leave nothing half-finished; `onEnd` follows with Cancelled."""
        self._cancelled = True
        self._worker.cancel()

    def close(self) -> None:
        """Stop without calling `onEnd`, and wait until the process has ended."""
        self._onEnd = lambda answer, error: None
        self._worker.close()

    def _onWorkerEnd(self, exitCode: int) -> None:
        try:
            if self._cancelled:
                raise Cancelled
            answer = self._protocol.result(exitCode)
        except Exception as error:
            self._onEnd(None, error)
        else:
            self._onEnd(answer, None)
