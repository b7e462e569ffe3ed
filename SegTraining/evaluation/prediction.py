"""What models find in a scan, as classes: the runtime's pipeline, and whose segments are of which label."""

import time
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from SpineInference.engines.engine_cache import EngineCache
from SpineInference.errors import Implausible
from SpineInference.models.catalog import ModelSet
from SpineInference.models.manifest import Manifest
from SpineInference.options import SegmentationOptions
from SpineInference.pipeline import segment
from SpineInference.volume.geometry import canonical


@dataclass(frozen=True, eq=False)
class Prediction:
    """Canonical [I, P, L] on the scan's own voxels: `classes` uint8, 1, 2, ... in the order of the models' labels;
    `instances` each body's own value, None where the models do not find bodies, or other structures too."""

    classes: np.ndarray
    instances: np.ndarray | None
    seconds: float


def predict(scan: sitk.Image, model_set: ModelSet, options: SegmentationOptions, engines: EngineCache) -> Prediction:
    """What `pipeline.segment` finds in `scan`, with its post-processing. Raises SpineError like it."""
    result = segment(scan, model_set, options, engines=engines)
    recipe = model_set.packages[0].manifest
    values = sitk.GetArrayFromImage(canonical(result.labels))
    class_of = np.zeros(256, np.uint8)
    for number, structure in recipe.structures.items():
        class_of[structure.label] = number
    if recipe.vertebra_class:
        class_of[[body.label for body in result.segments if body.is_vertebra]] = recipe.vertebra_class
    return Prediction(class_of[values], values if _finds_only_bodies(recipe) else None, sum(result.timings.values()))


def predict_or_nothing(
    scan: sitk.Image, model_set: ModelSet, options: SegmentationOptions, engines: EngineCache
) -> Prediction:
    """Like `predict`, but what `pipeline.segment` refuses, as no spine looks like that, is nothing found.

    So it counts as a Dice of 0 and as bodies missed. Networks that have hardly been trained do such things.
    """
    start = time.perf_counter()
    try:
        return predict(scan, model_set, options, engines)
    except Implausible as error:
        print(f"{error} It counts as nothing found.", flush=True)
    nothing = np.zeros(canonical(scan).GetSize()[::-1], np.uint8)
    instances = nothing if _finds_only_bodies(model_set.packages[0].manifest) else None
    return Prediction(nothing, instances, time.perf_counter() - start)


def _finds_only_bodies(recipe: Manifest) -> bool:
    return recipe.vertebra_class is not None and not recipe.structures
