"""Endplates by a robust fit that says how sure it is.

A body is cut into columns along its axis; their ends are the points of an endplate. An endplate is hollow, more or less
deeply and not always in the middle: it is taken for a plane with a bowl in it that may be deeper in front or behind.
What belongs to neither, such as a Schmorl node, is left out by a fit that begins with what most columns agree on
(RANSAC, Fischler & Bolles 1981) and goes on with Tukey's biweight (Beaton & Tukey 1974). The columns that are left are
unequal witnesses: bone and masks are uneven in lumps, which raise neighbouring columns together. Generalised least
squares (Aitken 1935) count a lump once, whatever its columns, and say how sure the surface is.

How an endplate leans is told by the plane of its rim: that through the surface a little inside the outline of the body,
in front and behind, as one draws it from corner to corner.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..body_shape import SampledBody
from .frames import Scan

RIM = 0.06, 0.22
"""The rim: columns that stand so many depths inside the outline. Nearer to it edges are round, and none counts."""
INNER_WIDTH = 0.7
"""The middle part of the width in which columns are taken; uncinate processes lie outside."""
_SECTION = 0.5
"""The outline of the body is that of the middle half of its height, where no osteophytes are."""
_FEWEST_COLUMNS = 6
_BEYOND_MM = 3.0
"""By so much the scan goes on beyond an endplate that is seen: nearer to its border a network sees half a picture, and
smoothing may have moved the end."""
_LEAST_SEEN = 0.6
"""An endplate is cut off by the scan when fewer of its columns end inside."""
_TRIALS, _TOLERANCE_MM = 200, 0.5
"""The fit starts from the one of so many random surfaces through a few columns that most follow to half a mm."""
_ROUNDS = 7
_TUKEY, _TO_SIGMA = 4.685, 1.4826
_LEAST_SIGMA_MM = 0.2
"""What the stairs of voxels leave at best."""
_LUMP_MM, _LUMP_SIZE_MM = 0.35, 4.0
"""How uneven an endplate is, and the length along which that is alike: as in generated spines and in drawn masks."""
_STAIR_MM = 0.3
"""What voxels add to each column: the standard deviation of a step of 1 mm."""
_LEAST_WEIGHT = 0.02
_MOST_COLUMNS = 250
"""More do not tell more: they stand closer than the lumps."""
_LEAST_ERROR_MM = 0.15
"""How exactly voxels of 1 mm tell where a plane is at best; over half a depth also how it leans."""


@dataclass(frozen=True, eq=False)
class Endplate:
    """A hollow surface, and the plane of its rim, along the body's axis (w in mm), at places u posterior and v left.

    `centre` and `half` are the middle, half the depth and half the width of the body's outline (mm). `surface` [5] are
    the coefficients of `_terms`, `covariance` [5, 5] is that of their errors. `to_plane` [3, 5] makes of them those of
    the plane of the rim, w = a + b u + c v around the centre. `fitted` is the share of the rim's columns that follow.
    """

    centre: tuple[float, float]
    half: tuple[float, float]
    surface: np.ndarray
    covariance: np.ndarray
    to_plane: np.ndarray
    fitted: float

    @property
    def slopes(self) -> np.ndarray:
        """Rise of the rim towards posterior and left."""
        return (self.to_plane @ self.surface)[1:]

    @property
    def slope_errors(self) -> np.ndarray:
        """Standard errors of the slopes."""
        variances = np.diag(self.to_plane @ self.covariance @ self.to_plane.T)[1:].clip(min=0)
        return np.hypot(np.sqrt(variances), _LEAST_ERROR_MM / max(self.half[0], 1.0))

    def rim(self, back: float | np.ndarray, left: float) -> float | np.ndarray:
        """w of the plane of the rim at a place (mm)."""
        a, b, c = self.to_plane @ self.surface
        return a + b * (back - self.centre[0]) + c * (left - self.centre[1])

    def rim_error(self, back: float, left: float) -> float:
        """The standard error of `rim` at a place (mm)."""
        return self._error(np.array([1.0, back - self.centre[0], left - self.centre[1]]) @ self.to_plane)

    def level(self, back: float, left: float) -> float:
        """w of the hollow surface at a place (mm)."""
        return float(self._terms_at(back, left) @ self.surface)

    def level_error(self, back: float, left: float) -> float:
        """The standard error of `level` at a place (mm)."""
        return self._error(self._terms_at(back, left))

    def _terms_at(self, back: float, left: float) -> np.ndarray:
        return _terms(np.array([[back, left]]) - self.centre, self.half)[0]

    def _error(self, terms: np.ndarray) -> float:
        return float(np.hypot(np.sqrt(max(terms @ self.covariance @ terms, 0.0)), _LEAST_ERROR_MM))


def fit_endplates(
    body: SampledBody, axes: np.ndarray, centroid: np.ndarray, scan: Scan
) -> tuple[Endplate | None, Endplate | None]:
    """The superior and inferior endplate of a body sampled along its `axes`; None where the scan cuts it off, or for
    a handful of columns."""
    section = body.density[:, :, body.middle(2, _SECTION)].mean(axis=2) >= 0.5
    if not section.any():
        return None, None
    depth, width = (np.count_nonzero(section.any(axis=other)) * body.step_mm for other in (1, 0))
    centre = tuple(float(grid[section.any(axis=other)].mean()) for grid, other in zip(body.grid, (1, 0), strict=False))
    beside = np.abs(body.grid[1] - centre[1])
    if 1 in scan.shape:  # there is nothing beside the slice: one row of columns says all
        inside = ndimage.distance_transform_edt(np.pad(section.any(axis=1), 1))[1:-1, None] * body.step_mm
        chosen = section & (beside == beside.min())
    else:
        inside = ndimage.distance_transform_edt(np.pad(section, 1))[1:-1, 1:-1] * body.step_mm
        chosen = section & (beside <= INNER_WIDTH * width / 2)
    # From centre to centre of voxels, of which the outline runs in between.
    inside = (np.broadcast_to(inside, section.shape)[chosen] - body.step_mm / 2) / depth
    places = np.stack([x[chosen] for x in np.meshgrid(*body.grid[:2], indexing="ij")], axis=1)
    counts = inside >= RIM[0]
    inside, places, columns = inside[counts], places[counts], body.density[chosen][counts]
    rim = inside <= RIM[1]
    # An end is seen where the scan goes on beyond it.
    beyond = max(_BEYOND_MM, 0.75 * np.abs(axes[2] @ scan.directions.T) @ scan.spacing)
    endplates = []
    for outwards in (1, -1):
        ends = _crossings(columns[:, ::-outwards], body.grid[2][::-outwards])
        seen = scan.holds(centroid + np.column_stack([places, ends + outwards * beyond]) @ axes)
        good = rim & seen
        cut = np.count_nonzero(good) < max(_FEWEST_COLUMNS, _LEAST_SEEN * np.count_nonzero(rim))
        half = depth / 2, width / 2
        endplates.append(None if cut else _fit(places[seen], ends[seen], rim[seen], centre, half))
    return endplates[0], endplates[1]


def _crossings(density: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Where each column [n, w] first rises above one half, between the samples."""
    first = (density >= 0.5).argmax(axis=1)
    rows, before = np.arange(len(density)), np.maximum(first - 1, 0)
    low, high = density[rows, before], density[rows, first]
    part = np.where(high > low, (0.5 - low) / np.where(high > low, high - low, 1), 1)
    return heights[before] + np.clip(part, 0, 1) * (heights[first] - heights[before])


