"""What NRRD and MetaImage share: a header of lines, and voxels behind it or in files of their own."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import SpineError, about
from .voxels import Layout, Packing, opened, read_text, read_voxels, unpacked

_LONGEST_HEADER = 1 << 20
_MOST_FILES = 10_000
_NUMBER, _WHOLE = re.compile(r"%(0?\d{0,2})d"), re.compile(r"-?\d{1,9}")


def header_lines(file: BinaryIO, path: Path) -> Iterator[str]:
    """The lines of `file`, without their ends; after each the file stands behind it. Raises SpineError where a header
    has no end. Names of files may be in UTF-8 or anything else."""
    while line := file.readline(_LONGEST_HEADER):
        if file.tell() > _LONGEST_HEADER:
            raise not_understood(path)
        yield line.decode("utf-8", "surrogateescape").rstrip("\r\n")


def not_understood(path: Path) -> SpineError:
    return SpineError(
        f"{path}: the header cannot be understood (a corrupt file, or a kind of it that is not supported), "
        "export it again."
    )


class Fields(dict[str, str]):
    """The fields of a header by their names, and what programs add to them. Raises SpineError for what is no value."""

    def __init__(self, path: Path):
        super().__init__()
        self.path = path
        self.key_values: dict[str, str] = {}

    def add(self, name: str, value: str) -> None:
        if self.setdefault(name, value) != value:
            raise SpineError(f"{self.path}: the header gives its {name!r} twice, correct the header of the scan.")

    def numbers(self, name: str, count: int) -> list[float] | None:
        """The `count` numbers of a field, None where it is missing."""
        if name not in self:
            return None
        try:
            numbers = [float(number) for number in self[name].split()]
        except ValueError:
            numbers = []
        if len(numbers) != count:
            raise SpineError(f"{self.path}: its {name} {self[name][:40]!r} is not {count} numbers, correct the header.")
        return numbers

    def whole(self, name: str, default: int) -> int:
        text = self.get(name, str(default))
        if not _WHOLE.fullmatch(text):
            raise SpineError(f"{self.path}: its {name} {text[:40]!r} is no whole number, correct the header.")
        return int(text)


def data_files(value: str, following: list[str], path: Path) -> list[Path]:
    """The files that a header names: one, a pattern with its numbers, or LIST with a name on each `following` line.

    Raises SpineError for one that is missing, with its name.
    """
    names = [value]
    if re.fullmatch(r"LIST(\s+\w+)?", value):
        names = [line.strip() for line in following if line.strip()]
    elif not Path(path.parent, value).exists():
        names = _numbered(value) or names
    files = [Path(path.parent, name) for name in names if "\0" not in name]
    missing = next((file for file in files if not file.is_file()), None)
    if missing is not None:
        raise SpineError(f"{path}: its data file {missing.name} is missing, put it beside the header.")
    if not files:
        raise not_understood(path)
    return files


def _numbered(value: str) -> list[str]:
    """The names that a pattern such as "slice%03d.raw 1 20 1" stands for, which the number of axes may follow; none for
    another text."""
    for words in (value.rsplit(maxsplit=3), value.rsplit(maxsplit=4)[:4]):
        pattern, *numbers = words
        if len(numbers) == 3 and _NUMBER.search(pattern) and all(_WHOLE.fullmatch(number) for number in numbers):
            first, last, step = map(int, numbers)
            if step and len(found := range(first, last + (1 if step > 0 else -1), step)) <= _MOST_FILES:
                return [_with_number(pattern, number) for number in found]
    return []


def _with_number(pattern: str, number: int) -> str:
    return _NUMBER.sub(lambda place: f"{number:{place[1]}d}", pattern)


@dataclass(frozen=True)
class Voxels:
    """Where voxels lie: behind the header, or in `files`, each of which has the same share.

    `lines` and then `skip` bytes are no voxels; -1 if these are the last bytes of the file.
    """

    layout: Layout
    packing: Packing
    files: list[Path]
    lines: int = 0
    skip: int = 0

    def read(self, attached: BinaryIO, path: Path) -> np.ndarray:
        """The array of its layout; `attached` stands behind the header at `path`."""
        if not self.files:
            return self._read(attached, self.layout, path)
        share, rest = divmod(math.prod(self.layout.shape), len(self.files))
        if rest:
            raise not_understood(path)
        part = replace(self.layout, shape=(share,), surplus=self.packing == "raw" and self.skip > 0)
        parts = []
        for data in self.files:
            with about(path), opened(data) as file:
                parts.append(self._read(file, part, data))
        return np.concatenate(parts, axis=None).reshape(self.layout.shape)

    def _read(self, file: BinaryIO, layout: Layout, path: Path) -> np.ndarray:
        for _ in range(self.lines):
            file.readline()
        if self.skip == -1 and self.packing == "raw":
            end = file.seek(0, 2)
            file.seek(max(0, end - layout.length))
        chunks = _without_start(unpacked(file, self.packing), self.skip)
        return (read_text if self.packing == "text" else read_voxels)(chunks, layout, path)


def _without_start(chunks: Iterator[bytes], skip: int) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk[skip:] if skip > 0 else chunk
        skip = max(0, skip - len(chunk))
