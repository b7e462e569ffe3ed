"""DICOM files written byte by byte, so that every element is known, and what must become of them."""

import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SpineInference.errors import SpineError
from SpineInference.files.reading import read_volume

STORAGE = "1.2.840.10008.5.1.4.1.1."
MR, CT, CR, ENHANCED_MR, REPORT, FILM = "4", "2", "1", "4.1", "88.11", "12.1"
SAGITTAL = "0\\1\\0\\0\\0\\-1"
Tags = dict[tuple[int, int], tuple[str, str | int]]


def element(tag: tuple[int, int], kind: str, value: str | int | bytes) -> bytes:
    """One data element, explicit little endian."""
    if isinstance(value, int):
        value = struct.pack("<H", value)
    elif isinstance(value, str):
        value = value.encode("latin-1")
    if len(value) % 2:
        value += b"\0" if kind in ("UI", "OW") else b" "
    length = struct.pack("<HI", 0, len(value)) if kind in ("OW", "SQ") else struct.pack("<H", len(value))
    return struct.pack("<HH", *tag) + kind.encode() + length + value


def sequence(tag: tuple[int, int], *items: bytes) -> bytes:
    return element(tag, "SQ", b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item for item in items))


def write(
    path: Path, pixels: np.ndarray, tags: Tags, storage: str = MR, groups: bytes = b"", preamble: bool = True
) -> Path:
    """Write `pixels` [rows, columns], [frames, rows, columns] or [rows, columns, 3] with `tags` to `path`."""
    colour = pixels.ndim == 3 and pixels.shape[-1] == 3
    rows, columns = pixels.shape[:2] if colour else pixels.shape[-2:]
    bits = pixels.dtype.itemsize * 8
    # A copy of a file has the same UID, another image has another.
    unique = int(hashlib.sha256(pixels.tobytes() + str(sorted(tags.items())).encode()).hexdigest()[:12], 16)
    all_tags = {
        (0x08, 0x16): ("UI", STORAGE + storage),
        (0x08, 0x18): ("UI", f"1.2.3.{unique}"),
        (0x08, 0x60): ("CS", "MR"),
        (0x10, 0x10): ("PN", "Mustermann^Erika"),
        (0x28, 0x02): ("US", 3 if colour else 1),
        (0x28, 0x04): ("CS", "RGB" if colour else "MONOCHROME2"),
        **({(0x28, 0x06): ("US", 0)} if colour else {}),
        **({(0x28, 0x08): ("IS", str(len(pixels)))} if pixels.ndim == 3 and not colour else {}),
        (0x28, 0x10): ("US", rows),
        (0x28, 0x11): ("US", columns),
        (0x28, 0x100): ("US", bits),
        (0x28, 0x101): ("US", bits),
        (0x28, 0x102): ("US", bits - 1),
        (0x28, 0x103): ("US", int(pixels.dtype.kind == "i")),
        **tags,
    }
    body = b"".join(element(tag, *all_tags[tag]) for tag in sorted(all_tags)) + groups
    if storage != REPORT:
        body += element((0x7FE0, 0x10), "OW", pixels.tobytes())
    meta = element((2, 2), "UI", STORAGE + storage) + element((2, 0x10), "UI", "1.2.840.10008.1.2.1")
    start = b"\0" * 128 + b"DICM" + element((2, 0), "UL", struct.pack("<I", len(meta))) + meta
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((start if preamble else b"") + body)
    return path


def placed(position: tuple[float, float, float], orientation: str = SAGITTAL, uid: str = "1.2.3", **more) -> Tags:
    tags = {
        (0x20, 0x0E): ("UI", uid),
        (0x20, 0x32): ("DS", "\\".join(f"{mm:g}" for mm in position)),
        (0x20, 0x37): ("DS", orientation),
        (0x28, 0x30): ("DS", "0.5\\0.7"),  # rows, columns
    }
    names = {
        "description": ((0x08, 0x103E), "LO"),
        "number": ((0x20, 0x11), "IS"),
        "thickness": ((0x18, 0x50), "DS"),
        "echo": ((0x18, 0x81), "DS"),
        "slope": ((0x28, 0x1053), "DS"),
        "intercept": ((0x28, 0x1052), "DS"),
    }
    return tags | {names[name][0]: (names[name][1], str(value)) for name, value in more.items()}


def slices(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1000, (count, 5, 6)).astype(np.int16)


def write_series(folder: Path, pixels: np.ndarray, heights: list[float], **more) -> list[Path]:
    """A sagittal series whose slices lie at x = -height, so that they grow along the normal (to the right)."""
    return [
        write(folder / f"IM{index:04d}", image, placed((-height, 2, 3), **more))
        for index, (image, height) in enumerate(zip(pixels, heights, strict=True))
    ]


def refuse(path: Path, *words: str) -> str:
    with pytest.raises(SpineError) as caught:
        read_volume(path)
    for word in words:
        assert word in str(caught.value)
    return str(caught.value)


def values(image: sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(image)


def frame_groups(heights: list[float], slopes: list[float] | None = None) -> bytes:
    """The functional groups of an enhanced file with axial frames at z = height."""
    shared = sequence((0x20, 0x9116), element((0x20, 0x37), "DS", "1\\0\\0\\0\\1\\0"))
    measures = element((0x18, 0x50), "DS", "3") + element((0x28, 0x30), "DS", "0.5\\0.7")
    shared += sequence((0x28, 0x9110), measures)
    frames = []
    for index, height in enumerate(heights):
        frame = sequence((0x20, 0x9113), element((0x20, 0x32), "DS", f"1\\2\\{height:g}"))
        if slopes:
            scale = element((0x28, 0x1052), "DS", "0") + element((0x28, 0x1053), "DS", f"{slopes[index]:g}")
            frame += sequence((0x28, 0x9145), scale)
        frames.append(frame)
    return sequence((0x5200, 0x9229), shared) + sequence((0x5200, 0x9230), *frames)
