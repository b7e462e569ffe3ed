"""PNG, JPEG and TIFF: pictures without a place in the body."""

import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
import SimpleITK as sitk

from ..errors import SpineError
from ..formats.axes import check_size
from ..formats.pictures import PICTURE_SUFFIXES, as_slice, grey
from ..formats.voxels import opened, refuse_packed
from ..monitor import Monitor
from .itk_files import open_header, read_pixels

_IMAGE_IO = dict(zip(PICTURE_SUFFIXES, ("PNG", "JPEG", "JPEG", "TIFF", "TIFF"), strict=True))
_AFTER_JPEG = 64
_PHOTOMETRIC, _MOST_TAGS = 262, 10_000
_WHOLE = {1: "B", 3: "H", 4: "I", 16: "Q"}
"""How TIFF numbers its types of whole numbers."""


def read(path: Path, _monitor: Monitor) -> sitk.Image:
    """The picture at `path` as a volume of one slice: grey values that grow from black to white. Raises SpineError."""
    with opened(path) as file:
        refuse_packed(file.read(2), path)
        inverted = _white_is_zero(file)
        _check_jpeg(file)
    try:
        header = open_header(path, f"{_IMAGE_IO[path.suffix.lower()]}ImageIO")
    except RuntimeError as error:
        raise SpineError(
            f"{path}: the header cannot be understood (a corrupt file, or a pixel type that is not supported), "
            "export it again."
        ) from error
    check_size(header.GetSize(), path)
    if header.GetDimension() != 2:
        raise SpineError(f"{path}: the picture has several pages and no geometry, save it as NIfTI or NRRD.")
    picture = read_pixels(header, path)
    # What ITK leaves to libtiff (pictures of less than 8 bits) comes in colours, and the right way round.
    inverted &= picture.GetNumberOfComponentsPerPixel() == 1
    values = sitk.GetArrayFromImage(grey(picture, str(path)))
    if inverted:
        values = -values if values.dtype.kind == "f" else np.invert(values)
    # The resolution in such a file is that of a print or screen, not of the body.
    return as_slice(values, None, path)


def _check_jpeg(file: BinaryIO) -> None:
    """Raise EOFError where the end of a JPEG file is missing: libjpeg fills the rest of the picture with grey."""
    file.seek(0)
    if file.read(2) == b"\xff\xd8":
        file.seek(max(0, file.seek(0, 2) - _AFTER_JPEG))  # a few bytes may follow it
        if b"\xff\xd9" not in file.read():
            raise EOFError


def _white_is_zero(file: BinaryIO) -> bool:
    """Whether a TIFF file says that 0 is white, which ITK passes over. False for other files."""
    file.seek(0)
    start = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None or len(start) < 16:
        return False
    big = struct.unpack_from(order + "H", start, 2)[0] == 43
    counted, entry, length, at = ("Q", "HHQ", 20, 8) if big else ("H", "HHI", 12, 4)
    file.seek(struct.unpack_from(order + ("q" if big else "i"), start, at)[0] % 2**62)
    (count,) = struct.unpack(order + counted, file.read(struct.calcsize(order + counted)))
    for _ in range(min(count, _MOST_TAGS)):
        content = file.read(length)
        tag, kind, _values = struct.unpack_from(order + entry, content)
        if tag == _PHOTOMETRIC:
            return struct.unpack_from(order + _WHOLE.get(kind, "H"), content, struct.calcsize(order + entry))[0] == 0
    return False
