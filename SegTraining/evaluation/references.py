"""The reference of a case as the classes that models find."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import SimpleITK as sitk

from SpineInference.anatomy import LEVELS
from SpineInference.spine.vertebrae import separate
from SpineInference.volume.geometry import canonical, spacing_ipl

from ..config.data import Label
from ..data.datasets import Case
from ..data.targets import IGNORE, below_the_lowest, evaluated_slices, labelled_classes, numbers_of_vertebrae

LEVEL_NAMES = {segment.label: name for name, segment in LEVELS.items()}


@dataclass(frozen=True, eq=False)
class Reference:
    """The reference of one case, canonical [I, P, L]; `spacing` in mm in the order of the axes."""

    instances: np.ndarray
    """The values of the label map, 0 where there is no class."""
    classes: np.ndarray
    """uint8: 1, 2, ... in the order of the labels, 0 for none of them."""
    ignored: np.ndarray
    """bool: voxels in which vertebrae cannot be judged."""
    rows: slice
    """The axial slices in which vertebrae can be judged: all, or those from the first to the last labelled one where
    the data set shows bodies beyond that nobody labelled."""
    spacing: tuple[float, float, float]
    has_bodies: bool = True
    """Whether `instances` tells single bodies apart."""
    levels_known: bool = False
    """Whether its values are those of levels."""
    others: Mapping[int, tuple[slice, np.ndarray]] = field(default_factory=dict)
    """Of classes that are no vertebrae, the `rows` and the `ignored` voxels of their own."""

    def judged(self, number: int) -> tuple[slice, np.ndarray]:
        """Where class `number` can be judged: rows, and in them a mask [I, P, L] (bool)."""
        rows, ignored = self.others.get(number, (self.rows, self.ignored))
        return rows, ~ignored[rows]

    @cached_property
    def cut_off(self) -> frozenset[int]:
        """The values of bodies that the upper or lower border of the scan cuts off."""
        ends = self.instances[[0, -1]] if len(self.instances) > 1 else self.instances[:0]
        return frozenset(np.unique(ends).tolist()) - {0}


def read_reference(
    case: Case, labels: tuple[Label, ...], separate_bodies: bool = False
) -> tuple[sitk.Image, Reference]:
    """The scan of `case` as it is, and its reference.

    With `separate_bodies`, a mask of all bodies is taken apart, so that they can be judged one by one. Raises
    SpineError where the case cannot be read, and for a value of the reference that stands for no label.
    """
    scan, label_map = case.read()
    oriented = canonical(label_map)
    values = sitk.GetArrayFromImage(oriented)
    spacing = spacing_ipl(oriented)
    canal = case.read_canal()
    drawn = None if canal is None else sitk.GetArrayFromImage(canonical(canal)) > 0
    classes = labelled_classes(values, spacing, case.dataset, labels, drawn)
    vertebrae = numbers_of_vertebrae(labels)
    others = [number for number in range(1, len(labels) + 1) if number not in vertebrae]
    rows = slice(*evaluated_slices(classes, case.dataset, labels))
    rows_of_others = [slice(*evaluated_slices(classes, case.dataset, labels, number)) for number in others]
    unclear = classes == IGNORE
    classes[unclear] = 0
    bodies, ignored = np.isin(classes, vertebrae), unclear
    if case.dataset.unlabelled_above == "ignore":
        ignored = unclear | below_the_lowest(bodies, spacing)
    instances, has_bodies = np.where(bodies, values, 0), case.labels_are_instances
    levels_known = has_bodies and set(np.unique(instances).tolist()) <= {0, *LEVEL_NAMES}
    if separate_bodies and not has_bodies and len(np.unique(instances)) <= 2:
        instances, has_bodies = separate(bodies, spacing)[0], True
    of_others = {number: (own, unclear) for number, own in zip(others, rows_of_others, strict=True)}
    return scan, Reference(instances, classes, ignored, rows, spacing, has_bodies, levels_known, of_others)
