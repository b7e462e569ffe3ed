"""Cutting apart vertebral bodies that touch: bridges over a collapsed disc, osteophytes, a fused prediction.

Two ways, in this order. Where the connection is thinner than the bodies, it is gone before they are when the mask is
eroded: what then remains are the cores of the bodies (`erosion_split`). Where it is as thick as they are, only the
length along the spine tells that there are several bodies: they are cut where the column is thinnest or the network was
least certain (`cut_to_length`). Only what is longer than a body is here (`body_sizes.BodyHeights`) comes to either, and
never C2 with its dens.

Arrays have the same shape, axes I, P, L. `inside` is one connected fragment of the mask, `position` how far along the
spine each voxel lies (mm downwards), `depth` how deep inside the mask (mm, see `certain_depth`), and `height` the
height in mm that a body is expected to have here. Results are labels 1..n of the bodies, 0 outside the fragment.
"""

import math

import numpy as np
from scipy import ndimage

from ..processors import at_once, in_threads
from ..volume.boxes import Box, widened
from .body_sizes import DISC_PER_HEIGHT
from .fragments import Spacing

_SECTION = 0.036
"""Resolution of what is looked at along the spine, and of the depth of erosion twice as fine, in heights of a body: a
millimetre of a lumbar one."""
_DENS_GROWS = 1.1
"""The column is thicker where a dens becomes the body of C2 than in the dens, by this factor at least; where two bodies
meet it is no thicker than they are."""
_DOUBT_SMOOTHED = 0.04
"""Standard deviation in thicknesses of the column: a millimetre in a lumbar one."""
_PROMINENCE = 0.08
"""A core reaches at least this much deeper, in heights of a body, than the level at which it parted from the others;
more than a body, which is narrower in its middle, has of itself. And at least half a voxel: so rough is the depth."""
_UNLIKE = 4.0
"""Weight of the squared logarithm of a fragment's length over the usual one, against the thickness where it is cut."""
_NEAREST_CENTRES = 0.65
"""Cores whose centres are nearer along the spine than this, in body heights, belong to one body."""


def certain_depth(
    parts: np.ndarray, spacing_ipl: Spacing, probability: np.ndarray | None, thickness: float
) -> np.ndarray:
    """Distance in mm from the border of the mask (float32), lessened where the network was in doubt.

    `parts` are the numbers of its connected parts (6-neighbourhood), each of which has the background next to it.

    `thickness` in mm is that of the column: doubt of single voxels makes no waist in it. The border of the array is no
    border of the mask: a body may go on beyond it.
    """
    if parts.all():
        return np.full(parts.shape, max(spacing_ipl), np.float32)
    numbered = enumerate(ndimage.find_objects(parts), start=1)
    boxes = {number: widened(box) for number, box in numbered if box is not None}

    def inside(number: int, around: Box) -> np.ndarray:
        return ndimage.distance_transform_edt(parts[around] == number, sampling=spacing_ipl)

    def sureness() -> np.ndarray | float:
        if probability is None:
            return 1.0
        sigma = [_DOUBT_SMOOTHED * thickness / mm for mm in spacing_ipl]
        smooth = ndimage.gaussian_filter(probability.astype(np.float32), sigma, truncate=2)
        return np.clip(2 * smooth - 1, 0.1, 1)

    sure, distances = at_once(sureness, lambda: in_threads(inside, boxes, boxes.values()))
    depth = np.zeros(parts.shape, np.float32)
    for around, distance in zip(boxes.values(), distances, strict=True):
        depth[around] += distance
    depth *= sure
    return depth


