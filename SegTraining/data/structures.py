"""What the names in a dataset.json mean: vertebrae, single or all together, and other structures with their codes."""

import re

from SpineInference.anatomy import LEVELS, VERTEBRA_CODE

from ..config.data import Label

_CODES: dict[str, tuple[str, str]] = {
    "disc": ("360499006", "Intervertebral disc"),
    "canal": ("61853006", "Spinal canal"),
    "cord": ("2748008", "Spinal cord"),
    "sacrum": ("54735007", "Sacrum"),
    "coccyx": ("64688005", "Coccyx"),
    "rib": ("113197003", "Rib"),
    "lung": ("39607008", "Lung structure"),
    "heart": ("80891009", "Heart structure"),
    "clavicle": ("51299004", "Clavicle"),
}
"""SNOMED CT codes by a word of the name."""

_SPELLINGS = {"disk": "disc"}
_NO_BODY = ("sacrum", "coccyx", "s1")
"""They have no vertebral body in the models' sense."""


def words_of(name: str) -> list[str]:
    """The words of a label's name, in small letters and in the singular: "Spinal_Canals" is "spinal", "canal"."""
    words = re.findall(r"[a-z]+\d*|\d+", name.lower())
    return [_SPELLINGS.get(word.removesuffix("s"), word.removesuffix("s")) for word in words]


def is_vertebra(name: str) -> bool:
    """Whether `name` is that of vertebrae or of their bodies: "vertebral_body", "vertebra L1", "T12"."""
    if structure_code(name) is not None:
        return False
    return any(word.startswith("vertebra") or word.upper() in LEVELS for word in words_of(name))


def has_no_body(name: str) -> bool:
    """Whether `name` is that of the sacrum, its first segment or the coccyx."""
    return any(word in words_of(name) for word in _NO_BODY)


def structure_code(name: str) -> tuple[str, str] | None:
    """SNOMED CT code and meaning of what is called `name`, None for vertebrae and for what is not known."""
    return next((_CODES[word] for word in words_of(name) if word in _CODES), None)


def values_by_label(labels: tuple[Label, ...], names: dict[int, str]) -> dict[str, tuple[int, ...]]:
    """By name of each of `labels` the values that dataset.json calls so (`names`, by value); {} where it calls none so.

    Single vertebrae belong to the label that stands for all of them.
    """
    found = {label.name: tuple(value for value, name in names.items() if _is_called(name, label)) for label in labels}
    return found if any(found.values()) else {}


def _is_called(name: str, label: Label) -> bool:
    if words_of(name) == words_of(label.name):
        return True
    if label.code == VERTEBRA_CODE[0]:
        return is_vertebra(name)
    code = structure_code(name)
    return code is not None and code[0] == label.code
