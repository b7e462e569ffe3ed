"""The folder of one result: it appears whole or not at all, and nothing that a person made is ever lost.

A result is put together in a hidden folder on the same disk and renamed at the end. An existing folder is replaced
only if it is empty or holds nothing but the untouched files of an earlier run, which the record of that run lists
with their SHA-256; the earlier result stays until the new one is complete. Any other folder is refused before the
work begins: it may hold a hand-corrected segmentation, or be the scan itself.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import SpineError
from .temporary import publish, temporary_folder

RECORD_SUFFIX = "_result.json"
"""The record of a run is the file NAME_result.json; its "files" maps the other files to their SHA-256."""
PROGRAM = "SpineSegmentation"
"""The "program" of a record: how our own are told from other people's."""

_LEFT_BY_SYSTEMS = {".DS_Store", "Thumbs.db", "desktop.ini"}


@contextmanager
def result_folder(target: Path) -> Iterator[Path]:
    """A temporary folder to write a result into; it becomes `target` at the end unless an exception was raised.

    Raises SpineError when the disk does not take the result, or when `target` must not be replaced.
    """
    try:
        with temporary_folder(_existing_parent(target), target.name) as folder:
            yield folder
            _check_replaceable(target)
            publish(folder, lambda: _replace(target, folder))
    except OSError as error:
        raise _unwritable(target, error) from error


def check_output(target: Path) -> None:
    """Raise SpineError unless `target` can become the folder of a result. Nothing is left behind."""
    try:
        str(target).encode("utf-8")
    except UnicodeEncodeError:
        raise SpineError(f"the name of the output folder {target} is not UTF-8: choose another folder.") from None
    try:
        # Asking for permission is not reliable on Windows and network drives: doing it is.
        with temporary_folder(_existing_parent(target), target.name):
            _check_replaceable(target)
        if target.exists():  # of another user: it could be moved away, but not removed
            with temporary_folder(target, target.name):
                pass
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise _unwritable(target, error) from None


def _unwritable(target: Path, error: Exception) -> SpineError:
    reason = getattr(error, "strerror", None) or error
    return SpineError(f"cannot write the output folder {target} ({reason}): choose another folder.")


def _check_replaceable(target: Path) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise SpineError(f"the output folder {target} is a file: choose another folder.")
    if kept := _files_to_keep(target):
        raise SpineError(
            f"the output folder {target} holds files that are not the untouched result of an earlier run "
            f"({', '.join(kept[:3])}{', ...' if len(kept) > 3 else ''}): move them away or choose another folder."
        )


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _existing_parent(target: Path) -> Path:
    # Folders above the target are made only when the result is complete, so that a failed run leaves none.
    return next(parent for parent in target.absolute().parents if parent.exists())


def _files_to_keep(folder: Path) -> list[str]:
    """The names in `folder` that no earlier run wrote, or that have been changed since."""
    records = [path for path in folder.iterdir() if path.name.endswith(RECORD_SUFFIX)]
    written = {path.name: digest for record in records for path, digest in _written(record)}
    kept = []
    for path in sorted(folder.iterdir()):
        of_a_run = path.is_file() and path.name in written and written[path.name] in (None, sha256(path))
        if not of_a_run and path.name not in _LEFT_BY_SYSTEMS:
            kept.append(path.name)
    return kept


def _written(record: Path) -> Iterator[tuple[Path, str | None]]:
    """The files that a record lists with their SHA-256, and the record itself, whose SHA-256 nobody knows."""
    with suppress(OSError, ValueError, AttributeError, TypeError):
        content = json.loads(record.read_bytes())
        if content["program"] == PROGRAM:
            yield record, None
            yield from ((record.with_name(name), digest) for name, digest in content["files"].items())


def _replace(target: Path, folder: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        folder.rename(target)
        return
    earlier = folder.with_name(f"{folder.name}.earlier")
    target.rename(earlier)
    try:
        folder.rename(target)
    except OSError:
        earlier.rename(target)
        raise
    shutil.rmtree(earlier, ignore_errors=True)
