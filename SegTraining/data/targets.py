"""From the label map of a data set to what is taught: background, classes, and voxels that say nothing."""

import numpy as np
from scipy import ndimage

from SpineInference.anatomy import VERTEBRA_CODE
from SpineInference.errors import SpineError

from ..config.data import Dataset, Label

IGNORE = 255
"""Voxels of this value belong to no class and are no background: loss and metrics leave them out."""
PARTLY_LABELLED = 128
"""Background of a data set that does not label all classes: this, and the bit number - 1 for each class that nobody
labelled there. Such a voxel belongs to no other class, and may belong to one of these."""

_SURFACE_MM = 15.0
"""The outer surface of the topmost or lowest body lies at most this far from its outermost point."""
_OVERHANG_MM = 12.0
"""How far around the topmost or lowest body its outer surface is continued, since the next body may jut out."""
_WALL_MM = 3.0
"""How far the front wall of the canal may be off where it is taken from a neighbouring row or slice."""
_WALL_REACH_MM = 10.0
"""From how far away it is taken at most."""


def training_target(
    labels: np.ndarray,
    spacing: tuple[float, float, float],
    dataset: Dataset,
    classes: tuple[Label, ...] = (Label(),),
    canal: np.ndarray | None = None,
) -> np.ndarray:
    """uint8 [I, P, L]: 0 background, 1 to n the `classes`, 255 ignored, from a canonical label map [I, P, L].

    Background is `PARTLY_LABELLED` and more where `dataset` does not label all classes.

    `spacing` in mm is in the order of the array axes. The rules are those of `dataset` (see `config.data.Dataset`);
    `canal` is where the spinal canal was drawn (bool), if `labels` does not show it. Raises SpineError for a value that
    no rule speaks of.
    """
    target = labelled_classes(labels, spacing, dataset, classes, canal)
    _ignore_beyond(target, spacing, dataset, classes)
    if dataset.unlabelled:
        bits = sum(1 << number for number, label in enumerate(classes) if label.name in dataset.unlabelled)
        target[target == 0] = PARTLY_LABELLED + bits
    return target


def _ignore_beyond(
    target: np.ndarray, spacing: tuple[float, float, float], dataset: Dataset, classes: tuple[Label, ...]
) -> None:
    """Make of the background beyond the labelled bodies, in place, what `dataset` says of it."""
    taught = is_target(target)
    body = np.isin(target, numbers_of_vertebrae(classes))
    rows = np.flatnonzero(body.any(axis=(1, 2)))
    if not len(rows):
        return
    if dataset.unlabelled_above == "ignore":
        above = np.arange(len(target))[:, None, None] < _upper_surface(body, int(rows[0]), spacing)
        target[above & ~taught] = IGNORE
    if dataset.ignore_below_mm > 0:
        last = int(rows[-1]) + round(dataset.ignore_below_mm / spacing[0])
        target[: last + 1][(below_the_lowest(body, spacing) & ~taught)[: last + 1]] = IGNORE


def labelled_classes(
    labels: np.ndarray,
    spacing: tuple[float, float, float],
    dataset: Dataset,
    classes: tuple[Label, ...],
    canal: np.ndarray | None = None,
) -> np.ndarray:
    """The `class_map` of a canonical label map [I, P, L], of whole vertebrae the bodies where `dataset` asks for it.

    `canal` is where the spinal canal was drawn (bool), if `labels` does not show it.
    """
    if dataset.body_in_front_of is None:
        return class_map(labels, dataset, classes)
    if canal is None:
        canal = labels == dataset.body_in_front_of
        if not any(dataset.body_in_front_of in dataset.values_of(label) for label in classes):
            labels = np.where(canal, 0, labels)
    behind, unclear = _behind_bodies(labels, canal, spacing)
    result = class_map(labels, dataset, classes)
    of_vertebrae = np.isin(result, numbers_of_vertebrae(classes))
    result[of_vertebrae & unclear] = IGNORE
    result[of_vertebrae & behind] = 0
    return result


