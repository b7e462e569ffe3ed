"""Standard output and standard error that somebody may close while work goes on: `spine-segment ... | head -1`.

Results are files; that nobody reads what is told of them must not end a batch, nor leave a traceback.
"""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_CLOSED = (errno.EPIPE, errno.EINVAL, errno.EBADF)
"""What the system says of a stream that nobody reads: Linux and macOS, Windows, and one that was never open."""


@contextmanager
def unread_output_allowed() -> Iterator[None]:
    """Drop what is written to standard output or standard error once nobody reads it any more.

    Streams that somebody has put in their place, a log or a test, stay as they are.
    """
    _open_missing()
    before = sys.stdout, sys.stderr
    if sys.stdout is sys.__stdout__:
        sys.stdout = _forgiving(sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _forgiving(sys.stderr)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


class _Forgiving(io.FileIO):
    def write(self, data: bytes) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in _CLOSED:
                raise
            return len(data)


def _forgiving(stream: TextIO) -> TextIO:
    stream.flush()
    raw = _Forgiving(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream is sys.__stderr__,
    )


def _open_missing() -> None:
    """Standard streams that were closed from the start lead nowhere: the next file must not get their number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, f"__{name}__") is None:
            stream = open(number, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  lives as long as the process
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
