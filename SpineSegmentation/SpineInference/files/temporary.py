"""Temporary folders that disappear whatever ends the process, and results that appear whole or not at all.

A worker may have to end at any moment, from another thread than the one that writes. `remove_all` therefore takes
the lock that every folder is made and published under and never gives it back: from then on nothing half-written can
become visible, and no new folder can be made.
"""

import secrets
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import Cancelled, SpineError

_lock = threading.Lock()
_folders: set[Path] = set()
_adopted: set[Path] = set()


@contextmanager
def temporary_folder(parent: Path, name: str) -> Iterator[Path]:
    """A new hidden folder in `parent`, removed at the end unless `publish` has moved it. Raises OSError."""
    folder = parent / f".{name}.{secrets.token_hex(4)}.tmp"
    with _locked():
        folder.mkdir()
        _folders.add(folder)
    try:
        yield folder
    finally:
        with _locked():
            _folders.discard(folder)
            shutil.rmtree(folder, ignore_errors=True)


def check_owned(folder: Path | str, files: Iterable[Path | str], what: str) -> None:
    """Raise SpineError unless all `files`, which are called `what`, lie in the `folder` that is to be adopted."""
    if any(Path(file).resolve().parent != Path(folder).resolve() for file in files):
        raise SpineError(f"own_folder {folder} does not hold {what}: it would be removed with other files.")


def adopt(folder: Path | str | None) -> None:
    """Let `remove_all` remove a folder of somebody else, too, until it is given back. None: nothing."""
    if folder:
        with _locked():
            _adopted.add(Path(folder))


def give_back() -> None:
    """Leave all adopted folders to those who made them, who have heard the answer and remove them."""
    with _locked():
        _adopted.clear()


def publish(folder: Path, move: Callable[[], None]) -> None:
    """Call `move`, which renames the temporary `folder` to its final place, undisturbed by `remove_all`."""
    with _locked():
        move()
        _folders.discard(folder)


def remove_all() -> None:
    """Remove every temporary folder, for good: called by a process that is about to end. Safe in any thread."""
    _lock.acquire()
    for folder in _folders | _adopted:
        # Another thread may be writing into it at this moment. Under another name it does not find it any more.
        away = folder.with_name(f"{folder.name}.ending")
        with suppress(OSError):
            folder.rename(away)
        for place in (away, folder, away, folder):  # twice: a file may have been opened just before the renaming
            shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _locked() -> Iterator[None]:
    # `remove_all` keeps the lock for ever; whoever waits for it meanwhile belongs to a process that is ending.
    if not _lock.acquire(timeout=30):
        raise Cancelled
    try:
        yield
    finally:
        _lock.release()
