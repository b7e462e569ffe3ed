"""Small scans of every format, and copies of them whose header is changed at random; the same seed, the same change."""

import gzip
import random
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from dicom_elements import Element, encode, mutate_elements, parse
from dicom_files import ENHANCED_MR, frame_groups, placed, write

NIFTI_HEADER = 352
DICOM_PREAMBLE = 132
SEGMENT = {"ID": "a", "Name": "L1", "LabelValue": "1", "Layer": "0", "Color": "1 0 0", "Extent": "0 7 0 6 0 5"}
NUMBERS = [b"\0\0\x80\x7f", b"\0\0\xc0\x7f", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\x80\x3f", b"\0\0\x20\xc1"]
"""Infinite, no number, -1 as an integer, 0, 1 and -10 as 32 bits."""
WORDS = [
    b"",
    b"0",
    b"-1",
    b"1e300",
    b"nan",
    b"inf",
    b"99999999999",
    b"3",
    b"1,5",
    b"cm",
    b"True",
    b"LIST",
    b"%d",
    b"\xff",
]


@dataclass(frozen=True)
class Scan:
    """A scan on disk: the `path` to read, and the `headers` that may be changed."""

    path: Path
    headers: list[Path]
    is_segmentation: bool = False


def write_scan(kind: str, folder: Path) -> Scan:
    """The scan of a `kind`, one of `KINDS`, in `folder`, which holds nothing else."""
    return _dicom(kind, folder) if kind.startswith("dicom") else _file(kind, folder)


def mutate(kind: str, content: bytes, rng: random.Random) -> bytes:
    """`content`, what a header of a `kind` holds, with one change, or with some bytes changed."""
    return KINDS[kind](content, rng)


def _file(kind: str, folder: Path) -> Scan:
    rng = np.random.default_rng(0)
    is_segmentation = kind == "seg.nrrd"
    image = sitk.GetImageFromArray(rng.integers(0, 3 if is_segmentation else 900, (6, 7, 8)).astype(np.int16))
    image.SetSpacing((0.5, 0.75, 4))
    image.SetOrigin((10, -20, 30))
    image.SetDirection((0, 0, -1, 1, 0, 0, 0, -1, 0))
    if is_segmentation:
        for number in range(2):
            for name, value in (SEGMENT | {"ID": f"s{number}", "LabelValue": str(number + 1)}).items():
                image.SetMetaData(f"Segment{number}_{name}", value)
    path = folder / f"scan.{kind.removeprefix('packed.')}"
    sitk.WriteImage(image, str(path), kind in ("nii.gz", "packed.nrrd", "nhdr", "packed.mhd"))
    return Scan(path, [path], is_segmentation)


def _dicom(kind: str, folder: Path) -> Scan:
    pixels = np.random.default_rng(0).integers(0, 900, (4, 7, 8)).astype(np.int16)
    if kind == "dicom frames":
        path = write(folder / "frames", pixels, {}, ENHANCED_MR, frame_groups([0, 3, 6, 9]))
        return Scan(path, [path])
    if kind == "dicom radiograph":
        path = write(folder / "radiograph", pixels[0], {(0x18, 0x1164): ("DS", "0.3\\0.3")}, "1")
        return Scan(path, [path])
    paths = []
    for index, image in enumerate(pixels):
        tags = placed((-3 * index, 2, 3), thickness=3, echo=80, number=2, slope=2, intercept=100)
        tags |= {(0x08, 0x08): ("CS", "ORIGINAL\\PRIMARY"), (0x18, 0x88): ("DS", "3"), (0x20, 0x13): ("IS", str(index))}
        path = write(folder / f"IM{index}", image, tags)
        path.write_bytes(encode(parse(path.read_bytes()), kind == "dicom implicit"))
        paths.append(path)
    return Scan(folder, paths)


def _some_bytes(content: bytes, start: int, end: int, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5))):
        changed[rng.randrange(start, end)] = rng.randrange(256)
    return bytes(changed)


def _nifti(content: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.4:
        return _some_bytes(content, 0, NIFTI_HEADER, rng)
    start = rng.randrange(0, NIFTI_HEADER - 4, 2)
    return content[:start] + rng.choice([*NUMBERS, rng.randbytes(4)]) + content[start + 4 :]


def _packed_nifti(content: bytes, rng: random.Random) -> bytes:
    return gzip.compress(_nifti(gzip.decompress(content), rng), 1, mtime=0)


def _text(end: bytes) -> Callable[[bytes, random.Random], bytes]:
    """Changes of a header of lines that ends with `end`, or with the file if that is empty."""

    def change(content: bytes, rng: random.Random) -> bytes:
        length = content.index(end) + len(end) if end else len(content)
        head, rest = content[:length], content[length:]
        how = rng.random()
        if how < 0.3:
            return _some_bytes(content, 0, length, rng)
        if how < 0.5:
            lines = head.split(b"\n")
            if how < 0.4:
                del lines[rng.randrange(len(lines))]
            else:
                lines.insert(rng.randrange(len(lines)), rng.choice(lines))
            return b"\n".join(lines) + rest
        word = rng.choice(list(re.finditer(rb"[-\d.]+|\w+", head)))
        return head[: word.start()] + rng.choice([*WORDS, word[0] * 2]) + head[word.end() :] + rest

    return change


def _dicom_bytes_or_elements(implicit: bool) -> Callable[[bytes, random.Random], bytes]:
    def change(content: bytes, rng: random.Random) -> bytes:
        if rng.random() < 0.4:
            pixels = content.rindex(struct.pack("<HH", 0x7FE0, 0x10))
            return _some_bytes(content, DICOM_PREAMBLE, pixels + (8 if implicit else 12), rng)
        elements: list[Element] = parse(content, implicit)
        return encode(mutate_elements(elements, rng), implicit)

    return change


KINDS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "nii": _nifti,
    "nii.gz": _packed_nifti,
    "nrrd": _text(b"\n\n"),
    "packed.nrrd": _text(b"\n\n"),
    "seg.nrrd": _text(b"\n\n"),
    "nhdr": _text(b""),
    "mha": _text(b"LOCAL\n"),
    "mhd": _text(b""),
    "packed.mhd": _text(b""),
    "dicom explicit": _dicom_bytes_or_elements(implicit=False),
    "dicom implicit": _dicom_bytes_or_elements(implicit=True),
    "dicom frames": _dicom_bytes_or_elements(implicit=False),
    "dicom radiograph": _dicom_bytes_or_elements(implicit=False),
}
"""How the header of each kind of scan is changed."""
