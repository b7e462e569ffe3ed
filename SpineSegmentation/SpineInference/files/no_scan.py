"""What looks like a scan to a computer and is none: label maps, segmentations, what DICOM derives from images.

A network would find vertebrae in a mask of vertebrae, and nobody would see from the table that it was no scan.
"""

from contextlib import suppress
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import NotAScan, SpineError
from ..formats import nifti
from .slicer_segmentation import is_segmentation

_MOST_VALUES = 256
_SAMPLE = 200_000
_ENOUGH_VOXELS = 1_000_000
_SPARSE = 1e-3
"""A scan has something in more than this share of its voxels; landmarks are single voxels in nothing."""
_WHOLE = 0.01
_NIFTI_LABELS = (1002, 1003)
_NIFTI_STATISTICS = range(2, 25)
_FLAT = 0.9
"""So many of the neighbouring voxels inside of labels are equal, at least."""
_JUMPS = 0.15
"""So many of the borders in a label map lie between values that are not next to each other, at least, and so many of
those with the background: any label may touch it. In a scan of few grey values that has as flat regions it is one in
thirty."""


def check_is_scan(image: sitk.Image, name: str) -> None:
    """Raise NotAScan, beginning with `name`, for a 3D scalar `image` that holds labels in place of grey values."""
    if is_label_map(sitk.GetArrayViewFromImage(image)):
        raise NotAScan(f"{name}: this is a label map or a mask, not a scan: give the scan that it was drawn on.")


def check_header(path: Path) -> None:
    """Raise NotAScan for a file whose header says that it is none. One that cannot be read is left to the reader."""
    if is_segmentation(path):
        raise NotAScan(f"{path}: this is a segmentation of 3D Slicer, not a scan: give the scan that it was drawn on.")
    intent = _nifti_intent(path) if path.name.lower().endswith((".nii", ".nii.gz")) else 0
    if intent in _NIFTI_LABELS or intent in _NIFTI_STATISTICS:
        what = "labels" if intent in _NIFTI_LABELS else "a statistic"
        raise NotAScan(f"{path}: the header says that this is {what}, not a scan: give the scan itself.")


def _nifti_intent(path: Path) -> int:
    """What a NIfTI file is said to hold, by the number in the standard; 0 for values of any kind."""
    with suppress(SpineError):  # the reader says so
        return nifti.intent(path)
    return 0


def is_label_map(values: np.ndarray) -> bool:
    """Whether a 3D array holds labels: few whole numbers, 0 for the background, in flat regions that lie apart, or of
    which any may touch any other. Two values alone are a mask."""
    if abs(values.min()) > _WHOLE or values.max() > np.iinfo(np.uint16).max or not _is_whole(values):
        return False
    sample = values.reshape(-1)[:: max(1, values.size // _SAMPLE)]
    if len(np.unique(sample)) > _MOST_VALUES:
        return False
    if np.count_nonzero(values) < _SPARSE * values.size:
        return True
    some = np.rint(values[:: -(-values.size // _ENOUGH_VOXELS)]).astype(np.uint16)
    found = np.flatnonzero(np.bincount(some.ravel()))
    if len(found) <= 2 or len(found) > _MOST_VALUES:
        return len(found) <= 2
    rank_of = np.zeros(int(found[-1]) + 1, np.int16)
    rank_of[found] = range(len(found))
    counts = np.sum([_neighbours(rank_of[some], axis) for axis in (1, 2)], axis=0)
    inside, equal, borders, jumps, outer, outer_jumps = counts
    is_mixed = jumps > _JUMPS * borders and outer_jumps > _JUMPS * outer
    return bool(equal == inside or (equal >= _FLAT * inside and is_mixed))


def _neighbours(ranks: np.ndarray, axis: int) -> tuple[int, ...]:
    """How many neighbours along an axis are: both no background, and equal then; different, and by more than one rank
    then; background beside something else, and something of more than rank 1 then."""
    along = np.moveaxis(ranks, axis, 0)
    lower, higher = np.minimum(along[1:], along[:-1]), np.maximum(along[1:], along[:-1])
    inside, jump, outer = lower > 0, higher - lower > 1, (lower == 0) & (higher > 0)
    counted = (inside, inside & (lower == higher), lower != higher, jump, outer, outer & jump)
    return tuple(np.count_nonzero(mask) for mask in counted)


def _is_whole(values: np.ndarray) -> bool:
    """Whether all values are whole numbers, or as near to one as a scaled label map has them."""
    if values.dtype.kind != "f":
        return True
    return all(np.abs(part - np.rint(part)).max() <= _WHOLE for part in values)
