"""How well two masks agree, in three dimensions and in millimetres.

Masks are boolean arrays of the same shape, `spacing` is in mm in the order of their axes. Two rules hold throughout:

* Both masks empty: there is nothing to judge, the result is None. Leave it out of a mean and count how often it
  happened; never count it as perfect (that is what makes a Dice per slice look better than the volume's).
* One mask empty: Dice and NSD are 0, distances are the diagonal of the volume, so that a missed structure makes
  every mean worse.
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
    """Dice and surface agreement of two masks, not both empty. `nsd` is at `NSD_TOLERANCE_MM`."""

    dice: float
    hd95_mm: float
    assd_mm: float
    nsd: float

    @property
    def iou(self) -> float:
        """Intersection over union |A and B| / |A or B|, which follows from the Dice coefficient."""
        return self.dice / (2 - self.dice)


def dice(a: np.ndarray, b: np.ndarray) -> float | None:
    """Dice coefficient 2 |A and B| / (|A| + |B|)."""
    total = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    return 2.0 * int(np.count_nonzero(a & b)) / total if total else None


def hd95_mm(a: np.ndarray, b: np.ndarray, spacing: Spacing) -> float | None:
    """Hausdorff distance at 95 %: the larger one of the 95th percentiles of both directed surface distances."""
    agreement = agreement_of(a, b, spacing)
    return agreement and agreement.hd95_mm


def assd_mm(a: np.ndarray, b: np.ndarray, spacing: Spacing) -> float | None:
    """Average symmetric surface distance: the mean over all surface voxels of both masks."""
    agreement = agreement_of(a, b, spacing)
    return agreement and agreement.assd_mm


def nsd(a: np.ndarray, b: np.ndarray, spacing: Spacing, tolerance_mm: float = NSD_TOLERANCE_MM) -> float | None:
    """Normalised surface Dice: the fraction of all surface voxels of both masks within `tolerance_mm` of the other
    surface (Nikolov et al. 2021)."""
    agreement = agreement_of(a, b, spacing, tolerance_mm)
    return agreement and agreement.nsd


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
    from_a, from_b = surface_distances(a, b, spacing)
    both = np.concatenate([from_a, from_b])
    hd95 = max(np.percentile(from_a, 95), np.percentile(from_b, 95))
    return Agreement(overlap, float(hd95), float(both.mean()), float(np.mean(both <= tolerance_mm)))


def no_agreement(shape: tuple[int, ...], spacing: Spacing) -> Agreement:
    """What a missed or a falsely found structure counts in a volume of `shape`."""
    diagonal = math.hypot(*(length * mm for length, mm in zip(shape, spacing, strict=True)))
    return Agreement(0.0, diagonal, diagonal, 0.0)


def surface_distances(a: np.ndarray, b: np.ndarray, spacing: Spacing) -> tuple[np.ndarray, np.ndarray]:
    """Distances in mm of every surface voxel of `a` from the surface of `b`, and the other way round.

    The surface is what an erosion by one voxel (6-neighbourhood) takes away; at the border of the volume a mask ends
    with the volume. Of a volume with a single slice, a radiograph, it is the outline. Neither mask may be empty.
    """
    flat = tuple(axis for axis, length in enumerate(a.shape) if length == 1)[: a.ndim - 1]
    a, b, spacing = a.squeeze(flat), b.squeeze(flat), tuple(np.delete(spacing, flat))
    box = bounding_box(a | b)
    surface_a, surface_b = _surface(a[box]), _surface(b[box])
    to_a = ndimage.distance_transform_edt(~surface_a, sampling=spacing)
    to_b = ndimage.distance_transform_edt(~surface_b, sampling=spacing)
    return to_b[surface_a], to_a[surface_b]


def labelled_slices(reference: np.ndarray) -> slice:
    """From the first to the last axial slice of a canonical mask `[I, P, L]` that holds something; all if none does.

    For references that label only some levels of those in the scan: what was found above and below cannot be judged.
    """
    labelled = np.flatnonzero(reference.any(axis=(1, 2)))
    return slice(int(labelled[0]), int(labelled[-1]) + 1) if len(labelled) else slice(0, len(reference))


def volume_dice_within(prediction: np.ndarray, reference: np.ndarray) -> float | None:
    """Dice of two canonical masks `[I, P, L]`, counted within the `labelled_slices` of the reference."""
    within = labelled_slices(reference)
    return dice(prediction[within], reference[within])


def _surface(mask: np.ndarray) -> np.ndarray:
    return mask & ~ndimage.binary_erosion(mask)