def erosion_split(
    inside: np.ndarray, position: np.ndarray, depth: np.ndarray, height: float, spacing_ipl: Spacing
) -> np.ndarray:
    """The bodies of a fragment that hang together by connections thinner than they are; all 1 where there are none."""
    prominence = max(_PROMINENCE * height, 0.5 * min(spacing_ipl))
    cores = _cores(inside, position, depth, height, prominence, level=0.0)
    if len(cores) == 1:
        return inside.astype(np.int32)
    markers = np.zeros(inside.shape, np.int32)
    for number, core in enumerate(cores, start=1):
        markers[core] = number
    # Each voxel goes to the nearest core. Cores that parted were eroded by the same depth, so that the border runs
    # through the middle of the connection.
    nearest = ndimage.distance_transform_edt(
        markers == 0, sampling=spacing_ipl, return_distances=False, return_indices=True
    )
    return np.where(inside, markers[tuple(nearest)], 0)


def cut_to_length(
    inside: np.ndarray, position: np.ndarray, depth: np.ndarray, height: float, spacing_ipl: Spacing
) -> np.ndarray:
    """The bodies of a fragment that is too long for one, cut across the spine where it is thinnest or most doubtful."""
    where, along, section_mm, profile, bodies = _along_the_spine(inside, position, depth, height, spacing_ipl)
    candidates = [_best_cuts(profile, count, bodies) for count in {max(2, int(bodies)), int(bodies) + 1}]
    _, cuts = min(candidates, key=lambda candidate: candidate[0])
    labels = np.zeros(inside.shape, np.int32)
    labels[where] = 1 + np.searchsorted(cuts * section_mm, along, side="right")
    return labels


def has_dens(inside: np.ndarray, position: np.ndarray, depth: np.ndarray, height: float, spacing_ipl: Spacing) -> bool:
    """Whether a fragment above which there is no other is C2: thinner in its upper part than where it would be cut."""
    _, _, _, profile, bodies = _along_the_spine(inside, position, depth, height, spacing_ipl)
    if round(bodies) > 2:
        return False
    _, (cut,) = _best_cuts(profile, 2, bodies)
    return bool(profile[cut] > _DENS_GROWS * np.median(profile[:cut]))


def waist(position: np.ndarray, depth: np.ndarray, thickness: float, spacing_ipl: Spacing) -> float:
    """How much thinner or more doubtful than on both sides of it the thinnest place of a fragment is: 0 to 1.

    `position` and `depth` [n] of its voxels, `thickness` of the column in mm. A body alone has none: it is deepest in
    its middle, however its endplates are sunken.
    """
    section_mm = max(_SECTION * thickness, spacing_ipl[0])
    along = position - position.min()
    profile = _profile(along / section_mm, depth, max(1, math.ceil(along.max() / section_mm)))
    profile = ndimage.gaussian_filter1d(profile, 1.5 * _SECTION * thickness / section_mm)
    above, below = np.maximum.accumulate(profile), np.maximum.accumulate(profile[::-1])[::-1]
    return float(np.max(1 - profile / np.minimum(above, below)))


def _along_the_spine(
    inside: np.ndarray, position: np.ndarray, depth: np.ndarray, height: float, spacing_ipl: Spacing
) -> tuple[tuple[np.ndarray, ...], np.ndarray, float, np.ndarray, float]:
    """The voxels of a fragment, how far each lies below its upper end (mm), the height of a section (mm), how thick the
    column is in each section, relative to the mean, and for how many bodies it is long enough."""
    where = np.nonzero(inside)
    along = position[where]
    start, end = np.percentile(along, [1, 99])
    along = along - start
    bodies = (end - start + DISC_PER_HEIGHT * height) / ((1 + DISC_PER_HEIGHT) * height)
    section_mm = max(_SECTION * height, spacing_ipl[0])
    # Weighted by depth a waist stands out more than by area, and so does a disc in which the network was in doubt.
    profile = _profile(along / section_mm, depth[where], max(1, round((end - start) / section_mm)))
    profile = ndimage.gaussian_filter1d(profile, 1.5 * _SECTION * height / section_mm)
    profile /= profile.mean()
    return where, along, section_mm, profile, bodies


