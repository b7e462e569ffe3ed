"""A stand-in for the parts of Slicer's `qt` that the worker process needs: real child processes, no event loop.

Signals come while somebody waits in `waitForFinished`. Only the spellings of signals that Qt knows are accepted.
"""

import os
import selectors
import subprocess

_SIGNALS = {
    "readyReadStandardOutput()",
    "readyReadStandardError()",
    "finished(int,QProcess::ExitStatus)",
    "errorOccurred(QProcess::ProcessError)",
}


class QByteArray:
    def __init__(self, data: bytes):
        self._data = data

    def data(self) -> bytes:
        return self._data


class QTimer:
    def connect(self, signal: str, slot) -> None:
        assert signal == "timeout()"

    def setSingleShot(self, single: bool) -> None: ...

    def start(self, milliseconds: int) -> None: ...

    def stop(self) -> None: ...


class QProcess:
    FailedToStart, Crashed = 0, 1

    def __init__(self):
        self._slots, self._buffers, self._child = {}, {}, None

    def setWorkingDirectory(self, folder: str) -> None:
        self._folder = folder

    def connect(self, signal: str, slot) -> None:
        assert signal in _SIGNALS
        self._slots[signal] = slot

    def start(self, program: str, arguments: list[str]) -> None:
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        try:
            self._child = subprocess.Popen([program, *arguments], cwd=self._folder, **pipes)
        except OSError:
            self._emit("errorOccurred(QProcess::ProcessError)", self.FailedToStart)

    def write(self, data: QByteArray) -> None:
        if self._child:
            self._child.stdin.write(data.data())
            self._child.stdin.flush()

    def closeWriteChannel(self) -> None:
        self._child.stdin.close()

    def kill(self) -> None:
        self._child.kill()

    def errorString(self) -> str:
        return "No such file or directory"

    def readAllStandardOutput(self) -> QByteArray:
        return QByteArray(self._buffers.pop("readyReadStandardOutput()", b""))

    def readAllStandardError(self) -> QByteArray:
        return QByteArray(self._buffers.pop("readyReadStandardError()", b""))

    def waitForFinished(self, milliseconds: int) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._child.stdout, selectors.EVENT_READ, "readyReadStandardOutput()")
            selector.register(self._child.stderr, selectors.EVENT_READ, "readyReadStandardError()")
            while selector.get_map():
                for key, _ in selector.select():
                    if data := os.read(key.fd, 4096):
                        self._buffers[key.data] = self._buffers.get(key.data, b"") + data
                        self._emit(key.data)
                    else:
                        selector.unregister(key.fileobj)
        code = self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
            pipe.close()
        if code < 0:
            self._emit("errorOccurred(QProcess::ProcessError)", self.Crashed)
        self._emit("finished(int,QProcess::ExitStatus)", abs(code), int(code < 0))

    def _emit(self, signal: str, *arguments) -> None:
        self._slots[signal](*arguments)
