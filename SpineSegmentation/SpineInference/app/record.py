"""The record of a run, `NAME_result.json`: the one document that says what a result is and how it came about.

Whoever takes a result over, the Slicer module above all, reads it from here.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..anatomy import Segment
from ..errors import SpineError
from ..files.result_folder import PROGRAM
from ..origin import GivenLabels
from ..placement import SlicePlacement
from ..schema import load_json, parse
from .requests import Request

RECORD_VERSION = 2


@dataclass(frozen=True)
class UsedDevice:
    """Where the networks ran ("cpu", "cuda:0"), what it is called, why it was chosen, and what computed there.

    `engine`: software, threads and precision; empty where that is not known or no network ran.
    """

    used: str
    name: str
    reason: str
    engine: str = ""


@dataclass(frozen=True)
class Record:
    """Everything that is known of a run, so that its result can be understood and repeated later.

    `contents` are the names of the other files of the folder by kind: "labels", "segmentation", "measurements",
    "morphometry", "morphometry_json", "centres", "overview", "morphometry_picture"; `files` maps the same names to
    their SHA-256. `segments` are what was found, vertebrae from the top to the bottom first; `partial` the label values
    of bodies that the border of the scan cuts off. `measurements` are those of `measurements.as_json`, `dice_per_slice`
    those of `slice_agreement` where there was a reference. `seconds` are those of each stage, `notes` sentences for the
    user. `placement` is how a single slice was taken to lie, None where its file said all. `shading_removed`: how many
    times brighter the brightest part was than the darkest, where that was evened out without being asked for.
    `model_checksums` are the SHA-256 of the networks by the names in `models`. `labels_given`: the label map that was
    measured in place of what a model would have found; then there are no models and planes.
    """

    scan: str
    request: Request
    segments: list[Segment]
    partial: list[int]
    measurements: dict[str, Any]
    dice_per_slice: dict[str, Any] | None
    models: list[str]
    planes: list[str]
    device: UsedDevice
    seconds: dict[str, float]
    notes: list[str]
    versions: dict[str, str]
    contents: dict[str, str]
    files: dict[str, str]
    placement: SlicePlacement | None = None
    shading_removed: float | None = None
    model_checksums: dict[str, str] = field(default_factory=dict)
    labels_given: GivenLabels | None = None
    program: str = PROGRAM
    record_version: int = RECORD_VERSION

    @property
    def total_seconds(self) -> float:
        """The time of all stages together."""
        return sum(self.seconds.values())


def read_record(path: Path | str) -> Record:
    """The record in the file `path`. Raises SpineError for one that is missing, damaged or of another version."""
    path = Path(path)
    try:
        raw = load_json(path.read_bytes(), str(path))
    except OSError as error:
        raise SpineError(f"{path}: the record of the result cannot be read ({error.strerror or error}).") from error
    version = raw.get("record_version") if isinstance(raw, dict) else None
    if version != RECORD_VERSION:
        raise SpineError(
            f"{path} is a record of version {version}, but this version of SpineSegmentation reads {RECORD_VERSION}: "
            "segment the scan again."
        )
    return parse(raw, Record, str(path))
