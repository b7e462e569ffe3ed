"""MetaImage, with the voxels in the file (.mha) or in others (.mhd); https://itk.org/Wiki/MetaIO/Documentation."""

import re
from pathlib import Path
from typing import BinaryIO

import numpy as np
import SimpleITK as sitk

from ..errors import SpineError
from ..monitor import Monitor
from .axes import (
    check_components,
    check_size,
    check_spacing,
    converted,
    grid_of,
    mm_per,
    no_origin,
    no_spacing,
)
from .pictures import as_slice, as_volume
from .text_header import Fields, Voxels, data_files, header_lines, not_understood
from .voxels import Layout, Packing, opened, refuse_packed

_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_SAME = {
    "Rotation": "TransformMatrix",
    "Orientation": "TransformMatrix",
    "Position": "Offset",
    "Origin": "Offset",
    "BinaryDataByteOrderMSB": "ElementByteOrderMSB",
}
"""Fields with several names."""


_OPPOSITE = str.maketrans("LRPASI", "RLAPIS")
_OPPOSITE_TO_LPS = str.maketrans("RAI", "LPS")


def read(path: Path, monitor: Monitor) -> sitk.Image:
    """The image at `path`, 3D. Raises SpineError."""
    with opened(path) as file:
        fields, following = _fields(file, path)
        count, size = _size(fields)
        voxels = Voxels(_layout(fields, (1, *reversed(size))[-3:]), *_source(fields, following))
        unit = fields.get("DistanceUnits", "")
        mm = mm_per(unit, path)
        if mm != 1:
            monitor.note(converted(unit, path))
        spacing = fields.numbers("ElementSpacing", count) or fields.numbers("ElementSize", count)
        if len(size) == 2:
            known = spacing and (spacing[0] * mm, spacing[1] * mm)
            return as_slice(voxels.read(file, path), known, path)
        if spacing is None:
            raise no_spacing(path)
        check_spacing(spacing[:3], size, path)
        # Each row is the direction of an axis.
        directions = np.reshape(_matrix(fields, count), (count, count))[:3, :3]
        lengths = np.linalg.norm(directions, axis=1)
        if not np.allclose(lengths, 1, rtol=0, atol=1e-3):
            raise SpineError(f"{path}: its TransformMatrix is no rotation, correct the header of the scan.")
        steps = directions.T / lengths * spacing[:3]
        origin = np.array(_offset(fields, count, monitor))[:3]
        grid = grid_of(size, steps * mm, origin * mm, path)
        _check_letters(fields, grid.direction, monitor)
        return as_volume(voxels.read(file, path), grid, "TransformMatrix" in fields, path, monitor)


def _fields(file: BinaryIO, path: Path) -> tuple[Fields, list[str]]:
    """The fields of the header, and the lines after a list of data files."""
    lines = header_lines(file, path)
    fields = Fields(path)
    for line in lines:
        refuse_packed(line.encode("utf-8", "surrogateescape"), path)
        mark = re.search("[=:]", line)
        if mark is None:
            if line.strip():
                break
            continue
        name, value = line[: mark.start()].strip(), line[mark.end() :].strip()
        fields.add(_SAME.get(name, name), value)
        if name == "ElementDataFile":
            if fields.get("ObjectType", "Image") != "Image" or "DimSize" not in fields:
                break
            return fields, list(lines) if value.startswith("LIST") else []
    if "NDims" in fields:
        raise not_understood(path)
    raise SpineError(f"{path}: this is not a MetaImage file, whatever its name says.")


def _size(fields: Fields) -> tuple[int, tuple[int, ...]]:
    """How many axes the header counts, and the voxels along two or three."""
    count = fields.whole("NDims", 0)
    if not 0 < count <= 10:
        raise not_understood(fields.path)
    numbers = fields.numbers("DimSize", count)
    if any(not number.is_integer() for number in numbers):
        raise not_understood(fields.path)
    size = [int(number) for number in numbers]
    while len(size) > 3 and size[-1] == 1:
        size.pop()
    check_size(size, fields.path)
    return count, tuple(size)


def _matrix(fields: Fields, count: int) -> list[float]:
    return fields.numbers("TransformMatrix", count * count) or np.eye(count).ravel().tolist()


def _offset(fields: Fields, count: int, monitor: Monitor) -> list[float]:
    offset = fields.numbers("Offset", count)
    if offset is None:
        monitor.note(no_origin(fields.path))
        return [0.0] * count
    return offset


def _check_letters(fields: Fields, direction: tuple[float, ...], monitor: Monitor) -> None:
    """Note letters such as RAI that are not those of the direction, neither where axes begin nor where they lead to."""
    letters = fields.get("AnatomicalOrientation", "").upper()
    if "TransformMatrix" not in fields or sorted(letters.translate(_OPPOSITE_TO_LPS)) != sorted("LPS"):
        return
    to = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(direction)
    if letters not in (to, to.translate(_OPPOSITE)):
        monitor.note(
            f"{fields.path.name}: the header gives two orientations, {letters} (AnatomicalOrientation) and the "
            f"TransformMatrix, which leads to {to}: the matrix is used."
        )


def _is(fields: Fields, name: str, default: bool) -> bool:
    text = fields.get(name, str(default)).lower()
    if text not in ("true", "false", "1", "0", "t", "f"):
        raise not_understood(fields.path)
    return text[0] in "t1"


def _layout(fields: Fields, shape: tuple[int, ...]) -> Layout:
    name = fields.get("ElementType", "").removesuffix("_ARRAY")
    check_components(fields.whole("ElementNumberOfChannels", 1), fields.path)
    if name not in _TYPES:
        raise not_understood(fields.path)
    dtype = np.dtype(_TYPES[name]).newbyteorder(">" if _is(fields, "ElementByteOrderMSB", False) else "<")
    slope = fields.numbers("ElementToIntensityFunctionSlope", 1) or [1.0]
    intercept = fields.numbers("ElementToIntensityFunctionOffset", 1) or [0.0]
    if slope[0] == 0 or not np.isfinite([*slope, *intercept]).all():
        raise not_understood(fields.path)
    return Layout(shape, dtype, slope[0], intercept[0])


def _source(fields: Fields, following: list[str]) -> tuple[Packing, list[Path], int, int]:
    packing: Packing = "zlib" if _is(fields, "CompressedData", False) else "raw"
    if not _is(fields, "BinaryData", True):
        packing = "text"
    skip, value = fields.whole("HeaderSize", 0), fields["ElementDataFile"]
    if skip < -1:
        raise not_understood(fields.path)
    files = [] if value.lower() == "local" else data_files(value, following, fields.path)
    return packing, files, 0, skip
