"""Measures segments that a person has drawn or corrected: the table of a run, without a run."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..anatomy import Segment
from ..errors import SpineError
from ..placement import SlicePlacement
from ..volume.slice_placement import placed
from .measurements import as_json, measure
from .single_slice import told_of_slice
from .slice_agreement import dice_per_slice


def remeasure(
    labels: sitk.Image,
    bodies: Mapping[int, str],
    structures: Mapping[int, str],
    reference: sitk.Image | None = None,
    placement: SlicePlacement | None = None,
) -> dict[str, Any]:
    """What is in `labels`, unsigned integers in any orientation: "measurements" as `measurements.as_json` puts them,
    and "dice_per_slice", None without a `reference`.

    `bodies` are the names of vertebrae by label value, in any order, and `structures` those of everything else. What
    was erased altogether is left out. `placement` is that in the record of a single slice. Raises SpineError where
    nothing is left, or for a reference that does not fit.
    """
    array = sitk.GetArrayViewFromImage(labels)
    present = set(np.unique(array).tolist())
    vertebrae = [_segment(label, name, True) for label, name in bodies.items() if label in present]
    others = [_segment(label, name, False) for label, name in structures.items() if label in present]
    if not vertebrae and not others:
        raise SpineError("nothing is left to be measured: draw something, or bring the segments back.")
    grid = labels
    if placement:
        labels, reference = placed(labels, placement), None if reference is None else placed(reference, placement)
    vertebrae = _from_the_top(vertebrae, labels)
    partial = {body.label for body in vertebrae} & _at_the_border(array)
    measurements = measure(labels, vertebrae if bodies else None, partial, reference, others)
    if placement:
        measurements = told_of_slice(measurements, labels, grid, placement.has_scale)
    slices = None if reference is None else dice_per_slice(labels, reference)
    return {"measurements": as_json(measurements), "dice_per_slice": slices}


def _segment(label: int, name: str, is_vertebra: bool) -> Segment:
    return Segment(label, name, (0, 0, 0), "", "", is_vertebra)  # how it looks and is coded does not matter here


def _from_the_top(bodies: list[Segment], labels: sitk.Image) -> list[Segment]:
    if not bodies:
        return []
    array = sitk.GetArrayViewFromImage(labels)
    centres = ndimage.center_of_mass(array > 0, array, [body.label for body in bodies])
    heights = [labels.TransformContinuousIndexToPhysicalPoint(centre[::-1])[2] for centre in centres]
    return [body for _height, body in sorted(zip(heights, bodies, strict=True), key=lambda pair: -pair[0])]


def _at_the_border(array: np.ndarray) -> set[int]:
    """The values that reach the first or last slice along some axis of more than one slice."""
    ends = [array.take([0, -1], axis) for axis in range(array.ndim) if array.shape[axis] > 1]
    return {int(value) for end in ends for value in np.unique(end)}
