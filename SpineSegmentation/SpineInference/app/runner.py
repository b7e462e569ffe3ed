"""From a request to the files of its result: what the worker and the command line share."""

import dataclasses
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..files.result_folder import RECORD_SUFFIX
from ..memory import enough_memory
from ..monitor import Monitor
from ..processors import use_processors
from .record import Record
from .requests import Request

if TYPE_CHECKING:
    import SimpleITK as sitk

    from ..engines.engine_cache import EngineCache
    from ..result import Result

    Make = Callable[[sitk.Image, sitk.Image | None, Monitor], Result]
    """From a scan and a reference to the result, for one request."""


@dataclass(frozen=True)
class WrittenResult:
    """The folder of a result and its record, which is the file `record_path`."""

    folder: Path
    record: Record

    @property
    def record_path(self) -> Path:
        return self.folder / f"{self.folder.name}{RECORD_SUFFIX}"


class Runner:
    """Carries out requests one after the other; the networks stay open for the next one."""

    def __init__(self):
        self._engines: EngineCache | None = None

    def run(self, request: Request, monitor: Monitor) -> WrittenResult:
        """Read, segment unless labels are given, measure and write for a request that `check_request` has found sound.

        Raises SpineError and Cancelled; then nothing is written.
        """
        monitor.progress("reading", 0, 1)
        with enough_memory(request.input):
            return self._run(request, monitor)

    def _run(self, request: Request, monitor: Monitor) -> WrittenResult:
        started = time.perf_counter()
        # Everything heavy is imported here, and not before there is something to do.
        from ..files.dicom_seg import check_source
        from ..files.reading import read_labels, read_volume
        from .results import write_result

        use_processors(request.options.threads)
        notes: list[str] = []
        told = monitor.collecting(notes)
        make = _measuring(request, told) if request.labels else self._segmenting(request)
        scan = read_volume(request.input, told)
        if request.dicom:
            check_source(scan)
        reference = read_labels(request.reference, told, overlapping=True) if request.reference else None
        reading = time.perf_counter() - started
        result = make(scan, reference, monitor)
        result = dataclasses.replace(result, timings={"reading": reading, **result.timings}, notes=notes + result.notes)
        monitor.progress("writing", 0, 1)
        folder = Path(os.path.abspath(request.output))
        return WrittenResult(folder, write_result(result, scan, folder, request, monitor))

    def _segmenting(self, request: Request) -> "Make":
        from ..engines.engine_cache import EngineCache
        from ..models.catalog import open_set
        from ..pipeline import segment

        models = open_set(request.options.model)
        self._engines = self._engines or EngineCache()
        return lambda scan, reference, monitor: segment(
            scan, models, request.options, reference, monitor, self._engines
        )


def _measuring(request: Request, reading: Monitor) -> "Make":
    from ..given_labels import measure_labels, read_named_labels

    labels = read_named_labels(request.labels, reading)
    return lambda scan, reference, monitor: measure_labels(scan, labels, request.options, reference, monitor)
