"""Vertebral levels: VerSe label values, names, colours and SNOMED CT codes.

Label values follow VerSe (C1-C7 = 1-7, T1-T12 = 8-19, L1-L6 = 20-25, S1 = 26). A vertebra whose level nobody
knows is numbered from the top and gets the label value 30 + its number, which cannot be taken for a level. A disc has
100 + the value of the vertebra above it, the spinal canal 61 and the spinal cord 60, as in SPINEPS and TPTBox (Moeller
et al. 2024, European Radiology, doi 10.1007/s00330-024-11155-y).

Whatever else a model finds beside vertebrae has the value 61 + that of the model, up to 100. Models that find no
vertebrae keep theirs.
"""

import colorsys
from collections.abc import Container
from dataclasses import dataclass
from typing import Literal

from .errors import SpineError

NUMBERED_OFFSET = 30
MOST_NUMBERED = 29
"""A spine has 26."""
STRUCTURE_OFFSET = 61
DISC_OFFSET = 100
CANAL_LABEL = 61
CORD_LABEL = 60
VERTEBRA_CODE = ("51282000", "Vertebra")
STRUCTURE_CODE = ("91723000", "Anatomical structure")
"""Of a structure of which nothing is known but its name."""

DISC_CODE = ("360499006", "Intervertebral disc")
CANAL_CODE = ("61853006", "Spinal canal")
CORD_CODE = ("2748008", "Spinal cord")
HOLDERS = {CORD_CODE[0]: CANAL_CODE[0]}
"""By code of a structure that lies inside another one the code of that, to which it belongs too."""
_OWN_LABELS = {CANAL_CODE[0]: CANAL_LABEL, CORD_CODE[0]: CORD_LABEL}

_SNOMED = [
    *("14806007", "39976000", "113205007", "5329002", "36978003", "36054005", "87391001"),  # C1-C7
    *("64864005", "53733008", "1626008", "73071006", "56401006", "45296009"),  # T1-T6
    *("62487009", "11068009", "82687006", "7610001", "12989004", "23215003"),  # T7-T12
    *("66794005", "14293000", "36470004", "11994002", "49668003"),  # L1-L5
]
_NAMES = [f"C{i}" for i in range(1, 8)] + [f"T{i}" for i in range(1, 13)] + [f"L{i}" for i in range(1, 7)] + ["S1"]


@dataclass(frozen=True)
class Segment:
    """One segment of a result: its label value, name, colour (r, g, b; 0-255) and SNOMED CT type.

    `is_vertebra`: one of the bodies that were separated and named; otherwise all that there is of a structure.
    """

    label: int
    name: str
    colour: tuple[int, int, int]
    code: str
    meaning: str
    is_vertebra: bool = True


def distinct_colour(position: int) -> tuple[int, int, int]:
    """The colour (r, g, b; 0-255) of the segment at `position` (0, 1, ...) among others."""
    # Steps of the golden angle keep neighbours far apart in hue, which is what tells touching levels apart.
    red, green, blue = colorsys.hsv_to_rgb((0.08 + position * 0.381966) % 1.0, 0.55, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)


def _make_levels() -> dict[str, Segment]:
    codes = dict(zip(_NAMES, _SNOMED, strict=False)) | {"S1": "65985001"}
    levels = {}
    for label, name in enumerate(_NAMES, start=1):
        # L6 is a variant without a code of its own: it is coded as a vertebra and named as what it is.
        code, meaning = (codes[name], f"{name} vertebra") if name in codes else VERTEBRA_CODE
        levels[name] = Segment(label, name, distinct_colour(label), code, meaning)
    return levels


LEVELS: dict[str, Segment] = _make_levels()
"""Every level by its name, from C1 down to S1."""

T13 = Segment(28, "T13", distinct_colour(28), *VERTEBRA_CODE)
COCCYX = Segment(27, "Coccyx", distinct_colour(27), "64688005", "Coccyx", is_vertebra=False)
"""What VerSe knows besides: in label maps that were given. The program itself names nothing so."""


def label_below(label: int, present: Container[int]) -> int:
    """The value of the vertebra below the one with the value `label`, in somebody with those that are `present`: T13
    and L6 are only where they are seen."""
    variants = {19: (T13.label, 20), T13.label: (20, 20), 24: (25, 26)}  # below T12, T13 and L5
    variant, usual = variants.get(label, (label + 1, label + 1))
    return variant if variant in present else usual


def structure_beside_vertebrae(value: int, name: str, colour: tuple[int, int, int], code: str, meaning: str) -> Segment:
    """The segment of a structure to which a model that also finds vertebrae gives the `value` (1, 2, ...)."""
    label = _OWN_LABELS.get(code, STRUCTURE_OFFSET + value)
    return Segment(label, name, colour, code, meaning, is_vertebra=False)


@dataclass(frozen=True)
class Naming:
    """How vertebrae got their names: their levels "given" by the user, "proposed" from the scan, or only "numbered".

    What is proposed comes with a `confidence` from 0 to 1 and, in words, the `anchor` from which levels were counted.
    """

    source: Literal["given", "proposed", "numbered"]
    confidence: float | None = None
    anchor: str | None = None


def parse_level(text: str) -> Segment:
    """The level called `text` (any case, e.g. "c2"). Raises SpineError for a name that is not a level."""
    try:
        return LEVELS[text.strip().upper()]
    except KeyError:
        raise SpineError(f'"{text}" is not a vertebral level: use C1-C7, T1-T12, L1-L6 or S1.') from None


def numbered(number: int) -> Segment:
    """The segment of the `number`-th vertebra from the top (1, 2, ...) when its level is unknown."""
    return Segment(NUMBERED_OFFSET + number, f"Vertebra {number}", distinct_colour(number), *VERTEBRA_CODE)
