"""The spine's own directions, so that a person who lies turned in the scanner has the same measures.

*Left* is the direction in which bodies are wider than deep, in all of them together; *superior* their mean axis. Where
the sides of the bodies lie outside the scan, left is taken from its slices, which are aligned with the spine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from ...processors import in_threads
from ...volume.boxes import box_around, widened
from ...volume.content import Content, content_of
from ..body_shape import POSTERIOR, SUPERIOR
from ..matching import Places

if TYPE_CHECKING:  # the table takes its heights from the landmarks
    from ..measurements import VertebraMeasurement

DENS = "C2"
"""The body that carries the dens."""
LEFT = np.array([1.0, 0.0, 0.0])  # LPS

_LEAST_ELONGATION = 0.04
"""How much longer than deep bodies must be in the mean, by their moments, to tell left: about 4 % of their width."""

_COARSE_MM = 3.0
"""Slices across the spine that are thicker say nothing of endplates: of 38 healthy generated bodies with exact masks
none has a fracture by them at 3 mm, 13 have at 4 mm."""

_OUTERMOST = 0.3
"""Between voxels the surface of a segment is halfway: one that ends in the outermost voxels is not within this."""

ALONG_SPINE = np.cos(np.radians(35))
"""A body's axis is within this of the line through the centres of its neighbours."""


@dataclass(frozen=True, eq=False)
class Scan:
    """A grid of voxels: `origin` and, in the rows of `steps`, the step in LPS mm along each array axis. `content`: what
    of it shows something, if not all."""

    shape: tuple[int, ...]
    origin: np.ndarray
    steps: np.ndarray
    content: Content | None = None

    @staticmethod
    def of(image: sitk.Image, picture: sitk.Image | None = None, places: Places | None = None) -> "Scan":
        """The grid of an `image`, as far as `picture`, the scan on that grid, shows something around all `places`."""
        directions = np.array(image.GetDirection()).reshape(3, 3).T
        steps = (directions * np.array(image.GetSpacing())[:, None])[::-1]
        content = None
        if picture is not None and places:
            box = box_around(*(box for _, box in places.values()))
            content = content_of(sitk.GetArrayViewFromImage(picture), box)
        return Scan(image.GetSize()[::-1], np.array(image.GetOrigin()), steps, content)

    @cached_property
    def spacing(self) -> np.ndarray:
        """In mm along each array axis."""
        return np.linalg.norm(self.steps, axis=1)

    @cached_property
    def directions(self) -> np.ndarray:
        """Rows: unit vectors (LPS) along the array axes."""
        return self.steps / self.spacing[:, None]

    def index_of(self, points: np.ndarray) -> np.ndarray:
        """The continuous array indices [n, 3] of `points` [n, 3] (LPS); 0 along a single slice."""
        index = np.einsum("pa,ax->px", points - self.origin, np.linalg.inv(self.steps))
        return np.where(np.array(self.shape) == 1, 0.0, index)

    def shows_beyond(self, points: np.ndarray) -> np.ndarray:
        """Which of the `points` [n, 3] (LPS), on the surface of a segment, do not lie in an outermost slice."""
        return self._holds(points, _OUTERMOST)

    def holds(self, points: np.ndarray) -> np.ndarray:
        """Which of the `points` [n, 3] (LPS) lie in the voxels; along a single slice everything does."""
        return self._holds(points, -0.5)

    def _holds(self, points: np.ndarray, margin: float) -> np.ndarray:
        index = self.index_of(points)
        inside = (index > margin) & (index < np.array(self.shape) - 1 - margin)
        inside = (inside | (np.array(self.shape) == 1)).all(axis=1)
        return inside if self.content is None else inside & self.content.holds(index, margin)

    def axis_along(self, direction: np.ndarray) -> int:
        """The array axis that is nearest to a direction (LPS)."""
        return int(np.argmax(np.abs(self.directions @ direction)))

    def is_coarse_along(self, direction: np.ndarray) -> bool:
        """Whether what lies across a direction (LPS), such as an endplate across the spine, falls between slices."""
        axis = self.axis_along(direction)
        return self.shape[axis] > 1 and self.spacing[axis] > _COARSE_MM

    def sees(self, direction: np.ndarray) -> bool:
        """Whether anything can be measured along a direction: not across a single slice."""
        flat = [row for row, length in zip(self.directions, self.shape, strict=True) if length == 1]
        return all(abs(direction @ row) < np.sqrt(0.5) for row in flat)


