"""The worker as a child process of Slicer: started, listened to and stopped without ever blocking the window.

Slicer's Python threads stand still while its window waits for the user, so this uses the signals of QProcess.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import qt

from SpineInference.requests import Request, to_json

from .WorkerProtocol import WorkerProtocol

_PYTHON_PATH = Path(__file__).resolve().parents[1]
"""The folder that holds the package SpineInference."""

_PATIENCE_MS = 5000
"""A worker that does not end by itself so long after Cancel is killed."""


class WorkerProcess:
    """One worker with one request. `onEnd` is called with its exit code, once."""

    def __init__(self, request: Request, protocol: WorkerProtocol, onEnd: Callable[[int], None]):
        self._request = request
        self._protocol = protocol
        self._onEnd = onEnd
        self._ended = False
        self._process = qt.QProcess()
        self._process.setWorkingDirectory(str(_PYTHON_PATH))
        self._process.connect("readyReadStandardOutput()", self._readOutput)
        self._process.connect("readyReadStandardError()", self._readErrorOutput)
        self._process.connect("finished(int,QProcess::ExitStatus)", self._onFinished)
        self._process.connect("errorOccurred(QProcess::ProcessError)", self._onError)
        self._patience = qt.QTimer()
        self._patience.setSingleShot(True)
        self._patience.connect("timeout()", self._process.kill)

    def start(self) -> None:
        """Start the worker and give it its request."""
        # In Slicer this is PythonSlicer, which needs the environment as it is to find Slicer's packages.
        self._process.start(sys.executable, ["-m", "SpineInference.worker"])
        self._process.write(qt.QByteArray(to_json(self._request).encode("utf-8") + b"\n"))

    def cancel(self) -> None:
        """Ask the worker to end: it does so with all its children when its standard input is closed."""
        self._process.closeWriteChannel()
        self._patience.start(_PATIENCE_MS)

    def wait(self) -> None:
        """Block until the worker has ended: for scripts."""
        while not self._ended:
            self._process.waitForFinished(1000)

    def _readOutput(self) -> None:
        self._protocol.receiveOutput(self._process.readAllStandardOutput().data())

    def _readErrorOutput(self) -> None:
        self._protocol.receiveErrorOutput(self._process.readAllStandardError().data())

    def _onFinished(self, exitCode: int, _exitStatus: int) -> None:
        self._end(exitCode)

    def _onError(self, error: int) -> None:
        if error == qt.QProcess.FailedToStart:  # the only error after which "finished" does not follow
            self._protocol.receiveErrorOutput(f"{sys.executable}: {self._process.errorString()}\n".encode())
            self._end(-1)

    def _end(self, exitCode: int) -> None:
        self._patience.stop()
        self._readOutput()
        self._readErrorOutput()
        self._ended = True
        self._onEnd(exitCode)
