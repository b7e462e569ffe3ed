"""What models find in a scan, as classes: bodies through the runtime's pipeline, anything else as it is."""

import time
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from SpineInference.catalog import ModelSet
from SpineInference.devices import choose_device
from SpineInference.engines import Engine
from SpineInference.geometry import SLICE_AXIS, Grid, canonical, plane_grid, resample
from SpineInference.manifest import Manifest
from SpineInference.monitor import Monitor
from SpineInference.options import Options
from SpineInference.pipeline import Engines, segment
from SpineInference.preprocessing import preprocess
from SpineInference.slices import pad, tile_starts


@dataclass(frozen=True, eq=False)
class Prediction:
    """Canonical [I, P, L] on the scan's own voxels: `classes` uint8, 1, 2, ... in the order of the models' labels;
    `instances` each body's own value, None where the models do not find bodies."""

    classes: np.ndarray
    instances: np.ndarray | None
    seconds: float


def predict(scan: sitk.Image, model_set: ModelSet, options: Options, engines: Engines) -> Prediction:
    """Models of one label in a volume find bodies, as `pipeline.segment` does, with its post-processing.

    Several labels, and images of a single slice, are neither restricted to a spine nor post-processed: every voxel is
    of the class whose probability, the mean over the planes, is the highest. Raises SpineError like `segment`.
    """
    if len(model_set.packages[0].manifest.labels) == 1 and min(scan.GetSize()) > 1:
        result = segment(scan, model_set, options, engines=engines)
        instances = sitk.GetArrayFromImage(canonical(result.labels))
        return Prediction((instances > 0).astype(np.uint8), instances, sum(result.timings.values()))
    started = time.perf_counter()
    classes = _classes(scan, model_set, options, engines)
    return Prediction(classes, None, time.perf_counter() - started)


def _classes(scan: sitk.Image, model_set: ModelSet, options: Options, engines: Engines) -> np.ndarray:
    packages = [p for p in model_set.packages if options.planes is None or p.manifest.plane in options.planes]
    recipe, device = packages[0].manifest, choose_device(options.device, options.precision)
    working = preprocess(scan, recipe.input.spacing_mm, recipe.input.intensity, recipe.input.bias_correction)
    grid = Grid.of(canonical(scan))
    total: np.ndarray | float = 0.0
    for package in packages:
        image = resample(working, plane_grid(working, package.manifest.plane, recipe.input.spacing_mm))
        engine = engines.get(package, device, options.threads, Monitor())
        total = total + np.stack([_on(grid, each, image) for each in _probabilities(image, package.manifest, engine)])
    if recipe.output.activation == "softmax":
        return total.argmax(axis=0).astype(np.uint8)
    likely = total.max(axis=0) > recipe.output.threshold * len(packages)
    return np.where(likely, total.argmax(axis=0) + 1, 0).astype(np.uint8)


def _on(grid: Grid, probability: np.ndarray, image: sitk.Image) -> np.ndarray:
    volume = sitk.GetImageFromArray(probability)
    volume.CopyInformation(image)
    on_grid = resample(volume, grid)
    return sitk.GetArrayFromImage(on_grid)


def _probabilities(image: sitk.Image, manifest: Manifest, engine: Engine) -> np.ndarray:
    """float32 [outputs, I, P, L] for every slice of the manifest's plane through canonical, normalised `image`."""
    axis, context = SLICE_AXIS[manifest.plane], manifest.input.context_slices
    volume = sitk.GetArrayFromImage(image)
    stack = np.moveaxis(volume, axis, 0)
    slices = []
    for index in range(len(stack)):
        neighbours = np.clip(np.arange(index - context, index + context + 1), 0, len(stack) - 1)
        slices.append(_slice(stack[neighbours].astype(np.float32), manifest, engine, float(volume.min())))
    return np.moveaxis(np.stack(slices, axis=1), 1, axis + 1)


def _slice(sample: np.ndarray, manifest: Manifest, engine: Engine, background: float) -> np.ndarray:
    """[channels, rows, columns] of any size -> float32 [outputs, rows, columns]; a fixed canvas is moved over it."""
    spec = manifest.input
    size = spec.canvas or tuple(-(-side // spec.pad_multiple) * spec.pad_multiple for side in sample.shape[1:])
    total, count = np.zeros((manifest.classes, *sample.shape[1:]), np.float32), np.zeros(sample.shape[1:], np.float32)
    for top in tile_starts(sample.shape[1], size[0]):
        for left in tile_starts(sample.shape[2], size[1]):
            window = (slice(top, top + size[0]), slice(left, left + size[1]))
            padded, inside = pad(sample[(None, slice(None), *window)], *size, background)
            total[(slice(None), *window)] += engine.probabilities(padded)[0][(slice(None), *inside)]
            count[window] += 1
    return total / count
