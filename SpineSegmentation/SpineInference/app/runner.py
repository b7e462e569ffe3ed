"""From a request to the files of its result: what the worker and the command line share."""

import dataclasses
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..anatomy import Naming, Segment
from ..monitor import Monitor
from .requests import Request

if TYPE_CHECKING:
    from ..engines.engine_cache import EngineCache
    from ..measuring.slice_agreement import SliceAgreement


@dataclass(frozen=True)
class Outcome:
    """What a request led to: its folder, the files in it by kind (see `results.write_result`), and what was found.

    `naming` says how the vertebrae got their names; `dice_per_slice` is None where there is no reference.
    """

    folder: Path
    files: dict[str, Path]
    segments: list[Segment]
    seconds: float
    naming: Naming | None = None
    dice_per_slice: "SliceAgreement | None" = None

    def as_dict(self) -> dict[str, Any]:
        """The outcome for JSON."""
        return {
            "folder": str(self.folder),
            "files": {kind: str(path) for kind, path in self.files.items()},
            "segments": [dataclasses.asdict(segment) for segment in self.segments],
            "seconds": round(self.seconds, 2),
            "naming": self.naming and dataclasses.asdict(self.naming),
            "dice_per_slice": self.dice_per_slice,
        }


class Runner:
    """Carries out requests one after the other; the networks stay open for the next one."""

    def __init__(self):
        self._engines: EngineCache | None = None

    def run(self, request: Request, monitor: Monitor) -> Outcome:
        """Read, segment, measure and write for a request that `requests.check_request` has found sound.

        Raises SpineError and Cancelled; then nothing is written.
        """
        started = time.perf_counter()
        monitor.progress("reading", 0, 1)
        # Everything heavy is imported here, and not before there is something to do.
        import SimpleITK as sitk

        from .. import pipeline
        from ..files.reading import read_labels, read_volume
        from ..measuring.slice_agreement import dice_per_slice
        from ..models.catalog import open_set
        from ..options import Options
        from .results import write_result

        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(request.threads or os.cpu_count() or 1)
        models = open_set(request.model)
        notes: list[str] = []
        scan = read_volume(request.input, monitor.collecting(notes))
        options = Options(
            planes=request.planes,
            fusion=request.fusion,
            top_level=request.top_level,
            bottom_level=request.bottom_level,
            propose_levels=request.propose_levels,
            bias_correction=request.bias_correction,
            postprocessing=request.postprocessing,
            device=request.device,
            precision=request.precision,
            threads=request.threads,
            reference=read_labels(request.reference) if request.reference else None,
        )
        reading = time.perf_counter() - started
        self._engines = self._engines or EngineCache()
        result = pipeline.segment(scan, models, options, monitor, self._engines)
        result = dataclasses.replace(result, timings={"reading": reading, **result.timings}, notes=notes + result.notes)
        monitor.progress("writing", 0, 1)
        folder = Path(os.path.abspath(request.output))
        files = write_result(result, scan, folder, request)
        slices = None if options.reference is None else dice_per_slice(result.labels, options.reference)
        naming = result.measurements.naming
        return Outcome(folder, files, result.segments, time.perf_counter() - started, naming, slices)
