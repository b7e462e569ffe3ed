"""What takes a while besides segmenting: another worker, so that no window ever waits for it.

    python -m SpineInference.app.background_tasks

reads one task as a line of JSON and answers in the words of `worker`, with these "result" events:

    download   name: the set that is now complete
    import     name: the set that was made of the file or folder
    devices    automatic: what "auto" takes; others: what else can be chosen; each a dict of wish, name and reason
    measure    measurements and dice_per_slice: see `measuring.remeasure`
    save_case  image: the path of the scan in the data set: see `training_case`
"""

import sys
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import SpineError
from ..memory import enough_memory
from ..monitor import Monitor
from ..placement import SlicePlacement
from ..schema import parse_json
from .training_case import TrainingCase, save_case
from .worker import serve


@dataclass(frozen=True)
class SegmentsToMeasure:
    """Files of label maps on the same grid; the label value and name of each vertebra, and of each other structure;
    and the `placement` that the record of the result has."""

    labels: str
    bodies: tuple[tuple[int, str], ...]
    structures: tuple[tuple[int, str], ...]
    reference: str | None = None
    placement: SlicePlacement | None = None


@dataclass(frozen=True)
class BackgroundTask:
    """`model`: the name of the set to download, or the path of the package or packages to import; `segments`: what
    is to be measured; `case`: what is to be saved for training."""

    kind: Literal["download", "import", "devices", "measure", "save_case"]
    model: str = ""
    segments: SegmentsToMeasure | None = None
    case: TrainingCase | None = None


def run(line: bytes, monitor: Monitor) -> dict[str, Any]:
    """Run the task in one line of JSON. Raises SpineError and Cancelled."""
    task = parse_json(line, BackgroundTask, "the background task")
    if task.kind == "devices":
        return _devices()
    if task.kind == "measure":
        return _measure(task.segments, monitor)
    if task.kind == "save_case":
        return _save_case(task.case, monitor)
    from ..models import catalog

    if task.kind == "download":
        return {"name": catalog.download(task.model, monitor).name}
    monitor.progress("import", 0, 1)
    return {"name": catalog.import_model(task.model).name}


def _devices() -> dict[str, Any]:
    from ..engines.devices import choose_device, list_devices

    def describe(device: Any) -> dict[str, str]:
        return {"wish": str(device), "name": device.name, "reason": device.reason}

    return {"automatic": describe(choose_device("auto")), "others": [describe(device) for device in list_devices()]}


def _measure(segments: SegmentsToMeasure | None, monitor: Monitor) -> dict[str, Any]:
    if segments is None:
        raise SpineError('the background task is not valid: "measure" needs "segments".')
    monitor.progress("measuring", 0, 1)
    from ..files.reading import read_labels
    from ..measuring.remeasure import remeasure

    bodies, structures = dict(segments.bodies), dict(segments.structures)
    with enough_memory(segments.labels):
        reference = read_labels(segments.reference, monitor, overlapping=True) if segments.reference else None
        labels = read_labels(segments.labels, monitor, overlapping=True)
        return remeasure(labels, bodies, structures, reference, segments.placement)


def _save_case(case: TrainingCase | None, monitor: Monitor) -> dict[str, Any]:
    if case is None:
        raise SpineError('the background task is not valid: "save_case" needs "case".')
    monitor.progress("writing", 0, 1)
    with enough_memory(case.scan):
        return {"image": str(save_case(case, monitor))}


if __name__ == "__main__":
    sys.exit(serve(run, keep_alive=False))
