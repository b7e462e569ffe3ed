"""Whose a folder is: one process at a time may write there."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from SpineInference.errors import SpineError


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Make `folder` this process's own; SpineError where another one has it. A process that dies gives it free."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise SpineError(f'"{folder}" cannot be written ({error.strerror}): choose another folder.') from error
    with file:
        try:
            _lock(file)
        except OSError:
            file.seek(0)
            owner = file.read().strip()
            raise SpineError(
                f'"{folder}" is in use by another process ({owner}): wait for it, or choose another folder.'
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield


def _lock(file: IO) -> None:
    """Lock `file` until it is closed, however that happens. Raises OSError if somebody else has locked it."""
    if os.name == "nt":
        import msvcrt

        file.seek(1 << 20)  # far behind what is written, which others can then still read
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
