"""Which presets there are, and for which command each is."""

import re
from collections.abc import Iterator
from pathlib import Path

PRESETS = Path(__file__).resolve().parents[1] / "presets"

_KINDS = {"experiment": r"^configuration:", "levels": r"^lowest_level:", "train": r"^name:"}
"""What stands in the file of a preset of each command; the first one that fits. Others are for `base:` only."""


def preset_names(command: str) -> list[str]:
    """The presets of "train", "experiment" or "levels" by name, the small ones last."""
    return sorted((name for name, kind in _presets() if kind == command), key=lambda name: ("/" in name, name))


def _presets() -> Iterator[tuple[str, str | None]]:
    for path in PRESETS.rglob("*.yaml"):
        text = path.read_text("utf-8")
        kind = next((kind for kind, line in _KINDS.items() if re.search(line, text, re.MULTILINE)), None)
        yield path.relative_to(PRESETS).with_suffix("").as_posix(), kind
