"""The measures of a generated spine, from the surfaces it was made of: what measuring its label map must find.

Landmarks are those of `SpineInference.measuring.morphometry.landmarks`, in the coordinates of the scan (LPS mm). Here
they are found on the exact surface of a body without its nodes: there are no voxels, and so no robust fit.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from SpineInference.measuring.morphometry.endplates import INNER_WIDTH, RIM

from .anatomy import PhantomBody, Spine
from .shapes import body_distance

_COLUMNS = 72
"""How many columns of the rim stand from front to back."""
_BEYOND_MM = 12.0
"""Bodies end nearer than this to where they would without bowls, wedges and processes."""
_BELOW_ENDPLATE = 0.1, 0.25
_SLAB = 0.2
"""Where the walls are taken, in heights below the endplate, and in which part of the width."""


@dataclass(frozen=True, eq=False)
class BodyTruth:
    """One body: its heights (mm) in the mid-sagittal plane, its four corners there by name ("anterior_superior", ...),
    the upwards normals of its endplates, and the `fracture` that was drawn: "wedge", "biconcave", "crush" or ""."""

    name: str
    label: int
    centre: np.ndarray
    heights: tuple[float, float, float]
    corners: dict[str, np.ndarray]
    superior_normal: np.ndarray
    inferior_normal: np.ndarray
    fracture: str


@dataclass(frozen=True, eq=False)
class SpineTruth:
    """The bodies C2 to S1 from top to bottom, in the scan or not, and the person's axes: in rows the directions
    posterior, left and superior. `slips` are fractions of the depth by which bodies were moved forwards."""

    bodies: tuple[BodyTruth, ...]
    axes: np.ndarray
    slips: dict[str, float]


def truth_of(spine: Spine, turn: np.ndarray) -> SpineTruth:
    """The truth of a `spine` in a scan that was turned with its person by the rotation matrix `turn`."""
    bodies = tuple(_body(body, turn) for body in spine.bodies if body.label)
    person = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    return SpineTruth(bodies, person @ turn.T, {body.name: body.slip for body in spine.bodies if body.slip})


def _body(body: PhantomBody, turn: np.ndarray) -> BodyTruth:
    planes = [_rim(body, side) for side in (1, -1)]
    walls = [_walls(body, plane, side) for plane, side in zip(planes, (1, -1), strict=True)]
    ends = [[plane[0] + plane[1] * at for at in both] for plane, both in zip(planes, walls, strict=True)]
    middles = [_end(body, 0.0, np.mean(both), side) for both, side in zip(walls, (1, -1), strict=True)]
    corners = {
        f"{side}_{end}": turn @ body.point(0, walls[row][column], ends[row][column])
        for row, end in enumerate(("superior", "inferior"))
        for column, side in enumerate(("anterior", "posterior"))
    }
    anterior, posterior = (upper - lower for upper, lower in zip(*ends, strict=True))
    heights = (float(anterior), float(middles[0] - middles[1]), float(posterior))
    normals = [np.array([-to_left, -to_back, 1.0]) for _, to_back, to_left in planes]
    normals = [turn @ (normal / np.linalg.norm(normal) @ body.axes) for normal in normals]
    return BodyTruth(body.name, body.label, turn @ body.centre, heights, corners, *normals, body.fracture)


def _rim(body: PhantomBody, side: int) -> np.ndarray:
    """The plane of the rim of an endplate (`side` 1 superior, -1 inferior): up = a + b back + c left."""
    step = body.depth / _COLUMNS
    left, back = np.meshgrid(*(np.arange(-0.6 * size, 0.6 * size, step) for size in (body.width, body.depth)))
    heights = np.linspace(-0.25, 0.25, 5) * body.height
    section = np.mean([body_distance(body, left, back, np.full_like(left, up)) < 0 for up in heights], axis=0) >= 0.5
    depth, width = (np.ptp(across[section]) + step for across in (back, left))
    inside = (ndimage.distance_transform_edt(section) - 0.5) * step / depth
    rim = (inside >= RIM[0]) & (inside <= RIM[1]) & (np.abs(left) <= INNER_WIDTH * width / 2)
    terms = np.column_stack([np.ones(np.count_nonzero(rim)), back[rim], left[rim]])
    return np.linalg.lstsq(terms, _end(body, left[rim], back[rim], side), rcond=None)[0]


def _end(body: PhantomBody, left: np.ndarray | float, back: np.ndarray | float, side: int) -> np.ndarray:
    """Where the body ends above or below places in its own coordinates."""
    left, back = np.broadcast_arrays(left, back)
    furthest = np.full(left.shape, side * (body.height / 2 + _BEYOND_MM))
    return _surface(lambda up: body_distance(body, left, back, up), furthest)


def _walls(body: PhantomBody, plane: np.ndarray, side: int) -> list[float]:
    """How far behind the middle the front and the back wall are, near the endplate whose rim has this `plane`."""
    left = np.linspace(-0.5, 0.5, 5)[:, None] * _SLAB * body.width
    below = side * np.linspace(*_BELOW_ENDPLATE, 7) * body.height
    left, below = (each.ravel() for each in np.broadcast_arrays(left, below))

    def distance(back: np.ndarray) -> np.ndarray:
        return body_distance(body, left, back, plane[0] + plane[1] * back - below)

    return [float(_surface(distance, np.full(len(left), way * body.depth)).mean()) for way in (-1, 1)]


def _surface(distance: Callable[[np.ndarray], np.ndarray], outside: np.ndarray) -> np.ndarray:
    """Where a signed `distance` changes its sign between 0, which is inside, and `outside`: by bisection."""
    inside = np.zeros_like(outside)
    for _ in range(16):
        between = (inside + outside) / 2
        is_filled = distance(between) < 0
        inside, outside = np.where(is_filled, between, inside), np.where(is_filled, outside, between)
    return (inside + outside) / 2
