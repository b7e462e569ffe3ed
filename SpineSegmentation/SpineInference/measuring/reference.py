"""A result against a reference: which body belongs to which (`matching`), and how well everything agrees.

Bodies are compared with those that they overlap, whatever these are called; other structures with their own value.

Only what the reference can tell about is judged: where vertebrae are compared, the axial slices from its first to its
last labelled one. Levels above and below, which many references leave out, count neither for nor against.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import SimpleITK as sitk

from ..anatomy import CANAL_LABEL, CORD_LABEL, DISC_OFFSET, Segment
from ..errors import SpineError
from ..spine.vertebrae import separate
from ..volume.boxes import box_around
from ..volume.geometry import orientation_of, reorient
from ..volume.labels import whole_numbers
from .matching import Labels, find_labels, layers_of, match_instances
from .metrics import Agreement, Spacing, agreement_of, labelled_slices, no_agreement

_MOST_VALUES = 256


@dataclass(frozen=True)
class Comparison:
    """`overall` is the agreement of everything together, None where there is nothing on either side.

    `matched`: for each predicted label the reference label of its partner; `agreement`: that of each predicted label
    and of each structure that can be judged, that of a false positive where nothing matches. `missed` are reference
    labels that were not found and `false` predicted labels that found nothing, by the rule of `matching`; a body of a
    pair that overlaps too little is both.
    """

    overall: Agreement | None
    matched: dict[int, int]
    agreement: dict[int, Agreement]
    missed: list[int]
    false: list[int]


def are_on_same_grid(image: sitk.Image, other: sitk.Image) -> bool:
    """Whether the voxels of both lie at the same places, to a tenth of a voxel."""
    if image.GetSize() != other.GetSize():
        return False
    corners = product(*((0, length - 1) for length in image.GetSize()))
    places = ([each.TransformIndexToPhysicalPoint(corner) for each in (image, other)] for corner in corners)
    return all(np.allclose(*both, rtol=0, atol=0.1 * min(other.GetSpacing())) for both in places)


def in_order_of(image: sitk.Image, scan: sitk.Image) -> sitk.Image | None:
    """The 3D `image` with its voxels in the order of those of the `scan`, as converters from DICOM may change it; None
    where they lie at other places."""
    if are_on_same_grid(image, scan):
        return image
    ordered = reorient(image, orientation_of(scan))
    return ordered if are_on_same_grid(ordered, scan) else None


def fitting_reference(reference: sitk.Image, scan: sitk.Image) -> sitk.Image:
    """The `reference` in the order of the `scan`. Raises SpineError unless both lie at the same places."""
    if (ordered := in_order_of(reference, scan)) is None:
        raise SpineError("the reference mask lies on another grid than the scan: resample it to the scan first.")
    return ordered


def check_values(reference: sitk.Image, structures: list[Segment]) -> None:
    """Raise SpineError if nothing in the `reference` has a value of one of the `structures`, and so cannot be compared.

    It may be empty; and with a single structure it may be a mask of any value.
    """
    values = np.unique(_label_map(sitk.GetArrayViewFromImage(reference)))
    values = [int(value) for value in values if value]
    known = {structure.label for structure in structures}
    if values and not known.intersection(values) and (len(values) > 1 or len(structures) > 1):
        modelled = ", ".join(f"{structure.label} ({structure.name})" for structure in structures)
        raise SpineError(
            f"the reference mask holds the values {', '.join(map(str, values[:9]))}, but the model finds {modelled}: "
            "give the same structures the same values."
        )


def strange_bodies(labels: sitk.Image, reference: sitk.Image, structures: Collection[int]) -> list[int]:
    """The values that `compare` takes for bodies although more than half of their voxels lie in `structures` of
    `labels`, on the same grid: discs or a canal, say, under values of their own."""
    inside, values = np.isin(sitk.GetArrayViewFromImage(labels), list(structures)), set()
    for layer in map(_label_map, layers_of(reference)):
        marked = layer > 0
        counts, shared = np.bincount(layer[marked]), np.bincount(layer[marked & inside])
        values.update(np.flatnonzero(2 * shared > counts[: len(shared)]).tolist())
    return sorted(values - _no_bodies(structures))


def _no_bodies(structures: Collection[int]) -> set[int]:
    """The values that no body has beside these `structures`: who knows the canal takes the cord for a part of it."""
    return {*structures, CORD_LABEL} if CANAL_LABEL in structures else {*structures}


def compare(
    labels: Labels,
    reference: Labels,
    spacing_ipl: Spacing,
    structures: Collection[int] = (),
    has_bodies: bool = True,
) -> Comparison:
    """Compare two canonical label maps [I, P, L]; `labels` are unsigned integers. What overlaps is compared whole.

    `structures` are the values of what is no body. Discs are judged if the reference holds any disc, the cord if it
    holds that, all others if it holds one of them, and all if there are no bodies to compare; then a reference with a
    single value is a mask of the only structure. Beside bodies the cord belongs to the canal, on both sides, also where
    it is none of the `structures`.

    Every other value of `reference` above 0 is one body, whatever it is called; only a single such value is taken for a
    mask of all bodies, which are separated first and numbered from the top. Raises SpineError for a reference that is
    no label map.
    """
    labels, reference = layers_of(labels), [_label_map(layer) for layer in layers_of(reference)]
    values = {value for layer in reference for value in np.unique(layer).tolist()} - {0}
    if not has_bodies and len(structures) == len(values) == 1:
        reference = [np.where(layer > 0, *structures, 0) for layer in reference]
    discs = {value for value in structures if value > DISC_OFFSET}
    no_bodies = _no_bodies(structures)
    cord = no_bodies & {CORD_LABEL} if has_bodies else set()
    others = {*structures} - discs - cord
    kinds = [kind for kind in (discs, cord & {*structures}, others) if values & kind or not has_bodies]
    judged = sorted(set().union(*kinds))
    bodies, true_bodies = ([_without(layer, no_bodies) for layer in layers] for layers in (labels, reference))
    if not has_bodies:
        true_bodies = [np.zeros_like(reference[0])]
    elif len(values - no_bodies) == 1:
        true_bodies = [separate(_anything(true_bodies), spacing_ipl)[0]]
    prediction_mask, reference_mask = _anything(bodies), _anything(true_bodies)
    meant = {value: [value, *cord] if value == CANAL_LABEL else [value] for value in judged}
    for value in judged:
        prediction_mask |= _mask(labels, meant[value])
        reference_mask |= _mask(reference, meant[value])
    within = slice(0, len(reference_mask))
    if has_bodies:
        within = labelled_slices(reference_mask)
        prediction_mask[: within.start] = prediction_mask[within.stop :] = False

    comparison = Comparison(agreement_of(prediction_mask, reference_mask, spacing_ipl), {}, {}, [], [])
    _compare_bodies(comparison, bodies, true_bodies, within, spacing_ipl)
    for value in judged:
        masks = (_mask(layers, meant[value])[within] for layers in (labels, reference))
        _compare_structure(comparison, value, *masks, spacing_ipl)
    return comparison


def _without(labels: np.ndarray, values: Collection[int]) -> np.ndarray:
    return np.where(np.isin(labels, list(values)), 0, labels) if values else labels


def _anything(layers: Sequence[np.ndarray]) -> np.ndarray:
    return np.any([layer > 0 for layer in layers], axis=0)


def _mask(layers: Sequence[np.ndarray], values: Sequence[int]) -> np.ndarray:
    return np.any([layer == value for layer in layers for value in values], axis=0)


def _compare_bodies(
    comparison: Comparison,
    prediction: Sequence[np.ndarray],
    reference: Sequence[np.ndarray],
    within: slice,
    spacing_ipl: Spacing,
) -> None:
    matching = match_instances(prediction, reference, within)
    places, true_places = find_labels(prediction), find_labels(reference)
    for label in matching.false:
        comparison.agreement[label] = no_agreement(prediction[0].shape, spacing_ipl)
    for true_label, pair in matching.pairs.items():
        label = pair.prediction
        (layer, box), (true_layer, true_box) = places[label], true_places[true_label]
        both = box_around(box, true_box)
        comparison.matched[label] = true_label
        comparison.agreement[label] = agreement_of(layer[both] == label, true_layer[both] == true_label, spacing_ipl)
    comparison.missed.extend(matching.missed)
    comparison.false.extend(matching.false)


def _compare_structure(
    comparison: Comparison, value: int, prediction: np.ndarray, reference: np.ndarray, spacing_ipl: Spacing
) -> None:
    agreement = agreement_of(prediction, reference, spacing_ipl)
    if agreement is None:
        return
    comparison.agreement[value] = agreement
    if not reference.any():
        comparison.false.append(value)
    elif not prediction.any():
        comparison.missed.append(value)
    else:
        comparison.matched[value] = value


def _label_map(reference: np.ndarray) -> np.ndarray:
    rounded = whole_numbers(reference)
    values = np.unique(reference if rounded is None else rounded)
    if rounded is None or len(values) > _MOST_VALUES or values[-1] > np.iinfo(np.uint16).max:
        raise SpineError(
            f"the reference mask holds {len(values)} different grey values: give a label map, with a whole number for "
            "each vertebra and 0 for everything else."
        )
    return np.maximum(rounded, 0).astype(np.int32)
