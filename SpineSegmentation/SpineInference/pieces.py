"""Pieces of vertebral bodies: what they measure, and which of them belong to the same body."""

from collections.abc import Callable

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
        return self.high - self.low

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
    section_mm = max(1.0, spacing_ipl[0])
    section = np.floor((position - position.min()) / section_mm).astype(np.int64)
    chords = []
    for across, along in ((2, 1), (1, 2)):
        shadow = len(np.unique(section * (int(voxels[across].max()) + 1) + voxels[across]))
        chords.append(len(position) * spacing_ipl[0] * spacing_ipl[along] / (shadow * section_mm))
    return max(chords[0], DEPTH_PER_WIDTH * chords[1])


def typical(values: list[float], pieces: list[Piece], index: int) -> float:
    """The median of `values`, one per piece, over piece `index` and those near it, weighted by their volume.

    The size of bodies changes along the spine, so only the five nearest count.
    """
    near = sorted(range(len(pieces)), key=lambda other: abs(pieces[other].middle - pieces[index].middle))[:5]
    near.sort(key=lambda other: values[other])
    weight = np.cumsum([len(pieces[other]) for other in near])
    return values[near[int(np.searchsorted(weight, weight[-1] / 2))]]


def expected_heights(pieces: list[Piece]) -> list[float]:
    """The height in mm that a whole body would have at each of the pieces.

    From the thickness of the column there, and the ratio of both in this very spine as far as it shows whole bodies.
    """
    ratios = [piece.extent / piece.thickness for piece in pieces]
    plausible = [ratio for ratio in ratios if 0.6 < ratio / HEIGHT_PER_THICKNESS < 1.4]
    ratio = float(np.median(plausible)) if len(plausible) >= 3 else HEIGHT_PER_THICKNESS
    thickness = [piece.thickness for piece in pieces]
    return [ratio * typical(thickness, pieces, index) for index in range(len(pieces))]


def join_pieces(pieces: list[Piece], shape: tuple[int, int, int]) -> list[Piece]:
    """The bodies that the `pieces` make up, in an array of `shape`; crumbs that belong to none are left out.

    Joined are pieces side by side, pieces that are too short for a body but make one together, and crumbs with the
    body they lie on. A slice of a body at the border of the scan is no crumb.
    """
    for belong_together in (_side_by_side, _halves):
        pieces = _join_neighbours(pieces, belong_together)
    sizes = [float(len(piece)) for piece in pieces]
    heights = expected_heights(pieces)
    bodies, crumbs = [], []
    for index, piece in enumerate(pieces):
        share = sizes[index] / typical(sizes, pieces, index)
        is_body = share >= (0.02 if piece.touches(shape, axes=(0, 1)) else 0.1)
        (bodies if is_body else crumbs).append((piece, heights[index]))
    bodies = [piece for piece, _ in bodies]
    for crumb, height in crumbs:
        nearest = min(range(len(bodies)), key=lambda index: bodies[index].distance_to(crumb))
        if bodies[nearest].distance_to(crumb) < 0.1 * height:
            bodies[nearest] = bodies[nearest].joined(crumb)
    return bodies


def _join_neighbours(pieces: list[Piece], belong_together: Callable[[Piece, Piece, float], bool]) -> list[Piece]:
    """Joins neighbours along the spine, the upper one of each pair first, until no two belong together."""
    pieces = sorted(pieces, key=lambda piece: piece.low)
    first = 0
    while first < len(pieces):
        height = expected_heights(pieces)[first]
        for second in range(first + 1, len(pieces)):
            if belong_together(pieces[first], pieces[second], height):
                pieces[first] = pieces[first].joined(pieces.pop(second))
                break
        else:
            first += 1
    return pieces


def _side_by_side(upper: Piece, lower: Piece, height: float) -> bool:
    shared = min(upper.high, lower.high) - max(upper.low, lower.low)
    together = max(upper.high, lower.high) - min(upper.low, lower.low)
    return (
        shared > 0.5 * min(upper.extent, lower.extent)
        and together < 1.5 * height
        and upper.distance_to(lower) < 0.25 * height
    )


def _halves(upper: Piece, lower: Piece, height: float) -> bool:
    together = max(upper.high, lower.high) - min(upper.low, lower.low)
    return (
        max(upper.extent, lower.extent) < 0.7 * height
        and together < 1.2 * height
        and upper.distance_to(lower) < 0.1 * height  # far less than a disc
    )
