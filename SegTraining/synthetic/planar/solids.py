"""Solids made of thin discs that face the viewer, and what parallel rays see of them: the flat phantoms' geometry.

Coordinates are millimetres in patient axes: x to the left, y to the back, z upwards.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage
from scipy.interpolate import CubicSpline
from skimage.measure import points_in_poly


@dataclass(frozen=True, eq=False)
class Discs:
    """A solid as a cloud of discs: centres [n, 3], radii [n] and thicknesses [n], all in mm.

    A thickness may be weighted, by an uptake or a density, and may be negative for what is hollow.
    """

    centres: np.ndarray
    radii: np.ndarray
    amounts: np.ndarray

    def __mul__(self, factor: float | np.ndarray) -> "Discs":
        return replace(self, amounts=self.amounts * factor)

    def hollowed(self, radius: float, amount: float) -> "Discs":
        """With a core of `radius` (as a fraction) that holds less by `amount` (as a fraction)."""
        return joined([self, Discs(self.centres, self.radii * radius, self.amounts * -amount)])

    def moved(self, place: Callable[[np.ndarray], np.ndarray], scale: float = 1.0) -> "Discs":
        """At the places that `place` gives for the centres [n, 3], `scale` times as large."""
        return Discs(place(self.centres), self.radii * scale, self.amounts * scale)


def joined(parts: Iterable[Discs]) -> Discs:
    """All parts as one cloud."""
    parts = list(parts)
    return Discs(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("centres", "radii", "amounts")))


def by(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> np.ndarray:
    """A step of so many mm to the left, to the back and upwards."""
    return np.array([x, y, z], float)


def mirrored(points: np.ndarray | list, side: int) -> np.ndarray:
    """Points [n, 3] of the left side (`side` 1), or as they are on the right one (-1)."""
    return np.asarray(points, float) * (side, 1, 1)


def smooth_path(points: np.ndarray | list, step: float) -> np.ndarray:
    """A smooth curve through points [n, d], as points [m, d] that lie about `step` mm apart."""
    points = np.asarray(points, float)
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    along = np.concatenate([[0], np.cumsum(lengths)])
    spline = CubicSpline(along, points, bc_type="natural")
    return spline(np.linspace(0, along[-1], max(3, round(along[-1] / step) + 1)))


def smooth_outline(points: np.ndarray | list, step: float = 2.0) -> np.ndarray:
    """A smooth closed curve through points [n, 2], as points [m, 2] about `step` mm apart."""
    points = np.asarray([*points, points[0]], float)
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    spline = CubicSpline(along, points, bc_type="periodic")
    return spline(np.arange(0, along[-1], step))


def tube(points: np.ndarray | list, radius: float | list[float], step: float, flatness: float = 1.0) -> Discs:
    """A tube along a smooth curve through `points` [n, 3]; `radius` may be given for each of them.

    `flatness` is its depth as a fraction of the width that the viewer sees.
    """
    path = smooth_path(points, step)
    lengths = np.linalg.norm(np.gradient(path, axis=0), axis=1)
    radii = np.interp(np.linspace(0, 1, len(path)), np.linspace(0, 1, np.size(radius)), np.atleast_1d(radius))
    return Discs(path, radii, lengths * flatness)


def plate(
    outline: np.ndarray, depth: Callable | float, thickness: Callable | float, step: float, smooth: bool = True
) -> Discs:
    """A plate with an outline [n, 2] in x and z; `depth` (y) and `thickness` in mm may depend on x and z."""
    outline = smooth_outline(outline) if smooth else np.asarray(outline, float)
    low, high = outline.min(0), outline.max(0)
    grid = np.stack(np.meshgrid(*(np.arange(a, b + step, step) for a, b in zip(low, high, strict=True))), -1)
    x, z = grid.reshape(-1, 2)[points_in_poly(grid.reshape(-1, 2), outline)].T
    y = depth(x, z) if callable(depth) else np.full(len(x), float(depth))
    mm = thickness(x, z) if callable(thickness) else np.full(len(x), float(thickness))
    radius = 0.75 * step
    return Discs(np.stack([x, y, z], 1), np.full(len(x), radius), mm * step**2 / (np.pi * radius**2))


def ellipsoid(centre: tuple[float, ...], axes: tuple[float, ...], step: float) -> Discs:
    """A solid ellipsoid with semi-axes along x, y and z."""
    (x0, y0, z0), (a, b, c) = centre, axes
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    outline = np.stack([x0 + a * np.cos(angle), z0 + c * np.sin(angle)], 1)
    return plate(
        outline,
        y0,
        lambda x, z: 2 * b * np.sqrt(np.clip(1 - ((x - x0) / a) ** 2 - ((z - z0) / c) ** 2, 0, 1)),
        step,
        smooth=False,
    )


def shell(centre: tuple[float, ...], axes: tuple[float, ...], thickness: float, count: int = 3000) -> Discs:
    """The surface of an ellipsoid, `thickness` mm strong, as `count` discs evenly spread over a sphere."""
    number = np.arange(count) + 0.5
    polar, turn = np.arccos(1 - 2 * number / count), np.pi * (1 + np.sqrt(5)) * number
    unit = np.stack([np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)], 1)
    area = 4 * np.pi * np.prod(axes) ** (2 / 3) / count
    radius = 1.5 * np.sqrt(area / np.pi)
    amount = thickness * area / (np.pi * radius**2)
    return Discs(np.asarray(centre) + unit * axes, np.full(count, radius), np.full(count, amount))


@dataclass(frozen=True)
class Film:
    """The pixels [rows, cols] onto which parallel rays from front to back fall, or from back to front.

    `middle` and `top` are the x of the middle column's edge and the z of the upper edge. Seen from the front the
    patient's left is on the right of the picture.
    """

    rows: int
    cols: int
    pixel_mm: float
    top: float
    middle: float = 0.0
    from_behind: bool = False

    @property
    def x(self) -> np.ndarray:
        """Of every column's centre: [1, cols]."""
        x = (np.arange(self.cols) + 0.5 - self.cols / 2) * self.pixel_mm
        return (self.middle + (-x if self.from_behind else x))[None]

    @property
    def z(self) -> np.ndarray:
        """Of every row's centre: [rows, 1]."""
        return (self.top - (np.arange(self.rows) + 0.5) * self.pixel_mm)[:, None]

    def positions(self, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns [n] (fractions of pixels; 0 is a centre) at which points [n, 3] appear."""
        x = centres[:, 0] - self.middle
        cols = (-x if self.from_behind else x) / self.pixel_mm + (self.cols - 1) / 2
        return (self.top - centres[:, 2]) / self.pixel_mm - 0.5, cols

    def sums(self, discs: Discs, layer: np.ndarray | None = None, layers: int = 1) -> np.ndarray:
        """What the rays pass through, in mm: [layers, rows, cols], each disc in its `layer` [n]."""
        result = np.zeros(layers * self.rows * self.cols)
        for members, index, inside in self._stamps(discs):
            weight = np.clip(inside + 0.5, 0, 1)
            area = np.pi * (discs.radii[members] / self.pixel_mm) ** 2
            weight *= (discs.amounts[members] * area / weight.sum(axis=1))[:, None]
            if layer is not None:
                index = np.where(index < 0, -1, index + (layer[members] * self.rows * self.cols)[:, None])
            seen = index >= 0
            result += np.bincount(index[seen], weight[seen], len(result))
        return result.reshape(layers, self.rows, self.cols)

    def covers(self, discs: Discs) -> np.ndarray:
        """The pixels [rows, cols] (bool) whose centre a disc covers."""
        result = np.zeros(self.rows * self.cols, bool)
        for _, index, inside in self._stamps(discs):
            result[index[(index >= 0) & (inside >= 0)]] = True
        return result.reshape(self.rows, self.cols)

    def _stamps(self, discs: Discs):
        """For discs of about the same size: which they are, the pixels [n, k] around each (-1 where there is none),
        and how far (in pixels) inside of it their centres are."""
        rows, cols = self.positions(discs.centres)
        reach = np.ceil(discs.radii / self.pixel_mm + 0.5).astype(int)
        for size in np.unique(reach):
            members = np.flatnonzero(reach == size)
            offsets = np.stack(np.meshgrid(*[np.arange(-size, size + 1)] * 2, indexing="ij"), -1).reshape(-1, 2)
            row = np.rint(rows[members]).astype(int)[:, None] + offsets[:, 0]
            col = np.rint(cols[members]).astype(int)[:, None] + offsets[:, 1]
            distance = np.hypot(row - rows[members][:, None], col - cols[members][:, None])
            on_film = (row >= 0) & (row < self.rows) & (col >= 0) & (col < self.cols)
            index = np.where(on_film, row * self.cols + col, -1)
            yield members, index, discs.radii[members][:, None] / self.pixel_mm - distance


def filled(rows: np.ndarray, cols: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The pixels (bool) of a picture of this shape that lie inside a closed curve through points [n]."""
    next_rows, next_cols = np.roll(rows, -1), np.roll(cols, -1)
    toggles = np.zeros((shape[0], shape[1] + 1), np.uint8)
    first, last = (np.ceil(limit(rows, next_rows)).astype(int) for limit in (np.minimum, np.maximum))
    for shift in range(int((last - first).max(initial=0))):
        # Every edge crosses the rows from its first to the one before its last.
        row = first + shift
        crossing = (row < last) & (row >= 0) & (row < shape[0])
        share = (row - rows)[crossing] / (next_rows - rows)[crossing]
        col = np.ceil(cols[crossing] + share * (next_cols - cols)[crossing]).astype(int)
        np.add.at(toggles, (row[crossing], np.clip(col, 0, shape[1])), 1)
    return np.cumsum(toggles, axis=1, dtype=np.uint8)[:, :-1] % 2 == 1


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], pixels: float) -> np.ndarray:
    """A random field [rows, cols] of mean 0 and standard deviation 1 whose detail is `pixels` in size."""
    coarse = rng.standard_normal([int(n / pixels) + 4 for n in shape])
    fine = ndimage.zoom(coarse, pixels, order=3, mode="nearest")[: shape[0], : shape[1]]
    return (fine - fine.mean()) / fine.std()
