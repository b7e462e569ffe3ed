"""What the tests of the command line share: scans to call it with, and a pipeline that only notes its requests."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from small_records import small_record

from SpineInference.anatomy import LEVELS
from SpineInference.app import cli
from SpineInference.app.requests import Request
from SpineInference.app.runner import WrittenResult
from SpineInference.errors import SpineError
from SpineInference.files.result_folder import result_folder


class FakeRun:
    """Stands in for the pipeline: notes its requests and writes a tiny result."""

    def __init__(self):
        self.requests: list[Request] = []

    def __call__(self, request, monitor):
        self.requests.append(request)
        monitor.progress("network", 1, 2, "sagittal")
        monitor.note("something worth knowing")
        if "broken" in request.input:
            raise SpineError("this scan cannot be used.")
        if "bug" in request.input:
            raise ZeroDivisionError("oops")
        with result_folder(Path(request.output)) as folder:
            (folder / "labels.txt").write_text("1")
        segments = [] if "empty" in request.input else [LEVELS["C2"], LEVELS["C3"]]
        agreement = {"dice": 0.9123, "hd95_mm": 2.04, "assd_mm": 0.6, "nsd": 0.9, "n_missed": 1, "n_false": 0}
        told = {
            "vertebrae": [],
            "structures": [],
            "naming": None,
            "reference": agreement if request.reference else None,
        }
        return WrittenResult(Path(request.output), small_record(request, segments, 12.3, measurements=told))


def write_scan(path: Path, values: np.ndarray | None = None) -> Path:
    values = np.arange(60, dtype=np.int16).reshape(3, 4, 5) if values is None else values
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(sitk.GetImageFromArray(values), path)
    return path


def call(run, *arguments) -> int:
    return cli.main([str(argument) for argument in arguments], run)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def spine_segment(*arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "SpineInference.app.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=60)
