"""Segments a scan in the worker, as Slicer does, and leaves everything that comes of it in a folder.

    python Testing/demo/demo.py [SCAN] [-o demo-output] [--top-level T11]

Without SCAN it takes the module's sample scan, a generated spine, and compares the result with its true bodies. The
segmentation, the measurements and the overview picture are always written; the scene for 3D Slicer (.mrb) and a picture
of its views only where Slicer's core is installed.
"""

import argparse
import importlib.util
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT / "Testing"), str(PROJECT / "SpineSegmentation")]

from worker_process import run_worker  # noqa: E402

from SpineInference.anatomy import LEVELS  # noqa: E402
from SpineInference.app.display import Display  # noqa: E402
from SpineInference.app.record import Record, read_record  # noqa: E402
from SpineInference.app.requests import Request  # noqa: E402
from SpineInference.errors import SpineError  # noqa: E402
from SpineInference.files.reading import scan_name  # noqa: E402
from SpineInference.monitor import Monitor  # noqa: E402
from SpineInference.options import SegmentationOptions  # noqa: E402

SAMPLE = PROJECT / "SpineSegmentation" / "Resources" / "SampleData" / "SpinePhantom.nrrd"
TRUTH = SAMPLE.with_name("SpinePhantomTruth.seg.nrrd")
SHOWN = {"segmentation": "segmentation", "measurements": "measurements", "overview": "overview picture"}
"""The files of a result that a person looks at, and what they are called here."""


def main(arguments: list[str] | None = None) -> int:
    """Run the demonstration; returns the exit code (0, 2 for a scan that cannot be used, 130 for Ctrl-C)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", nargs="?", help="a file or DICOM folder (default: the sample scan)")
    parser.add_argument("-o", "--output", type=Path, default=Path("demo-output"), help="folder for the results")
    parser.add_argument("--top-level", help="the topmost vertebra whose body is found, if known (e.g. T11)")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        _demonstrate(options.scan, options.output.resolve(), options.top_level)
    except (SpineError, OSError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    print(f"\n{time.monotonic() - started:.0f} s in all. Not for clinical use.")
    return 0


def _demonstrate(scan: str | None, output: Path, top_level: str | None) -> None:
    reference = str(TRUTH) if scan is None else None
    scan = scan or str(SAMPLE)
    folder = output / scan_name(scan)
    request = Request(scan, str(folder), SegmentationOptions(top_level=top_level), reference)
    with Display().scan(folder.name) as monitor:
        record = read_record(run_worker(request, lambda event: _pass_on(event, monitor))["record"])
    if not record.segments:
        print("\nNo vertebral body was found, so there is nothing to show.")
        return
    _print_table(record)
    written = {SHOWN[kind]: folder / name for kind, name in record.contents.items() if kind in SHOWN}
    if importlib.util.find_spec("slicer") is not None:
        from scene_output import write_scene

        written |= write_scene(record, folder, output)
    else:
        print("No scene for 3D Slicer (.mrb): that needs slicer-core, which `make develop` installs.\n")
    for what, path in written.items():
        print(f"{what:>20}  {path}")


def _pass_on(event: dict, monitor: Monitor) -> None:
    if event["event"] == "note":
        monitor.note(event["text"])
    else:
        monitor.progress(event["stage"], event["done"], event["total"], event["plane"])


def _print_table(record: Record) -> None:
    """Level, volume and quality of every body and, where the truth is known, what it is and how well both agree."""
    names = {segment.label: segment.name for segment in LEVELS.values()}
    bodies, compared = record.measurements["vertebrae"], record.measurements["reference"] is not None
    print(f"\n{'vertebra':<10}{'volume (mm3)':>14}{'quality':>9}" + (f"{'truth':>8}{'Dice':>8}" if compared else ""))
    for body in bodies:
        line = f"{body['level']:<10}{_number(body['volume_mm3'], 0):>14}{_number(body.get('quality')):>9}"
        if compared:
            line += f"{names.get(body['reference_label'], '-'):>8}{_number(body['dice'], 3):>8}"
        print(line)
    if compared:
        print(f"all bodies together: Dice {_number(record.measurements['reference']['dice'], 3)}")
    print()


def _number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


if __name__ == "__main__":
    sys.exit(main())