def _cores(
    node: np.ndarray, position: np.ndarray, depth: np.ndarray, height: float, prominence: float, level: float
) -> list[tuple[np.ndarray, ...]]:
    """Voxel indices of the cores into which `node` falls when eroded further than `level`, each as large as it was
    when it parted from the others."""
    remaining = node
    while True:
        level += _SECTION / 2 * height
        parts, _ = ndimage.label(remaining & (depth > level))
        prominent = np.flatnonzero(np.bincount(parts[depth > level + prominence]))
        prominent = prominent[prominent > 0]
        if not len(prominent):
            return [np.nonzero(node)]
        group_of = np.zeros(parts.max() + 1, int)
        group_of[prominent] = _stacked_groups(parts, prominent, position, height)
        if group_of.max() > 1:
            break
        remaining = group_of[parts] > 0
    cores = []
    groups = group_of[parts]
    for group, box in enumerate(ndimage.find_objects(groups), start=1):
        for core in _cores(groups[box] == group, position[box], depth[box], height, prominence, level):
            cores.append(tuple(indices + s.start for indices, s in zip(core, box, strict=True)))
    return cores


def _stacked_groups(parts: np.ndarray, numbers: np.ndarray, position: np.ndarray, height: float) -> list[int]:
    """For each of the parts `numbers` the number 1..n of the body, or the pile of bodies, that it belongs to.

    Parts side by side, such as the front and the back of a body with sunken endplates, belong together.
    """
    if len(numbers) == 1:
        return [1]
    part_of, along = parts[parts > 0], position[parts > 0]
    spans = [np.percentile(along[part_of == number], [2, 98]) for number in numbers]
    group_of = [0] * len(numbers)
    group, low, high = 0, -np.inf, -np.inf
    for index in sorted(range(len(numbers)), key=lambda index: spans[index][0]):
        part_low, part_high = spans[index]
        shared = min(high, part_high) - part_low
        centres_apart = (part_low + part_high) / 2 - (low + high) / 2
        side_by_side = shared > 0.5 * min(high - low, part_high - part_low)
        single = max(high - low, part_high - part_low) < height
        if side_by_side or (single and centres_apart < _NEAREST_CENTRES * height):
            high = max(high, part_high)
        else:
            group, low, high = group + 1, part_low, part_high
        group_of[index] = group
    return group_of


def _profile(section: np.ndarray, weight: np.ndarray, count: int) -> np.ndarray:
    """Sum of `weight` in each of `count` sections; voxels share theirs between the two sections nearest to them.

    Without sharing, voxel layers and sections of unlike height would beat against each other.
    """
    section = np.clip(section - 0.5, 0, count - 1)
    lower = np.minimum(section.astype(int), max(0, count - 2))
    share = section - lower
    return np.bincount(lower, weight * (1 - share), count) + np.bincount(lower + 1, weight * share, count)[:count]


def _best_cuts(profile: np.ndarray, count: int, bodies: float) -> tuple[float, np.ndarray]:
    """(cost per body, sections at which the `count` bodies after the first begin), by dynamic programming.

    Thick sections are dear to cut, and so are fragments whose length is not that of one of the `bodies`, a fraction.
    """
    length = len(profile)
    position = np.arange(length + 1)
    fragment = position[None, :] - position[:, None]  # from row to column
    unlike = np.where(fragment > 0, _UNLIKE * np.square(np.log(np.maximum(fragment, 1) * bodies / length)), np.inf)
    crossing = np.append(profile, 0.0)  # the last fragment ends with the column, which costs nothing
    cost = unlike[0] + crossing
    begins = []
    for _ in range(count - 1):
        total = cost[:, None] + unlike
        begins.append(np.argmin(total, axis=0))
        cost = np.min(total, axis=0) + crossing
    cuts = [length]
    for begin in reversed(begins):
        cuts.append(begin[cuts[-1]])
    return cost[length] / count, np.array(cuts[:0:-1], int)
