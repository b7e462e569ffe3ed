"""What was found against a reference: which body belongs to which, and how well everything agrees.

Bodies are compared with those that they overlap, whatever these are called; other structures with their own value.

Only what the reference can tell about is judged: where vertebrae are compared, the axial slices from its first to its
last labelled one. Levels above and below, which many references leave out, count neither for nor against.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import product

import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

from ..anatomy import Segment
from ..errors import SpineError
from ..spine.vertebrae import separate
from .metrics import Agreement, Spacing, agreement_of, labelled_slices, no_agreement

SAME_BODY_DICE = 0.1
"""Two bodies that overlap less than this are neighbours, not the same."""


_MOST_VALUES = 256


@dataclass(frozen=True)
class Comparison:
    """`overall` is the agreement of everything together, None where there is nothing on either side.

    `matched`: for each predicted label its reference label; `agreement`: that of each predicted label and of each
    structure that can be judged, that of a false positive where nothing matches. `missed` are reference labels and
    `false` predicted labels (of bodies, with their centre in the judged slices) that have no counterpart.
    """

    overall: Agreement | None
    matched: dict[int, int]
    agreement: dict[int, Agreement]
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


def check_values(reference: sitk.Image, structures: list[Segment]) -> None:
    """Raise SpineError if nothing in the `reference` has a value of one of the `structures`, and so cannot be compared.

    It may be empty; and with a single structure it may be a mask of any value.
    """
    values = np.unique(_label_map(sitk.GetArrayViewFromImage(reference)))
    values = [int(value) for value in values if value]
    known = {structure.label for structure in structures}
    if values and not known.intersection(values) and (len(values) > 1 or len(structures) > 1):
        wanted = ", ".join(f"{structure.label} ({structure.name})" for structure in structures)
        raise SpineError(
            f"the reference mask holds the values {', '.join(map(str, values[:9]))}, but the model finds {wanted}: "
            "give the same structures the same values."
        )


def compare(
    labels: np.ndarray,
    reference: np.ndarray,
    spacing_ipl: Spacing,
    structures: Collection[int] = (),
    has_bodies: bool = True,
) -> Comparison:
    """Compare two canonical label maps [I, P, L]; `labels` are unsigned integers.

    `structures` are the values of what is no body. They are judged if the reference holds one of them, or if there are
    no bodies to compare; then a reference with a single value is a mask of the only structure.

    Every other value of `reference` above 0 is one body, whatever it is called; only a single such value is taken for a
    mask of all bodies, which are separated first and numbered from the top. Bodies are matched one to one so that their
    overlap is the largest in total. Raises SpineError for a reference that is no label map.
    """
    reference = _label_map(reference)
    values = set(np.unique(reference).tolist()) - {0}
    if not has_bodies and len(structures) == len(values) == 1:
        reference = np.where(reference > 0, *structures, 0)
    judged = structures if values.intersection(structures) or not has_bodies else ()
    bodies, true_bodies = _without(labels, structures), _without(reference, structures)
    if not has_bodies:
        true_bodies = np.zeros_like(reference)
    elif len(values.difference(structures)) == 1:
        true_bodies, _ = separate(true_bodies > 0, spacing_ipl)
    found, wanted = bodies > 0, true_bodies > 0
    if judged:
        found, wanted = found | np.isin(labels, list(judged)), wanted | np.isin(reference, list(judged))
    within = slice(0, len(wanted))
    if has_bodies:
        within = labelled_slices(wanted)
        found[: within.start] = found[within.stop :] = False

    comparison = Comparison(agreement_of(found, wanted, spacing_ipl), {}, {}, [], [])
    _compare_bodies(comparison, bodies, true_bodies, within, spacing_ipl)
    for value in judged:
        _compare_structure(comparison, value, (labels == value)[within], (reference == value)[within], spacing_ipl)
    return comparison


def _without(labels: np.ndarray, values: Collection[int]) -> np.ndarray:
    return np.where(np.isin(labels, list(values)), 0, labels) if values else labels


def _compare_bodies(
    comparison: Comparison, labels: np.ndarray, reference: np.ndarray, within: slice, spacing_ipl: Spacing
) -> None:
    comparison.matched.update(_match(labels, reference))
    places, true_places = ndimage.find_objects(labels), ndimage.find_objects(reference)
    for label, place in enumerate(places, start=1):
        if place is None:
            continue
        if label in comparison.matched:
            true_label = comparison.matched[label]
            both = tuple(
                slice(min(a.start, b.start), max(a.stop, b.stop))
                for a, b in zip(place, true_places[true_label - 1], strict=True)
            )
            agreement = agreement_of(labels[both] == label, reference[both] == true_label, spacing_ipl)
            comparison.agreement[label] = agreement
        elif within.start <= (place[0].start + place[0].stop) / 2 < within.stop:
            comparison.agreement[label] = no_agreement(labels.shape, spacing_ipl)
            comparison.false.append(label)
    there = (label for label, place in enumerate(true_places, start=1) if place is not None)
    comparison.missed.extend(label for label in there if label not in comparison.matched.values())


def _compare_structure(
    comparison: Comparison, value: int, found: np.ndarray, wanted: np.ndarray, spacing_ipl: Spacing
) -> None:
    agreement = agreement_of(found, wanted, spacing_ipl)
    if agreement is None:
        return
    comparison.agreement[value] = agreement
    if not wanted.any():
        comparison.false.append(value)
    elif not found.any():
        comparison.missed.append(value)
    else:
        comparison.matched[value] = value


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
