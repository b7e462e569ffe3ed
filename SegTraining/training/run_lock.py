"""Whose a folder is: one process at a time may write there."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from SpineInference.errors import SpineError

_LOCK, _OWNER = ".lock", ".lock-owner"  # two files, for on Windows a locked one cannot be read


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Make `folder` this process's own; SpineError where another one has it. A process that dies gives it free."""
    lock = FileLock(folder / _LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        (folder / _OWNER).write_text(f"process {os.getpid()} on {socket.gethostname()}", "utf-8")
    except Timeout:
        raise SpineError(
            f'"{folder}" is in use by another process ({_owner(folder)}): wait for it, or choose another folder.'
        ) from None
    except OSError as error:
        lock.release()
        raise SpineError(f'"{folder}" cannot be written ({error.strerror}): choose another folder.') from error
    try:
        yield
    finally:
        lock.release()


def _owner(folder: Path) -> str:
    try:
        return (folder / _OWNER).read_text("utf-8")
    except OSError:
        return "not known"
