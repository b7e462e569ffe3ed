"""From what fusion has decided to clean classes: each step its own function on a mask, `apply` in the right order.

Arrays are canonical `[I, P, L]` (superior to inferior, anterior to posterior, right to left) and `spacing_ipl` is in
mm in the same order. No function changes its input.
"""

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from scipy import ndimage

from ..monitor import Monitor
from ..processors import in_threads
from ..specs import PostprocessingSpec
from .body_scale import body_scale, smallest_body, typical_part
from .boxes import bounding_box

Spacing = tuple[float, float, float]

SAGITTAL_AXIS, CORONAL_AXIS = 2, 1
SAGITTAL_HOLE_MM2 = 50.0
"""Holes of a sagittal slice up to this size are filled in a lumbar body: enough for the basivertebral vein (about 5 x
10 mm), too little for a disc between two bodies that touch in front and behind."""
INTERPOLATED_GAP_MM = 12.0
"""Between slices further apart than this nothing is made up."""


def interpolate_slices(
    mask: np.ndarray, spacing_ipl: Spacing, axis: int, missing: np.ndarray | None = None
) -> np.ndarray:
    """`mask` with the `missing` slices along `axis` filled from the nearest segmented slices on either side.

    Shape-based interpolation: the signed distances to the two outlines are mixed by position and cut at zero (Raya and
    Udupa, IEEE TMI 9, 1990, 32-42). `missing` is boolean, one per slice, and means slices that were not computed; by
    default it is every empty slice between two that are not. Gaps wider than `INTERPOLATED_GAP_MM` stay.
    """
    stacked = np.moveaxis(mask, axis, 0)
    segmented = stacked.any(axis=(1, 2)) if missing is None else ~missing
    known = np.flatnonzero(segmented)
    in_plane = tuple(mm for other, mm in enumerate(spacing_ipl) if other != axis)
    filled = stacked
    for before, after in pairwise(known):
        if after - before == 1 or (after - before) * spacing_ipl[axis] > INTERPOLATED_GAP_MM:
            continue
        if filled is stacked:
            filled = stacked.copy()
        filled[before + 1 : after] = _slices_between(stacked[before], stacked[after], after - before, in_plane)
    return np.moveaxis(filled, 0, axis)


def remove_small_islands(
    mask: np.ndarray, spacing_ipl: Spacing, min_mm3: float, share_of_typical: float = 0.0
) -> np.ndarray:
    """`mask` without the connected parts (26-neighbourhood) of less than `min_mm3`.

    With a `share_of_typical` the limit is this share of a typical part where that is less: bodies are small in a neck,
    and smaller still in a single slice of it. What the smallest body has in this array stays the least.
    """
    box = bounding_box(mask)
    if box is None:
        return mask
    parts, sizes = _parts(mask[box])
    least = min_mm3 / math.prod(spacing_ipl)
    if share_of_typical > 0:
        typical = typical_part(sizes[1:])
        least = min(least, max(share_of_typical * typical, smallest_body(spacing_ipl, mask.shape)))
    keep = sizes >= least
    keep[0] = False
    cleaned = np.zeros_like(mask)
    cleaned[box] = keep[parts]
    return cleaned


def fill_cavities(mask: np.ndarray) -> np.ndarray:
    """`mask` with the background filled that it encloses wholly; in a mask of a single slice, within that slice."""
    box = bounding_box(mask, margin=1)
    if box is None:
        return mask
    filled = mask.copy()
    filled[box] |= _enclosed(mask[box], structure=ndimage.generate_binary_structure(3, 1))
    return filled


def scale_of_bodies(mask: np.ndarray, spacing_ipl: Spacing) -> float:
    """The `body_scale` of a typical part of a `mask` of vertebral bodies; 1 in an empty one."""
    box = bounding_box(mask)
    return 1.0 if box is None else body_scale(typical_part(_parts(mask[box])[1][1:]), spacing_ipl, mask.shape)


