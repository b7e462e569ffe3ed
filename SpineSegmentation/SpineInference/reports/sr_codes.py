"""Codes of measures, units and places in a structured report: (value, scheme, meaning).

SNOMED CT (SCT), DICOM (DCM) and UCUM where these have a code that says exactly what was measured; else a code of our
own in the scheme `PRIVATE`, whose value is the name of the measure without underscores, most often the 16 letters that
every reader shows.
"""

import re

from ..anatomy import LEVELS, T13, VERTEBRA_CODE
from ..measuring.morphometry.measure import DEFINITIONS

Coded = tuple[str, str, str]

PRIVATE = "99SPINESEG"
"""Schemes that are nobody's standard begin with 99 (PS3.16, 8.2)."""
VOLUME: Coded = ("118565006", "SCT", "Volume")
AREA: Coded = ("42798000", "SCT", "Area")
EXPECTED_DICE: Coded = ("expecteddice", PRIVATE, "Expected Dice coefficient")
RESERVATION: Coded = ("reservation", PRIVATE, "Reservation")
NOT_MEASURED: Coded = ("notmeasured", PRIVATE, "Not measured")

_NAMES: dict[str, Coded] = {
    "coronal_cobb": ("285285000", "SCT", "Cobb angle"),
    "disc_volume": VOLUME,
    "canal_area": AREA,
}
_UNITS: dict[str, Coded] = {
    "mm": ("mm", "UCUM", "mm"),
    "mm2": ("mm2", "UCUM", "mm2"),
    "mm3": ("mm3", "UCUM", "mm3"),
    "deg": ("deg", "UCUM", "deg"),
    "%": ("%", "UCUM", "%"),
    "ratio": ("{ratio}", "UCUM", "ratio"),
}
_DISC_LEVELS = dict(
    zip(
        [
            *("C2-C3", "C3-C4", "C4-C5", "C5-C6", "C6-C7", "C7-T1"),
            *("T1-T2", "T2-T3", "T3-T4", "T4-T5", "T5-T6", "T6-T7", "T7-T8", "T8-T9", "T9-T10", "T10-T11", "T11-T12"),
            *("T12-L1", "L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1"),
        ],
        [
            *("243902007", "243903002", "243904008", "243905009", "243906005", "243925008"),
            *("243908006", "243909003", "243910008", "243911007", "243912000", "243913005", "243914004", "243915003"),
            *("243916002", "243917006", "243918001"),
            *("243926009", "243920003", "243921004", "243922006", "243923001", "243927000"),
        ],
        strict=True,
    )
)


def measure_code(name: str) -> Coded:
    """Of the measure called `name`, one of `DEFINITIONS`."""
    return _NAMES.get(name, (_letters(name), PRIVATE, DEFINITIONS[name].title))


def unit_code(unit: str) -> Coded:
    """Of the `unit` of a `Definition`; grades and whatever else has none are plain numbers."""
    return _UNITS.get(unit, ("1", "UCUM", "no units"))


def word_code(word: str) -> Coded:
    """Of a word that is a value, or of a mark."""
    return _letters(word), PRIVATE, word


def place_codes(at: str) -> list[Coded]:
    """Of the body, the disc space or the two ends that `at` names; nothing for what is no place of the spine."""
    if at in _DISC_LEVELS:
        return [(_DISC_LEVELS[at], "SCT", f"Level of {at.replace('-', '/')} intervertebral disc")]
    return [code for code in map(_vertebra_code, at.split("-")) if code]


def _vertebra_code(name: str) -> Coded | None:
    if name in LEVELS:
        return LEVELS[name].code, "SCT", LEVELS[name].meaning
    without_code = name == T13.name or name.startswith(VERTEBRA_CODE[1])
    return (VERTEBRA_CODE[0], "SCT", name) if without_code else None


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())
