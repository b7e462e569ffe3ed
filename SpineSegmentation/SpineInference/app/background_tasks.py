"""What takes a while besides segmenting: another worker, so that no window ever waits for it.

    python -m SpineInference.app.background_tasks

reads one task as a line of JSON and answers in the words of `worker`, with these "result" events:

    download   name: the set that is now complete
    import     name: the set that was made of the file or folder
    devices    automatic: what "auto" takes; others: what else can be chosen; each a dict of wish, name and reason
    fetch      path: the file that was downloaded
    measure    measurements and dice_per_slice: see `measuring.remeasure`
    save_case  image: the path of the scan in the data set: see `training_case`
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import SpineError
from ..files.temporary import adopt, check_owned, temporary_folder
from ..memory import enough_memory
from ..monitor import Monitor
from ..placement import SlicePlacement
from ..schema import parse_json
from .training_case import TrainingCase, save_case
from .worker import serve


@dataclass(frozen=True)
class SegmentsToMeasure:
    """Files of label maps on the same grid; the label value and name of each vertebra, and of each other structure;
    and the `placement` that the record of the result has. `scan`: the file of what the segments were drawn on, which
    tells the signal of discs, and where its borders are empty.

    `own_folder`: a folder that was made for these files alone; the worker removes it where the task is cancelled."""

    labels: str
    bodies: tuple[tuple[int, str], ...]
    structures: tuple[tuple[int, str], ...]
    reference: str | None = None
    placement: SlicePlacement | None = None
    own_folder: str | None = None
    scan: str | None = None


@dataclass(frozen=True)
class FileToFetch:
    """A file on the web that becomes `target`; `instead` says what a person can do where that fails."""

    url: str
    target: str
    sha256: str
    size: int
    instead: str


@dataclass(frozen=True)
class BackgroundTask:
    """`model`: the name of the set to download, or the path of the package or packages to import; `segments`: what
    is to be measured; `file`: what is to be fetched; `case`: what is to be saved for training."""

    kind: Literal["download", "import", "devices", "fetch", "measure", "save_case"]
    model: str = ""
    file: FileToFetch | None = None
    segments: SegmentsToMeasure | None = None
    case: TrainingCase | None = None


def run(line: bytes, monitor: Monitor) -> dict[str, Any]:
    """Run the task in one line of JSON. Raises SpineError and Cancelled."""
    task = parse_json(line, BackgroundTask, "the background task")
    if task.kind == "devices":
        return _devices()
    if task.kind == "measure":
        return _measure(task.segments, monitor)
    if task.kind == "fetch":
        return _fetch(task.file, monitor)
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


def _fetch(file: FileToFetch | None, monitor: Monitor) -> dict[str, Any]:
    if file is None:
        raise SpineError('the background task is not valid: "fetch" needs "file".')
    from ..models.downloading import download_file

    target = Path(file.target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(target.parent, target.name) as folder:
            download_file(file.url, folder / target.name, file.sha256, file.size, monitor, file.instead)
            (folder / target.name).replace(target)
    except OSError as error:
        raise SpineError(f"{target} cannot be written ({error.strerror or error}): make room there.") from None
    return {"path": str(target)}


def _measure(segments: SegmentsToMeasure | None, monitor: Monitor) -> dict[str, Any]:
    if segments is None:
        raise SpineError('the background task is not valid: "measure" needs "segments".')
    if segments.own_folder is not None:
        files = filter(None, (segments.labels, segments.reference, segments.scan))
        check_owned(segments.own_folder, files, "labels, reference and scan")
    adopt(segments.own_folder)
    monitor.progress("measuring", 0, 1)
    return _measured(segments, monitor)


def _measured(segments: SegmentsToMeasure, monitor: Monitor) -> dict[str, Any]:
    from ..files.reading import read_labels, read_volume
    from ..measuring.remeasure import remeasure
    from ..processors import use_processors

    use_processors()
    bodies, structures = dict(segments.bodies), dict(segments.structures)
    with enough_memory(segments.labels):
        reference = read_labels(segments.reference, monitor, overlapping=True) if segments.reference else None
        labels = read_labels(segments.labels, monitor, overlapping=True)
        scan = read_volume(segments.scan, monitor) if segments.scan else None
        return remeasure(labels, bodies, structures, reference, segments.placement, scan)


def _save_case(case: TrainingCase | None, monitor: Monitor) -> dict[str, Any]:
    if case is None:
        raise SpineError('the background task is not valid: "save_case" needs "case".')
    monitor.progress("writing", 0, 1)
    with enough_memory(case.scan):
        return {"image": str(save_case(case, monitor))}


if __name__ == "__main__":
    sys.exit(serve(run, keep_alive=False))
