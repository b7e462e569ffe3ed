"""What models find in a scan, as classes: the runtime's pipeline, and whose segments are of which label.

`predict` is the command that writes label maps; this is what it and the evaluation look at.
"""

import logging
import time
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from SpineInference.anatomy import DISC_OFFSET
from SpineInference.engines.engine_cache import EngineCache
from SpineInference.errors import Implausible, SpineError
from SpineInference.models.catalog import ModelSet
from SpineInference.options import SegmentationOptions
from SpineInference.pipeline import segment
from SpineInference.result import Result
from SpineInference.volume.geometry import canonical

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Prediction:
    """Canonical [I, P, L] on the scan's own voxels: `classes` uint8, 1, 2, ... in the order of the models' labels;
    `instances` each body's own value, None where the models do not find bodies.

    `bodies` are the values of the bodies from the top of the spine down. `result` is that of the pipeline, or None
    where there is none; `error` is then why.
    """

    classes: np.ndarray
    instances: np.ndarray | None
    seconds: float
    bodies: tuple[int, ...] = ()
    result: Result | None = None
    error: Exception | None = None

    @property
    def failure(self) -> str | None:
        """The error in words."""
        return self.error and (str(self.error) if isinstance(self.error, SpineError) else repr(self.error))


def predict(scan: sitk.Image, model_set: ModelSet, options: SegmentationOptions, engines: EngineCache) -> Prediction:
    """What `pipeline.segment` finds in `scan`, with its post-processing. Raises SpineError like it."""
    result = segment(scan, model_set, options, engines=engines)
    recipe = model_set.recipe
    values = sitk.GetArrayFromImage(canonical(result.labels))
    class_of = np.zeros(256, np.uint8)
    for number, structure in recipe.structures.items():
        class_of[structure.label] = number
    if recipe.disc_class:
        class_of[DISC_OFFSET:] = recipe.disc_class
    bodies = tuple(body.label for body in result.segments if body.is_vertebra)
    if recipe.vertebra_class:
        class_of[list(bodies)] = recipe.vertebra_class
    instances = np.where(np.isin(values, bodies), values, 0) if recipe.vertebra_class else None
    return Prediction(class_of[values], instances, sum(result.timings.values()), bodies, result)


def predict_or_nothing(
    scan: sitk.Image,
    model_set: ModelSet,
    options: SegmentationOptions,
    engines: EngineCache,
    tolerated: type[Exception] = Implausible,
) -> Prediction:
    """Like `predict`, but an error of the `tolerated` kind is nothing found, and the reason.

    So it counts as a Dice of 0 and as bodies missed. What no spine looks like (`Implausible`) is found by networks that
    have hardly been trained, and is an answer like any other.
    """
    start = time.perf_counter()
    try:
        return predict(scan, model_set, options, engines)
    except tolerated as error:
        nothing = np.zeros(canonical(scan).GetSize()[::-1], np.uint8)
        instances = nothing if model_set.recipe.vertebra_class else None
        prediction = Prediction(nothing, instances, time.perf_counter() - start, error=error)
        unexpected = not isinstance(error, SpineError)
        _log.warning(f"{prediction.failure} It counts as nothing found.", exc_info=unexpected)
        return prediction
