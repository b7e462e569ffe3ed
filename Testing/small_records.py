"""Records of runs that never were: what a result says about itself, with as little in it as a test needs."""

from collections.abc import Sequence
from typing import Any

from SpineInference.anatomy import Segment
from SpineInference.app.record import Record, UsedDevice
from SpineInference.app.requests import Request


def small_record(request: Request, segments: Sequence[Segment], seconds: float = 1.0, **fields: Any) -> Record:
    """The record of a run of `request` that found `segments`; `fields` replace what is in it otherwise."""
    defaults = {
        "scan": request.input,
        "request": request,
        "segments": list(segments),
        "partial": [],
        "measurements": {"vertebrae": [], "structures": [], "reference": None, "naming": None},
        "dice_per_slice": None,
        "models": ["model"],
        "planes": ["sagittal"],
        "device": UsedDevice("cpu", "CPU", "it is there"),
        "seconds": {"network, sagittal": seconds},
        "notes": [],
        "versions": {},
        "contents": {},
        "files": {},
    }
    return Record(**(defaults | fields))
