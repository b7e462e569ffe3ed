"""From a mask of all intervertebral discs to single ones, named by the bodies between which they lie."""

import numpy as np
from scipy import ndimage

from ..anatomy import DISC_OFFSET, LEVELS, NUMBERED_OFFSET, Segment
from ..specs import LabelSpec
from ..volume.boxes import bounding_box
from .fragments import Spacing, thickness_of
from .spine_curve import fit_spine_curve
from .vertebrae import THICKNESS_PER_BEND

BEYOND_IN_HEIGHTS = 1.0
"""A disc above the first body, or below the last one, lies within this distance from the body's middle, in distances
between bodies."""
ALONE_MM = 35.0
"""The distance from body to body where there is only one: that of lumbar bodies."""
_ENOUGH_VOXELS = 50_000
"""Of all bodies together, for the curve through them."""
CRUMB_SHARE = 0.1
"""Less than this share of a typical disc is none."""


def separate_discs(mask: np.ndarray, bodies: np.ndarray, spacing_ipl: Spacing) -> np.ndarray:
    """The discs of a canonical boolean `mask` [I, P, L], uint8 of the same shape: n + 1 is the disc below body n.

    `bodies` (same shape) holds the vertebral bodies 1 to n from top to bottom; 1 is the disc above the first of them.
    Each voxel belongs to the bodies between whose middles it lies along the spine's curve, so that discs that touch are
    told apart, and what reaches over a body is cut. What lies further beyond the ends is no disc, nor is a crumb.
    """
    discs = np.zeros(mask.shape, np.uint8)
    box = bounding_box(mask)
    where_bodies = np.nonzero(bodies)
    if box is None or not len(where_bodies[0]):
        return discs
    where_bodies = tuple(indices[:: max(1, len(indices) // _ENOUGH_VOXELS)] for indices in where_bodies)
    points = np.column_stack(where_bodies) * spacing_ipl
    thickness = thickness_of(where_bodies, points[:, 0], spacing_ipl)
    curve = fit_spine_curve(points, THICKNESS_PER_BEND * thickness)
    numbers, count = bodies[where_bodies], int(bodies.max())
    centres = np.column_stack([ndimage.mean(points[:, axis], numbers, np.arange(1, count + 1)) for axis in range(3)])
    middles = np.maximum.accumulate(curve.position_of(centres))
    steps = np.diff(middles) if count > 1 else np.array([ALONE_MM])

    where = np.nonzero(mask)
    position = curve.position_of(np.column_stack(where) * spacing_ipl)
    reach = BEYOND_IN_HEIGHTS * np.array([-steps[0], steps[-1]]) + [middles[0], middles[-1]]
    gap = np.searchsorted(middles, position) + 1
    gap[(position < reach[0]) | (position > reach[1])] = 0
    voxels = np.bincount(gap, minlength=count + 2)
    voxels[0] = 0
    if voxels.any():
        voxels[voxels < CRUMB_SHARE * np.median(voxels[voxels > 0])] = 0
    discs[where] = np.where(voxels[gap] > 0, gap, 0)
    return discs


def disc_segments(bodies: list[Segment], label: LabelSpec) -> list[Segment | None]:
    """The segment of the disc above the first of `bodies`, that below it, and so on: one more than bodies.

    Their values are 100 + that of the vertebra above. None where there is no disc: above C2 and below S1. `label` is
    that of all discs, whose colour and code they have.
    """
    names = [name for name in LEVELS if name != "L6" or any(body.name == "L6" for body in bodies)]
    segments: list[Segment | None] = []
    for above, below in zip([None, *bodies], [*bodies, None], strict=True):
        value, name = None, ""
        known = [body for body in (above, below) if body is not None]
        if known and all(body.name in LEVELS for body in known):
            place = names.index(above.name) if above else names.index(below.name) - 1
            if 1 <= place < len(names) - 1:  # there is none between C1 and C2
                value, name = LEVELS[names[place]].label, f"Disc {names[place]}-{names[place + 1]}"
        elif known:
            value = above.label if above else NUMBERED_OFFSET
            name = _between_numbered(above, below)
        segments.append(
            None
            if value is None
            else Segment(DISC_OFFSET + value, name, label.colour, label.code, label.meaning, is_vertebra=False)
        )
    return segments


def _between_numbered(above: Segment | None, below: Segment | None) -> str:
    if above is None:
        return f"Disc above {_short(below)}"
    return f"Disc below {_short(above)}" if below is None else f"Disc {_short(above)}-{_short(below)}"


def _short(body: Segment) -> str:
    return body.name.removeprefix("Vertebra ")
