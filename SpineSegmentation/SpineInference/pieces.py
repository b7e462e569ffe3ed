"""Pieces of vertebral bodies: what they measure, and which of them belong to the same body."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

Spacing = tuple[float, float, float]

HEIGHT_PER_THICKNESS = 1.1
"""Height of a body over its thickness (see `Piece`): 1.0 (T11) to 1.3 (L5) in the reference masks."""
DEPTH_PER_WIDTH = 0.7
"""Depth of a lumbar body over its width; cervical and thoracic bodies are relatively deeper."""


class Piece:
    """Voxels of one body or of a part of it; `voxels` are the three index arrays, in the whole array.

    `low`, `high` and `middle` tell where it lies along the spine in mm. `thickness` is its mean chord from front to
    back in mm, or that of a body of its width, if that is more: a scan may hold only a slice of it.
    """

    def __init__(self, voxels: tuple[np.ndarray, ...], position: np.ndarray, spacing_ipl: Spacing):
        self.voxels, self.position, self.spacing = voxels, position, spacing_ipl
        self.low, self.high = np.percentile(position, [2, 98])
        self.middle = float(position.mean())
        self.thickness = thickness_of(voxels, position, spacing_ipl)

    @property
    def extent(self) -> float:
        """Height along the spine in mm."""
        return self.high - self.low

    @property
    def area(self) -> float:
        """Mean cross-section in mm2."""
        return len(self) * float(np.prod(self.spacing)) / max(self.extent, self.spacing[0])

    def __len__(self) -> int:
        return len(self.position)

    def touches(self, shape: tuple[int, int, int], axes: tuple[int, ...] = (0, 1, 2)) -> bool:
        """Whether it reaches the first or last slice of an array of `shape`; an axis of one slice does not count."""
        return any(
            shape[axis] > 1 and (self.voxels[axis].min() == 0 or self.voxels[axis].max() == shape[axis] - 1)
            for axis in axes
        )

    def joined(self, other: "Piece") -> "Piece":
        voxels = tuple(np.concatenate(pair) for pair in zip(self.voxels, other.voxels, strict=True))
        return Piece(voxels, np.concatenate([self.position, other.position]), self.spacing)

    def distance_to(self, other: "Piece") -> float:
        """Least distance in mm between voxels of both; 0 where they touch."""
        fewer, more = sorted((self, other), key=len)
        tree = cKDTree(np.column_stack(more.voxels) * more.spacing)
        nearest, _ = tree.query(np.column_stack(fewer.voxels) * fewer.spacing)
        return max(0.0, float(nearest.min()) - max(self.spacing))


def thickness_of(voxels: tuple[np.ndarray, ...], position: np.ndarray, spacing_ipl: Spacing) -> float:
    """The thickness of a `Piece`: volume over the area of its shadow along P, or, scaled, along L."""
    section_mm = max(1.0, 1.05 * spacing_ipl[0])  # higher than a voxel, so that no section stays empty
    section = np.floor((position - position.min()) / section_mm).astype(np.int64)

    def chord(along: int, across: int) -> float:
        # The shadow in sections of the spine is too small for a spine leaning across, that in rows of voxels for one
        # leaning along.
        columns = int(voxels[across].max()) + 1
        in_sections = len(np.unique(section * columns + voxels[across])) * section_mm
        in_rows = len(np.unique(voxels[0] * columns + voxels[across])) * spacing_ipl[0]
        return len(position) * spacing_ipl[0] * spacing_ipl[along] / max(in_sections, in_rows)

    return max(chord(along=1, across=2), DEPTH_PER_WIDTH * chord(along=2, across=1))


@dataclass(frozen=True)
class Whole:
    """What a whole body measures at some place of the spine: height in mm, cross-section in mm2, voxels."""

    height: float
    area: float
    voxels: float


def whole_bodies(pieces: list[Piece]) -> list[Whole]:
    """What a whole body would measure at each of the pieces.

    The height comes from the thickness of the column there, by the ratio of both in this very spine as far as it shows
    whole bodies.
    """
    ratios = [piece.extent / piece.thickness for piece in pieces]
    plausible = [ratio for ratio in ratios if 0.6 < ratio / HEIGHT_PER_THICKNESS < 1.4]
    ratio = float(np.median(plausible)) if len(plausible) >= 3 else HEIGHT_PER_THICKNESS
    thickness, area, voxels = ([f(piece) for piece in pieces] for f in (lambda p: p.thickness, lambda p: p.area, len))
    return [
        Whole(ratio * _typical(thickness, pieces, i), _typical(area, pieces, i), _typical(voxels, pieces, i))
        for i in range(len(pieces))
    ]


def _typical(values: list[float], pieces: list[Piece], index: int) -> float:
    """The median of `values`, one per piece, over piece `index` and those near it, weighted by their volume.

    The size of bodies changes along the spine, so only the five nearest count.
    """
    near = sorted(range(len(pieces)), key=lambda other: abs(pieces[other].middle - pieces[index].middle))[:5]
    near.sort(key=lambda other: values[other])
    weight = np.cumsum([len(pieces[other]) for other in near])
    return values[near[int(np.searchsorted(weight, weight[-1] / 2))]]


def join_pieces(pieces: list[Piece], shape: tuple[int, int, int]) -> list[Piece]:
    """The bodies that the `pieces` make up, in an array of `shape`; crumbs that belong to none are left out.

    Joined are pieces side by side, pieces that are too short for a body but make one together, thin appendages with
    the body they hang on (such as the dens with C2), and crumbs with the body they lie on. A slice of a body where the
    scan ends is neither an appendage nor a crumb.
    """

    def appendage(upper: Piece, lower: Piece, whole: Whole) -> bool:
        thin = any(p.area < 0.5 * whole.area and not p.touches(shape, axes=(0, 1)) for p in (upper, lower))
        return thin and upper.distance_to(lower) == 0

    for belong_together in (_side_by_side, _halves, appendage):
        pieces = _join_neighbours(pieces, belong_together)
    bodies, crumbs = [], []
    for piece, whole in zip(pieces, whole_bodies(pieces), strict=True):
        is_body = len(piece) >= (0.02 if piece.touches(shape, axes=(0, 1)) else 0.1) * whole.voxels
        (bodies if is_body else crumbs).append(piece)
    for crumb in crumbs:
        nearest = min(range(len(bodies)), key=lambda index: bodies[index].distance_to(crumb))
        if bodies[nearest].distance_to(crumb) < 0.1 * HEIGHT_PER_THICKNESS * bodies[nearest].thickness:
            bodies[nearest] = bodies[nearest].joined(crumb)
    return bodies


def _join_neighbours(pieces: list[Piece], belong_together: Callable[[Piece, Piece, Whole], bool]) -> list[Piece]:
    """Joins neighbours along the spine, the upper one of each pair first, until no two belong together."""
    pieces = sorted(pieces, key=lambda piece: piece.low)
    first = 0
    while first < len(pieces):
        whole = whole_bodies(pieces)[first]
        for second in range(first + 1, len(pieces)):
            if belong_together(pieces[first], pieces[second], whole):
                pieces[first] = pieces[first].joined(pieces.pop(second))
                break
        else:
            first += 1
    return pieces


def _side_by_side(upper: Piece, lower: Piece, whole: Whole) -> bool:
    shared = min(upper.high, lower.high) - max(upper.low, lower.low)
    return (
        shared > 0.5 * min(upper.extent, lower.extent)
        and _extent_together(upper, lower) < 1.5 * whole.height
        and upper.distance_to(lower) < 0.25 * whole.height
    )


def _halves(upper: Piece, lower: Piece, whole: Whole) -> bool:
    return (
        max(upper.extent, lower.extent) < 0.7 * whole.height
        and _extent_together(upper, lower) < 1.2 * whole.height
        and upper.distance_to(lower) < 0.1 * whole.height  # far less than a disc
    )


def _extent_together(upper: Piece, lower: Piece) -> float:
    return max(upper.high, lower.high) - min(upper.low, lower.low)
