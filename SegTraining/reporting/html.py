"""The report as one HTML file that needs nothing else: no script, no font and no picture from outside."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from .thesis_tables import MISSING, Cell, Pair, Table

_STYLE = """
:root { color-scheme: light dark; --text: #1c1e21; --muted: #62676e; --line: #d9dce0; --back: #ffffff;
  --soft: #f4f6f8; --link: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e8ea; --muted: #a2a8b0; --line: #3a3f46; --back: #17191c;
  --soft: #22262b; --link: #7ab8f5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1280px; padding: 2rem 1.5rem 4rem; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.8rem; margin: 0 0 .2rem; }
h2 { font-size: 1.35rem; margin: 2.6rem 0 .8rem; padding-top: .8rem; border-top: 2px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.6rem 0 .5rem; }
a { color: var(--link); }
nav { margin: 1rem 0 0; columns: 3 16rem; }
nav a { display: block; text-decoration: none; padding: .1rem 0; overflow-wrap: anywhere; }
p { max-width: 52rem; margin: .5rem 0; }
.muted, figcaption, .note { color: var(--muted); font-size: .87rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .84rem; font-variant-numeric: tabular-nums; margin: .3rem 0; }
th, td { padding: .28rem .55rem; white-space: nowrap;
  text-align: right; border-bottom: 1px solid var(--line); vertical-align: baseline; }
th { white-space: normal; background: var(--soft); font-weight: 600; vertical-align: bottom; }
th.text, td.text { text-align: left; }
td.wide { min-width: 16rem; white-space: normal; }
td small { color: var(--muted); margin-left: .45rem; }
.missing { color: var(--muted); font-style: italic; }
figure { margin: 1rem 0 1.4rem; }
figure img { display: block; max-width: min(100%, 1080px); height: auto; background: #fff; border-radius: 4px;
  padding: .4rem; }
figure img.drawn { width: 100%; }
figcaption { max-width: 52rem; margin-top: .35rem; }
@media print {
  :root { --text: #000; --muted: #555; --line: #bbb; --back: #fff; --soft: #eee; --link: #000; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav { display: none; }
  .scroll { overflow: visible; }
  table { font-size: 6.5pt; }
  th, td { padding: 1.5pt 2.5pt; }
  figure, tr, h2, h3 { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  figure img { padding: 0; max-height: 220mm; }
  @page { size: A4; margin: 12mm; }
}
"""

_KINDS = {b"RIFF": "image/webp", b"<?xm": "image/svg+xml"}


_NUMBERS = re.compile(r"[-+–±<|/.,%() \d]*")


@dataclass(frozen=True)
class Picture:
    """A WebP or SVG file with what it shows, in words."""

    title: str
    content: bytes
    caption: str


Part = str | Table | Picture
"""A text is a paragraph."""


@dataclass(frozen=True)
class Section:
    """A chapter of the report: paragraphs, tables and pictures."""

    title: str
    parts: Sequence[Part]


def page(title: str, subtitle: str, sections: list[Section]) -> str:
    """The whole document."""
    links = "".join(f'<a href="#s{n}">{escape(section.title)}</a>' for n, section in enumerate(sections))
    body = "\n".join(_section(section, f"s{n}") for n, section in enumerate(sections))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>"
        f'<h1>{escape(title)}</h1><p class="muted">{escape(subtitle)}</p><nav>{links}</nav>\n{body}\n</body></html>\n'
    )


def _section(section: Section, anchor: str) -> str:
    parts = "".join(_part(part) for part in section.parts)
    return f'<section id="{anchor}"><h2>{escape(section.title)}</h2>\n{parts}</section>'


def _part(part: Part) -> str:
    if isinstance(part, str):
        return f"<p>{escape(part)}</p>\n"
    return _table(part) if isinstance(part, Table) else _picture(part)


def _picture(picture: Picture) -> str:
    kind = _KINDS[picture.content[:4]]
    data = base64.b64encode(picture.content).decode("ascii")
    title, caption = escape(picture.title), escape(picture.caption)
    drawn = ' class="drawn"' if "svg" in kind else ""
    return (
        f'<figure><h3>{title}</h3><img{drawn} alt="{title}. {caption}" src="data:{kind};base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>\n"
    )


def _table(table: Table) -> str:
    texts = [_is_text(table, column) for column in range(len(table.columns))]
    head = "".join(
        f"<th{' class=text' if text else ''}>{escape(name)}</th>"
        for name, text in zip(table.columns, texts, strict=True)
    )
    rows = "".join(
        f"<tr>{''.join(_cell(cell, text) for cell, text in zip(row, texts, strict=True))}</tr>\n" for row in table.rows
    )
    paired = any(isinstance(cell, Pair) for row in table.rows for cell in row)
    key = "Large: ours. Small: published. " if paired else ""
    note = f'<p class="note">{escape(key + table.note)}</p>' if key or table.note else ""
    return (
        f"<h3>{escape(table.title)}</h3>\n<div class=scroll><table><thead><tr>{head}</tr></thead>"
        f"<tbody>\n{rows}</tbody></table></div>{note}\n"
    )


def _is_text(table: Table, column: int) -> bool:
    cells = [row[column] for row in table.rows if isinstance(row[column], str)]
    return not all(_NUMBERS.fullmatch(cell) for cell in cells)


def _cell(cell: Cell, text: bool) -> str:
    if isinstance(cell, Pair):
        published = f"<small>{escape(cell.published)}</small>" if cell.published else ""
        missing = cell.ours is not None and not cell.ours[:1].isdigit()
        ours = f'<span class="missing">{escape(cell.ours or MISSING)}</span>' if missing else escape(cell.ours or "")
        return f"<td>{ours}{published}</td>"
    content = escape(cell or "")
    classes = " ".join(name for name, wanted in (("text", text), ("wide", len(content) > 40)) if wanted)
    return f'<td class="{classes}">{content}</td>' if classes else f"<td>{content}</td>"
