"""How sure a result is of each of its bodies, without a reference: what to look at first.

Planes and networks that disagree leave probabilities between no and yes around a body. The Dice coefficient that is to
be expected with them, if they were true, is high for a body with a thin doubtful rim and low for one that half of the
slices deny. Probabilities are not quite true: what they promise is fitted to what was measured on validation cases.
"""

import math

import numpy as np
from scipy import ndimage

from ..processors import in_threads
from ..specs import OutputSpec
from ..volume.body_scale import body_scale
from ..volume.boxes import Box
from .fragments import Spacing

REACH_MM = 5.0
"""Doubtful voxels this far around a lumbar body, and less far around smaller ones, are held against it; farther ones
belong to something else."""

REVIEW_BELOW = 0.8
"""A body of a lower quality (see `OutputSpec.quality_exponent`) wants a person's review before the others."""


def needs_review(quality: float | None) -> bool:
    """Whether a person should review a body of this quality before the others; not where it is not known."""
    return quality is not None and quality < REVIEW_BELOW


def told(quality: float) -> float:
    """A quality to the two digits that it is worth, rounded down: what needs a review must not look as if it did
    not."""
    return math.floor(round(100 * quality, 6)) / 100  # 100 * 0.29 is a little less than 29


def estimate(
    instances: np.ndarray, count: int, probability: np.ndarray, output: OutputSpec, spacing_ipl: Spacing
) -> list[float]:
    """The expected Dice of the bodies 1..`count` of `instances` [I, P, L], each between 0 and 1.

    `probability` (same shape) is the fused one; at `output.threshold` a voxel is as likely inside as outside. A body
    without a voxel gets 0.
    """
    boxes = ndimage.find_objects(instances, max_label=count) if count else []

    def of_body(number: int, box: Box | None) -> float:
        if box is None:
            return 0.0
        reach = REACH_MM * body_scale(np.count_nonzero(instances[box] == number), spacing_ipl, instances.shape)
        around = tuple(
            slice(max(0, side.start - math.ceil(reach / step)), side.stop + math.ceil(reach / step))
            for side, step in zip(box, spacing_ipl, strict=True)
        )
        body = instances[around] == number
        near = ndimage.distance_transform_edt(~body, sampling=spacing_ipl) <= reach
        likely = _likelihood(probability[around], output.threshold)
        counted = near & (body | (instances[around] == 0))
        expected_dice = 2 * likely[body].sum() / (np.count_nonzero(body) + likely[counted].sum())
        return float(expected_dice**output.quality_exponent)

    return in_threads(of_body, range(1, len(boxes) + 1), boxes)


def _likelihood(probability: np.ndarray, threshold: float) -> np.ndarray:
    """`probability` stretched on both sides of `threshold` so that this becomes one half."""
    return np.interp(probability, (0.0, threshold, 1.0), (0.0, 0.5, 1.0))
