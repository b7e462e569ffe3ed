"""What of an evaluation goes into the manifest of a model package."""

import json
from pathlib import Path
from typing import Any

from SpineInference.errors import SpineError

from .metrics import FUSED


def manifest_metrics(summary: Path, plane: str) -> dict[str, Any]:
    """Of the `summary.json` of an evaluation what concerns the model of `plane`, alone and fused with the others.

    Raises SpineError where it cannot be read.
    """
    try:
        content = json.loads(summary.read_text("utf-8"))
    except (OSError, ValueError):
        raise SpineError(f'"{summary}" cannot be read: give the summary.json of "segtraining evaluate".') from None
    chosen = {
        key: [row for row in content.get(name, ()) if row["planes"] in (plane, FUSED)]
        for key, name in (("evaluation", "results"), ("levels", "levels"), ("worst_bodies", "worst_bodies"))
    }
    return {"evaluation_cases": content["cases"]} | chosen
