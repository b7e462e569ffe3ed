"""The page about many scans, for quality control: a row for each, the doubtful ones first."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from ..errors import SpineError
from .page import GENERATOR, write_page

BATCH_PAGE = "index.html"


@dataclass(frozen=True)
class ScanRow:
    """What the page says of one scan.

    `report` and `thumbnail` are their places below the page, None where there are none. `doubts` say in words why a
    person should look at it, the worst first, and `notable` what was found beside the bodies. `lowest_quality` is that
    of its most doubtful body, None where it is not known.
    """

    name: str
    found: str
    levels: str
    doubts: list[str]
    lowest_quality: float | None
    seconds: float
    dice: float | None = None
    notable: list[str] = field(default_factory=list)
    report: str | None = None
    thumbnail: str | None = None


def check_batch_page(folder: Path) -> None:
    """Raise SpineError where the page would replace a file that somebody else has made."""
    path = folder / BATCH_PAGE
    if path.exists() and not _is_own(path):
        raise SpineError(f"{path} is not a page of an earlier run: move it away or choose another folder.")


def write_batch_page(rows: Sequence[ScanRow], problems: Sequence[str], folder: Path) -> Path:
    """Write the page about `rows`, and about the scans that could not be used (`problems`, a sentence for each), into
    `folder`, and return its path. Raises SpineError."""
    check_batch_page(folder)
    path = folder / BATCH_PAGE
    rows = sorted(rows, key=lambda row: (not row.doubts, _quality(row), row.name))
    write_page(
        "batch.html.j2",
        path,
        rows=rows,
        problems=problems,
        doubtful=sum(bool(row.doubts) for row in rows),
        has_dice=any(row.dice is not None for row in rows),
        address=lambda place: quote(place, errors="surrogateescape"),
    )
    return path


def _quality(row: ScanRow) -> float:
    if row.lowest_quality is not None:
        return row.lowest_quality
    return 0.0 if row.doubts else 1.0


def _is_own(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return GENERATOR.encode() in file.read(2000)
    except OSError:
        return False
