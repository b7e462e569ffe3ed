"""Which predicted instance is which instance of a reference, and which of them count as found: one rule for all.

Matching and recognition are two questions (as in panoptic quality, Kirillov et al. 2019, and panoptica, Kofler et al.
2023):

* *Matched* are instances one to one, so that the voxels that they share are the most in total. A badly segmented body
  keeps its partner, whose Dice coefficient can be shown.
* *Found* is an instance whose partner overlaps it with an intersection over union of more than `FOUND_IOU` (a Dice
  coefficient of more than 2/3). Every other instance of the reference is missed (false negative) and every other
  predicted one false (false positive). A body that is half covered, or two that have grown together, has not been
  recognised, however it is matched.

More than one half is what makes this unambiguous: no instance can overlap two others so much, and such a pair shares
more voxels than both of its members together can share with anything else, so the matching always holds it. A lower
limit would depend on the order of matching, and would call a vertebra found that is merged with its neighbour.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..volume.boxes import bounding_box

FOUND_IOU = 0.5
"""A reference instance is found when the predicted one that it is matched with has a larger intersection over union."""


@dataclass(frozen=True)
class Pair:
    """Two matched instances by their values, and their overlap."""

    prediction: int
    reference: int
    dice: float
    iou: float

    @property
    def found(self) -> bool:
        """Whether the instance of the reference counts as found (true positive)."""
        return self.iou > FOUND_IOU


@dataclass(frozen=True)
class Matching:
    """`pairs` by the value of the reference, `missed` values of the reference, and `false` predicted values."""

    pairs: dict[int, Pair]
    missed: list[int]
    false: list[int]

    @property
    def found(self) -> dict[int, Pair]:
        """The pairs that count as found."""
        return {value: pair for value, pair in self.pairs.items() if pair.found}


Labels = np.ndarray | Sequence[np.ndarray]
"""A label map (integers, 0 is background), or where instances overlap several of one shape: a value is in one only."""


def layers_of(labels: Labels | sitk.Image) -> list[np.ndarray]:
    """All label maps; those of an image are its components, [k, j, i] and not to be changed."""
    if isinstance(labels, sitk.Image):
        view = sitk.GetArrayViewFromImage(labels)
        labels = view if labels.GetNumberOfComponentsPerPixel() == 1 else np.moveaxis(view, -1, 0)
    return [labels] if isinstance(labels, np.ndarray) and labels.ndim < 4 else list(labels)


Places = dict[int, tuple[np.ndarray, tuple[slice, ...]]]


def find_labels(labels: Labels) -> Places:
    """For each value above 0 the label map that holds it, and the smallest box around it there."""
    places = {}
    for layer in layers_of(labels):
        around = bounding_box(layer) or (slice(0, 1),) * layer.ndim
        for value, box in enumerate(ndimage.find_objects(layer[around]), start=1):
            if box is not None:
                shifted = (
                    slice(side.start + first.start, side.stop + first.start)
                    for side, first in zip(box, around, strict=True)
                )
                places[value] = layer, tuple(shifted)
    return places


def match_instances(prediction: Labels, reference: Labels, rows: slice | None = None) -> Matching:
    """Match the values above 0 of two label maps of the same shape.

    `rows` are the indices along the first axis that can be judged: what was predicted with its centre of mass
    elsewhere is never false. All, where it is None.
    """
    from scipy.optimize import linear_sum_assignment  # takes a fifth of a second, and is for references only

    prediction, reference = layers_of(prediction), layers_of(reference)
    sizes, true_sizes = (np.bincount(np.concatenate([x.ravel() for x in layers])) for layers in (prediction, reference))
    values, true_values = (1 + np.flatnonzero(counts[1:]) for counts in (sizes, true_sizes))
    overlap = sum(_overlap(a, b, values, true_values) for a, b in product(prediction, reference))
    pairs = {}
    for i, j in zip(*linear_sum_assignment(overlap, maximize=True), strict=True):
        common, total = int(overlap[i, j]), int(sizes[values[i]] + true_sizes[true_values[j]])
        if common:
            pair = Pair(int(values[i]), int(true_values[j]), 2 * common / total, common / (total - common))
            pairs[pair.reference] = pair
    found = {pair.prediction for pair in pairs.values() if pair.found}
    missed = [value for value in true_values.tolist() if value not in pairs or not pairs[value].found]
    others = [value for value in values.tolist() if value not in found]
    return Matching(pairs, missed, [value for value in others if rows is None or _is_within(prediction, value, rows)])


def _overlap(a: np.ndarray, b: np.ndarray, a_values: np.ndarray, b_values: np.ndarray) -> np.ndarray:
    """Shared voxels [value of `a`, value of `b`]."""
    both = (a > 0) & (b > 0)
    places = np.searchsorted(a_values, a[both]) * len(b_values) + np.searchsorted(b_values, b[both])
    return np.bincount(places, minlength=len(a_values) * len(b_values)).reshape(len(a_values), len(b_values))


def _is_within(layers: list[np.ndarray], value: int, rows: slice) -> bool:
    mask = np.any([labels == value for labels in layers], axis=0)
    voxels = np.count_nonzero(mask, axis=tuple(range(1, mask.ndim)))
    return rows.start <= np.average(np.arange(len(mask)), weights=voxels) < rows.stop
