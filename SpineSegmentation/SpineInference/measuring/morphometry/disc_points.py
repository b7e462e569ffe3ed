"""The posterior tips of the discs: the points by which the Spinal Cord Toolbox (SCT) knows vertebral levels.

SCT takes a label map with one voxel at the posterior tip of each disc
(https://spinalcordtoolbox.com/stable/user_section/tutorials/vertebral-labeling/labeling-conventions.html). Its value is
the number of the vertebra below: 3 for C2-C3, 4 for C3-C4, 8 for C7-T1, 20 for T12-L1
(https://github.com/spinalcordtoolbox/spinalcordtoolbox/issues/1812 and 2162).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ...anatomy import DISC_OFFSET, LEVELS, Segment
from ..body_shape import POSTERIOR
from ..matching import find_labels, layers_of
from .frames import LEFT, Scan
from .measure import Measure

_SLAB_MM = 2.0
"""A disc's tip is looked for within this distance from the middle of the bodies' width, or in the nearest slice."""
_TIP_MM = 1.0
"""What lies within this distance from the rearmost voxel belongs to the tip."""


@dataclass(frozen=True)
class DiscPoint:
    """The posterior `tip` (LPS mm) of the disc below the vertebra with the label `above`, at a level such as "L4-L5".

    `of_bodies`: the disc itself was not segmented, so that this is the middle between the posterior corners of the
    bodies beside it. `marks` are those of the endplates there.
    """

    at: str
    above: int
    tip: tuple[float, float, float]
    of_bodies: bool
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Space:
    """Between two bodies: the middle of its posterior corners, and the directions posterior and left (LPS)."""

    corner: np.ndarray
    posterior: np.ndarray
    left: np.ndarray


def disc_points(labels: sitk.Image, segments: Sequence[Segment], measures: Sequence[Measure]) -> list[DiscPoint]:
    """The tips of all discs from top to bottom: of those among the `segments` of `labels`, and of those between two
    bodies whose corners the `measures` of the same label map tell."""
    bodies = {segment.name: segment.label for segment in segments if segment.is_vertebra}
    angles = {
        label: each
        for each in measures
        for name, label in bodies.items()
        if each.name == "disc_angle" and each.at.startswith(f"{name}-")
    }
    spaces = {above: _space(*each.lines) for above, each in angles.items() if len(each.lines) == 2}
    discs = {segment.label - DISC_OFFSET: segment for segment in segments if segment.label > DISC_OFFSET}
    grid, places = Scan.of(labels), find_labels(layers_of(labels))
    points = []
    for above in sorted({*spaces, *discs}):
        angle, disc = angles.get(above), discs.get(above)
        at = disc.name.removeprefix("Disc ") if angle is None else angle.at
        if disc is None:
            tip = spaces[above].corner
        else:
            array, box = places[disc.label]
            voxels = np.argwhere(array[box] == disc.label) + [side.start for side in box]
            voxels = grid.origin + np.einsum("va,ax->vx", voxels, grid.steps)
            tip = _tip(voxels, spaces.get(above) or _like(list(spaces.values()), voxels), grid)
        plain = tuple(round(float(x), 2) for x in tip)
        points.append(DiscPoint(at, above, plain, disc is None, () if angle is None else angle.marks))
    return points


def level_image(points: Sequence[DiscPoint], grid: sitk.Image) -> sitk.Image:
    """The voxels of `points` on the grid of an image (uint8), with SCT's values; discs without a level have none."""
    image = sitk.Image(grid.GetSize(), sitk.sitkUInt8)
    image.CopyInformation(grid)
    named = {segment.label for segment in LEVELS.values()} - {LEVELS["S1"].label}
    for point in points:
        index = grid.TransformPhysicalPointToIndex(point.tip)
        inside = all(0 <= at < size for at, size in zip(index, grid.GetSize(), strict=True))
        if inside and point.above in named:
            # VerSe and SCT count alike down to L5, and below it both S1 and L6 come next.
            image[index] = point.above + 1
    return image


def _space(upper: Sequence[Sequence[float]], lower: Sequence[Sequence[float]]) -> _Space:
    """From the corners (anterior, posterior) of the endplate above the disc and of that below it."""
    (front_above, back_above), (front_below, back_below) = np.array(upper), np.array(lower)
    posterior = _unit(_unit(back_above - front_above) + _unit(back_below - front_below))
    upwards = (front_above + back_above - front_below - back_below) / 2
    left = np.cross(posterior, upwards)
    return _Space((back_above + back_below) / 2, posterior, _unit(left) if left.any() else LEFT)


def _like(spaces: Sequence[_Space], voxels: np.ndarray) -> _Space:
    """For a disc without a body on one side: in the middle of its own width, directed as the others are."""
    posterior = _unit(np.sum([space.posterior for space in spaces], axis=0)) if spaces else POSTERIOR
    left = _unit(np.sum([space.left for space in spaces], axis=0)) if spaces else LEFT
    return _Space(voxels.mean(axis=0), posterior, left)


def _tip(voxels: np.ndarray, space: _Space, grid: Scan) -> np.ndarray:
    """The rearmost point of the `voxels` [n, 3] (LPS) in the mid-sagittal plane."""
    aside = np.abs((voxels - space.corner) @ space.left)
    slice_mm = np.abs(grid.steps @ space.left).max()
    middle = voxels[aside <= max(_SLAB_MM, aside.min(), 0.5 * slice_mm)]
    back = (middle - space.corner) @ space.posterior
    tip = middle[back >= back.max() - _TIP_MM].mean(axis=0)
    return tip + (back.max() - (tip - space.corner) @ space.posterior) * space.posterior


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
