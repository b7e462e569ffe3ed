"""The end of the pipeline alone: labels that were given become what a run makes of those that it finds.

what the labels are, by value or name                            given_names.py
whether they can be single vertebrae and discs                   given_shapes.py
size and position, if a single slice does not tell them          single_slice.py
heights, volumes, deformities, slips, curves, discs and canal    measured_segments.py
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .anatomy import Naming, Segment, numbered
from .engines.devices import choose_device
from .errors import SpineError, about
from .files.reading import read_labels
from .files.result_folder import sha256
from .files.slicer_segmentation import names_of
from .formats.pictures import PICTURE_SUFFIXES
from .measuring.measured_segments import note_thick_slices
from .measuring.measurements import VertebraMeasurement
from .measuring.reference import fitting_reference, in_order_of
from .measuring.remeasure import measure_drawn
from .monitor import Monitor
from .options import SegmentationOptions
from .origin import GivenLabels
from .processors import use_processors
from .result import Result
from .spine.given_names import from_top, segments_of_labels
from .spine.given_shapes import check_shapes
from .spine.single_slice import place_slice

_DEEPER_THAN_WIDE = 1.0
"""The depth of a vertebra with its arch, as a share of its width, is more; that of its body is about 0.75."""
_NO_NETWORK = "no network ran: the labels were given"


@dataclass(frozen=True, eq=False)
class NamedLabels:
    """A label map (uint8) with the values of its `segments`, and the file that it was read from."""

    image: sitk.Image
    segments: list[Segment]
    origin: GivenLabels


def read_named_labels(path: Path | str, monitor: Monitor | None = None) -> NamedLabels:
    """The label map or segmentation of 3D Slicer at `path`, whose segments are known by their values or names.

    Raises SpineError for a picture, for what is no label map, and for values and names that nobody knows.
    """
    path = Path(path)
    if path.name.lower().endswith(tuple(PICTURE_SUFFIXES)):
        raise SpineError(f"{path}: a picture has colours in place of labels: give a label map (NIfTI, NRRD or MHA).")
    if not path.is_file():
        raise SpineError(f"{path}: this is no file: give a label map (NIfTI, NRRD or MHA).")
    image = read_labels(path, monitor)
    array = sitk.GetArrayViewFromImage(image)
    values = [int(value) for value in np.unique(array) if value]
    if not values:
        raise SpineError(f"{path}: nothing is labelled in there, so there is nothing to be measured.")
    with about(path):
        segments = segments_of_labels(values, names_of(path))
    return NamedLabels(_with_labels(image, segments), list(segments.values()), GivenLabels(str(path), sha256(path)))


def measure_labels(
    scan: sitk.Image,
    labels: NamedLabels,
    options: SegmentationOptions | None = None,
    reference: sitk.Image | None = None,
    monitor: Monitor | None = None,
) -> Result:
    """What a run on the 3D scalar `scan` would have told, had it found these `labels`; without qualities, which only
    networks can tell. `reference`, a label map on the scan's grid, is what they are compared with.

    Of the `options` those for a single slice and the threads count. Raises SpineError for labels, a reference or
    options that do not fit the scan.
    """
    options, notes = options or SegmentationOptions(), []
    monitor = (monitor or Monitor()).collecting(notes)
    use_processors(options.threads)
    if (image := in_order_of(labels.image, scan)) is None:
        raise SpineError(
            f"{labels.origin.file}: these labels lie on another grid than the scan: resample them to the scan first "
            "(nearest neighbour)."
        )
    image = sitk.Image(image)
    image.CopyInformation(scan)
    if reference is not None:
        reference = fitting_reference(reference, scan)
    with about(Path(labels.origin.file)):
        check_shapes(image, labels.segments)
    placement = place_slice(scan, (), options, None, monitor)
    started = time.perf_counter()
    monitor.progress("measuring", 0, 1)
    bodies = [segment for segment in labels.segments if segment.is_vertebra]
    structures = from_top([segment for segment in labels.segments if not segment.is_vertebra])
    measured = measure_drawn(image, bodies or None, structures, reference, placement, scan, _naming(bodies))
    note_thick_slices(measured.morphometry, monitor)
    _note_whole_vertebrae(measured.measurements.vertebrae, monitor)
    return Result(
        labels=image,
        **vars(measured),
        models=[],
        planes=[],
        device=replace(choose_device("cpu"), reason=_NO_NETWORK),
        timings={"measuring": time.perf_counter() - started},
        notes=notes,
        placement=placement,
        labels_given=labels.origin,
    )


def _with_labels(image: sitk.Image, segments: Mapping[int, Segment]) -> sitk.Image:
    """`image` (unsigned) with the labels of the `segments` (by its values) in place of its values, as uint8."""
    label_of = np.zeros(max(segments) + 1, np.uint8)
    for value, segment in segments.items():
        label_of[value] = segment.label
    result = sitk.GetImageFromArray(label_of[sitk.GetArrayViewFromImage(image)])
    result.CopyInformation(image)
    return result


def _note_whole_vertebrae(rows: Sequence[VertebraMeasurement], monitor: Monitor) -> None:
    sizes = [(row.depth_mm, row.width_mm) for row in rows if not row.partial]
    depths = [depth / width for depth, width in sizes if depth and width]
    if depths and float(np.median(depths)) > _DEEPER_THAN_WIDE:
        monitor.note(
            "The vertebrae are deeper than wide, as if their arches were labelled too: leave these out of the labels, "
            "because what is measured are bodies."
        )


def _naming(bodies: list[Segment]) -> Naming | None:
    if not bodies:
        return None
    return Naming("numbered" if bodies[0].label >= numbered(1).label else "given")
