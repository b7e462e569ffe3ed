"""The files of a folder or of a zip, read alike and safely. A zip is never unpacked to be read.

Nothing of a zip is written to disk, so nothing has to be cleaned up after a crash, and no name in it can lead
anywhere; still, a zip that tries is refused, because somebody else might unpack it.
"""

import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import SpineError
from ..files.temporary import publish, temporary_folder

MAX_FILE_BYTES = 2**30
MAX_ENTRIES = 2000
MAX_COMPRESSION = 100
"""Weights hardly compress: a file that unpacks to this many times its size is no network."""


class PackageFiles:
    """The files at `path`, a folder or a zip; `names` are relative, with "/" on every system.

    Raises SpineError for a path that is neither, for links, and for a zip that is damaged or dangerous.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            if path.is_dir():
                self._sizes = _folder_sizes(path)
            elif path.is_file():
                self._sizes = _zip_sizes(path)
            else:
                raise SpineError(f"There is nothing at {path}: give a model package's folder or zip.")
        except OSError as error:
            raise SpineError(f"{path} cannot be read ({error.strerror or error}): check it and its rights.") from None

    @property
    def names(self) -> list[str]:
        return sorted(self._sizes)

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return self._sizes[name]

    def read(self, name: str) -> bytes:
        """The bytes of a file. Raises SpineError if it is absurdly large or cannot be read."""
        if self._sizes[name] > MAX_FILE_BYTES:
            raise SpineError(f"{name} in {self.path} is larger than 1 GB: this is no model of SpineSegmentation.")
        try:
            if self.path.is_dir():
                return (self.path / name).read_bytes()
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(name)
        except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
            raise SpineError(f"{name} in {self.path} cannot be read ({error}): get the package again.") from None


def _folder_sizes(folder: Path) -> dict[str, int]:
    """Files of a folder and of its direct subfolders: what a package or a set of packages can consist of."""
    sizes = {}
    for entry in sorted([*folder.iterdir(), *folder.glob("*/*")]):
        name = entry.relative_to(folder).as_posix()
        if entry.is_symlink():
            raise SpineError(
                f"{name} in {folder} is a link, which a model package must not hold: copy the file itself."
            )
        if entry.is_file():
            sizes[name] = entry.stat().st_size
        elif name.count("/"):
            sizes[name + "/"] = 0  # a folder too deep to belong to a package; named so that it can be refused
        if len(sizes) > MAX_ENTRIES:
            raise SpineError(f"{folder} holds thousands of files: give the folder of a model package.")
    return sizes


def _zip_sizes(path: Path) -> dict[str, int]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise SpineError(f"{path} is not a sound zip file ({error}): give a model package's folder or zip.") from None
    if len(entries) > MAX_ENTRIES or len({entry.filename for entry in entries}) < len(entries):
        raise SpineError(f"{path} holds thousands of files or the same file twice: this is no model package.")
    for entry in entries:
        _check_entry(entry, path)
    return {
        entry.filename: entry.file_size
        for entry in entries
        if not entry.is_dir() and not entry.filename.startswith("__MACOSX/")
    }


def _check_entry(entry: zipfile.ZipInfo, path: Path) -> None:
    # orig_filename: zipfile itself turns backslashes into slashes on Windows and cuts names at a zero byte.
    name = entry.orig_filename
    if name.startswith("/") or any(c in name for c in "\\:\0") or ".." in name.split("/"):
        raise SpineError(f'{path} holds the name "{name}", which leads out of its folder: do not use this file.')
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise SpineError(f"{name} in {path} is a link, which a model package must not hold: do not use this file.")
    if entry.file_size > MAX_COMPRESSION * entry.compress_size + 2**20:
        raise SpineError(f"{name} in {path} unpacks to {entry.file_size:,} bytes: this is a zip bomb, do not use it.")


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """An empty folder beside `target` that becomes `target` on success, replacing it, and vanishes on failure."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(target.parent, target.name) as aside:
        new, old = aside / "new", aside / "old"
        new.mkdir()
        yield new

        def exchange() -> None:
            if target.exists():
                os.rename(target, old)
            try:
                os.rename(new, target)
            except OSError:
                if old.exists():
                    os.rename(old, target)
                raise

        publish(aside, exchange)
