"""From the labelled region back to exactly the scan's own voxels."""

import math

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from .boxes import bounding_box
from .geometry import Grid, crop, orientation_of, reorient, resample, same_grid

CLEARANCE = 0.05
"""How far from the threshold the probability of a voxel is kept that post-processing decided otherwise."""


def to_scan_grid(
    labels: np.ndarray, probability: np.ndarray, threshold: float, region: sitk.Image, scan: sitk.Image
) -> sitk.Image:
    """`labels` `[I, P, L]` of the sub-volume `region` as a uint8 image on exactly the grid of `scan`.

    On the scan's own voxels labels are copied. From a coarser working grid the border is found at the scan's
    resolution, where the interpolated `probability` crosses the `threshold`; each voxel inside takes the nearest
    label.
    """
    whole = sitk.Image(scan.GetSize(), sitk.sitkUInt8)  # of the scan only its grid is needed
    whole.CopyInformation(scan)
    # One voxel of background around the labels is all that their borders need.
    box = bounding_box(labels, margin=1)
    if box is None:
        return whole
    labels, probability, place = labels[box], probability[box], crop(region, box)

    def on_axes_of_scan(array: np.ndarray) -> sitk.Image:
        image = sitk.GetImageFromArray(array)
        image.CopyInformation(place)
        return reorient(image, orientation_of(scan))

    inside = on_axes_of_scan(labels)
    start, grid = _window_of(inside, whole)
    if not same_grid(inside, grid):
        border = resample(on_axes_of_scan(_decided(labels > 0, probability, threshold)), grid)
        nearest = resample(on_axes_of_scan(_nearest_label(labels)), grid, nearest=True)
        inside = sitk.Mask(nearest, border > threshold)
    return sitk.Paste(whole, inside, inside.GetSize(), [0, 0, 0], start)


def _window_of(part: sitk.Image, whole: sitk.Image) -> tuple[list[int], Grid]:
    """First index (x, y, z) and grid of the voxels of `whole` that `part`, which has the same axes, covers."""
    first = whole.TransformPhysicalPointToContinuousIndex(part.GetOrigin())
    start, size = [], []
    for centre, mine, theirs, voxels, total in zip(
        first, part.GetSpacing(), whole.GetSpacing(), part.GetSize(), whole.GetSize(), strict=True
    ):
        begin = centre + 0.5 - 0.5 * mine / theirs  # the outer face of the first voxel
        end = begin + voxels * mine / theirs
        low, high = max(0, math.floor(begin + 1e-3)), min(total, math.ceil(end - 1e-3))
        start.append(low)
        size.append(high - low)
    origin = whole.TransformIndexToPhysicalPoint(start)
    return start, Grid(tuple(size), whole.GetSpacing(), origin, whole.GetDirection())


def _decided(mask: np.ndarray, probability: np.ndarray, threshold: float) -> np.ndarray:
    # The interpolated probability shall cross the threshold where it did, and where post-processing moved the border.
    probability = probability.astype(np.float32)
    return np.where(
        mask, np.maximum(probability, threshold + CLEARANCE), np.minimum(probability, threshold - CLEARANCE)
    )


def _nearest_label(labels: np.ndarray) -> np.ndarray:
    nearest = ndimage.distance_transform_edt(labels == 0, return_distances=False, return_indices=True)
    return labels[tuple(nearest)]
