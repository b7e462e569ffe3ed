"""Measures segments that a person has drawn or corrected, or that another program found: as a run does, without one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import SimpleITK as sitk

from ..anatomy import Naming, Segment
from ..errors import SpineError
from ..placement import SlicePlacement
from ..volume.boxes import Box, is_at_border
from ..volume.slice_placement import placed
from .matching import Places, find_labels, layers_of
from .measured_segments import MeasuredSegments, measure_segments
from .measurements import as_json
from .morphometry.tables import as_json as morphometry_as_json
from .reference import are_on_same_grid

_FARTHEST_MM = 250.0
"""So far reaches no vertebra, but one with a stray stroke, or what a threshold has filled."""


def measure_drawn(
    labels: sitk.Image,
    bodies: Sequence[Segment] | None,
    structures: Sequence[Segment],
    reference: sitk.Image | None = None,
    placement: SlicePlacement | None = None,
    scan: sitk.Image | None = None,
    naming: Naming | None = None,
) -> MeasuredSegments:
    """What is measured of `bodies`, in any order, and `structures`, as far as these are in `labels`: unsigned integers
    in any orientation, in several components where segments overlap.

    `bodies` is None where there are none to be compared with a reference. For the other arguments see
    `measure_segments`. Raises SpineError where nothing is left, for what is too large to be a vertebra, and for a
    reference or a scan that does not fit.
    """
    places = find_labels(layers_of(labels))
    vertebrae, others = ([each for each in some if each.label in places] for some in (bodies or (), structures))
    if not vertebrae and not others:
        raise SpineError("nothing is left to be measured: draw something, or bring the segments back.")
    if scan is not None and not are_on_same_grid(scan, labels):
        raise SpineError("the scan lies on another grid than the segments: give the one that they were drawn on.")
    in_body = placed(labels, placement) if placement else labels
    spacing = in_body.GetSpacing()[::-1]
    if placement is None or placement.has_scale:
        for body in vertebrae:
            _check_extent(body, places[body.label][1], spacing)
    at_border = {label: is_at_border(box, layer.shape, spacing) for label, (layer, box) in places.items()}
    partial = {body.label for body in vertebrae if at_border[body.label]}
    vertebrae = None if bodies is None else _from_the_top(vertebrae, places, in_body)
    return measure_segments(labels, vertebrae, others, partial, reference, scan, placement, naming=naming)


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
    discs, and which bodies end where it shows nothing any more. Raises SpineError as `measure_drawn` does.
    """
    vertebrae = [_segment(label, name, True) for label, name in bodies.items()]
    others = [_segment(label, name, False) for label, name in structures.items()]
    measured = measure_drawn(labels, vertebrae or None, others, reference, placement, scan)
    return {
        "measurements": as_json(measured.measurements),
        "morphometry": morphometry_as_json(measured.morphometry),
        "dice_per_slice": measured.dice_per_slice,
    }


def _check_extent(body: Segment, box: Box, spacing: Sequence[float]) -> None:
    reaches = max((side.stop - side.start) * mm for side, mm in zip(box, spacing, strict=True))
    if reaches > _FARTHEST_MM:
        raise SpineError(
            f"{body.name} reaches over {reaches:.0f} mm, farther than any vertebra: erase what does not belong to it."
        )


def _segment(label: int, name: str, is_vertebra: bool) -> Segment:
    return Segment(label, name, (0, 0, 0), "", "", is_vertebra)  # how it looks and is coded does not matter here


def _from_the_top(bodies: list[Segment], places: Places, labels: sitk.Image) -> list[Segment]:
    def height(body: Segment) -> float:
        layer, box = places[body.label]
        voxels = np.argwhere(layer[box] == body.label)
        centre = voxels.mean(axis=0) + [s.start for s in box]
        return labels.TransformContinuousIndexToPhysicalPoint(centre[::-1].tolist())[2]

    return sorted(bodies, key=height, reverse=True)