def fill_holes(mask: np.ndarray, spacing_ipl: Spacing) -> np.ndarray:
    """`mask` of vertebral bodies with its holes filled: the cavities, and small holes of sagittal slices.

    In sagittal slices holes of up to `SAGITTAL_HOLE_MM2`, less in small bodies, are filled: a vertebral body has no
    opening to its sides, but the canal of the basivertebral vein often stays dark. Axial and coronal slices are left
    alone, where the spinal canal and the foramina are holes.
    """
    box = bounding_box(mask, margin=1)
    if box is None:
        return mask
    # In a single sagittal slice nothing tells a cavity from a disc but its size.
    filled = mask.copy() if mask.shape[SAGITTAL_AXIS] == 1 else fill_cavities(mask)
    within_slices = ndimage.generate_binary_structure(3, 1)
    within_slices[:, :, [0, 2]] = False
    most_mm2 = SAGITTAL_HOLE_MM2 * scale_of_bodies(mask, spacing_ipl) ** 2
    most_voxels = most_mm2 / (spacing_ipl[0] * spacing_ipl[1])
    filled[box] |= _enclosed(filled[box], structure=within_slices, most_voxels=most_voxels)
    return filled


def smooth_border(mask: np.ndarray, spacing_ipl: Spacing, radius_mm: float) -> np.ndarray:
    """`mask` with a smoother border and the same volume.

    The mask is blurred by a Gaussian with a standard deviation of `radius_mm` (in mm along every axis, so that thick
    slices are not mixed) and cut at the grey value that keeps the number of voxels. At the border of the volume it is
    taken to go on beyond it. Details smaller than the radius disappear.
    """
    reach = 3.0
    sigma = [radius_mm / mm for mm in spacing_ipl]
    box = bounding_box(mask, margin=tuple(math.ceil(reach * voxels) for voxels in sigma))
    if box is None or radius_mm <= 0:
        return mask
    blurred = ndimage.gaussian_filter(mask[box].astype(np.float32), sigma, mode="nearest", truncate=reach)
    voxels = int(np.count_nonzero(mask[box]))
    # Far from one half the cut would no longer be a border but grow or eat whole structures: thin ones may vanish.
    lowest, highest = 0.35, 0.65
    grey = blurred[blurred >= lowest]
    cut = np.partition(grey, len(grey) - voxels)[len(grey) - voxels] if len(grey) > voxels else lowest
    smoothed = np.zeros_like(mask)
    smoothed[box] = blurred >= min(cut, highest)
    return smoothed


def apply(
    classes: np.ndarray,
    spec: PostprocessingSpec,
    spacing_ipl: Spacing,
    vertebra_class: int | None = None,
    monitor: Monitor | None = None,
    holders: Mapping[int, int] | None = None,
) -> np.ndarray:
    """Canonical `classes` (uint8 `[I, P, L]`: 0, 1, 2, ...), each of them cleaned as `spec` says. Raises Cancelled.

    What a step adds to a class never takes voxels that another one holds. What encloses something in the picture of a
    projection, as ribs do, does not enclose it in the body: in a single slice only vertebral bodies have holes to fill.
    What lies beside vertebrae, discs above all, is as small as they are.

    `holders` tells by the number of a class that lies inside another one the number of that. The outer one is cleaned
    with what it holds, as one thing, and the inner one within it.
    """
    monitor, holders = monitor or Monitor(), holders or {}
    numbers = sorted(
        range(1, max([int(classes.max()), *holders.values()]) + 1),
        key=lambda number: (number != vertebra_class, number in holders, number),
    )

    def mask_of(number: int) -> np.ndarray:
        """The voxels of a class with what it holds."""
        within = [inner for inner, outer in holders.items() if outer == number]
        return np.isin(classes, [number, *within]) if within else classes == number

    def without_flaws(number: int) -> np.ndarray:
        about = number == vertebra_class, vertebra_class is not None, 1 in classes.shape
        return _without_flaws(mask_of(number), spec, spacing_ipl, *about)

    monitor.progress("post-processing", 0, 2)
    masks = dict(zip(numbers, in_threads(without_flaws, numbers), strict=True))
    monitor.progress("post-processing", 1, 2)
    if spec.smooth_mm > 0:
        # What is roughness on a lumbar body are the corners of a small one.
        scale = scale_of_bodies(masks[vertebra_class], spacing_ipl) if vertebra_class in masks else 1.0
        smoothed = in_threads(lambda mask: smooth_border(mask, spacing_ipl, spec.smooth_mm * scale), masks.values())
        masks = dict(zip(numbers, smoothed, strict=True))
    cleaned = classes.copy()
    for number, mask in masks.items():
        around = holders.get(number, 0)
        cleaned[mask_of(number) & ~mask & (cleaned > 0)] = around
        cleaned[mask & (cleaned == around)] = number
    monitor.progress("post-processing", 2, 2)
    return cleaned


