"""The Dice coefficient slice by slice: where along the spine, and in which plane, a result is good or bad.

It shows; it does not judge: a slice with three voxels counts as much as one with three thousand, so the number for the
whole volume is that of `metrics.dice`.
"""

import numpy as np
import SimpleITK as sitk

from ..volume.geometry import PLANES, SLICE_AXIS, canonical
from .matching import layers_of
from .metrics import dice, labelled_slices

SliceAgreement = dict[str, dict[str, list]]
"""By plane: "slice", the numbers of the slices that hold something, and "dice", their coefficients."""


def dice_per_slice(labels: sitk.Image, reference: sitk.Image) -> SliceAgreement:
    """The agreement of two label maps on the same grid, every label above 0 taken as bone, in each plane.

    Slices are counted from 1: sagittal ones from the right, coronal ones from the front, axial ones from the top. As in
    `reference`, only the axial slices from the first to the last labelled one of the reference count.
    """
    oriented, oriented_reference = canonical(labels), canonical(reference)
    prediction, truth = (np.any([x > 0 for x in layers_of(image)], axis=0) for image in (oriented, oriented_reference))
    within = labelled_slices(truth)
    return {plane: _along(prediction[within], truth[within], SLICE_AXIS[plane], within.start) for plane in PLANES}


def _along(prediction: np.ndarray, reference: np.ndarray, axis: int, first_axial: int) -> dict[str, list]:
    offset = 1 + (first_axial if axis == SLICE_AXIS["axial"] else 0)
    pairs = enumerate(zip(np.moveaxis(prediction, axis, 0), np.moveaxis(reference, axis, 0), strict=True))
    values = [(index + offset, value) for index, (a, b) in pairs if (value := dice(a, b)) is not None]
    return {"slice": [number for number, _ in values], "dice": [round(value, 4) for _, value in values]}
