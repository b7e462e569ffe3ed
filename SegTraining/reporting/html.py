"""The report as one HTML file that needs nothing else: no script, no font and no picture from outside."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from SpineInference.reports.page import templates_in

from .thesis_tables import MISSING, Pair, Table

_TEMPLATE = "report.html.j2"
_KINDS = {b"RIFF": "image/webp", b"<?xm": "image/svg+xml"}
_NUMBERS = re.compile(r"[-+–±<|/.,%() \d]*")
_KEY_TO_PAIRS = "Large: ours. Small: published. "
_WIDE = 40
"""Characters from which a cell may be broken into lines."""


@dataclass(frozen=True)
class Picture:
    """A WebP or SVG file with what it shows, in words."""

    title: str
    content: bytes
    caption: str

    @property
    def is_drawing(self) -> bool:
        """Whether it may be enlarged without getting blurred."""
        return "svg" in self._kind

    @property
    def data_uri(self) -> str:
        return f"data:{self._kind};base64,{base64.b64encode(self.content).decode('ascii')}"

    @property
    def _kind(self) -> str:
        return _KINDS[self.content[:4]]


Part = str | Table | Picture
"""A text is a paragraph."""


@dataclass(frozen=True)
class Section:
    """A chapter of the report: paragraphs, tables and pictures."""

    title: str
    parts: Sequence[Part]


def page(title: str, subtitle: str, sections: list[Section]) -> str:
    """The whole document."""
    environment = templates_in(Path(__file__).parent)
    environment.filters |= {"text_columns": _text_columns, "has_pairs": _has_pairs}
    environment.tests |= {
        "pair": lambda part: isinstance(part, Pair),
        "picture": lambda part: isinstance(part, Picture),
    }
    environment.globals |= {"missing": MISSING, "wide": _WIDE, "key_to_pairs": _KEY_TO_PAIRS}
    return environment.get_template(_TEMPLATE).render(title=title, subtitle=subtitle, sections=sections)


def _text_columns(table: Table) -> list[bool]:
    """Which columns hold more than numbers, which are set to the right."""
    columns = [[row[number] for row in table.rows] for number in range(len(table.columns))]
    return [not all(_NUMBERS.fullmatch(cell) for cell in cells if isinstance(cell, str)) for cells in columns]


def _has_pairs(table: Table) -> bool:
    return any(isinstance(cell, Pair) for row in table.rows for cell in row)
