"""The landmarks of a body: how its endplates lie, and their corners in its mid-sagittal plane.

The six points of vertebral morphometry (anterior, middle and posterior of both endplates; Hurxthal 1968, Genant et al.
1993) in three dimensions: the corners are where the plane of an endplate's rim meets the anterior and posterior wall,
taken in a slab around the middle of the width, a tenth to a quarter of the height away from the endplate. There
osteophytes and rounded edges stay outside. The middle points lie on the hollow surfaces of the endplates.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...processors import in_threads
from ..body_shape import ALIKE, SampledBody, sample_body, walls
from .endplates import Endplate, fit_endplates
from .frames import ALONG_SPINE, DENS, Body, Scan, axes_along, axes_of_spine, axis_of

SACRUM = "S1"
"""Below it there is no disc: its lower end is no endplate, and neither is the upper one of C2, which carries the
dens."""

WITHOUT_HEIGHTS = DENS, SACRUM
_SLAB = 0.2
"""Corners are taken in a slab through the middle of this fraction of the width."""
_BELOW_ENDPLATE = 0.1, 0.25
"""Where the walls are taken, in heights of the body from the endplate."""
_HEIGHT_OF_DEPTH = 0.7
"""How high a body is at least taken to be of which the scan does not show both endplates, in depths."""
_REFINEMENTS = 2
_MOST_ERROR_DEG = 4.0
_LEAST_FITTED = 0.6


@dataclass(frozen=True, eq=False)
class PlacedEndplate:
    """An endplate in space (LPS mm).

    `normal` points upwards in both; `anterior` and `posterior` are its corners in the mid-sagittal plane, None where a
    wall is not in the scan. `errors_deg` are the standard errors of its sagittal and coronal angle. `of_whole_body`:
    the scan holds the other end of its body as well; else even its outline is a guess.
    """

    normal: np.ndarray
    middle: np.ndarray
    anterior: np.ndarray | None
    posterior: np.ndarray | None
    errors_deg: tuple[float, float]
    fitted: float
    of_whole_body: bool

    @property
    def is_sure(self) -> bool:
        """Whether the fit is to be relied on without a look at it."""
        return self.of_whole_body and self.errors_deg[0] <= _MOST_ERROR_DEG and self.fitted >= _LEAST_FITTED

    @property
    def length(self) -> float | None:
        """From corner to corner, mm."""
        if self.anterior is None or self.posterior is None:
            return None
        return float(np.linalg.norm(self.posterior - self.anterior))


@dataclass(frozen=True, eq=False)
class Heights:
    """Anterior, middle and posterior height (mm) along the body's axis, their standard errors, and the lines (from, to)
    along which they are measured (LPS mm)."""

    values: tuple[float, float, float]
    errors: tuple[float, float, float]
    lines: tuple[tuple[np.ndarray, np.ndarray], ...]


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Of one body; None for what the scan cuts off. `axes`: rows posterior, left and superior (LPS)."""

    axes: np.ndarray
    centroid: np.ndarray
    superior: PlacedEndplate | None
    inferior: PlacedEndplate | None
    heights: Heights | None


def find_landmarks(bodies: Sequence[Body], scan: Scan) -> list[Landmarks | None]:
    """The landmarks of the `bodies` of one spine, from top to bottom; none where the slices across the spine are too
    thick."""
    if not bodies:
        return []
    spine = axes_of_spine(bodies, scan)
    if scan.is_coarse_along(spine[2]):
        return [None] * len(bodies)
    return in_threads(lambda index: landmarks_of(bodies, index, spine, scan), range(len(bodies)))


def landmarks_of(bodies: Sequence[Body], index: int, spine: np.ndarray, scan: Scan) -> Landmarks | None:
    """The landmarks of a body in the `spine`'s axes; None for a handful of voxels or one without an endplate."""
    body = bodies[index]
    centroid = np.array(body.row.centroid_lps_mm)
    start = axis_of(bodies, index)
    axes = axes_along(start, spine[1])
    for trial in range(_REFINEMENTS + 1):
        sampled = sample_body(body.mask, scan.steps, axes)
        both = fit_endplates(sampled, axes, centroid, scan)
        normals = [_normal(endplate, axes) for endplate in _used(both, body) if endplate is not None]
        if not normals:
            return None
        axis = np.sum(normals, axis=0)
        axis /= np.linalg.norm(axis)
        if axis @ start < ALONG_SPINE:
            return None
        if trial == _REFINEMENTS or axis @ axes[2] > ALIKE:
            break
        axes = axes_along(axis, spine[1])
    is_whole, endplates = None not in both, _used(both, body)
    middle = _middle_of_width(sampled)
    ends = [
        endplate and _walls_at(sampled, endplate, middle, side, is_whole, lambda at: scan.holds(centroid + at @ axes))
        for endplate, side in zip(endplates, (1, -1), strict=True)
    ]
    placed = [
        endplate and _placed(endplate, wall, middle, axes, centroid, is_whole)
        for endplate, wall in zip(endplates, ends, strict=True)
    ]
    is_seen = all(ends) and scan.sees(spine[0]) and scan.sees(spine[2])
    heights = _heights(endplates, ends, middle, axes, centroid) if is_seen else None
    return Landmarks(axes, centroid, placed[0], placed[1], heights)


