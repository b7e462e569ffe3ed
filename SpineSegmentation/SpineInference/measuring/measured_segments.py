"""Everything that is measured of a label map whose segments have names: of what a run found, and of what was drawn."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import SimpleITK as sitk

from ..anatomy import Naming, Segment
from ..monitor import Monitor
from ..placement import SlicePlacement
from ..volume.slice_placement import placed
from .measurements import Measurements, measure
from .morphometry.measure import THICK_SLICES, Measure
from .morphometry.spine_measures import on_scan, spine_measures
from .single_slice import told_of_slice
from .slice_agreement import SliceAgreement, dice_per_slice


@dataclass(frozen=True)
class MeasuredSegments:
    """What is measured of `segments`: those that are in the label map at all, in the order in which they were given.

    `partial` holds the label values of bodies cut off by the border of the scan, or where it shows nothing any more;
    `dice_per_slice` is None without a reference.
    """

    segments: list[Segment]
    partial: set[int]
    measurements: Measurements
    morphometry: list[Measure]
    dice_per_slice: SliceAgreement | None


def measure_segments(
    labels: sitk.Image,
    bodies: list[Segment] | None,
    structures: Sequence[Segment],
    partial: set[int],
    reference: sitk.Image | None = None,
    scan: sitk.Image | None = None,
    placement: SlicePlacement | None = None,
    naming: Naming | None = None,
    quality: Sequence[float] | None = None,
) -> MeasuredSegments:
    """Measure `bodies` (from top to bottom) and `structures` in `labels`, unsigned integers in any orientation.

    `reference` and `scan` lie on the grid of `labels`, and `placement` tells how all three lie in the body; what is
    told has the coordinates of that grid again. For the other arguments see `measurements.measure`.
    """
    grid = labels
    if placement:
        images = (labels, reference, scan)
        labels, reference, scan = (None if image is None else placed(image, placement) for image in images)
    has_scale = placement is None or placement.has_scale
    measurements = measure(labels, bodies, partial, reference, structures, quality, picture=scan)
    measurements = replace(measurements, naming=naming)
    partial = {body.label for body in measurements.vertebrae if body.partial}
    present = {row.label for row in measurements.rows if row.centroid_lps_mm is not None}
    segments = [segment for segment in (*(bodies or ()), *structures) if segment.label in present]
    slices = None if reference is None else dice_per_slice(labels, reference)
    morphometry = spine_measures(labels, measurements.vertebrae, has_scale, scan)
    if placement:
        measurements = told_of_slice(measurements, labels, grid, has_scale)
        morphometry = on_scan(morphometry, labels, grid)
    return MeasuredSegments(segments, partial, measurements, morphometry, slices)


def note_thick_slices(morphometry: Sequence[Measure], monitor: Monitor) -> None:
    """Say where slices lie so that measures are left out."""
    if any(THICK_SLICES in each.marks for each in morphometry):
        monitor.note(
            "The slices across the spine are too thick for heights and angles of vertebrae and heights of discs."
        )
