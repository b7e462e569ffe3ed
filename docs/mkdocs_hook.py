"""Brings what lies outside docs/ into the site: the documents outside, and the pictures.

In the repository a link is relative to the file that holds it; in the site docs/ is the root.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

PROJECT = Path(__file__).resolve().parents[1]
OUTSIDE = ("TROUBLESHOOTING.md", "CONTRIBUTING.md", "CHANGELOG.md", "Testing/README.md")
_LINK = re.compile(r"(\]\()([^)#\s]+)")


def on_files(files: Files, config: Any) -> Files:
    """Add the documents and pictures outside docs/, each under the path that it has in the repository."""
    documents = [PROJECT / name for name in OUTSIDE]
    for path in [*documents, *(PROJECT / "Resources").glob("*/*.png"), *(PROJECT / "Resources").glob("*/*.webp")]:
        files.append(File.generated(config, path.relative_to(PROJECT).as_posix(), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The text of a page with its links as the site needs them."""
    source = page.file.src_uri
    in_repository = source if source in OUTSIDE else f"docs/{source}"

    def moved(match: re.Match) -> str:
        link = match[2]
        if "://" in link:
            return match[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(in_repository), link))
        return match[1] + posixpath.relpath(target.removeprefix("docs/"), posixpath.dirname(source) or ".")

    return _LINK.sub(moved, markdown)
