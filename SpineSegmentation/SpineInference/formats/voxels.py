"""The voxels of a file: unpacked to the last byte, so that whatever is missing or damaged is noticed."""

import bz2
import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import SimpleITK as sitk

from ..errors import SpineError
from ..volume.geometry import Grid

GZIP_MAGIC = b"\x1f\x8b"
_CHUNK, _PACKED_CHUNK = 1 << 20, 1 << 16  # zlib may blow it up a thousandfold

Packing = Literal["raw", "gzip", "zlib", "bzip2", "text"]


@dataclass(frozen=True)
class Layout:
    """What bytes mean: the shape of the array, slowest axis first, its type, and the line from stored to true values.

    With a `surplus`, more bytes may follow than those of the voxels.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    slope: float = 1.0
    intercept: float = 0.0
    surplus: bool = False

    @property
    def length(self) -> int:
        """In bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file at `path`; what goes wrong while it is read becomes a SpineError of one sentence."""
    try:
        with open(path, "rb") as file:
            yield file
    except (EOFError, zlib.error, gzip.BadGzipFile, struct.error) as error:
        raise damaged(path) from error
    except OSError as error:
        reason = error.strerror or error
        raise SpineError(f"{path}: the file cannot be read ({reason}), copy or export it again.") from error


def damaged(path: Path) -> SpineError:
    return SpineError(f"{path}: the file is truncated or corrupt, copy or export it again.")


def refuse_packed(start: bytes, path: Path) -> None:
    """Raise SpineError where the first bytes of a file say that it was packed as a whole."""
    if start.startswith(GZIP_MAGIC):
        raise SpineError(f"{path}: the whole file is compressed with gzip, unpack it first.")


def unpacked(file: BinaryIO, packing: Packing) -> Iterator[bytes]:
    """The rest of `file` without its compression. Raises what the libraries raise for damaged data."""
    if packing == "zlib":
        inflater = zlib.decompressobj(wbits=47)  # either zlib or gzip, told apart by their first bytes
        while not inflater.eof and (chunk := file.read(_PACKED_CHUNK)):
            yield inflater.decompress(chunk)
        if not inflater.eof:
            raise EOFError
        return
    streams = {"gzip": lambda: gzip.GzipFile(fileobj=file), "bzip2": lambda: bz2.BZ2File(file)}
    stream = streams.get(packing, lambda: file)()
    while chunk := stream.read(_CHUNK):
        yield chunk


def read_voxels(chunks: Iterator[bytes], layout: Layout, path: Path) -> np.ndarray:
    """The array in the bytes of `chunks`, which are read to their end; that is where checksums stand.

    Raises SpineError when there are fewer or more than the layout says.
    """
    kept, total = bytearray(), 0
    try:
        for chunk in chunks:
            total += len(chunk)
            kept += chunk[: layout.length - len(kept)]
            if layout.surplus and total >= layout.length:
                break
        if total < layout.length:
            raise SpineError(
                f"{path}: the file is truncated ({total} of {layout.length} bytes of voxels), copy or export it again."
            )
        if total > layout.length and not layout.surplus:
            raise SpineError(
                f"{path}: the header is corrupt (it tells of {layout.length} bytes of voxels, and there are {total}), "
                "export the scan again."
            )
        values = np.frombuffer(kept, layout.dtype).reshape(layout.shape)
        return _scaled(values.astype(layout.dtype.newbyteorder("="), copy=False), layout)
    except MemoryError as error:
        voxels, needed = " x ".join(map(str, reversed(layout.shape))), 2 * layout.length / 2**30
        raise SpineError(
            f"{path}: its {voxels} voxels need {needed:.3g} GiB of memory, more than there is: close other programs, "
            "or crop the scan."
        ) from error


def read_text(chunks: Iterator[bytes], layout: Layout, path: Path) -> np.ndarray:
    """As `read_voxels`, from numbers that are written as text."""
    try:
        values = np.array(b"".join(chunks).split(), np.float64)
        stored = values.astype(layout.dtype.newbyteorder("="))
        if (layout.dtype.kind != "f" and (stored != values).any()) or not np.isfinite(values).all():
            raise ValueError
        return _scaled(stored.reshape(layout.shape), layout)
    except (ValueError, OverflowError):
        raise damaged(path) from None


def _scaled(values: np.ndarray, layout: Layout) -> np.ndarray:
    if (layout.slope, layout.intercept) == (1.0, 0.0):
        return values
    precise = np.float32 if values.dtype.itemsize <= 2 else np.float64
    return (values.astype(precise) * precise(layout.slope) + precise(layout.intercept)).astype(np.float32)


def image_on(values: np.ndarray, grid: Grid) -> sitk.Image:
    """The image of `values` [z, y, x] or [z, y, x, component] on `grid`."""
    image = sitk.GetImageFromArray(values, isVector=values.ndim > 3)
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.origin)
    image.SetDirection(grid.direction)
    return image
