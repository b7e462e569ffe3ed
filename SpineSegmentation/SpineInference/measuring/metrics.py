"""How well two masks agree, in three dimensions and in millimetres.

Masks are boolean arrays of the same shape, `spacing` is in mm in the order of their axes. Two rules hold throughout:

* Both masks empty: there is nothing to judge, the result is None. Leave it out of a mean and count how often it
  happened; never count it as perfect (that is what makes a Dice per slice look better than the volume's).
* One mask empty: Dice and NSD are 0, distances are the diagonal of the volume, so that a missed structure makes
  every mean worse.

Surfaces are made of elements that count by their area (as in DeepMind's surface-distance, Nikolov et al. 2021).
Counting voxels instead would weigh a face between two thick slices as much as one between two thin columns.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..volume.boxes import bounding_box

Spacing = tuple[float, ...]

NSD_TOLERANCE_MM = 1.0


@dataclass(frozen=True)
class Agreement:
    """Overlap and surface agreement of two masks, not both empty.

    `hd95_mm`: the larger of the distances within which 95 % of each surface lies from the other (Hausdorff distance at
    95 %). `assd_mm`: average symmetric surface distance, the mean over both surfaces. `nsd`: normalised surface Dice,
    the share of both surfaces within a tolerance of the other one, by default `NSD_TOLERANCE_MM`.
    """

    dice: float
    hd95_mm: float
    assd_mm: float
    nsd: float

    @property
    def iou(self) -> float:
        """Intersection over union |A and B| / |A or B|, which follows from the Dice coefficient."""
        return self.dice / (2 - self.dice)


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """The elements of one surface: how far each is from the other surface, and how large it is.

    `distances_mm` [n], in ascending order, and `areas` [n] in mm2; of the outline of a single slice lengths in mm.
    """

    distances_mm: np.ndarray
    areas: np.ndarray

    @property
    def area(self) -> float:
        return float(self.areas.sum())

    def percentile(self, percent: float) -> float:
        """The distance in mm within which `percent` of the area lies."""
        covered = np.cumsum(self.areas)
        place = np.searchsorted(covered, percent / 100 * covered[-1])
        return float(self.distances_mm[min(place, len(self.distances_mm) - 1)])


def dice(a: np.ndarray, b: np.ndarray) -> float | None:
    """Dice coefficient 2 |A and B| / (|A| + |B|)."""
    total = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    return 2.0 * int(np.count_nonzero(a & b)) / total if total else None


def agreement_of(
    a: np.ndarray, b: np.ndarray, spacing: Spacing, tolerance_mm: float = NSD_TOLERANCE_MM
) -> Agreement | None:
    """All measures at once: the distances, which cost nearly everything, are computed only once."""
    a, b = a.astype(bool, copy=False), b.astype(bool, copy=False)
    overlap = dice(a, b)
    if overlap is None:
        return None
    if not a.any() or not b.any():
        return no_agreement(a.shape, spacing)
    surfaces = surface_distances(a, b, spacing)
    area = sum(surface.area for surface in surfaces)
    close = sum(surface.areas[surface.distances_mm <= tolerance_mm].sum() for surface in surfaces)
    mean = sum(float(surface.distances_mm @ surface.areas) for surface in surfaces) / area
    return Agreement(overlap, max(surface.percentile(95) for surface in surfaces), mean, float(close / area))


def no_agreement(shape: tuple[int, ...], spacing: Spacing) -> Agreement:
    """What a missed or a falsely found structure counts in a volume of `shape`."""
    diagonal = math.hypot(*(length * mm for length, mm in zip(shape, spacing, strict=True)))
    return Agreement(0.0, diagonal, diagonal, 0.0)


def surface_distances(a: np.ndarray, b: np.ndarray, spacing: Spacing) -> tuple[SurfaceDistances, SurfaceDistances]:
    """How far the surface of `a` is from that of `b`, and the other way round.

    Surface elements lie where the corners of voxels meet, wherever not all of the eight voxels around are inside or
    outside. At the border of the volume a mask ends with the volume. Of a volume with a single slice, a radiograph, the
    surface is the outline. Neither mask may be empty.
    """
    flat = tuple(axis for axis, length in enumerate(a.shape) if length == 1)[: a.ndim - 1]
    a, b, spacing = a.squeeze(flat), b.squeeze(flat), tuple(np.delete(spacing, flat))
    box = bounding_box(a | b)
    areas_a, areas_b = _surface_areas(a[box], spacing), _surface_areas(b[box], spacing)
    return _distances(areas_a, areas_b, spacing), _distances(areas_b, areas_a, spacing)


def _distances(areas: np.ndarray, other: np.ndarray, spacing: Spacing) -> SurfaceDistances:
    to_other = ndimage.distance_transform_edt(other == 0, sampling=spacing)
    surface = areas > 0
    distances, areas = to_other[surface], areas[surface].astype(float)
    order = np.argsort(distances)
    return SurfaceDistances(distances[order], areas[order])


def _surface_areas(mask: np.ndarray, spacing: Spacing) -> np.ndarray:
    """The area in mm2 of the surface at each corner of the voxels, one more along each axis than there are voxels.

    It is the length of the vector whose components are the areas of the faces around the corner, looked at along each
    axis: a quarter of each face between an inner and an outer voxel, opposite ones cancelling out. So an oblique plane
    has its own area and not that of its stairs.
    """
    padded = np.pad(mask, 1).astype(np.float32)
    squares = np.zeros([length - 1 for length in padded.shape], np.float32)
    for axis in range(mask.ndim):
        component = np.diff(padded, axis=axis)
        for other in set(range(mask.ndim)) - {axis}:
            along = np.moveaxis(component, other, 0)
            component = np.moveaxis((along[1:] + along[:-1]) / 2, 0, other)
        squares += (component * float(np.prod(np.delete(spacing, axis)))) ** 2
    return np.sqrt(squares)


def labelled_slices(reference: np.ndarray) -> slice:
    """From the first to the last axial slice of a canonical mask `[I, P, L]` that holds something; all if none does.

    For references that label only some levels of those in the scan: what was found above and below cannot be judged.
    """
    labelled = np.flatnonzero(reference.any(axis=(1, 2)))
    return slice(int(labelled[0]), int(labelled[-1]) + 1) if len(labelled) else slice(0, len(reference))
