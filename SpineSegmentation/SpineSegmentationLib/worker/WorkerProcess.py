"""A worker as a child process of Slicer: started, listened to and stopped without ever blocking the window.

Slicer's Python threads stand still while its window waits for the user, so this uses the signals of QProcess.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import qt

from .WorkerProtocol import WorkerProtocol

_PYTHON_PATH = Path(__file__).resolve().parents[2]
"""The folder that holds the package SpineInference."""

_KILL_AFTER_MS = 5000
"""A worker that has not ended so long after Cancel is killed."""

_IDLE_TIMEOUT_MS = 10 * 60 * 1000
"""How long a worker waits for the next request. It saves starting and opening the networks, but holds some hundred
megabytes."""


class WorkerProcess:
    """A worker that is started with its first request and may live on for the next ones.

    `module` is that of its entry point, `keepAlive` whether it serves more than one request. One request at a time.
    """

    def __init__(self, module: str, keepAlive: bool):
        self._arguments = ["-m", module, *(["--keep-alive"] if keepAlive else [])]
        self._keepAlive = keepAlive
        self._child: _ChildProcess | None = None
        self._idleTimer = qt.QTimer()
        self._idleTimer.setSingleShot(True)
        self._idleTimer.connect("timeout()", self.cancel)

    @property
    def isWarm(self) -> bool:
        """Whether a process is there that can take the next request."""
        return self._child is not None and self._child.isReady

    def send(self, line: str, protocol: WorkerProtocol, onEnd: Callable[[int], None]) -> None:
        """Hand over a request, one line of JSON. `onEnd` is called once: with 0 after an answer, or the exit code."""
        self._idleTimer.stop()
        if not self.isWarm:
            self._child = _ChildProcess(self._keepAlive)
            self._child.start(self._arguments)

        def ended(exitCode: int) -> None:
            self._idleTimer.start(_IDLE_TIMEOUT_MS)
            onEnd(exitCode)

        self._child.send(line, protocol, ended)

    def cancel(self) -> None:
        """End the process, whatever it is doing; `onEnd` follows when it has ended."""
        if self._child is not None:
            self._child.cancel()

    def close(self) -> None:
        """End the process, and wait until it is gone: for when Slicer quits."""
        self._idleTimer.stop()
        if self._child is not None:
            self._child.cancel()
            self._child.waitForEnd()

    def wait(self) -> None:
        """Block until the request is answered: for scripts."""
        self._child.waitForAnswer()


class _ChildProcess:
    """One process and, at most, one request that it carries out.

    One that does not live on ends by itself after its answer; until then it must not be let go of.
    """

    def __init__(self, livesOn: bool):
        self._livesOn = livesOn
        self._protocol: WorkerProtocol | None = None
        self._onEnd: Callable[[int], None] | None = None
        self.isReady = True
        self._process = qt.QProcess()
        self._process.setWorkingDirectory(str(_PYTHON_PATH))
        self._process.connect("readyReadStandardOutput()", self._readOutput)
        self._process.connect("readyReadStandardError()", self._readErrorOutput)
        self._process.connect("finished(int,QProcess::ExitStatus)", self._onFinished)
        self._process.connect("errorOccurred(QProcess::ProcessError)", self._onError)
        self._killTimer = qt.QTimer()
        self._killTimer.setSingleShot(True)
        self._killTimer.connect("timeout()", self._process.kill)

    def start(self, arguments: list[str]) -> None:
        # In Slicer this is PythonSlicer, which needs the environment as it is to find Slicer's packages.
        self._process.start(sys.executable, arguments)

    def send(self, line: str, protocol: WorkerProtocol, onEnd: Callable[[int], None]) -> None:
        self._protocol, self._onEnd = protocol, onEnd
        if self.isReady:
            self._process.write(qt.QByteArray(line.encode("utf-8") + b"\n"))
        else:  # it failed to start
            self._end(-1)

    def cancel(self) -> None:
        """The worker ends with all its children when its standard input is closed."""
        if self.isReady:
            self.isReady = False
            self._process.closeWriteChannel()
            self._killTimer.start(_KILL_AFTER_MS)

    def waitForAnswer(self) -> None:
        while self._onEnd is not None:
            if not self._process.waitForReadyRead(1000):
                self._process.waitForFinished(1)

    def waitForEnd(self) -> None:
        if self._process.state() != qt.QProcess.NotRunning and not self._process.waitForFinished(_KILL_AFTER_MS):
            self._process.kill()
            self._process.waitForFinished(_KILL_AFTER_MS)

    def _readOutput(self) -> None:
        data = self._process.readAllStandardOutput().data()
        if self._protocol is not None:
            self._protocol.receiveOutput(data)
            if self._protocol.isAnswered and self.isReady and self._livesOn:
                self._end(0)

    def _readErrorOutput(self) -> None:
        data = self._process.readAllStandardError().data()
        if self._protocol is not None:
            self._protocol.receiveErrorOutput(data)

    def _onFinished(self, exitCode: int, _exitStatus: int) -> None:
        self.isReady = False
        qt.QTimer.singleShot(0, lambda: self)  # a process must not be deleted in the middle of its last signal
        self._killTimer.stop()
        self._readOutput()
        self._readErrorOutput()
        self._end(exitCode)

    def _onError(self, error: int) -> None:
        if error == qt.QProcess.FailedToStart:  # the only error after which "finished" does not follow
            self.isReady = False
            if self._protocol is not None:
                reason = f"{sys.executable}: {self._process.errorString()}\n"
                self._protocol.receiveErrorOutput(reason.encode())
            self._end(-1)

    def _end(self, exitCode: int) -> None:
        if self._onEnd is None:
            return
        self._protocol.end()
        onEnd, self._onEnd, self._protocol = self._onEnd, None, None
        onEnd(exitCode)
