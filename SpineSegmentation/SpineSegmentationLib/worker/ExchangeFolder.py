"""The temporary folder through which Slicer and a worker exchange a scan and its result.

It holds images of a patient, so it is removed when the run has ended: by the worker, if Slicer has crashed or was
killed. What is left behind all the same, the next start of Slicer and the next run remove. Deleting by name alone could
hit a user's own folder, so every folder holds a mark that names it, and which is locked as long as the process that
made the folder lives.
"""

import json
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

PREFIX = "SpineSegmentation-exchange-"
MARK = "SpineSegmentation-exchange.json"
"""The file in a folder that makes it one of ours: {"program": ..., "folder": the name of the folder}."""

_PROGRAM = "SpineSegmentation"
_STALE_AFTER_S = 24 * 3600
_LOCKED_BYTE = 1_000_000
"""Beyond the content: on Windows nobody can read a byte that another process has locked."""


class ExchangeFolder:
    """A new folder `path` with its mark. Raises OSError if it cannot be made."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)
        self.path = Path(self._folder.name)
        self._mark = (self.path / MARK).open("wb")
        with suppress(OSError):  # a file system without locks: then age alone decides
            _lock(self._mark)
        # Only now: a mark without its content is nobody's, so nobody else can take the lock before.
        self._mark.write(json.dumps(_content(self.path)).encode("ascii"))
        self._mark.flush()

    def remove(self) -> None:
        """Delete the folder and everything in it. Again is harmless."""
        self._mark.close()  # Windows deletes no file that is open
        self._folder.cleanup()


def removeStaleFolders() -> None:
    """Delete the folders whose process has ended; where that cannot be told, those that are older than a day."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError, ValueError):  # of another user, or deleted meanwhile, or with a mark that is none
            if _isOurs(folder) and _isAbandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _content(folder: Path) -> dict[str, str]:
    return {"program": _PROGRAM, "folder": folder.name}


def _isOurs(folder: Path) -> bool:
    mark = folder / MARK
    isPlain = folder.is_dir() and not folder.is_symlink() and mark.is_file() and not mark.is_symlink()
    return isPlain and json.loads(mark.read_bytes()) == _content(folder)


def _isAbandoned(folder: Path) -> bool:
    with (folder / MARK).open("rb+") as mark:
        try:
            _lock(mark)
        except (BlockingIOError, PermissionError):  # POSIX, Windows
            return False
        except OSError:  # no locks here
            return time.time() - folder.stat().st_mtime > _STALE_AFTER_S
    return True


def _lock(file: BinaryIO) -> None:
    """Lock an open file until it is closed or the process ends, however it ends. Raises OSError at once if it cannot.

    A process number in the mark would not do: another process may get the number, or see none of other containers.
    """
    if os.name == "nt":
        import msvcrt

        file.seek(_LOCKED_BYTE)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        file.seek(0)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
