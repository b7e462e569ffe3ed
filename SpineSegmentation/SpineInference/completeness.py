"""What ITK does not notice in a damaged file.

ITK (5.4) fills the missing part of a truncated NIfTI file with zeros, does not compare the checksum of
compressed NRRD and MetaImage voxels, and replaces a zero or non-finite voxel spacing of a NIfTI header by 1 mm
and a zero number of voxels by 1. A result computed from that would look right and be wrong, so the bytes are
looked at here.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

from .errors import SpineError

_CHUNK = 1 << 20
_LONGEST_HEADER = 1 << 20
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
    except (EOFError, zlib.error, gzip.BadGzipFile, struct.error) as error:
        raise SpineError(f"{path}: the file is truncated or corrupt, copy or export it again.") from error
    except OSError as error:
        raise SpineError(f"{path}: the file cannot be read ({error.strerror}).") from error


def _check_nifti(path: Path) -> None:
    with open(path, "rb") as file:
        compressed = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        stream = gzip.GzipFile(fileobj=file) if compressed else file
        header = stream.read(540)
        present = len(header) + _bytes_left(stream)
    needed = _nifti_bytes(header, path)
    if present < needed:
        raise SpineError(
            f"{path}: the file is truncated ({present} of {needed} bytes are there), copy or export it again."
        )


def _nifti_bytes(header: bytes, path: Path) -> int:
    """Length in bytes that a NIfTI-1 or NIfTI-2 file with this header must have. Refuses impossible headers."""
    for order in "<>":
        kind = struct.unpack_from(order + "i", header)[0]
        if kind == 348:
            size = struct.unpack_from(order + "8h", header, 40)
            bits = struct.unpack_from(order + "h", header, 72)[0]
            spacing = struct.unpack_from(order + "8f", header, 76)
            start = struct.unpack_from(order + "f", header, 108)[0]
            break
        if kind == 540:
            bits = struct.unpack_from(order + "h", header, 14)[0]
            size = struct.unpack_from(order + "8q", header, 16)
            spacing = struct.unpack_from(order + "8d", header, 104)
            start = struct.unpack_from(order + "q", header, 168)[0]
            break
    else:
        raise SpineError(f"{path}: this is not a NIfTI file, whatever its name says.")
    voxels = size[1 : size[0] + 1]
    if not voxels or min(voxels) < 1 or not math.isfinite(start):
        raise SpineError(f"{path}: the header gives an image of {voxels} voxels, export the scan again.")
    for count, mm in zip(voxels[:3], spacing[1:4], strict=False):
        # The spacing across a single slice may be unknown: nothing is measured along it.
        if not (math.isfinite(mm) and (mm > 0 or (mm == 0 and count == 1))):
            raise SpineError(
                f"{path}: the voxel spacing {spacing[1 : len(voxels[:3]) + 1]} mm is not positive: "
                "correct the header of the scan."
            )
    return int(start) + math.prod(voxels) * bits // 8


def _check_nrrd(path: Path) -> None:
    with open(path, "rb") as file:
        header = _text_header(file, b"\n", b"\r\n")
        lines = [line.strip().lower() for line in header.splitlines()]
        attached = not any(line.startswith((b"data file:", b"datafile:")) for line in lines)
        if attached and any(line in (b"encoding: gzip", b"encoding: gz") for line in lines):
            _bytes_left(gzip.GzipFile(fileobj=file))


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


def _bytes_left(stream: BinaryIO | gzip.GzipFile) -> int:
    """Read `stream` to its end, which compares the checksum of a compressed one, and count the bytes."""
    count = 0
    while chunk := stream.read(_CHUNK):
        count += len(chunk)
    return count
