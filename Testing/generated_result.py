"""Results of generated spines: what a run would have found, without a run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

import SimpleITK as sitk
from generated_spine import generated_bodies

from SpineInference.anatomy import LEVELS, Naming, Segment
from SpineInference.engines.devices import Device
from SpineInference.measuring.measurements import measure
from SpineInference.measuring.morphometry.spine_measures import spine_measures
from SpineInference.result import Result


@cache
def _bodies() -> sitk.Image:
    return generated_bodies(5, (1.0, 1.0, 4.0), (100.0, 190.0, 72.0), "lumbar", 0.3)[0]


def generated_result(
    on: sitk.Image | None = None,
    qualities: Mapping[str, float] | None = None,
    structures: Sequence[Segment] = (),
    labels: sitk.Image | None = None,
    **fields: object,
) -> tuple[sitk.Image, Result]:
    """A label map of lumbar bodies and its result, on the grid of the scan `on`, where one is given.

    `qualities` are those of single bodies, of the others .93; `structures` are what else is in `labels`; `fields`
    replace those of the result.
    """
    labels = _bodies() if labels is None else labels
    if on is not None:
        labels = sitk.Resample(labels, on, sitk.Transform(), sitk.sitkNearestNeighbor)
    values = set(sitk.GetArrayFromImage(labels).ravel().tolist())
    bodies = [level for level in LEVELS.values() if level.label in values]
    partial = {bodies[0].label, bodies[-1].label}
    found = [(qualities or {}).get(body.name, 0.93) for body in bodies]
    others = list(structures)
    table = replace(
        measure(labels, bodies, partial, None, others, found), naming=Naming("proposed", 0.97, "the sacrum")
    )
    result = Result(
        labels=labels,
        segments=[*bodies, *others],
        partial=partial,
        measurements=table,
        models=["bright-sagittal"],
        planes=["sagittal"],
        device=Device("cpu", 0, "A processor", "test"),
        timings={"network": 12.0},
        notes=["something worth knowing"],
        model_checksums={"bright-sagittal": "ab" * 32},
        morphometry=spine_measures(labels, table.vertebrae),
        engine="OpenVINO, bfloat16",
    )
    return labels, replace(result, **fields)
