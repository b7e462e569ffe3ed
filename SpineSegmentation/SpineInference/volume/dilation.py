"""Segments grown at their borders: the last step of the post-processing, on the labels of a result."""

import math

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from .boxes import bounding_box


def dilated(labels: sitk.Image, reach_mm: float) -> sitk.Image:
    """`labels` (uint8) in which the background takes the nearest label that is at most `reach_mm` away.

    Distances are those between the middles of voxels, in mm along every axis, so that thick slices are left alone by
    less than their thickness. No label loses a voxel to another.
    """
    if reach_mm <= 0:
        return labels
    array = sitk.GetArrayViewFromImage(labels)
    spacing = tuple(reversed(labels.GetSpacing()))
    box = bounding_box(array > 0, margin=tuple(math.ceil(reach_mm / mm) for mm in spacing))
    if box is None:
        return labels
    grown = array.copy()
    distance, nearest = ndimage.distance_transform_edt(array[box] == 0, sampling=spacing, return_indices=True)
    grown[box] = np.where(distance <= reach_mm, array[box][tuple(nearest)], 0)
    result = sitk.GetImageFromArray(grown)
    result.CopyInformation(labels)
    return result
