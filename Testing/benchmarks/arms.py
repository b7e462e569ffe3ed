"""What the benchmark compares. Each arm runs in a process of its own, so that its peak memory is its own.

    python arms.py '{"arm": "phantom", "folder": ..., "shape": [512, 512, 240], "seed": ...}'
    python arms.py '{"arm": "pipeline", "folder": ..., "model": ..., "device": ..., "threads": ...}'
    python arms.py '{"arm": "naive", "folder": ..., "model": ..., "device": ..., "threads": ..., "slices": ...,
                     "at_model_spacing": ...}'

The first writes scan.nrrd and truth.nrrd into the folder, the others read them. Prints one line of JSON.
"""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT), str(PROJECT / "SpineSegmentation")]

from SpineInference.processors import prepare_process  # noqa: E402

if '"pipeline"' in sys.argv[1]:
    prepare_process()  # as the command line and the worker do before numpy is imported

import numpy as np  # noqa: E402
import SimpleITK as sitk  # noqa: E402

from SpineInference.anatomy import (  # noqa: E402
    LEVELS,
    MOST_NUMBERED,
    NUMBERED_OFFSET,
)
from SpineInference.engines.engine_cache import EngineCache  # noqa: E402
from SpineInference.engines.torch_engine import load_network  # noqa: E402
from SpineInference.measuring.metrics import dice  # noqa: E402
from SpineInference.models.catalog import open_set  # noqa: E402
from SpineInference.models.model_package import ModelPackage  # noqa: E402
from SpineInference.options import SegmentationOptions  # noqa: E402
from SpineInference.pipeline import segment  # noqa: E402
from SpineInference.prediction.slices import foreground_channel, pad  # noqa: E402
from SpineInference.volume.geometry import SLICE_AXIS, Grid, canonical, resample, restore  # noqa: E402
from SpineInference.volume.preprocessing import preprocess  # noqa: E402

if TYPE_CHECKING:
    import torch  # imported where it is used: the pipeline must not pay for it


FIELD_OF_VIEW = (358.4, 358.4, 168.0)  # mm, front to back, top to bottom, left to right


def phantom(folder: Path, shape: list[int], seed: int) -> dict:
    """Make the volume: a lumbar spine of `shape` voxels in a field of view that holds the whole trunk."""
    from SegTraining.synthetic.spine.phantom import make_phantom

    spacing = tuple(mm / voxels for mm, voxels in zip(FIELD_OF_VIEW, shape, strict=True))
    spine = make_phantom(seed, spacing, FIELD_OF_VIEW, contrast="T2")
    sitk.WriteImage(spine.image, folder / "scan.nrrd")
    sitk.WriteImage(spine.bodies, folder / "truth.nrrd")
    return {"spacing": spacing}


class Clock:
    """Wall and processor seconds since it was made; the latter matter on a busy machine."""

    def __init__(self):
        self._wall, self._processor = time.perf_counter(), time.process_time()

    def read(self) -> np.ndarray:
        return np.array([time.perf_counter() - self._wall, time.process_time() - self._processor])


def naive(
    folder: Path, model: str, device: str, threads: int, slices: int | None, at_model_spacing: bool = False
) -> dict:
    """The loop of the thesis: every slice of the volume, alone, in full precision, one plane after the other.

    The planes' probabilities are averaged, so that the result can be compared. The thesis feeds slices as they are.
    The networks are not made for the size at which they then see a vertebra, which costs Dice; `at_model_spacing`
    resamples the volume before, and the probabilities back afterwards, as a loop must that shall be as good as the
    pipeline. With `slices`, only so many of each plane are computed, evenly spaced, and the time is extrapolated;
    there is no Dice then.
    """
    clock = Clock()
    import torch

    torch.set_num_threads(threads)
    scan = sitk.ReadImage(folder / "scan.nrrd")
    packages = open_set(model).packages
    wanted = packages[0].manifest.input
    seen = preprocess(scan, wanted.spacing_mm if at_model_spacing else min(scan.GetSpacing()), wanted.intensity)
    volume = sitk.GetArrayViewFromImage(seen)
    total = np.zeros(volume.shape, np.float32)
    seconds = clock.read()
    timings = {"reading and preprocessing": seconds[0]}
    for package in packages:
        clock = Clock()
        network = load_network(package).float().to(device)
        axis = SLICE_AXIS[package.manifest.plane]
        stack, sums = np.moveaxis(volume, axis, 0), np.moveaxis(total, axis, 0)
        chosen = range(len(stack)) if slices is None else np.linspace(0, len(stack) - 1, slices).astype(int)
        _probability(stack, chosen[0], network, package, device)  # the first is slower, which must not be multiplied
        loading, clock = clock.read(), Clock()
        for index in chosen:
            sums[index] += _probability(stack, index, network, package, device)
        plane_seconds = loading + clock.read() * len(stack) / len(chosen)
        timings[f"network, {package.manifest.plane}"] = plane_seconds[0]
        seconds = seconds + plane_seconds
    clock = Clock()
    probability = sitk.GetImageFromArray(total / len(packages))
    probability.CopyInformation(seen)
    probability = resample(probability, Grid.of(canonical(scan)))
    mask = restore(probability > packages[0].manifest.output.threshold, scan)
    seconds = seconds + clock.read()
    timings["threshold"] = clock.read()[0]
    result = {
        "peak_megabytes": peak_megabytes(),
        "wall_seconds": seconds[0],
        "processor_seconds": seconds[1],
        "slices": _slices_of(scan, [package.manifest.plane for package in packages]),
        "timings": timings,
    }
    return result if slices else result | {"dice": _dice(mask, folder)}


