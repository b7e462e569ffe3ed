"""From the labelled region back to exactly the scan's own voxels."""

import math
from collections.abc import Callable

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..processors import at_once, in_threads
from ..volume.boxes import Box, bounding_box, counted_from, widened
from ..volume.geometry import Grid, image_on, orientation_of, oriented, resample, same_grid, voxels_on
from .fusion import Fused

CLEARANCE = 0.05
"""How far from the border the margin of a class is kept in a voxel that post-processing decided otherwise."""


def to_scan_grid(
    labels: np.ndarray, classes: np.ndarray, fused: Fused, region: sitk.Image, scan: sitk.Image
) -> sitk.Image:
    """`labels` (uint8 `[I, P, L]`) of the sub-volume `region` as a uint8 image on exactly the grid of `scan`.

    On the scan's own voxels labels are copied. From a coarser working grid borders are found at the scan's resolution,
    where the interpolated margin of a class ends: a class is one or several values of `labels`, whose number `classes`
    tells and whose margin `fused` knows. Each voxel inside takes the nearest label of its class.
    """
    # One voxel of background around the labels is all that their borders need.
    box = bounding_box(labels, margin=1)
    if box is None:
        return _empty_on_grid_of(scan)

    def on_axes_of_scan(array: np.ndarray, place: Box) -> sitk.Image:
        """The `array` of what lies at a `place` in the region."""
        start = region.TransformIndexToPhysicalPoint([side.start for side in reversed(place)])
        grid = Grid(array.shape[::-1], region.GetSpacing(), start, region.GetDirection())
        return image_on(*oriented(array, grid, orientation_of(scan)))

    inside = on_axes_of_scan(labels[box], box)
    start, grid = _window_of(inside, scan)
    if not same_grid(inside, grid):
        refined = _refined(labels, np.where(labels > 0, classes, 0), fused, box, on_axes_of_scan, scan)
        inside = sitk.GetImageFromArray(refined)
    whole = _empty_on_grid_of(scan)
    x, y, z = (slice(first, first + count) for first, count in zip(start, inside.GetSize(), strict=True))
    whole[x, y, z] = inside  # in place, where a filter would make another volume
    return whole


def _empty_on_grid_of(scan: sitk.Image) -> sitk.Image:
    image = sitk.Image(scan.GetSize(), sitk.sitkUInt8)
    image.CopyInformation(scan)
    return image


def _refined(
    labels: np.ndarray,
    classes: np.ndarray,
    fused: Fused,
    box: Box,
    as_image: Callable[[np.ndarray, Box], sitk.Image],
    scan: sitk.Image,
) -> np.ndarray:
    """The `labels` inside `box` on the finer grid of `scan`, those of its voxels that they cover: each voxel is of the
    class that is ahead there, if it is beyond the border."""
    numbers = _values(classes)
    start, grid = _window_of(as_image(labels[box], box), scan)

    def on_grid(array: np.ndarray, place: Box, nearest: bool = False) -> tuple[Box, np.ndarray]:
        """What lies at a `place` in the region, resampled, and where that is among the voxels inside `box`."""
        image = as_image(array, place)
        first, own = _window_of(image, scan)
        window = [slice(f - s, f - s + count) for f, s, count in zip(first, start, own.size, strict=True)]
        array = sitk.GetArrayFromImage(resample(image, own, nearest=True)) if nearest else voxels_on(image, own)
        return tuple(reversed(window)), array

    def interpolated(mask: np.ndarray, margin: np.ndarray, border: float, place: Box) -> tuple[Box, np.ndarray]:
        """The `margin` at a `place` in the region, beyond its `border` where `mask` is: as `on_grid`."""
        # It shall end where it did, and where post-processing moved the border.
        np.maximum(margin, border + CLEARANCE, out=margin, where=mask)
        np.minimum(margin, border - CLEARANCE, out=margin, where=~mask)
        return on_grid(margin, place)

    refined = np.zeros(grid.size[::-1], np.uint8)

    def of_background() -> np.ndarray:
        if len(numbers) == 1:
            return np.full(refined.shape, fused.border, np.float32)
        # Where several meet, interpolation leaves none beyond the border: they are compared with the background.
        return interpolated(classes[box] == 0, fused.margin(0, box), fused.border, box)[1]

    def of_class(number: int) -> tuple[Box, np.ndarray, np.ndarray]:
        """Where a class is among the voxels inside `box`, its margin there, and the nearest of its labels."""
        held = [one for one in numbers if fused.holders.get(one) == number]
        mask = np.isin(classes, [number, *held]) if held else classes == number
        place = bounding_box(mask, margin=1)
        window, margin = interpolated(mask[place], fused.margin(number, place), fused.border, place)
        own = np.where(classes[place] == number, labels[place], 0)
        nearest = on_grid(_nearest_label(own), place, nearest=True)[1]
        for one in held:
            within = interpolated(classes[place] == one, fused.depth(one, place), 0.0, place)[1] > 0
            nearest[within | (nearest == 0)] = labels[classes == one][0]
        return window, margin, nearest

    outer = dict.fromkeys(fused.holders.get(number, number) for number in numbers)
    ahead, found = at_once(of_background, lambda: in_threads(of_class, outer))
    for window, margin, nearest in found:
        np.copyto(refined[window], nearest, where=margin > ahead[window])
        np.maximum(ahead[window], margin, out=ahead[window])
    return refined


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


def _nearest_label(labels: np.ndarray) -> np.ndarray:
    """`labels` in which the background next to a label (26-neighbourhood) has the nearest one: its border is there."""
    if len(values := _values(labels)) < 2:
        return np.full_like(labels, max(values, default=0))
    nearest = labels.copy()
    for place in ndimage.find_objects(labels):
        if place is not None:
            # What is nearest to a neighbour of this label is a neighbour of that one.
            inner, outer = widened(place), widened(place, 2)
            part = labels[outer]
            indices = ndimage.distance_transform_edt(part == 0, return_distances=False, return_indices=True)
            nearest[inner] = part[tuple(indices)][counted_from(outer, inner)]
    return nearest


def _values(labels: np.ndarray) -> list[int]:
    """The values above 0 that occur."""
    return [value for value, place in enumerate(ndimage.find_objects(labels), start=1) if place is not None]