def _terms(places: np.ndarray, half: tuple[float, float]) -> np.ndarray:
    """What a surface is made of at `places` [n, 2] from its centre: a plane, a bowl and the bowl's lean to the back."""
    back, left = places.T
    bowl = 1 - np.square(back / half[0]) - np.square(left / half[1])
    return np.column_stack([np.ones(len(places)), back, left, bowl, bowl * back / half[0]])


def _fit(
    places: np.ndarray, ends: np.ndarray, rim: np.ndarray, centre: tuple[float, float], half: tuple[float, float]
) -> Endplate:
    terms = _terms(places - centre, half)
    surface = _consensus(terms, ends)
    for _ in range(_ROUNDS):
        residuals = np.abs(ends - terms @ surface)
        near = residuals[residuals <= 3 * _TOLERANCE_MM]
        sigma = max(_LEAST_SIGMA_MM, _TO_SIGMA * float(np.median(near)) if len(near) else 0.0)
        weights = np.square(np.clip(1 - np.square(residuals / (_TUKEY * sigma)), 0, None))
        surface = _solved(terms, ends, weights)
    kept = np.flatnonzero(weights > _LEAST_WEIGHT)
    kept = kept[:: -(-len(kept) // _MOST_COLUMNS)]
    surface, covariance = _generalised(terms[kept], ends[kept], weights[kept])
    to_plane = np.linalg.pinv(terms[rim, :3], rcond=1e-10) @ terms[rim]
    return Endplate(centre, half, surface, covariance, to_plane, float((weights[rim] > 0).mean()))


def _generalised(terms: np.ndarray, ends: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Generalised least squares of columns at `terms`[:, 1:3]: the coefficients, and the covariance of their errors."""
    away = np.sqrt(3) * np.hypot(*(along[:, None] - along for along in terms[:, 1:3].T)) / _LUMP_SIZE_MM
    noise = _LUMP_MM**2 * (1 + away) * np.exp(-away) + np.diag(_STAIR_MM**2 / weights)  # lumps: Matern 3/2
    told, told_of_ends = np.split(np.linalg.solve(noise, np.column_stack([terms, ends])), [-1], axis=1)
    # The pseudo-inverse: in a single slice nothing tells the slope across it, which is then 0.
    covariance = np.linalg.pinv(np.einsum("ni,nj->ij", terms, told), rcond=1e-10)
    coefficients = covariance @ np.einsum("ni,n->i", told, ends)
    residuals = ends - terms @ coefficients
    uneven = residuals @ (told_of_ends[:, 0] - told @ coefficients) / max(len(ends) - terms.shape[1], 1)
    return coefficients, covariance * max(1.0, uneven)


def _consensus(terms: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """RANSAC: no group of columns that lie elsewhere, such as those in a node, counts.

    The surface must be that of the bone in front as well as behind, so that no lip is left out because the hollow in
    front of it slopes evenly.
    """
    drawn = np.random.default_rng(0).integers(len(ends), size=(_TRIALS, terms.shape[1]))
    # Least squares with a trace of damping: columns that stand in a row say little together.
    normal = np.einsum("kni,knj->kij", terms[drawn], terms[drawn]) + 1e-6 * np.eye(terms.shape[1])
    trials = np.linalg.solve(normal, np.einsum("kni,kn->ki", terms[drawn], ends[drawn])[..., None])[..., 0]
    follows = np.abs(ends - np.einsum("ki,in->kn", trials, terms.T.copy())) <= _TOLERANCE_MM
    behind = terms[:, 1] > 0
    shares = [follows[:, side].mean(axis=1) for side in (behind, ~behind) if side.any()]
    return trials[np.min(shares, axis=0).argmax()]


def _solved(terms: np.ndarray, ends: np.ndarray, weights: np.ndarray) -> np.ndarray:
    # The pseudo-inverse: in a single slice nothing tells the slope across it, which is then 0.
    weighted = terms * weights[:, None]
    normal = np.einsum("ni,nj->ij", weighted, terms)
    return np.linalg.pinv(normal, rcond=1e-10) @ np.einsum("ni,n->i", weighted, ends)
