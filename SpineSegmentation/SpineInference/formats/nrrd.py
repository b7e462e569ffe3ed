"""NRRD, with the voxels in the file or in others (https://teem.sourceforge.net/nrrd/format.html)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import SimpleITK as sitk

from ..errors import SpineError
from ..monitor import Monitor
from ..volume.slice_placement import UNKNOWN_KEY, mark_unknown
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
    name: dtype
    for dtype, names in {
        "i1": "signed char, int8, int8_t",
        "u1": "uchar, unsigned char, uint8, uint8_t",
        "i2": "short, short int, signed short, signed short int, int16, int16_t",
        "u2": "ushort, unsigned short, unsigned short int, uint16, uint16_t",
        "i4": "int, signed int, int32, int32_t",
        "u4": "uint, unsigned int, uint32, uint32_t",
        "i8": "longlong, long long, long long int, signed long long, signed long long int, int64, int64_t",
        "u8": "ulonglong, unsigned long long, unsigned long long int, uint64, uint64_t",
        "f4": "float",
        "f8": "double",
    }.items()
    for name in names.split(", ")
}
_PACKINGS: dict[str, Packing] = {"raw": "raw"}
_PACKINGS |= {"gz": "gzip", "gzip": "gzip", "bz2": "bzip2", "bzip2": "bzip2"}
_PACKINGS |= {"txt": "text", "text": "text", "ascii": "text"}
_ORDERS = {"little": "<", "big": ">"}
_SPACES = {
    "left-posterior-superior": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1),
}
_SPACES |= {"".join(word[0] for word in name.split("-")): signs for name, signs in _SPACES.items()}
"""What makes LPS of the spaces of a patient. Those of scanners and of mathematics have no sides of a body."""
_KINDS_OF_PLACE = ("domain", "space", "time", "none", "???")


def read(path: Path, monitor: Monitor) -> sitk.Image:
    """The image at `path`, 3D, with the components of each voxel if there are several. Raises SpineError."""
    with opened(path) as file:
        fields, following = _fields(file, path)
        axes = _axes(fields)
        size = axes.size
        check_size(size, path)
        voxels = Voxels(_layout(fields, tuple(reversed(axes.sizes))), *_source(fields, following))
        if axes.vectors and len(axes.vectors[0]) == 3:
            steps, origin = _placed(fields, axes.vectors, monitor)
        else:
            spacing = _spacing(fields, axes, monitor)
            if len(size) == 2:
                check_components(axes.components, path)
                return as_slice(voxels.read(file, path).reshape(size[::-1]), spacing, path)
            if spacing is None:
                raise no_spacing(path)
            steps, origin = np.diag(spacing), np.zeros(3)
        grid = grid_of((*size, 1)[:3], steps, origin, path)
        has_directions = axes.vectors is not None and _signs(fields) is not None
        image = as_volume(axes.components_last(voxels.read(file, path)), grid, has_directions, path, monitor)
        if UNKNOWN_KEY in fields.key_values:  # by a program that has a picture for a volume of one slice, as Slicer has
            mark_unknown(image, fields.key_values[UNKNOWN_KEY])
        return image


def key_values(path: Path) -> dict[str, str]:
    """What programs have written into the header at `path` for themselves (KEY:=VALUE). Raises SpineError."""
    with opened(path) as file:
        return _fields(file, path)[0].key_values


def _fields(file: BinaryIO, path: Path) -> tuple[Fields, list[str]]:
    """The fields of the header by their names in lower case without blanks, and what follows a list of files."""
    lines = header_lines(file, path)
    first = next(lines, "")
    refuse_packed(first.encode("utf-8", "surrogateescape"), path)
    if not re.fullmatch(r"NRRD000\d", first):
        raise SpineError(f"{path}: this is not an NRRD file, whatever its name says.")
    fields = Fields(path)
    for line in lines:
        if not line:
            break
        if line.startswith("#"):
            continue
        if ":=" in line:
            key, _, value = line.partition(":=")
            fields.key_values[key] = value
            continue
        name, mark, value = line.partition(": ")
        if not mark:
            raise not_understood(path)
        name = name.strip().lower().replace(" ", "")
        fields.add(name, value.strip())
        if name == "datafile" and value.strip().startswith("LIST"):
            return fields, list(lines)
    return fields, []


def _sizes(fields: Fields) -> list[int]:
    count = fields.whole("dimension", 0)
    if not 0 < count <= 16:
        raise not_understood(fields.path)
    sizes = fields.numbers("sizes", count)
    if sizes is None or any(not (size.is_integer() and size > 0) for size in sizes):
        raise not_understood(fields.path)
    return [int(size) for size in sizes]


@dataclass(frozen=True)
class _Axes:
    """The `sizes` of all axes in the file, fastest first; those of `place` follow each other in the body, along
    `vectors` if the header has some. `component` is the axis of the values in a voxel if there are several."""

    sizes: list[int]
    place: list[int]
    component: int | None
    vectors: list[list[float]] | None

    @property
    def size(self) -> tuple[int, ...]:
        return tuple(self.sizes[axis] for axis in self.place)

    @property
    def components(self) -> int:
        return 1 if self.component is None else self.sizes[self.component]

    def components_last(self, values: np.ndarray) -> np.ndarray:
        """`values`, an array of all axes, slowest first, as [z, y, x] or [z, y, x, component]."""
        shape = (1, *reversed(self.size))[-3:]
        if self.component is None:
            return values.reshape(shape)
        return np.moveaxis(values, len(self.sizes) - 1 - self.component, -1).reshape(*shape, self.components)


def _axes(fields: Fields) -> _Axes:
    sizes = _sizes(fields)
    kinds = fields.get("kinds", "").lower().split() or ["domain"] * len(sizes)
    vectors = _vectors(fields["spacedirections"], fields.path) if "spacedirections" in fields else None
    if len(kinds) != len(sizes) or (vectors is not None and len(vectors) != len(sizes)):
        raise not_understood(fields.path)
    if vectors is None:
        placed = [kind in _KINDS_OF_PLACE for kind in kinds]
    else:
        placed = [vector is not None for vector in vectors]
    place = [axis for axis, is_placed in enumerate(placed) if is_placed]
    components = [axis for axis, is_placed in enumerate(placed) if not is_placed and sizes[axis] != 1]
    while len(place) > 3 and sizes[place[-1]] == 1:
        place.pop()
    chosen = None if vectors is None else [vectors[axis] for axis in place]
    lengths = {len(vector) for vector in chosen or ()}
    if len(components) > 1 or not lengths <= {len(place), 3} or len(lengths) > 1:
        raise not_understood(fields.path)
    return _Axes(sizes, place, components[0] if components else None, chosen)


def _vectors(text: str, path: Path) -> list[list[float] | None]:
    """What is written as "none (1,0,0) (0,1,0)"."""
    parts = re.findall(r"none|\([^()]*\)", text)
    if re.sub(r"none|\([^()]*\)|\s", "", text):
        raise not_understood(path)
    try:
        return [None if part == "none" else [float(number) for number in part[1:-1].split(",")] for part in parts]
    except ValueError:
        raise not_understood(path) from None


def _placed(fields: Fields, vectors: list[list[float]], monitor: Monitor) -> tuple[np.ndarray, np.ndarray]:
    """Steps from voxel to voxel (columns) and origin, in LPS mm."""
    path = fields.path
    steps = np.column_stack([*vectors, *[[0.0] * 3] * (3 - len(vectors))])
    origin = np.zeros(3)
    if "spaceorigin" in fields:
        origins = _vectors(fields["spaceorigin"], path)
        if len(origins) != 1 or origins[0] is None or len(origins[0]) != 3:
            raise not_understood(path)
        origin = np.array(origins[0])
    else:
        monitor.note(no_origin(path))
    mm = np.multiply(_units(fields, "spaceunits", range(3), monitor), _signs(fields) or (1, 1, 1))
    return steps * mm[:, None], origin * mm


def _signs(fields: Fields) -> tuple[int, int, int] | None:
    """What makes LPS of a vector; None where the space has no sides of a body."""
    return _SPACES.get(fields.get("space", "").lower())


def _spacing(fields: Fields, axes: _Axes, monitor: Monitor) -> tuple[float, ...] | None:
    """Along each axis of the image in mm; None where the header does not say."""
    if axes.vectors is not None:
        mm = _units(fields, "spaceunits", range(len(axes.vectors[0])), monitor)
        return tuple(np.linalg.norm(np.multiply(axes.vectors, mm), axis=1).tolist())
    sizes = axes.sizes
    spacings = fields.numbers("spacings", len(sizes))
    if spacings is None:
        return None
    mm = _units(fields, "units", axes.place, monitor)
    spacings = [1.0 if sizes[axis] == 1 and not spacings[axis] > 0 else spacings[axis] for axis in axes.place]
    if np.isnan(spacings).any():
        return None
    check_spacing(spacings, axes.size, fields.path)
    return tuple(np.multiply(spacings, mm).tolist())


def _units(fields: Fields, name: str, axes: Sequence[int], monitor: Monitor) -> list[float]:
    """How many mm the unit of each of the `axes` is."""
    units = re.findall(r'"([^"]*)"', fields.get(name, ""))
    if not units:
        return [1.0] * len(axes)
    if len(units) <= max(axes):
        raise not_understood(fields.path)
    units = [units[axis] for axis in axes]
    mm = [mm_per(unit, fields.path) for unit in units]
    for unit in dict.fromkeys(unit for unit, length in zip(units, mm, strict=True) if length != 1):
        monitor.note(converted(unit, fields.path))
    return mm


def _layout(fields: Fields, shape: tuple[int, ...]) -> Layout:
    dtype = _TYPES.get(fields.get("type", "").lower())
    order = _ORDERS.get(fields.get("endian", "").lower())
    text = _PACKINGS.get(fields.get("encoding", "").lower()) == "text"
    if dtype is None or (order is None and dtype[1] != "1" and not text):
        raise not_understood(fields.path)
    return Layout(shape, np.dtype(f"{order or '='}{dtype}"))


def _source(fields: Fields, following: list[str]) -> tuple[Packing, list[Path], int, int]:
    packing = _PACKINGS.get(fields.get("encoding", "").lower())
    lines, skip = fields.whole("lineskip", 0), fields.whole("byteskip", 0)
    if packing is None or lines < 0 or skip < -1:
        raise not_understood(fields.path)
    files = data_files(fields["datafile"], following, fields.path) if "datafile" in fields else []
    return packing, files, lines, skip
