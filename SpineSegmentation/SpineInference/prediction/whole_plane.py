"""Every slice of one plane of the region through one network, and its opinion into the fusion."""

import math
from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

from ..engines.engine import Engine
from ..models.model_package import ModelPackage
from ..monitor import Monitor
from ..volume.geometry import SLICE_AXIS, Grid, crop, plane_grid, resample, spacing_ipl
from .fusion import Fusion
from .slices import predict_blocks


def add_prediction(
    fusion: Fusion,
    region: sitk.Image,
    package: ModelPackage,
    shares: Sequence[tuple[int, float]],
    engine: Engine,
    monitor: Monitor,
    ends_after_mm: float | None,
) -> None:
    """Run every slice of the package's plane over `region` and add the probabilities to `fusion`, by `shares`.

    With `ends_after_mm`, slices are left out beyond so much, and at least two slices, that shows nothing.
    """
    manifest = package.manifest
    axis = SLICE_AXIS[manifest.plane]
    image = resample(region, plane_grid(region, manifest.plane, manifest.input.spacing_mm))
    # One slice that shows nothing may be a bad one.
    ends_after = ends_after_mm and max(2, math.ceil(ends_after_mm / spacing_ipl(image)[axis]))
    for span, probabilities in predict_blocks(sitk.GetArrayViewFromImage(image), manifest, engine, monitor, ends_after):
        if image is not region:
            # The slices lie at the same places on both grids, so that some at a time can go from one to the other.
            source, target = _slab(image, axis, span), Grid.of(_slab(region, axis, span))
            on_region = []
            for probability in np.moveaxis(probabilities, 1, axis + 1):
                predicted = sitk.GetImageFromArray(probability.astype(np.float32, copy=False))
                predicted.CopyInformation(source)
                on_region.append(sitk.GetArrayFromImage(resample(predicted, target)))
            probabilities = np.moveaxis(np.stack(on_region), axis + 1, 1)
        fusion.add(probabilities, axis, span, shares, manifest.output.threshold)


def _slab(image: sitk.Image, axis: int, span: slice) -> sitk.Image:
    """The slices `span` along an array axis."""
    box = [slice(0, length) for length in reversed(image.GetSize())]
    box[axis] = span
    return crop(image, tuple(box))
