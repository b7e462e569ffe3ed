"""Predicted bodies against a reference mask: which belongs to which, and how well they agree.

Only what the reference can tell about is judged: the axial slices from its first to its last labelled one. Levels above
and below, which many references leave out, count neither for nor against.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

from .errors import SpineError
from .metrics import Agreement, Spacing, agreement_of, labelled_slices, no_agreement
from .vertebrae import separate

SAME_BODY_DICE = 0.1
"""Two bodies that overlap less than this are neighbours, not the same."""


_MOST_VALUES = 256


@dataclass(frozen=True)
class Comparison:
    """`overall` is the agreement of all bodies together, None where there are none on either side.

    `matched`: for each predicted label its reference label; `bodies`: for each predicted label that can be judged its
    agreement, that of a false positive where nothing matches. `missed` are reference labels and `false` predicted
    labels, with their centre in the judged slices, that have no counterpart.
    """

    overall: Agreement | None
    matched: dict[int, int]
    bodies: dict[int, Agreement]
    missed: list[int]
    false: list[int]


def check_reference(reference: sitk.Image, scan: sitk.Image) -> None:
    """Raise SpineError unless the voxels of both lie at the same places, to a tenth of a voxel."""
    tolerance = 0.1 * min(scan.GetSpacing())
    same = reference.GetSize() == scan.GetSize()
    if same:
        for corner in product(*((0, length - 1) for length in scan.GetSize())):
            places = (image.TransformIndexToPhysicalPoint(corner) for image in (reference, scan))
            same &= np.allclose(*places, rtol=0, atol=tolerance)
    if not same:
        raise SpineError("the reference mask lies on another grid than the scan: resample it to the scan first.")


def compare(labels: np.ndarray, reference: np.ndarray, spacing_ipl: Spacing) -> Comparison:
    """Compare two canonical label maps [I, P, L]; `labels` are unsigned integers.

    Every value of `reference` above 0 is one body, whatever it is called; only a reference with a single value is taken
    for a mask of all bodies, which are separated first and numbered from the top. Bodies are matched one to one so
    that their overlap is the largest in total. Raises SpineError for a reference that is no label map.
    """
    reference = _label_map(reference)
    if np.count_nonzero(np.unique(reference)) == 1:
        reference, _ = separate(reference > 0, spacing_ipl)
    within = labelled_slices(reference)
    found, wanted = np.zeros(labels.shape, bool), reference > 0
    found[within] = labels[within] > 0
    matched = _match(labels, reference)

    places, true_places = ndimage.find_objects(labels), ndimage.find_objects(reference)
    bodies, false = {}, []
    for label, place in enumerate(places, start=1):
        if place is None:
            continue
        if label in matched:
            both = tuple(
                slice(min(a.start, b.start), max(a.stop, b.stop))
                for a, b in zip(place, true_places[matched[label] - 1], strict=True)
            )
            bodies[label] = agreement_of(labels[both] == label, reference[both] == matched[label], spacing_ipl)
        elif within.start <= (place[0].start + place[0].stop) / 2 < within.stop:
            bodies[label] = no_agreement(labels.shape, spacing_ipl)
            false.append(label)
    missed = [
        label for label, place in enumerate(true_places, start=1) if place is not None and label not in matched.values()
    ]
    return Comparison(agreement_of(found, wanted, spacing_ipl), matched, bodies, missed, false)


def _label_map(reference: np.ndarray) -> np.ndarray:
    values = np.unique(reference)
    if len(values) > _MOST_VALUES or values[-1] > np.iinfo(np.uint16).max or (values != np.rint(values)).any():
        raise SpineError(
            f"the reference mask holds {len(values)} different grey values: give a label map, with a whole number for "
            "each vertebra and 0 for everything else."
        )
    return np.maximum(reference, 0).astype(np.int32)


def _match(labels: np.ndarray, reference: np.ndarray) -> dict[int, int]:
    sizes, true_sizes = np.bincount(labels.ravel()), np.bincount(reference.ravel())
    both = (labels > 0) & (reference > 0)
    pairs = labels[both].astype(np.int64) * len(true_sizes) + reference[both]
    overlap = np.bincount(pairs, minlength=len(sizes) * len(true_sizes)).reshape(len(sizes), len(true_sizes))
    return {
        int(label): int(true_label)
        for label, true_label in zip(*linear_sum_assignment(overlap, maximize=True), strict=True)
        if 2 * overlap[label, true_label] > SAME_BODY_DICE * (sizes[label] + true_sizes[true_label])
    }
