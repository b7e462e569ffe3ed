"""Tables as CSV files, whole or not at all."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from SpineInference.files.atomic import atomic


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write `rows`, which have the same keys; None becomes an empty field. Without rows, nothing is written."""
    if not rows:
        return
    with atomic(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file, every value a text; none where there is no such file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def number(text: str | None) -> float | None:
    """A field as a number; None for an empty one."""
    return float(text) if text else None
