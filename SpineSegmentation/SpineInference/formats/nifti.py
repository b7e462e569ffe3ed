"""NIfTI-1, plain or compressed with gzip, whatever the name of the file says of that."""

import gzip
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
import SimpleITK as sitk

from ..errors import SpineError
from ..monitor import Monitor
from .axes import check_components, check_size, check_spacing, converted, grid_of, mm_per
from .nifti_geometry import Forms, placed
from .pictures import as_slice, as_volume, is_at_the_origin
from .voxels import GZIP_MAGIC, Layout, opened, read_voxels, unpacked

_LENGTH = 348
_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
_COMPLEX, _COLOURS = (32, 1792, 2048), {128: 3, 2304: 4}
_UNITS = {1: "m", 3: "um"}


def read(path: Path, monitor: Monitor) -> sitk.Image:
    """The image at `path`, 3D. Raises SpineError."""
    with _header(path) as (stream, header):
        layout, mm = header.layout, mm_per(header.unit, path)
        if header.unit:
            monitor.note(converted(header.unit, path))
        spacing = (header.spacing[0] * mm, header.spacing[1] * mm)
        flat = len(header.size) == 2
        if flat and not header.is_placed:
            return as_slice(_values(stream, header), spacing, path)
        steps, origin, notes = placed(header.forms, header.size, path)
        grid = grid_of(layout.shape[::-1], steps * mm, origin * mm, path)
        for note in notes:
            monitor.note(note)
        image = as_volume(_values(stream, header), grid, header.is_placed, path, monitor)
        # ITK writes a picture without a place as one along the axes of the patient.
        return as_slice(sitk.GetArrayFromImage(image), spacing, path) if flat and is_at_the_origin(image) else image


def intent(path: Path) -> int:
    """What the header at `path` says that its values are: 0 nothing special, 1002 labels, ... Raises SpineError."""
    with _header(path) as (_stream, header):
        return header.numbers("h", 68)[0]


@contextmanager
def _header(path: Path) -> Iterator[tuple[BinaryIO, "_Header"]]:
    with opened(path) as file:
        packed = file.read(2) == GZIP_MAGIC
        file.seek(0)
        stream = gzip.GzipFile(fileobj=file) if packed else file
        yield stream, _Header(stream.read(_LENGTH), path)


def _values(stream: BinaryIO, header: "_Header") -> np.ndarray:
    stream.seek(header.start)
    return read_voxels(unpacked(stream, "raw"), header.layout, header.path)


@dataclass(frozen=True)
class _Header:
    """The first bytes of the file. Every property raises SpineError for what cannot be meant."""

    content: bytes
    path: Path

    @cached_property
    def order(self) -> str:
        """ "<" for little endian, ">" for big."""
        order = next((order for order in "<>" if struct.unpack_from(order + "i", self.content)[0] in (348, 540)), None)
        if order is None:
            raise SpineError(f"{self.path}: this is not a NIfTI file, whatever its name says.")
        if struct.unpack_from(order + "i", self.content)[0] == 540:
            raise SpineError(f"{self.path}: this is a NIfTI-2 file, convert it to NIfTI-1 or NRRD.")
        magic = self.content[344:348]
        if magic == b"ni1\0":
            raise SpineError(f"{self.path}: this is the header of a pair (.hdr and .img), save it as one NIfTI file.")
        if magic != b"n+1\0":
            raise SpineError(f"{self.path}: this is not a NIfTI-1 file (an Analyze file?), save it as NIfTI.")
        return order

    def numbers(self, layout: str, offset: int) -> tuple:
        return struct.unpack_from(self.order + layout, self.content, offset)

    @cached_property
    def size(self) -> tuple[int, ...]:
        """The voxels along two or three axes."""
        count, *size = self.numbers("8h", 40)
        if not 0 < count < 8:
            check_size((), self.path)
        size = size[:count] + [1] * (2 - count)
        while len(size) > 3 and size[-1] == 1:
            size.pop()
        check_size(size, self.path)
        return tuple(size)

    @cached_property
    def spacing(self) -> tuple[float, ...]:
        """Of three axes as in pixdim, 0 where a single voxel has none."""
        spacing = self.numbers("3f", 80)
        check_spacing(spacing[: len(self.size)], self.size, self.path)
        return spacing if len(self.size) == 3 else (*spacing[:2], 0.0)

    @property
    def unit(self) -> str:
        """Of its lengths; empty for mm, and where it does not say."""
        return _UNITS.get(self.content[123] & 7, "")

    @property
    def is_placed(self) -> bool:
        return max(self.numbers("2h", 252)) > 0

    @property
    def forms(self) -> Forms:
        qform, sform = self.numbers("2h", 252)
        return Forms(
            self.spacing,
            self.numbers("f", 76)[0],
            np.array(self.numbers("6f", 256)) if qform > 0 else None,
            np.array(self.numbers("12f", 280)).reshape(3, 4) if sform > 0 else None,
        )

    @cached_property
    def start(self) -> int:
        """The byte from which on the voxels stand."""
        start = self.numbers("f", 108)[0]
        if not _LENGTH <= start < 2**31:
            raise SpineError(f"{self.path}: the header is corrupt (voxels from byte {start:g} on), export it again.")
        return int(start)

    @cached_property
    def layout(self) -> Layout:
        code, bits = self.numbers("2h", 70)
        if code in _COMPLEX:
            raise SpineError(f"{self.path}: the image holds complex numbers, export its magnitude.")
        check_components(_COLOURS.get(code, 1), self.path)
        if code not in _TYPES:
            raise SpineError(f"{self.path}: its type of voxels (number {code}) is not supported, save it as int16.")
        dtype = np.dtype(_TYPES[code]).newbyteorder(self.order)
        if bits != 8 * dtype.itemsize:
            raise SpineError(f"{self.path}: the header is corrupt ({dtype.name} in {bits} bits), export it again.")
        return Layout((1, *reversed(self.size))[-3:], dtype, *self._scale())

    def _scale(self) -> tuple[float, float]:
        slope, intercept = self.numbers("2f", 112)
        if slope == 0 or math.isnan(slope):  # both are ways to say that values are stored as they are
            return 1.0, 0.0
        if not (math.isfinite(slope) and math.isfinite(intercept)):
            raise SpineError(f"{self.path}: the scale of its values ({slope:g}, {intercept:g}) is no usable number.")
        return slope, intercept
