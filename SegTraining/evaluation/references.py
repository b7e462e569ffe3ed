"""The reference of a case as the classes that models find."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from SpineInference.volume.geometry import canonical, spacing_ipl

from ..config.data import Label
from ..data.datasets import Case
from ..data.targets import IGNORE, evaluated_slices, labelled_classes


@dataclass(frozen=True, eq=False)
class Reference:
    """The reference of one case, canonical [I, P, L]; `spacing` in mm in the order of the axes."""

    instances: np.ndarray
    """The values of the label map, 0 where there is no class."""
    classes: np.ndarray
    """uint8: 1, 2, ... in the order of the labels, 0 for none of them."""
    ignored: np.ndarray
    """bool: voxels that cannot be judged."""
    rows: slice
    """The axial slices that can be judged: all, or those from the first to the last labelled one where the data set
    shows bodies beyond that nobody labelled."""
    spacing: tuple[float, float, float]


def read_reference(case: Case, labels: tuple[Label, ...]) -> tuple[sitk.Image, Reference]:
    """The scan of `case` as it is, and its reference.

    Raises SpineError where they cannot be read, and for a value of the reference that stands for no label.
    """
    scan, label_map = case.read()
    oriented = canonical(label_map)
    values = sitk.GetArrayFromImage(oriented)
    spacing = spacing_ipl(oriented)
    classes = labelled_classes(values, spacing, case.dataset, labels)
    rows = slice(*evaluated_slices(classes, case.dataset))
    ignored = classes == IGNORE
    classes[ignored] = 0
    return scan, Reference(np.where(classes > 0, values, 0), classes, ignored, rows, spacing)