def _probability(
    stack: np.ndarray, index: int, network: "torch.nn.Module", package: ModelPackage, device: str
) -> np.ndarray:
    """Foreground probability [rows, columns] of one slice of `stack` [slices, rows, columns]."""
    import torch

    spec = package.manifest.input
    neighbours = np.arange(index - spec.context_slices, index + spec.context_slices + 1).clip(0, len(stack) - 1)
    rows, columns = (-(-side // spec.pad_multiple) * spec.pad_multiple for side in stack.shape[1:])
    batch, inside = pad(stack[np.newaxis, neighbours], rows, columns, float(stack[index].min()))
    with torch.no_grad():
        logits = network(torch.from_numpy(batch).to(device))
    activate = torch.sigmoid if package.manifest.output.activation == "sigmoid" else lambda x: torch.softmax(x, 1)
    return activate(logits).cpu().numpy()[0, foreground_channel(package.manifest)][inside]


def pipeline(folder: Path, model: str, device: str, threads: int) -> dict:
    """The product, from the file to the labels. On a GPU a second time as well, with the networks still loaded."""
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    engines, runs = EngineCache(), []
    for _ in range(1 if device == "cpu" else 2):
        clock = Clock()
        scan = sitk.ReadImage(folder / "scan.nrrd")
        reading = clock.read()[0]
        result = segment(scan, open_set(model), SegmentationOptions(device=device, threads=threads), engines=engines)
        runs.append(clock.read())
    peak = peak_megabytes()  # before the result is judged, which takes several more volumes of this size
    return {
        "wall_seconds": runs[0][0],
        "processor_seconds": runs[0][1],
        "warm_wall_seconds": runs[-1][0] if len(runs) > 1 else None,
        "slices": _slices_of(scan, result.planes),
        "timings": {"reading": reading} | result.timings,
        "dice": _dice(result.labels, folder),
        "device": f"{result.device}, {result.device.name}",
        "vertebrae": len(result.segments),
        "peak_megabytes": peak,
    }


def _slices_of(scan: sitk.Image, planes: list[str]) -> int:
    return sum(canonical(scan).GetSize()[2 - SLICE_AXIS[plane]] for plane in planes)


def _dice(labels: sitk.Image, folder: Path) -> float:
    """Against the truth, but for the sacrum, of which the bundled models have been taught nothing."""
    truth = sitk.GetArrayFromImage(sitk.ReadImage(folder / "truth.nrrd"))
    judged = truth != LEVELS["S1"].label
    found = sitk.GetArrayViewFromImage(labels)
    bodies = (found > 0) & (found <= NUMBERED_OFFSET + MOST_NUMBERED)  # of the pipeline; masks of others are 0 and 1
    return dice(bodies & judged, (truth > 0) & judged)


def peak_megabytes() -> float:
    """The most memory this process has held so far."""
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return psutil.Process().memory_info().peak_wset / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


if __name__ == "__main__":
    order = json.loads(sys.argv[1])
    arm = {"phantom": phantom, "pipeline": pipeline, "naive": naive}[order.pop("arm")]
    outcome = arm(Path(order.pop("folder")), **order)
    print(json.dumps(outcome))
