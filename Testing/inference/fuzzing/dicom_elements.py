"""DICOM files as a list of elements that may be changed at will, wrong ones included."""

import random
import re
import struct
from dataclasses import dataclass, replace

from pydicom.datadict import dictionary_VR

LONG_KINDS = (b"OB", b"OW", b"SQ", b"UN", b"UT")
TEXTS = [
    b"",
    b" ",
    b"\\",
    b"0",
    b"-1",
    b"1e300",
    b"nan",
    b"1,5",
    b"0.5\\0.5",
    b"1\\0\\0\\0\\1\\0",
    b"0\\0\\0",
    b"3",
    b"\xff",
]
SHORTS = [0, 1, 2, 3, 8, 12, 15, 16, 32, 255, 4095, 32768, 65535]
SYNTAX = b"1.2.840.10008.1.2"
SYNTAXES = [
    SYNTAX + end for end in (b"", b".1", b".2", b".1.99", b".5", b".4.50", b".4.57", b".4.70", b".4.80", b".4.90")
]
ADDED = [
    ((0x08, 0x60), b"CS", b"SEG"),
    ((0x18, 0x50), b"DS", b"7"),
    ((0x28, 0x04), b"CS", b"MONOCHROME1"),
    ((0x28, 0x04), b"CS", b"PALETTE COLOR"),
    ((0x28, 0x06), b"US", b"\x01\0"),
    ((0x28, 0x08), b"IS", b"2"),
    ((0x28, 0x34), b"IS", b"2\\1"),
    ((0x28, 0x120), b"US", b"\x05\0"),
    ((0x28, 0x1050), b"DS", b"400"),
    ((0x28, 0x1051), b"DS", b"800"),
    ((0x28, 0x1052), b"DS", b"-1024"),
    ((0x28, 0x1053), b"DS", b"0.5"),
    ((0x60, 0x10), b"US", b"\x07\0"),
]
"""What other scans have, and where it would go."""


@dataclass(frozen=True)
class Element:
    """`length` is what the file says, None for the truth."""

    tag: tuple[int, int]
    kind: bytes
    value: bytes
    length: int | None = None


def parse(content: bytes, implicit: bool = False) -> list[Element]:
    """The elements of a sound file with preamble, without group 2's length; sequences stay as they are."""
    elements, at = [], 132
    while at < len(content):
        tag = struct.unpack_from("<HH", content, at)
        if implicit and tag[0] != 2:
            kind, (length,), at = dictionary_VR(tag)[:2].encode(), struct.unpack_from("<I", content, at + 4), at + 8
        elif (kind := content[at + 4 : at + 6]) in LONG_KINDS:
            (length,), at = struct.unpack_from("<I", content, at + 8), at + 12
        else:
            (length,), at = struct.unpack_from("<H", content, at + 6), at + 8
        if tag != (2, 0):
            elements.append(Element(tag, kind, content[at : at + length]))
        at += length
    return elements


def encode(elements: list[Element], implicit: bool = False) -> bytes:
    """The file of `elements`, in their order. Where `implicit`, the syntax of a sound file is changed with it."""
    meta, body = b"", b""
    for element in elements:
        if implicit and element.tag == (2, 0x10) and element.value.startswith(SYNTAX + b".1\0"):
            element = replace(element, value=SYNTAX + b"\0")
        value = element.value + b"\0" * (len(element.value) % 2)
        length = len(value) if element.length is None else element.length
        start = struct.pack("<HH", *element.tag)
        if implicit and element.tag[0] != 2:
            start += struct.pack("<I", length)
        elif element.kind in LONG_KINDS:
            start += element.kind + struct.pack("<HI", 0, length)
        else:
            start += element.kind + struct.pack("<H", length & 0xFFFF)
        if element.tag[0] == 2:
            meta += start + value
        else:
            body += start + value
    return b"\0" * 128 + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta)) + meta + body


def mutate_elements(elements: list[Element], rng: random.Random) -> list[Element]:
    """`elements` with one of them changed, missing, doubled, added or in another place."""
    changed = list(elements)
    at = rng.randrange(len(elements))
    element = elements[at]
    how = rng.random()
    if how < 0.5:
        changed[at] = replace(element, value=_other_value(element, rng))
    elif how < 0.6:
        del changed[at]
    elif how < 0.7:
        changed.insert(at, replace(element, value=_other_value(element, rng)))
    elif how < 0.8:
        tag, kind, value = rng.choice(ADDED)
        changed = sorted([e for e in elements if e.tag != tag] + [Element(tag, kind, value)], key=lambda e: e.tag)
    elif how < 0.87:
        changed[at] = replace(element, kind=rng.choice((b"DS", b"IS", b"US", b"FD", b"UN", b"SQ", b"UI", b"??")))
    elif how < 0.95:
        lengths = (0, 1, len(element.value) + 2, max(0, len(element.value) - 2), 0xFFFF, 0xFFFFFFFF)
        changed[at] = replace(element, length=rng.choice(lengths))
    else:
        before_pixels = len(elements) - 1  # what stands behind them is no header
        changed.insert(rng.randrange(before_pixels), changed.pop(rng.randrange(before_pixels)))
    return changed


def _other_value(element: Element, rng: random.Random) -> bytes:
    if element.tag == (2, 0x10):
        return rng.choice(SYNTAXES)
    if element.kind == b"US":
        return struct.pack("<H", rng.choice(SHORTS))
    if element.kind in (b"OW", b"OB"):
        return element.value[: rng.choice((0, 2, len(element.value) // 2, len(element.value) - 2))]
    if element.kind == b"SQ":
        words = list(re.finditer(rb"[-\d.]{1,}", element.value))
        word = rng.choice(words)
        other = rng.choice(TEXTS).ljust(len(word[0]))[: len(word[0])]
        return element.value[: word.start()] + other + element.value[word.end() :]
    parts = element.value.split(b"\\")
    if rng.random() < 0.5:
        return rng.choice(TEXTS)
    parts[rng.randrange(len(parts))] = rng.choice(TEXTS)
    return b"\\".join(parts)
