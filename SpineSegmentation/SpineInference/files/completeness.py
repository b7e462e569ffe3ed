"""What ITK does not notice in a damaged file.

ITK (5.4) fills the missing part of a truncated NIfTI file with zeros and does not compare the checksum of
compressed NRRD and MetaImage voxels. In a NIfTI file it also replaces NaN and infinite values by 0, a zero or
non-finite voxel spacing by 1 mm and a zero number of voxels by 1. A result computed from that would look right
and be wrong, so the bytes are looked at here.
"""

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import SpineError

NOT_FINITE = "the image holds values that are not numbers (NaN or infinite), export it again."

_CHUNK = 1 << 18
_LONGEST_HEADER = 1 << 20
_AFTER_JPEG = 64
_GZIP_MAGIC = b"\x1f\x8b"


def check_complete(path: Path, image_io: str) -> None:
    """Raise SpineError when the file at `path`, of the format that ITK calls `image_io`, is not whole."""
    try:
        if image_io == "NiftiImageIO":
            _check_nifti(path)
        elif image_io == "NrrdImageIO":
            _check_nrrd(path)
        elif image_io == "MetaImageIO":
            _check_metaimage(path)
        elif image_io == "JPEGImageIO":
            _check_jpeg(path)
    except (EOFError, zlib.error, gzip.BadGzipFile, struct.error) as error:
        raise SpineError(f"{path}: the file is truncated or corrupt, copy or export it again.") from error
    except OSError as error:
        raise SpineError(f"{path}: the file cannot be read ({error.strerror}).") from error


def _check_jpeg(path: Path) -> None:
    # Where the end is missing, libjpeg fills the rest of the picture with grey. A few bytes may follow it.
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - _AFTER_JPEG))
        if b"\xff\xd9" not in file.read():
            raise EOFError


@dataclass(frozen=True)
class _NiftiLayout:
    """Where the voxels of a NIfTI file begin, how many bytes they take, and their type if it is a floating one."""

    start: int
    length: int
    floating: np.dtype | None


def _check_nifti(path: Path) -> None:
    with open(path, "rb") as file:
        compressed = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        stream = gzip.GzipFile(fileobj=file) if compressed else file
        layout = _nifti_layout(stream.read(348), path)
        stream.seek(layout.start)
        length = 0
        while chunk := stream.read(_CHUNK):  # to the end, where the checksum of a compressed file is compared
            length += len(chunk)
            if layout.floating is not None:
                values = np.frombuffer(chunk, layout.floating, len(chunk) // layout.floating.itemsize)
                if not np.isfinite(values).all():
                    raise SpineError(f"{path}: {NOT_FINITE}")
    if length < layout.length:
        raise SpineError(
            f"{path}: the file is truncated ({length} of {layout.length} bytes of voxels), copy or export it again."
        )


def _nifti_layout(header: bytes, path: Path) -> _NiftiLayout:
    """Read the first bytes of a NIfTI-1 file. Refuses impossible headers, and NIfTI-2, which ITK cannot read."""
    order = next((order for order in "<>" if struct.unpack_from(order + "i", header)[0] in (348, 540)), None)
    if order is None:
        raise SpineError(f"{path}: this is not a NIfTI file, whatever its name says.")
    if struct.unpack_from(order + "i", header)[0] == 540:
        raise SpineError(f"{path}: this is a NIfTI-2 file, convert it to NIfTI-1 or NRRD.")
    size = struct.unpack_from(order + "8h", header, 40)
    datatype, bits = struct.unpack_from(order + "2h", header, 70)
    spacing = struct.unpack_from(order + "8f", header, 76)
    start = struct.unpack_from(order + "f", header, 108)[0]
    voxels = size[1 : size[0] + 1]
    if not 0 <= start < 2**31:
        raise SpineError(f"{path}: the header is corrupt (voxels from byte {start:g} on), export the scan again.")
    if not voxels or min(voxels) < 1:
        raise SpineError(f"{path}: the header gives an image of {voxels} voxels, export the scan again.")
    for count, mm in zip(voxels[:3], spacing[1:4], strict=False):
        # The spacing across a single slice may be unknown: nothing is measured along it.
        if not (math.isfinite(mm) and (mm > 0 or (mm == 0 and count == 1))):
            raise SpineError(
                f"{path}: the voxel spacing {spacing[1 : len(voxels[:3]) + 1]} mm is not positive: "
                "correct the header of the scan."
            )
    floating = {16: "f4", 64: "f8"}.get(datatype)
    return _NiftiLayout(
        int(start), math.prod(voxels) * bits // 8, None if floating is None else np.dtype(order + floating)
    )


def _check_nrrd(path: Path) -> None:
    with open(path, "rb") as file:
        header = _text_header(file, b"\n", b"\r\n")
        lines = [line.strip().lower() for line in header.splitlines()]
        attached = not any(line.startswith((b"data file:", b"datafile:")) for line in lines)
        if attached and any(line in (b"encoding: gzip", b"encoding: gz") for line in lines):
            compressed = gzip.GzipFile(fileobj=file)
            while compressed.read(_CHUNK):  # to the end, where the checksum is compared
                pass


def _check_metaimage(path: Path) -> None:
    with open(path, "rb") as file:
        header = _text_header(file, b"ElementDataFile = LOCAL\n", b"ElementDataFile = LOCAL\r\n")
        if header and b"compresseddata=true" in header.lower().replace(b" ", b""):
            inflater = zlib.decompressobj(wbits=47)  # either zlib or gzip, told apart by their first bytes
            while not inflater.eof and (chunk := file.read(_CHUNK)):
                inflater.decompress(chunk)
            if not inflater.eof:
                raise EOFError


def _text_header(file: BinaryIO, *last_lines: bytes) -> bytes:
    """The lines up to and with the first of `last_lines`, after which `file` stands; empty without such a line."""
    header = b""
    while len(header) < _LONGEST_HEADER and (line := file.readline(_LONGEST_HEADER)):
        header += line
        if line in last_lines:
            return header
    return b""
