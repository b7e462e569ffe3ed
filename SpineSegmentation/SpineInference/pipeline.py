"""The way of a volume, whole: a scan in, named and measured vertebral bodies on the scan's own grid out.

canonical orientation, working grid, bias field, intensities    preprocessing.py
-> where the spine is                                            region.py
-> every slice of every plane through its network                slices.py, engines.py
-> one probability volume                                        fusion.py
-> mask                                                          postprocessing.py
-> separated, ordered and named bodies                           vertebrae.py
-> exactly the scan's grid                                       regridding.py
-> heights, volumes, agreement with a reference                  measurements.py
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from . import postprocessing, vertebrae
from .catalog import ModelSet
from .devices import Device, choose_device
from .engines import Engine, open_engine
from .errors import SpineError
from .fusion import Fusion
from .geometry import PLANES, SLICE_AXIS, Grid, check_geometry, crop, plane_grid, resample, spacing_ipl
from .levels import Segment
from .measurements import Measurements, measure
from .model_package import ModelPackage
from .monitor import Monitor
from .options import Options, check_options, note_precision, packages_to_run
from .preprocessing import preprocess
from .region import clear_inner_faces, find_region
from .regridding import to_scan_grid
from .slices import predict_plane


@dataclass(frozen=True)
class Result:
    """What came out. `labels` is uint8 on exactly the scan's grid; `segments` go from the top to the bottom.

    `partial` holds the label values of bodies cut off by the border of the scan; `timings` are seconds per stage;
    `notes` are sentences for the user.
    """

    labels: sitk.Image
    segments: list[Segment]
    partial: set[int]
    measurements: Measurements
    models: list[str]
    planes: list[str]
    device: Device
    timings: dict[str, float]
    notes: list[str]


class Engines:
    """Engines that stay open from scan to scan, one for each package and device."""

    def __init__(self):
        self._open: dict[tuple, Engine] = {}

    def get(self, package: ModelPackage, device: Device, threads: int | None, monitor: Monitor) -> Engine:
        key = (package.path, device, threads)
        if key not in self._open:
            self._open[key] = open_engine(package, device, monitor, threads)
        return self._open[key]


def segment(
    scan: sitk.Image,
    models: ModelSet,
    options: Options | None = None,
    monitor: Monitor | None = None,
    engines: Engines | None = None,
) -> Result:
    """Segment the vertebral bodies of a 3D scalar `scan` (any orientation and spacing) with a set of 2D networks.

    Raises SpineError, before any work, for input and options that cannot be used, and Cancelled.
    """
    options, engines = options or Options(), engines or Engines()
    notes: list[str] = []
    monitor = (monitor or Monitor()).collecting(notes)
    seconds = _Stopwatch()

    check_geometry(scan)
    check_options(options, scan)
    packages = packages_to_run(models, options, scan, monitor)
    device = choose_device(options.device, options.precision)
    note_precision(packages, options, device, monitor)
    recipe = packages[0].manifest

    def engine_for(package: ModelPackage) -> Engine:
        return engines.get(package, device, options.threads, monitor)

    with seconds("preprocessing"):
        monitor.progress("preprocessing", 0, 1)
        bias = recipe.input.bias_correction if options.bias_correction is None else options.bias_correction
        working = preprocess(scan, recipe.input.spacing_mm, recipe.input.intensity, bias, monitor)

    with seconds("region"):
        volume = sitk.GetArrayViewFromImage(working)
        box = tuple(slice(0, length) for length in volume.shape)
        if options.restrict_to_spine:
            box = find_region(volume, spacing_ipl(working), recipe, engine_for(packages[0]), monitor)
        if nothing_there := box is None:
            box = (slice(0, 1),) * 3
        region = crop(working, box)

    fusion = Fusion(tuple(reversed(region.GetSize())), len(packages), options.fusion, recipe.output.threshold)
    for package in [] if nothing_there else packages:
        with seconds(f"network, {package.manifest.plane}"):
            _add_prediction(fusion, region, package, engine_for(package), monitor)

    with seconds("post-processing"):
        monitor.progress("post-processing", 0, 1)
        spec = options.postprocessing or recipe.postprocessing
        mask = postprocessing.apply(fusion.result, spec, fusion.threshold, spacing_ipl(region), monitor)
        clear_inner_faces(mask, box, volume.shape)

    with seconds("vertebrae"):
        monitor.progress("vertebrae", 0, 1)
        instances, bodies = vertebrae.separate(mask, spacing_ipl(region), fusion.result)
        segments = _name(len(bodies), options, monitor)
        partial = {s.label for s, body in zip(segments, bodies, strict=True) if body.touches_border}
        label_of = np.array([0, *(s.label for s in segments)], np.uint8)
        labels = to_scan_grid(label_of[instances], fusion.result, fusion.threshold, region, scan)

    with seconds("measuring"):
        monitor.progress("measuring", 0, 1)
        measurements = measure(labels, segments, partial, options.reference)

    if not segments:
        monitor.note(
            f"No vertebral body was found in this scan: the model is made for {recipe.modality} "
            f"of the {recipe.anatomy}; check that this is what the scan shows."
        )
    names = [package.manifest.name for package in packages]
    planes = sorted({package.manifest.plane for package in packages}, key=PLANES.index)
    return Result(labels, segments, partial, measurements, names, planes, device, seconds.spent, notes)


def _name(count: int, options: Options, monitor: Monitor) -> list[Segment]:
    try:
        return vertebrae.assign_levels(count, options.top_level, options.bottom_level)
    except SpineError as error:  # a wrong guess of the level shall not cost the segmentation
        monitor.note(f"{error} Until then the vertebrae are numbered.")
        return vertebrae.assign_levels(count)


def _add_prediction(
    fusion: Fusion, region: sitk.Image, package: ModelPackage, engine: Engine, monitor: Monitor
) -> None:
    """Run every slice of the package's plane over `region` and add the probabilities to `fusion`."""
    manifest = package.manifest
    axis = SLICE_AXIS[manifest.plane]
    image = resample(region, plane_grid(region, manifest.plane, manifest.input.spacing_mm))
    slices = predict_plane(sitk.GetArrayViewFromImage(image), manifest, engine, monitor)
    if image is region:
        for index, probability in slices:
            fusion.add(probability, axis, index)
        return
    volume = np.zeros(tuple(reversed(image.GetSize())), np.float32)
    for index, probability in slices:
        np.moveaxis(volume, axis, 0)[index] = probability
    predicted = sitk.GetImageFromArray(volume)
    predicted.CopyInformation(image)
    fusion.add(sitk.GetArrayFromImage(resample(predicted, Grid.of(region))))


class _Stopwatch:
    def __init__(self):
        self.spent: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.spent[stage] = self.spent.get(stage, 0.0) + time.perf_counter() - started
