"""From the labelled region back to exactly the scan's own voxels."""

import math

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from .geometry import Grid, canonical, resample, restore, same_grid

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
    oriented = canonical(whole)
    window = _window_of(region, oriented)
    grid = Grid.of(sitk.RegionOfInterest(oriented, *window))
    if same_grid(region, grid):
        inside = _image(labels, region)
    else:
        border = resample(_image(_decided(labels > 0, probability, threshold), region), grid)
        nearest = resample(_image(_nearest_label(labels), region), grid, nearest=True)
        inside = sitk.Mask(nearest, border > threshold)
    size, start = window
    return restore(sitk.Paste(oriented, inside, size, [0, 0, 0], start), like=scan)


def _window_of(region: sitk.Image, oriented: sitk.Image) -> tuple[list[int], list[int]]:
    """Size and first index of the part of `oriented` that `region` covers, both in x, y, z."""
    first = oriented.TransformPhysicalPointToContinuousIndex(region.GetOrigin())
    size, start = [], []
    for centre, mine, whole, voxels, total in zip(
        first, region.GetSpacing(), oriented.GetSpacing(), region.GetSize(), oriented.GetSize(), strict=True
    ):
        begin = centre + 0.5 - 0.5 * mine / whole  # the outer face of the first voxel
        end = begin + voxels * mine / whole
        low, high = max(0, math.floor(begin + 1e-3)), min(total, math.ceil(end - 1e-3))
        start.append(low)
        size.append(high - low)
    return size, start


def _decided(mask: np.ndarray, probability: np.ndarray, threshold: float) -> np.ndarray:
    # The interpolated probability shall cross the threshold where it did, and where post-processing moved the border.
    probability = probability.astype(np.float32)
    return np.where(
        mask, np.maximum(probability, threshold + CLEARANCE), np.minimum(probability, threshold - CLEARANCE)
    )


def _nearest_label(labels: np.ndarray) -> np.ndarray:
    if not labels.any():
        return labels
    nearest = ndimage.distance_transform_edt(labels == 0, return_distances=False, return_indices=True)
    return labels[tuple(nearest)]


def _image(array: np.ndarray, like: sitk.Image) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(like)
    return image
