"""Whether labels that were given can be single vertebrae and discs, one below the other, and not what has only their
values: label maps of many programs call all vertebrae 1, all discs 2 and the canal 3."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..anatomy import DISC_OFFSET, Segment
from ..errors import SpineError
from .given_names import from_top_to_bottom

_MOST_PARTS = 2
"""A single slice may show a body and its spinous process apart."""
_LARGE = 0.25
"""A part counts that has so much of the voxels of the largest; others are crumbs."""
_LOWER_MM = 5.0
"""A vertebra that lies so much above the one that should be above it is called wrongly."""
_ONE_EACH = "give each vertebra and each disc a value of its own, such as 20 for L1 and 120 for the disc below"


def check_shapes(labels: sitk.Image, segments: Sequence[Segment]) -> None:
    """Raise SpineError for a vertebra or disc of the 3D `labels` that lies in many parts, and for vertebrae whose order
    from top to bottom is none."""
    array = sitk.GetArrayViewFromImage(labels)
    boxes, heights = ndimage.find_objects(array), []
    for segment in segments:
        if not segment.is_vertebra and segment.label <= DISC_OFFSET:
            continue
        box = boxes[segment.label - 1]
        mask = array[box] == segment.label
        sizes = np.bincount(ndimage.label(mask, np.ones((3, 3, 3)))[0].ravel())[1:]
        if (large := np.count_nonzero(sizes >= _LARGE * sizes.max())) > _MOST_PARTS:
            raise SpineError(f"{segment.name} (value {segment.label}) lies in {large} separate parts: {_ONE_EACH}.")
        if segment.is_vertebra:
            centre = np.argwhere(mask).mean(axis=0) + [side.start for side in box]
            place = labels.TransformContinuousIndexToPhysicalPoint(centre[::-1].tolist())
            heights.append((place[2], segment))
    heights.sort(key=lambda each: from_top_to_bottom(each[1].label))
    for (upper, above), (lower, below) in pairwise(heights):
        if lower - upper > _LOWER_MM:
            raise SpineError(f"{below.name} lies above {above.name}, as in no spine: {_ONE_EACH}.")