def _used(endplates: tuple[Endplate | None, Endplate | None], body: Body) -> tuple[Endplate | None, Endplate | None]:
    superior, inferior = endplates
    return (None if body.row.level == DENS else superior), (None if body.row.level == SACRUM else inferior)


def _normal(endplate: Endplate, axes: np.ndarray) -> np.ndarray:
    normal = np.array([*-endplate.slopes, 1.0])
    return normal / np.linalg.norm(normal) @ axes


def _middle_of_width(body: SampledBody) -> float:
    columns = body.middle(2, 0.5)
    sides = walls(body.grid[1], body.density[body.middle(0, 0.5)][:, :, columns].mean(axis=(0, 2)))
    return 0.0 if sides is None else (sides[0] + sides[1]) / 2


def _walls_at(
    body: SampledBody,
    endplate: Endplate,
    middle: float,
    side: int,
    is_whole: bool,
    holds: Callable[[np.ndarray], np.ndarray],
) -> tuple[float, float] | None:
    """Where the front and the back wall are (mm along posterior) near an endplate; None where one is not in the scan.

    `side`: 1 superior, -1 inferior. `holds` says which places [n, 3] in the body's axes lie in the scan.
    """
    slab = np.abs(body.grid[1] - middle) <= max(_SLAB * body.size[1] / 2, 0.5 * body.step_mm)
    profile = body.density[:, slab].mean(axis=1)
    # Of a body that is cut off nobody knows how high it is.
    height = body.size[2] if is_whole else max(body.size[2], _HEIGHT_OF_DEPTH * body.size[0])
    below = side * (endplate.rim(body.grid[0], middle)[:, None] - body.grid[2])
    low, high = (share * height for share in _BELOW_ENDPLATE)
    high = max(high, low + 1.5 * body.step_mm)
    near = (below >= low) & (below <= high)
    count = near.sum(axis=1)
    found = walls(body.grid[0], np.where(count, (profile * near).sum(axis=1) / np.maximum(count, 1), 0))
    if found is None:
        return None
    beyond = [
        (end + outwards * 2 * body.step_mm, middle, endplate.rim(end, middle) - side * depth)
        for end, outwards in zip(found, (-1, 1), strict=True)
        for depth in (low, high)
    ]
    return found if holds(np.array(beyond)).all() else None


def _placed(
    endplate: Endplate,
    ends: tuple[float, float] | None,
    middle: float,
    axes: np.ndarray,
    centroid: np.ndarray,
    is_whole: bool,
) -> PlacedEndplate:
    def point(back: float) -> np.ndarray:
        return centroid + np.array([back, middle, endplate.rim(back, middle)]) @ axes

    corners = (None, None) if ends is None else (point(ends[0]), point(ends[1]))
    centre = endplate.centre[0] if ends is None else (ends[0] + ends[1]) / 2
    sagittal, coronal = np.degrees(np.arctan(endplate.slope_errors)).tolist()
    normal = _normal(endplate, axes)
    return PlacedEndplate(normal, point(centre), *corners, (sagittal, coronal), endplate.fitted, is_whole)


def _heights(
    endplates: Sequence[Endplate],
    ends: Sequence[tuple[float, float]],
    middle: float,
    axes: np.ndarray,
    centroid: np.ndarray,
) -> Heights:
    values, errors, lines = [], [], []
    for share in (0.0, 0.5, 1.0):
        backs = [front + share * (back - front) for front, back in ends]
        pairs = list(zip(endplates, backs, strict=True))
        in_the_middle = share == 0.5
        heights = [e.level(back, middle) if in_the_middle else e.rim(back, middle) for e, back in pairs]
        unsure = [e.level_error(back, middle) if in_the_middle else e.rim_error(back, middle) for e, back in pairs]
        values.append(heights[0] - heights[1])
        errors.append(float(np.hypot(*unsure)))
        lines.append(tuple(centroid + np.array([b, middle, h]) @ axes for b, h in zip(backs, heights, strict=True)))
    return Heights(tuple(values), tuple(errors), tuple(lines))
