"""From a mask to single vertebral bodies, ordered from the top of the spine to the bottom, and their levels."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..anatomy import LEVELS, MOST_NUMBERED, Segment, numbered, parse_level
from ..errors import Implausible, SpineError
from ..volume.boxes import Box, bounding_box, is_at_border
from .body_sizes import BodyHeights
from .fragment_joining import join_fragments
from .fragments import Fragment, Spacing, thickness_of
from .instance_separation import certain_depth, cut_to_length, erosion_split, has_dens, waist
from .spine_curve import SpineCurve, fit_spine_curve

THICKNESS_PER_BEND = 2.8
"""The column may bend once for every so many thicknesses of its length, which is about every other body."""
BESIDE_IN_THICKNESSES = 2.0
"""A part whose centre is farther than this from the curve does not belong to the column."""
MIN_PART_SHARE = 0.002
"""Parts of less than this share of the largest one are no fragments of a vertebra: at most 80 mm3 beside a lumbar
body."""
MAYBE_SEVERAL, SURELY_SEVERAL = 1.15, 1.6
"""Parts longer than this, in heights of a body, are cut where they have a waist, and in any case."""


@dataclass(frozen=True)
class Body:
    """One vertebral body. `centroid` is in voxel indices (I, P, L) of the array in which it was found.

    `touches_border`: it reaches the border of the array along some axis (of more than one slice), or ends nearer to it
    than `BORDER_MM`, so that a part of it may lie outside.
    """

    number: int
    voxels: int
    centroid: tuple[float, float, float]
    touches_border: bool


def separate(
    mask: np.ndarray, spacing_ipl: Spacing, probability: np.ndarray | None = None
) -> tuple[np.ndarray, list[Body]]:
    """The bodies of a canonical boolean `mask` [I, P, L], numbered from top to bottom.

    Returns labels 1..n (uint8, 0 outside, same shape) and the bodies in that order. `probability` (same shape) shows
    where the network was in doubt between bodies that touch.

    Connected parts that hold several bodies are cut (`instance_separation`), fragments of one body are put together
    again, and what is clearly no vertebra is dropped: parts far beside the column, and tiny fragments. The order is
    that along a curve through the column (`spine_curve`), so that curved, scoliotic and oblique spines come out right.
    Raises Implausible where there are more than MOST_NUMBERED.
    """
    instances = np.zeros(mask.shape, np.uint8)
    box = bounding_box(mask, margin=1)
    if box is None:
        return instances, []
    parts = _connected_parts(mask[box])
    curve, thickness = _trace_column(parts, spacing_ipl)
    where = np.nonzero(parts)
    position = np.zeros(parts.shape, np.float32)
    position[where] = curve.position_of(np.column_stack(where) * spacing_ipl)
    depth = certain_depth(parts, spacing_ipl, None if probability is None else probability[box], thickness)

    fragments, heights = _cut_touching(parts, position, depth, spacing_ipl)
    fragments = join_fragments(fragments, heights, parts.shape)
    if len(fragments) > MOST_NUMBERED:
        raise Implausible(
            f"The mask falls into {len(fragments)} bodies, more than any spine has: check that the scan is of the kind "
            "that the model was made for."
        )
    bodies = []
    for number, fragment in enumerate(sorted(fragments, key=lambda fragment: fragment.middle), start=1):
        instances[box][fragment.voxels] = number
        centroid = tuple(float(indices.mean()) + s.start for indices, s in zip(fragment.voxels, box, strict=True))
        place = tuple(
            slice(int(indices.min()) + s.start, int(indices.max()) + s.start + 1)
            for indices, s in zip(fragment.voxels, box, strict=True)
        )
        bodies.append(Body(number, len(fragment), centroid, is_at_border(place, mask.shape, spacing_ipl)))
    return instances, bodies


def assign_levels(count: int, top_level: str | None = None, bottom_level: str | None = None) -> list[Segment]:
    """The segments of `count` bodies from top to bottom, named from the level of the first or the last one.

    Without a level they are numbered. L5 is followed by S1: the variant L6 is used only where the user names it, as the
    first or last level, or where both levels are given and their count fits only with it. Raises SpineError when a
    level does not exist, both do not fit the number of bodies, or the bodies would go beyond C1 or S1.
    """
    top, bottom = (parse_level(name).name if name else None for name in (top_level, bottom_level))
    if top is None and bottom is None:
        return [numbered(number) for number in range(1, count + 1)]
    with_l6 = list(LEVELS)
    usual = [name for name in with_l6 if name != "L6"]
    names = with_l6 if "L6" in (top, bottom) else usual
    if top and bottom:
        if count == 0:
            return []
        for order in (names, with_l6):
            chosen = order[order.index(top) : order.index(bottom) + 1]
            if len(chosen) == count:
                return [LEVELS[name] for name in chosen]
        expected = max(0, names.index(bottom) - names.index(top) + 1)
        raise SpineError(
            f"From {top} to {bottom} there are {expected} vertebrae but {count} were found: "
            "correct the two levels or give only one of them."
        )
    first = names.index(top) if top else names.index(bottom) + 1 - count
    if first < 0 or first + count > len(names):
        given, beyond = (f"from {top} down", "S1") if top else (f"from {bottom} up", "C1")
        raise SpineError(f"{count} vertebrae counted {given} go beyond {beyond}: correct the level that was given.")
    return [LEVELS[name] for name in names[first : first + count]]


def _connected_parts(mask: np.ndarray) -> np.ndarray:
    """Labels of the connected parts (6-neighbourhood) of `mask`, without the dust that a poor prediction may leave."""
    parts, _ = ndimage.label(mask)
    voxels = np.bincount(parts.ravel())
    voxels[0] = 0
    kept = voxels >= MIN_PART_SHARE * voxels.max()
    return np.where(kept, np.cumsum(kept), 0)[parts]


def _trace_column(parts: np.ndarray, spacing_ipl: Spacing) -> tuple[SpineCurve, float]:
    """The curve through the column of all labelled `parts`, and its thickness in mm; `parts` far beside are erased."""
    where = np.nonzero(parts)
    points, part_of = np.column_stack(where) * spacing_ipl, parts[where]
    thickness = thickness_of(where, points[:, 0], spacing_ipl)
    voxels = np.bincount(part_of)
    voxels[0] = 1  # the background, which has none of the points
    centres = np.column_stack([np.bincount(part_of, points[:, axis]) for axis in range(3)]) / voxels[:, None]
    while True:
        curve = fit_spine_curve(points, THICKNESS_PER_BEND * thickness)
        # A large part beside the column pulls the curve towards itself: what lies halfway out is judged by the others.
        suspects = curve.distance_of(centres) > BESIDE_IN_THICKNESSES / 2 * thickness
        others = ~suspects[part_of]
        if others.all() or 2 * np.count_nonzero(others) < len(part_of):
            return curve, thickness
        without = fit_spine_curve(points[others], THICKNESS_PER_BEND * thickness)
        beside = suspects & (without.distance_of(centres) > BESIDE_IN_THICKNESSES * thickness)
        column = ~beside[part_of]
        if column.all():
            return curve, thickness
        parts[beside[parts]] = 0
        points, part_of = points[column], part_of[column]


def _cut_touching(
    parts: np.ndarray, position: np.ndarray, depth: np.ndarray, spacing_ipl: Spacing
) -> tuple[list[Fragment], BodyHeights]:
    """The connected `parts`, those that are too long for one body cut into several, and the heights of the bodies.

    These are told by the uncut parts: a wrong cut shall not be the reason for the next.
    """
    found = ndimage.find_objects(parts)
    fragments = [
        _fragments_of(np.where(parts[box] == number, 1, 0), box, position, spacing_ipl)[0]
        for number, box in enumerate(found, start=1)
        if box is not None
    ]
    waists = [waist(f.position, depth[f.voxels], f.thickness, spacing_ipl) for f in fragments]
    heights = BodyHeights(fragments, waists)

    def looked_at(fragment: Fragment) -> tuple[Box, tuple]:
        """The box around a fragment, and what the functions of `instance_separation` want to know of it."""
        box = tuple(slice(indices.min(), indices.max() + 1) for indices in fragment.voxels)
        inside = np.zeros([s.stop - s.start for s in box], bool)
        inside[tuple(indices - s.start for indices, s in zip(fragment.voxels, box, strict=True))] = True
        return box, (inside, position[box], depth[box], heights.at(fragment.middle), spacing_ipl)

    whole = []
    topmost = min(fragments, key=lambda fragment: fragment.low)
    if topmost.extent > SURELY_SEVERAL * heights.at(topmost.middle) and has_dens(*looked_at(topmost)[1]):
        whole.append(topmost)
    fragments = [fragment for fragment in fragments if fragment not in whole]
    for cut, too_long in ((erosion_split, MAYBE_SEVERAL), (cut_to_length, SURELY_SEVERAL)):
        after = []
        for fragment in fragments:
            if fragment.extent <= too_long * heights.at(fragment.middle):
                after.append(fragment)
            else:
                box, about = looked_at(fragment)
                after += _fragments_of(cut(*about), box, position, spacing_ipl)
        fragments = after
    return whole + fragments, heights


def _fragments_of(labels: np.ndarray, box: Box, position: np.ndarray, spacing_ipl: Spacing) -> list[Fragment]:
    """One fragment for each label 1..n in `labels`, which was cut out of the whole at `box`."""
    fragments = []
    for number in range(1, int(labels.max()) + 1):
        voxels = tuple(indices + s.start for indices, s in zip(np.nonzero(labels == number), box, strict=True))
        if len(voxels[0]):
            fragments.append(Fragment(voxels, position[voxels], spacing_ipl))
    return fragments
