"""Measures segments that a person has drawn or corrected: the table of a run, without a run."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import SimpleITK as sitk

from ..anatomy import Segment
from ..errors import SpineError
from ..placement import SlicePlacement
from ..volume.boxes import is_at_border
from ..volume.slice_placement import placed
from .matching import Places, find_labels, layers_of
from .measurements import as_json, measure
from .morphometry.spine_measures import on_scan, spine_measures
from .morphometry.tables import as_json as morphometry_as_json
from .reference import are_on_same_grid
from .single_slice import told_of_slice
from .slice_agreement import dice_per_slice


def remeasure(
    labels: sitk.Image,
    bodies: Mapping[int, str],
    structures: Mapping[int, str],
    reference: sitk.Image | None = None,
    placement: SlicePlacement | None = None,
    scan: sitk.Image | None = None,
) -> dict[str, Any]:
    """What is in `labels`: "measurements" as `measurements.as_json` puts them, "morphometry" as `morphometry.tables`
    does, and "dice_per_slice", None without a `reference`. Both are unsigned integers in any orientation, in several
    components where segments overlap.

    `bodies` are the names of vertebrae by label value, in any order, and `structures` those of everything else. What
    was erased altogether is left out. `placement` is that in the record of a single slice. `scan` tells the signal of
    discs, and which bodies end where it shows nothing any more. Raises SpineError where nothing is left, or for a
    reference or a scan that does not fit.
    """
    places = find_labels(layers_of(labels))
    vertebrae = [_segment(label, name, True) for label, name in bodies.items() if label in places]
    others = [_segment(label, name, False) for label, name in structures.items() if label in places]
    if not vertebrae and not others:
        raise SpineError("nothing is left to be measured: draw something, or bring the segments back.")
    if scan is not None and not are_on_same_grid(scan, labels):
        raise SpineError("the scan lies on another grid than the segments: give the one that they were drawn on.")
    grid = labels
    if placement:
        images = (labels, reference, scan)
        labels, reference, scan = (None if image is None else placed(image, placement) for image in images)
    vertebrae = _from_the_top(vertebrae, places, labels)
    spacing = labels.GetSpacing()[::-1]
    at_border = {label: is_at_border(box, layer.shape, spacing) for label, (layer, box) in places.items()}
    partial = {body.label for body in vertebrae if at_border[body.label]}
    measurements = measure(labels, vertebrae if bodies else None, partial, reference, others, picture=scan)
    morphometry = spine_measures(labels, measurements.vertebrae, placement is None or placement.has_scale, scan)
    if placement:
        measurements = told_of_slice(measurements, labels, grid, placement.has_scale)
        morphometry = on_scan(morphometry, labels, grid)
    slices = None if reference is None else dice_per_slice(labels, reference)
    return {
        "measurements": as_json(measurements),
        "morphometry": morphometry_as_json(morphometry),
        "dice_per_slice": slices,
    }


def _segment(label: int, name: str, is_vertebra: bool) -> Segment:
    return Segment(label, name, (0, 0, 0), "", "", is_vertebra)  # how it looks and is coded does not matter here


def _from_the_top(bodies: list[Segment], places: Places, labels: sitk.Image) -> list[Segment]:
    def height(body: Segment) -> float:
        layer, box = places[body.label]
        voxels = np.argwhere(layer[box] == body.label)
        centre = voxels.mean(axis=0) + [s.start for s in box]
        return labels.TransformContinuousIndexToPhysicalPoint(centre[::-1].tolist())[2]

    return sorted(bodies, key=height, reverse=True)