@dataclass(frozen=True, eq=False)
class Body:
    """One body of the result: its row of the table, and its voxels in the array `mask`, cut out at index `first`."""

    row: "VertebraMeasurement"
    mask: np.ndarray
    first: tuple[int, ...]

    def offsets(self, scan: Scan) -> np.ndarray:
        """From the centroid to its voxels [n, 3], LPS mm."""
        voxels = np.argwhere(self.mask)
        return np.einsum("va,ax->vx", voxels - voxels.mean(axis=0), scan.steps)

    def reaches_side(self, scan: Scan, axis: int) -> bool:
        """Whether it touches the first or last slice along an array axis."""
        last = self.first[axis] + self.mask.shape[axis] == scan.shape[axis]
        ends = [0] * (self.first[axis] == 0) + [-1] * last
        return bool(ends) and bool(np.take(self.mask, ends, axis=axis).any())


def bodies_of(places: Places, vertebrae: "Sequence[VertebraMeasurement]") -> list[Body]:
    """The bodies of a label map that the rows of the table tell of, without those that are not there."""
    bodies = []
    for row in vertebrae:
        if row.label not in places or row.centroid_lps_mm is None:
            continue
        array, box = places[row.label]
        around = widened(box)
        bodies.append(Body(row, array[around] == row.label, tuple(side.start for side in around)))
    return bodies


def axes_along(axis: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Rows: posterior, left and superior unit vectors, superior along `axis` and left as near `left` as can be."""
    left = left - axis * (left @ axis)
    if not left.any():  # pieces that are no spine may lie one behind or beside the other
        left = np.eye(3)[np.argmin(np.abs(axis))]
        left = left - axis * (left @ axis)
    left = left / np.linalg.norm(left)
    return np.stack([np.cross(axis, left), left, axis])


def axis_of(bodies: Sequence[Body], index: int) -> np.ndarray:
    """The axis (LPS) of a body by the tilts that were measured, or else the direction of the spine there.

    The dens of C2 and pieces of bodies can mislead the tilts: those that leave the spine are not believed.
    """
    row = bodies[index].row
    above, below = bodies[max(0, index - 1)].row, bodies[min(len(bodies) - 1, index + 1)].row
    along = np.subtract(above.centroid_lps_mm, below.centroid_lps_mm)
    along = along / np.linalg.norm(along) if along.any() else SUPERIOR
    if row.level == DENS or (row.sagittal_tilt_deg is None and row.coronal_tilt_deg is None):
        return along
    slopes = np.tan(np.radians([row.coronal_tilt_deg or 0.0, -(row.sagittal_tilt_deg or 0.0)]))
    axis = np.array([*slopes, 1.0])
    axis /= np.linalg.norm(axis)
    return axis if len(bodies) == 1 or axis @ along > ALONG_SPINE else along


def axes_of_spine(bodies: Sequence[Body], scan: Scan) -> np.ndarray:
    """Rows: posterior, left and superior (LPS) of the spine that the `bodies`, from top to bottom, are."""
    superior = np.sum([axis_of(bodies, index) for index in range(len(bodies))], axis=0)
    superior /= np.linalg.norm(superior)
    grid_axis = scan.axis_along(LEFT)
    grid_left = scan.directions[grid_axis] * np.sign(scan.directions[grid_axis] @ LEFT)
    whole = [body for body in bodies if not body.reaches_side(scan, grid_axis)]
    if 1 in scan.shape or 2 * len(whole) < len(bodies):
        # A single slice that lies along the spine shows its two directions, and the third is across it.
        return axes_along(superior, grid_left)
    return axes_along(superior, _left_by_shape(whole, superior, scan))


def _left_by_shape(bodies: Sequence[Body], superior: np.ndarray, scan: Scan) -> np.ndarray:
    posterior, left, _ = axes_along(superior, np.cross(POSTERIOR, superior))

    def moments_of(body: Body) -> np.ndarray:
        across = np.einsum("vx,ax->va", body.offsets(scan), np.stack([posterior, left]))
        size = np.square(across).sum()
        # A single voxel has no form.
        return np.einsum("va,vb->ab", across, across) / size if size > 0 else np.zeros((2, 2))

    moments = np.sum(in_threads(moments_of, bodies), axis=0) / len(bodies)
    difference, skew = moments[1, 1] - moments[0, 0], 2 * moments[0, 1]
    if np.hypot(difference, skew) < _LEAST_ELONGATION:
        return left
    turn = np.arctan2(skew, difference) / 2
    return np.cos(turn) * left + np.sin(turn) * posterior
