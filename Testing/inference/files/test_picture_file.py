"""TIFF pictures whose 0 is white are the pictures whose 0 is black."""

import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SpineInference.files import picture_file
from SpineInference.monitor import Monitor

GREY = (np.arange(35).reshape(5, 7) * 7).astype(np.uint8)


def write_tiff(path: Path, values: np.ndarray, photometric: int, order: str = "<", big: bool = False) -> Path:
    """An uncompressed TIFF with one strip, byte by byte."""
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    bits = 8 * values.itemsize
    rows, columns = values.shape
    count, offset = ("Q", "Q") if big else ("H", "I")
    start = 16 if big else 8
    data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    tags = {256: columns, 257: rows, 258: bits, 259: 1, 262: photometric, 273: start, 277: 1, 278: rows}
    tags |= {279: len(data), 339: kind}
    entries = b"".join(
        struct.pack(f"{order}HH{offset}{offset}", tag, 16 if big else 4, 1, v) for tag, v in tags.items()
    )
    mark = b"II" if order == "<" else b"MM"
    where = start + len(data)
    head = struct.pack(f"{order}HHHQ", 43, 8, 0, where) if big else struct.pack(f"{order}HI", 42, where)
    directory = struct.pack(order + count, len(tags)) + entries + struct.pack(order + offset, 0)
    path.write_bytes(mark + head + data + directory)
    return path


def values(path: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(picture_file.read(path, Monitor()))[0]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_white_is_zero(tmp_path, order, big):
    black = write_tiff(tmp_path / "b.tif", GREY, 1, order, big)
    white = write_tiff(tmp_path / "w.tif", 255 - GREY, 0, order, big)
    assert np.array_equal(values(black), GREY) and np.array_equal(values(white), GREY)


@pytest.mark.parametrize(
    ("stored", "true"),
    [
        (65535 - GREY.astype(np.uint16) * 200, GREY.astype(np.uint16) * 200),
        (-1 - GREY.astype(np.int16), GREY.astype(np.int16)),
        (-GREY.astype(np.float32), GREY.astype(np.float32)),
    ],
)
def test_white_is_zero_in_other_types(tmp_path, stored, true):
    assert np.array_equal(values(write_tiff(tmp_path / "w.tif", stored, 0)), true)


def test_one_bit_is_inverted_once(tmp_path):
    """These come from libtiff, which knows what is white."""
    black = np.tile(np.array([[0b10100000], [0b01000000]], np.uint8), (2, 1))
    for photometric, stored in ((1, black), (0, ~black)):
        path = write_tiff(tmp_path / f"{photometric}.tif", stored, photometric)
        content = path.read_bytes()
        for tag, value in ((256, 8), (258, 1)):
            at = content.index(struct.pack("<HHI", tag, 4, 1))
            content = content[: at + 8] + struct.pack("<I", value) + content[at + 12 :]
        path.write_bytes(content)
    assert np.array_equal(values(tmp_path / "0.tif"), values(tmp_path / "1.tif"))
    assert values(tmp_path / "1.tif")[0, 0] == 255 and values(tmp_path / "1.tif")[0, 1] == 0