def class_map(labels: np.ndarray, dataset: Dataset, classes: tuple[Label, ...]) -> np.ndarray:
    """uint8, the shape of the label map `labels`: 0 background, 1 to n the `classes`, 255 ignored.

    Raises SpineError for a value that stands for no class and is neither ignored nor background, and for one that the
    data set does not name.
    """
    values = [dataset.values_of(label) for label in classes]
    named = {value: number for number, own in enumerate(values, start=1) for value in own}
    named |= dict.fromkeys(dataset.background_labels, 0) | dict.fromkeys(dataset.ignore_labels, IGNORE)
    known = None if dataset.known_labels is None else {*dataset.known_labels, dataset.body_in_front_of}
    result = np.zeros(labels.shape, np.uint8)
    for value in np.unique(labels[labels > 0]).tolist():
        if value not in named and known is not None and value not in known:
            raise SpineError(
                f'The value {value} of the label map is none that "{dataset.name}" names: name it in its dataset.json, '
                "or list it among ignore_labels or background_labels."
            )
        if value not in named and any(values):
            raise SpineError(
                f'The value {value} of the label map stands for no class of "{dataset.name}": list it with a label of '
                "model_info, or among ignore_labels or background_labels."
            )
        result[labels == value] = named.get(value, 1)
    return result


def numbers_of_vertebrae(classes: tuple[Label, ...]) -> list[int]:
    """The numbers of the `classes` that are vertebrae: all, where none says so."""
    numbers = [number for number, label in enumerate(classes, start=1) if label.code == VERTEBRA_CODE[0]]
    return numbers or list(range(1, len(classes) + 1))


def _behind_bodies(
    labels: np.ndarray, canal: np.ndarray, spacing: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Where in the label map [I, P, L] the `canal` and what lies behind its front wall is, and where that is not known.

    The wall is where the canal begins in its row of a sagittal slice. Where no canal was drawn, at the pedicles above
    all, the wall of the nearest row and slice is taken; far from any it is not known.
    """
    known = canal.any(axis=1)
    if not known.any():
        return np.zeros(labels.shape, bool), np.ones(labels.shape, bool)
    distance, nearest = ndimage.distance_transform_edt(~known, sampling=(spacing[0], spacing[2]), return_indices=True)
    wall, distance = canal.argmax(axis=1)[tuple(nearest)][:, None, :], distance[:, None, :]
    column = np.arange(labels.shape[1])[None, :, None]
    within_reach = distance <= _WALL_REACH_MM
    uncertainty = np.minimum(distance, _WALL_MM) / spacing[1]
    return canal | ((column >= wall) & within_reach), ~within_reach | ((distance > 0) & (column >= wall - uncertainty))


def below_the_lowest(body: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """What lies below the lower surface of the lowest body of a mask [I, P, L] (bool), continued around it.

    The next body, S1 above all, follows the tilt of the lowest one, and begins higher than that ends.
    """
    rows = np.flatnonzero(body.any(axis=(1, 2)))
    if not len(rows):
        return np.zeros_like(body)
    from_below = _upper_surface(body[::-1], len(body) - 1 - int(rows[-1]), spacing)
    return (np.arange(len(body))[:, None, None] >= len(body) - from_below) & ~body


def is_known(target: np.ndarray, number: int) -> np.ndarray:
    """Where (bool) a target tells whether class `number` is there."""
    # All bits are set in what is ignored.
    return (target < PARTLY_LABELLED) | ((target >> (number - 1)) & 1 == 0)


def is_target(target: np.ndarray) -> np.ndarray:
    """Which voxels belong to a class (bool), whatever class it is."""
    return (target > 0) & (target < PARTLY_LABELLED)


def _upper_surface(body: np.ndarray, top: int, spacing: tuple[float, float, float]) -> np.ndarray:
    """Index [P, L] along axis 0 of the upper surface of the topmost body, continued around it; elsewhere `top`.

    The unlabelled body above follows the tilt of the topmost one, so a level cut at `top` would leave a wedge of it
    as background.
    """
    slab = body[top : top + round(_SURFACE_MM / spacing[0])]
    covered = slab.any(axis=0)
    first = slab.argmax(axis=0)
    distance, nearest = ndimage.distance_transform_edt(~covered, sampling=spacing[1:], return_indices=True)
    return top + np.where(distance <= _OVERHANG_MM, first[tuple(nearest)], 0)


def evaluated_slices(
    target: np.ndarray, dataset: Dataset, classes: tuple[Label, ...] = (Label(),), number: int | None = None
) -> tuple[int, int]:
    """First row (axis 0) in which class `number`, by default vertebrae, can be judged, and the one after the last.

    All rows, unless the data set shows bodies beyond the labelled ones: then those of the labelled ones, and of another
    class its own; (0, 0) where there is none.
    """
    if dataset.unlabelled_above == "background":
        return 0, len(target)
    vertebrae = numbers_of_vertebrae(classes)
    judged = vertebrae if number is None or number in vertebrae else [number]
    rows = np.flatnonzero(np.isin(target, judged).any(axis=(1, 2)))
    return (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)
