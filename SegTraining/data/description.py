"""What the dataset.json of a data set says about the values of its label maps, in nnU-Net's words and in those of the
Medical Segmentation Decathlon."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from SpineInference.errors import SpineError
from SpineInference.files.result_folder import PROGRAM

DESCRIPTION = "dataset.json"
_IGNORE = "ignore"


@dataclass(frozen=True)
class Description:
    """The name of each value, background included, and the value of what was left undecided, if there is one."""

    names: dict[int, str]
    ignore: int | None = None
    is_own: bool = False
    """Whether the Slicer module has written it, beside cases that somebody has corrected."""


def read_description(folder: Path) -> Description | None:
    """None where `folder` has no dataset.json, or one without "labels".

    Raises SpineError for one that cannot be understood.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text("utf-8"))
        labels = content.get("labels")
        if labels is None:
            return None
        pairs = sorted(_pairs(labels))
    except (OSError, ValueError, TypeError, AttributeError):
        raise SpineError(
            f'"{path}" cannot be read, or its "labels" are not names with whole numbers: correct it.'
        ) from None
    names: dict[int, str] = {}
    for value, name in pairs:
        names[value] = f"{names[value]}, {name}" if value in names else name
    ignore = next((value for value, name in names.items() if name.lower() == _IGNORE), None)
    names.pop(ignore, None)
    return Description(names, ignore, content.get("program") == PROGRAM)


def _pairs(labels: dict) -> Iterator[tuple[int, str]]:
    """Value and name of each label: {"vertebra": 1}, {"spine": [1, 2]} of regions, or {"1": "vertebra"}."""
    for key, content in labels.items():
        if isinstance(content, str) and key.isdecimal():
            yield int(key), content
            continue
        for value in content if isinstance(content, list) else [content]:
            if not isinstance(value, int | float) or value != int(value) or value < 0:
                raise ValueError(value)
            yield int(value), key
