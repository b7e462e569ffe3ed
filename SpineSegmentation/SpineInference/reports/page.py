"""HTML pages that need nothing else: no script, no font, nothing from outside. Jinja2 escapes what comes from files.

The templates lie beside this file. Needs Jinja2 (the extra `plot`), which is imported only where it is used.
"""

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..files.atomic import atomic
from ..files.result_folder import PROGRAM
from ..measuring.morphometry.tables import RESEARCH_USE

if TYPE_CHECKING:
    from jinja2 import Environment

GENERATOR = f'<meta name="generator" content="{PROGRAM}">'
"""In the head of each page: how our own are told from other people's."""


def templates_in(folder: Path) -> "Environment":
    """The templates of pages in `folder`: what is filled in is escaped, and what is missing is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def write_page(template: str, path: Path, **content: Any) -> None:
    """Fill the `template` (NAME.html.j2) with `content` and write it to `path`. Raises SpineError."""
    environment = templates_in(Path(__file__).parent)
    shared = {"generator": GENERATOR, "program": PROGRAM, "version": __version__, "research_use": RESEARCH_USE}
    text = environment.get_template(template).render(**shared, **content)
    with atomic(path) as temporary:
        # A name that is not UTF-8 is shown with marks for what cannot be shown.
        temporary.write_bytes(text.encode("utf-8", "replace"))


def jpeg_uri(content: bytes) -> str:
    """A JPEG picture as the address of itself."""
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode('ascii')}"