def _without_flaws(
    mask: np.ndarray,
    spec: PostprocessingSpec,
    spacing_ipl: Spacing,
    of_vertebrae: bool,
    beside_vertebrae: bool,
    is_single_slice: bool,
) -> np.ndarray:
    """`mask` before it is smoothed.

    Slices that dropped out come first, because every later step would take their place for background; small islands
    go before the smoothing, which else might glue them to a body.
    """
    if spec.interpolate_slices:
        # Never axial: an axial slice without vertebra is a disc. A spine has no such gaps in the other planes.
        for axis in (SAGITTAL_AXIS, CORONAL_AXIS):
            mask = interpolate_slices(mask, spacing_ipl, axis)
    if spec.min_island_mm3 > 0:
        share = spec.min_island_share if beside_vertebrae else 0.0
        mask = remove_small_islands(mask, spacing_ipl, spec.min_island_mm3, share)
    if spec.fill_holes and of_vertebrae:
        return fill_holes(mask, spacing_ipl)
    return fill_cavities(mask) if spec.fill_holes and not is_single_slice else mask


def _parts(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The connected parts (26-neighbourhood) of `mask`, numbered from 1, and how many voxels each number has."""
    parts, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    return parts, np.bincount(parts.ravel())


def _slices_between(before: np.ndarray, after: np.ndarray, distance: int, in_plane: tuple[float, ...]) -> np.ndarray:
    """The `distance - 1` slices between two that are `distance` apart."""
    if not before.any() or not after.any():  # an outline that ends: there is nothing to interpolate towards
        return np.zeros((distance - 1, *before.shape), bool)
    first, last = _signed_distance(before, in_plane), _signed_distance(after, in_plane)
    weights = (np.arange(1, distance) / distance)[:, None, None]
    return first * (1 - weights) + last * weights > 0


def _signed_distance(mask: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Distance in mm from the outline of `mask`, positive inside."""
    # One background pixel around gives a mask that fills its slice an outline too.
    padded = np.pad(mask, 1)
    inside = ndimage.distance_transform_edt(padded, sampling=spacing)
    outside = ndimage.distance_transform_edt(~padded, sampling=spacing)
    return (inside - outside)[1:-1, 1:-1]


def _enclosed(mask: np.ndarray, structure: np.ndarray, most_voxels: float = math.inf) -> np.ndarray:
    """Background parts, connected by `structure`, of up to `most_voxels` that do not reach the border of the array.

    An axis of one slice, or one along which `structure` connects nothing, has no border in this sense.
    """
    parts, count = ndimage.label(~mask, structure=structure)
    enclosed = np.bincount(parts.ravel(), minlength=count + 1) <= most_voxels
    enclosed[0] = False
    for axis in range(mask.ndim):
        if mask.shape[axis] > 1 and np.take(structure, [0, 2], axis=axis).any():
            enclosed[np.unique(np.take(parts, [0, -1], axis=axis))] = False
    return enclosed[parts]
