"""The vertebral column in one scan: bodies that are separated and named, and the discs between them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..anatomy import Naming, Segment
from ..models.manifest import Manifest
from ..monitor import Monitor
from ..options import SegmentationOptions
from ..processors import at_once
from . import quality
from .discs import disc_segments, separate_discs
from .fragments import Spacing
from .level_recognition import Proposal
from .naming import name_bodies
from .vertebrae import separate


@dataclass(frozen=True, eq=False)
class Column:
    """`labels`, uint8 [I, P, L], hold the values of the `bodies` and `discs`, both from top to bottom.

    `qualities` are those of the bodies; `partial` holds the values of those that reach the border of the array.
    """

    labels: np.ndarray
    bodies: list[Segment]
    discs: list[Segment]
    naming: Naming
    qualities: list[float]
    partial: set[int]


def find_column(
    mask: np.ndarray,
    discs: np.ndarray | None,
    probability: np.ndarray,
    recipe: Manifest,
    spacing_ipl: Spacing,
    propose: Callable[[np.ndarray], Proposal | None],
    options: SegmentationOptions,
    monitor: Monitor,
) -> Column:
    """The column in canonical arrays [I, P, L]: boolean masks of all bodies and of all `discs`, if these are known.

    `probability` is that of bodies; `propose` says what levels bodies with these centres, voxel indices [n, 3] from top
    to bottom, have. Raises SpineError as `separate` does.
    """
    instances, found = separate(mask, spacing_ipl, probability)
    qualities, gaps = at_once(
        lambda: quality.estimate(instances, len(found), probability, recipe.output, spacing_ipl),
        lambda: None if discs is None else separate_discs(discs, instances, spacing_ipl),
    )
    centres = np.array([body.centroid for body in found])
    bodies, naming = name_bodies(qualities, options, lambda count: propose(centres[:count]), monitor)
    found, qualities = found[: len(bodies)], qualities[: len(bodies)]
    labels = _as_labels(instances, bodies)
    partial = {named.label for named, body in zip(bodies, found, strict=True) if body.touches_border}
    seen: list[Segment] = []
    if gaps is not None:
        between = disc_segments(bodies, recipe.labels[recipe.disc_class - 1])
        labels += _as_labels(gaps, between)
        seen = [disc for number, disc in enumerate(between, start=1) if disc and (gaps == number).any()]
    return Column(labels, bodies, seen, naming, qualities, partial)


def _as_labels(numbers: np.ndarray, segments: list[Segment] | list[Segment | None]) -> np.ndarray:
    """The values of the segments 1, 2, ... in place of their `numbers` (uint8); 0 for None and for further numbers."""
    label_of = np.zeros(256, np.uint8)
    label_of[1 : len(segments) + 1] = [segment.label if segment else 0 for segment in segments]
    return label_of[numbers]
