"""Points and curves as a file of markups that 3D Slicer opens."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .atomic import atomic

_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)


@dataclass(frozen=True)
class Point:
    """A named place (LPS mm), and what is to be said of it."""

    name: str
    position: tuple[float, float, float]
    description: str = ""


def write_points(points: Iterable[Point], path: Path | str) -> None:
    """Write `points` to `path` (.mrk.json). Raises SpineError."""
    _write("Fiducial", points, path)


def write_curve(name: str, positions: Iterable[tuple[float, float, float]], path: Path | str) -> None:
    """Write the smooth open curve through `positions` (LPS mm), whose points are called `name`-1 and so on, to `path`
    (.mrk.json). Raises SpineError."""
    points = (Point(f"{name}-{number}", position) for number, position in enumerate(positions, start=1))
    _write("Curve", points, path)


def _write(kind: str, points: Iterable[Point], path: Path | str) -> None:
    controls = [
        {
            "id": str(number),
            "label": point.name,
            "description": point.description,
            "position": [round(x, 3) for x in point.position],
            "locked": True,
        }
        for number, point in enumerate(points, start=1)
    ]
    markup = {
        "type": kind,
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "locked": True,
        "labelFormat": "%N",
        "controlPoints": controls,
    }
    with atomic(path) as temporary:
        content = {"@schema": _SCHEMA, "markups": [markup]}
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
