"""Points as a file of markups that 3D Slicer opens."""

import json
from collections.abc import Mapping
from pathlib import Path

from .atomic import atomic

_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)


def write_points(points: Mapping[str, tuple[float, float, float]], path: Path | str) -> None:
    """Write named `points` (LPS mm) to `path` (.mrk.json). Raises SpineError."""
    controls = [
        {"id": str(number), "label": name, "position": [round(x, 3) for x in point], "locked": True}
        for number, (name, point) in enumerate(points.items(), start=1)
    ]
    markup = {
        "type": "Fiducial",
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "locked": True,
        "labelFormat": "%N",
        "controlPoints": controls,
    }
    with atomic(path) as temporary:
        content = {"@schema": _SCHEMA, "markups": [markup]}
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
