"""From a scan to a scene: the whole product without the Slicer application.

    python Testing/demo/demo.py [SCAN] [-o demo-output] [--top-level T11]

Segments SCAN, or a spine that the project makes itself and whose truth is known, in the worker, as Slicer does. Puts
the result into a real MRML scene, and leaves in the output folder the scene (.mrb, for Slicer), the segmentation
(.seg.nrrd), the measurements (.csv), a picture of the views, and the worker's own result folder.
"""

import argparse
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1]), str(HERE.parents[1] / "SpineSegmentation")]

import SimpleITK as sitk  # noqa: E402
from phantom_truth import Comparison, compare  # noqa: E402
from scene_files import save_node, save_scene  # noqa: E402
from SlicerHost.core import startScene  # noqa: E402
from SlicerHost.views import canDrawOffScreen  # noqa: E402
from worker_process import run_worker  # noqa: E402

from SegTraining.synthetic.spine.phantom import make_phantom  # noqa: E402
from SpineInference.anatomy import Segment  # noqa: E402
from SpineInference.app.record import read_record  # noqa: E402
from SpineInference.app.requests import Request  # noqa: E402
from SpineInference.errors import SpineError  # noqa: E402
from SpineInference.files.reading import read_volume, scan_name  # noqa: E402
from SpineInference.options import SegmentationOptions  # noqa: E402
from SpineSegmentationLib.scene.ResultImport import importResult  # noqa: E402
from SpineSegmentationLib.scene.VolumeExchange import addVolume  # noqa: E402

PHANTOM_SEED = 7


def main() -> int:
    """Run the demonstration; returns the exit code (0, or 2 for a scan that cannot be used)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", nargs="?", help="a file or DICOM folder; without it, a spine is made")
    parser.add_argument("-o", "--output", type=Path, default=Path("demo-output"), help="folder for the results")
    parser.add_argument("--top-level", help="the topmost vertebra whose body is found, if known (e.g. T11)")
    options = parser.parse_args()
    options.output = options.output.resolve()  # Slicer's core writes bundles to full paths only
    started = time.monotonic()
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        truth = None
        if options.scan is None:
            print("Making a spine ...", flush=True)
            options.scan, truth = _make_scan(options.output)
            options.top_level = options.top_level or "T11"
        _demonstrate(options, truth)
    except (SpineError, OSError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 2
    print(f"\n{time.monotonic() - started:.0f} s in all. Not for clinical use.")
    return 0


def _make_scan(folder: Path) -> tuple[str, sitk.Image]:
    """The path of a phantom's image, and its true bodies."""
    phantom = make_phantom(PHANTOM_SEED, contrast="T2")
    path = folder / "phantom.nii.gz"
    sitk.WriteImage(phantom.image, path, True)
    sitk.WriteImage(phantom.bodies, folder / "phantom_truth.nii.gz", True)
    return str(path), phantom.bodies


def _demonstrate(options: argparse.Namespace, truth: sitk.Image | None) -> None:
    name = scan_name(options.scan)
    folder = options.output / name
    request = Request(options.scan, str(folder), SegmentationOptions(top_level=options.top_level))
    record = read_record(run_worker(request, _show)["record"])
    print("\nPutting the result into a scene ...", flush=True)
    startScene()
    volumeNode = addVolume(read_volume(options.scan), name)
    result = importResult(record, folder, volumeNode)
    if result.segmentationNode is None:
        print("No vertebral body was found, so there is nothing to show.", *result.notes, sep="\n")
        return
    segmentationNode, tableNode = result.segmentationNode, result.tableNode

    files = {
        "scene for 3D Slicer": options.output / "scene.mrb",
        "segmentation": options.output / f"{name}.seg.nrrd",
        "measurements": options.output / f"{name}.csv",
        "picture": options.output / "scene.png",
        "worker's result": folder,
    }
    save_node(segmentationNode, files["segmentation"])
    save_node(tableNode, files["measurements"])
    if canDrawOffScreen():
        from scene_picture import draw_scene, write_picture

        write_picture(draw_scene(volumeNode, segmentationNode), files["picture"])
    else:
        print("No picture of the scene: this machine has no OpenGL, not even in software (libEGL or libOSMesa).")
        del files["picture"]
    save_scene(files["scene for 3D Slicer"])

    found = sitk.ReadImage(folder / record.contents["labels"])
    _print_table(record.segments, found, compare(found, truth) if truth is not None else {})
    for what, path in files.items():
        print(f"{what:>20}  {path}")


def _show(event: dict) -> None:
    """One line that follows the progress; notes stay."""
    if event["event"] == "note":
        print(f"\r{event['text']:<78}")
        return
    if not sys.stdout.isatty() and event["done"]:
        return  # in a log, the beginning of each stage is enough
    plane = f" {event['plane']}" if event["plane"] else ""
    left = f", {event['seconds_left']:.0f} s left" if event["seconds_left"] else ""
    line = f"{event['stage']}{plane}: {event['done']} of {event['total']}{left}"
    print(f"\r{line:<78}", end="" if sys.stdout.isatty() else "\n", flush=True)


def _print_table(segments: list[Segment], found: sitk.Image, comparisons: dict[int, Comparison]) -> None:
    """Level and volume of every body, and how well it agrees with the truth where that is known."""
    print(f"\n{'vertebra':<12}{'volume (mm3)':>13}" + (f"{'truth':>8}{'Dice':>8}" if comparisons else ""))
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(found)
    for segment in segments:
        line = f"{segment.name:<12}{shape.GetPhysicalSize(segment.label):>13,.0f}"
        if comparison := comparisons.get(segment.label):
            line += f"{comparison.level:>8}{comparison.dice:>8.3f}"
        print(line)
    if comparisons:
        print(f"{'mean':<12}{sum(c.dice for c in comparisons.values()) / len(comparisons):>29.3f}")
    print()


if __name__ == "__main__":
    sys.exit(main())
