"""From a request to the files of its result: what the worker and the command line share."""

import dataclasses
import os
import time
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
    from ..engines.engine_cache import EngineCache


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
        """Read, segment, measure and write for a request that `requests.check_request` has found sound.

        Raises SpineError and Cancelled; then nothing is written.
        """
        monitor.progress("reading", 0, 1)
        with enough_memory(request.input):
            return self._run(request, monitor)

    def _run(self, request: Request, monitor: Monitor) -> WrittenResult:
        started = time.perf_counter()
        # Everything heavy is imported here, and not before there is something to do.
        from ..engines.engine_cache import EngineCache
        from ..files.dicom_seg import check_source
        from ..files.reading import read_labels, read_volume
        from ..models.catalog import open_set
        from ..pipeline import segment
        from .results import write_result

        options = request.options
        use_processors(options.threads)
        models = open_set(options.model)
        notes: list[str] = []
        scan = read_volume(request.input, monitor.collecting(notes))
        if request.dicom:
            check_source(scan)
        told = monitor.collecting(notes)
        reference = read_labels(request.reference, told, overlapping=True) if request.reference else None
        reading = time.perf_counter() - started
        self._engines = self._engines or EngineCache()
        result = segment(scan, models, options, reference, monitor, self._engines)
        result = dataclasses.replace(result, timings={"reading": reading, **result.timings}, notes=notes + result.notes)
        monitor.progress("writing", 0, 1)
        folder = Path(os.path.abspath(request.output))
        return WrittenResult(folder, write_result(result, scan, folder, request, monitor))
