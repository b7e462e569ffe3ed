"""One DICOM file: is it one, and is it an image. pydicom reads it, up to the pixels."""

import math
import os
import warnings
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ..errors import SpineError
from .dicom_image import KEYWORDS, DicomImage, element_text, uid_name

_PIXEL_DATA = 0x7FE00010
_MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
_MAGIC = b"DICM"
_UNDEFINED = 0xFFFFFFFF
_ITEM, _LAST_ITEM = bytes.fromhex("feff00e0"), bytes.fromhex("feffdde0")
_STORAGE = "1.2.840.10008.5.1.4.1.1."
_NO_SCANS = {_STORAGE + number for number in ("30", "66.4", "66.5", "66.7", "66.8", "481.2")}
"""What has pixels that are no grey values of a patient: parametric maps, segmentations, height maps, doses."""

_NO_MODALITIES = {"SEG", "RTDOSE"}


def is_dicom(path: Path) -> bool:
    """Whether the file at `path` looks like DICOM, with or without preamble; a DICOMDIR does not count.

    Raises SpineError for a file that cannot be opened.
    """
    return _looks_like_dicom(path) and _storage_in_meta_header(path) != _MEDIA_DIRECTORY


def inspect(path: Path) -> DicomImage | None:
    """The image in the file at `path`, or None for what is no scan: a report, a segmentation, no DICOM at all.

    Raises SpineError for a damaged image.
    """
    if not _looks_like_dicom(path):
        return None
    from pydicom.filereader import read_partial
    from pydicom.tag import Tag

    image, pixels, storage, cut = None, None, [], False
    seen: Counter[int] = Counter()

    def at_pixels(tag: int, kind: str | None, length: int) -> bool:
        nonlocal pixels
        seen[tag] += 1
        pixels = (length, _present_bytes(file, length)) if tag == _PIXEL_DATA else None
        return pixels is not None

    # pydicom raises whatever broken bytes lead to: here they all mean the same.
    with suppress(Exception), open(path, "rb") as file, warnings.catch_warnings(action="ignore"):
        header = read_partial(file, at_pixels, force=True, specific_tags=[Tag(keyword) for keyword in KEYWORDS])
        storage = [element_text(header, "SOPClassUID"), element_text(header.file_meta, "MediaStorageSOPClassUID")]
        cut = len(header) == 0 and _MEDIA_DIRECTORY not in storage
        if pixels is not None and min(int(element_text(header, side)) for side in ("Rows", "Columns")) > 0:
            image = DicomImage(path, header, storage[0] or storage[1])
    if any(uid in _NO_SCANS for uid in storage) or (image is not None and image.text("Modality") in _NO_MODALITIES):
        return None
    # Of an element that stands there twice pydicom takes the last one, and GDCM, which reads the pixels, the first.
    is_clear = max(seen.values(), default=0) == 1 and not _repeats_in_meta_header(path)
    if image is not None and is_clear and image.has_sound_bits and _is_whole(image, *pixels):
        return image
    # Reports, presentation states and the like are no loss, but a slice that is passed over would go unnoticed.
    names = [uid_name(uid) for uid in storage or [_storage_in_meta_header(path)] if uid]
    sure = all(names) and not cut if names else _head(path)[128:] != _MAGIC
    if image is not None or not sure or any("Image Storage" in name for name in names):
        raise SpineError(f"{path}: the file is truncated or corrupt, copy or export it again.")
    return None


def no_scan_kind(path: Path) -> str:
    """What a DICOM file that `inspect` gives no image of is called in the standard; empty where it is none."""
    return uid_name(_storage_in_meta_header(path)) if is_dicom(path) else ""


def _is_whole(image: DicomImage, length: int, present: float) -> bool:
    """Whether there are as many pixels as the header of `image` says.

    GDCM may fill up what is missing, and SimpleITK below 2.5.4 does; it passes over what is too much, and where rows
    are said to be shorter than they are, all of them are sheared.
    """
    if image.is_deflated:  # unpacked in memory, so that the file does not tell
        present = length
    if (least := image.least_bytes) and length - least >= image.surplus_bytes:
        return False
    return min(length, present) >= (least or length)


def _present_bytes(file: BinaryIO, length: int) -> float:
    """How many of `length` bytes follow in `file`, which stays where it is.

    A sequence of unknown length, as compressed pixels are, counts as infinite if its end is there, else as nothing.
    """
    start = file.tell()
    end = file.seek(0, os.SEEK_END)
    try:
        if length != _UNDEFINED:
            return min(length, end - start)
        position = start
        while position + 8 <= end:
            file.seek(position)
            tag, item = file.read(4), int.from_bytes(file.read(4), "little")
            if tag == _LAST_ITEM:
                return math.inf
            if tag != _ITEM:
                break
            position += 8 + item
        return 0
    finally:
        file.seek(start)


def _storage_in_meta_header(path: Path) -> str:
    """The UID of the storage class in the meta header of a DICOM file; empty when it cannot be read."""
    from pydicom.filereader import read_file_meta_info

    with suppress(Exception), warnings.catch_warnings(action="ignore"):
        return element_text(read_file_meta_info(path), "MediaStorageSOPClassUID")
    return ""


def _repeats_in_meta_header(path: Path) -> bool:
    """Whether an element of the meta header, such as the transfer syntax, stands there twice."""
    from pydicom.filereader import data_element_generator

    with suppress(Exception), open(path, "rb") as file, warnings.catch_warnings(action="ignore"):
        head = _head(path)
        file.seek(len(head) if head[128:] == _MAGIC else 0)
        elements = data_element_generator(file, False, True, stop_when=lambda tag, kind, length: tag >> 16 != 2)
        tags = [element.tag for element in elements]
        return len(set(tags)) < len(tags)
    return False


def _looks_like_dicom(path: Path) -> bool:
    head = _head(path)
    if head[128:] == _MAGIC:
        return True
    # Without preamble: a first element of group 2 or 8, with two letters for its kind or with a short length.
    group, element, kind, length = (head[start : start + 2] for start in (0, 2, 4, 6))
    short = length == b"\0\0" or (kind.isalpha() and kind.isupper())
    return group in (b"\2\0", b"\x08\0") and b"\0\0" <= element <= b"\x20\0" and element[1:] == b"\0" and short


def _head(path: Path) -> bytes:
    """The first 132 bytes: preamble and magic word."""
    try:
        with open(path, "rb") as file:
            return file.read(128 + len(_MAGIC))
    except OSError as error:
        raise SpineError(f"{path}: the file cannot be opened ({error.strerror}).") from error
