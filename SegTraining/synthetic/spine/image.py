"""The canvas of the spine phantom, which tissues are painted on.

The canvas is a regular grid in patient LPS coordinates stored like a sagittal acquisition: arrays are
[sagittal slice, row, column] = [left to right, superior to inferior, anterior to posterior].
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import numpy as np

from .grid import PhantomGrid
from .structures import Structure


def smooth_field(rng: np.random.Generator, axes: list[np.ndarray], knot_mm: float) -> np.ndarray:
    """A random field of mean 0 and variance about 1 whose detail is `knot_mm` in size.

    Cubic B-splines over random knots: `axes` are the coordinates (mm) of each array axis, evenly spaced.
    """
    bases = []
    for axis in axes:
        position = np.abs(axis - axis[0]) / knot_mm
        distance = np.abs(position[:, None] + 1 - np.arange(int(position[-1]) + 4))
        near, far = 2 / 3 - distance**2 * (1 - distance / 2), (2 - np.clip(distance, 0, 2)) ** 3 / 6
        bases.append(np.where(distance < 1, near, far).astype(np.float32))
    knots = rng.standard_normal([basis.shape[1] for basis in bases], dtype=np.float32)
    # 0.479 is the sum of the squared cubic B-spline weights, averaged over positions, along one axis.
    return np.einsum("xyz,ax,by,cz->abc", knots, *bases, optimize=True) / np.float32(0.479**1.5)


@dataclass(frozen=True)
class Tissue:
    """The signal of a tissue and its relative texture at three sizes: 1 mm, 4 mm and 16 mm."""

    signal: float
    fine: float = 0.05
    medium: float = 0.05
    coarse: float = 0.05


Tissues = dict[str, Tissue]


class VoxelCanvas:
    """A volume to paint on with soft edges (partial volume), from the back to the front."""

    def __init__(self, rng: np.random.Generator, grid: PhantomGrid):
        x, y, z = grid.middle
        axes = (x - grid.offsets(2), z - grid.offsets(1), y + grid.offsets(0))
        self._axes = [axis.astype(np.float32) for axis in axes]
        self.pixel = float(min(abs(axis[1] - axis[0]) for axis in self._axes if len(axis) > 1))
        self.signal = np.zeros([len(axis) for axis in self._axes], np.float32)
        self.structures = np.zeros(self.signal.shape, np.uint8)
        self.levels = np.zeros(self.signal.shape, np.uint8)
        self.fine = smooth_field(rng, self._axes, 1.0 * max(1.0, self.pixel))
        self.medium = smooth_field(rng, self._axes, 4.0)
        self.coarse = smooth_field(rng, self._axes, 16.0)
        self._window = (slice(None),) * 3

    @contextmanager
    def box(self, points: list[np.ndarray], reach: float) -> Iterator[bool]:
        """Restrict painting to the box around `points` (LPS) widened by `reach` mm; False if it is outside."""
        points_xzy = np.array(points)[:, [0, 2, 1]]
        low, high = points_xzy.min(0) - reach, points_xzy.max(0) + reach
        windows = []
        for axis, a, b in zip(self._axes, low, high, strict=True):
            inside = np.flatnonzero((axis >= a) & (axis <= b))
            windows.append(slice(inside[0], inside[-1] + 1) if len(inside) else slice(0, 0))
        before, self._window = self._window, tuple(windows)
        try:
            yield all(window.stop > window.start for window in windows)
        finally:
            self._window = before

    def between(self, low: float, high: float) -> AbstractContextManager[bool]:
        """Restrict painting to heights z (mm) from `low` to `high`; False if the canvas has none of them."""
        x, _, y = self._axes
        return self.box([np.array([x[0], y[0], low]), np.array([x[-1], y[-1], high])], 0.0)

    @property
    def window(self) -> tuple[slice, slice, slice]:
        """The part of the arrays being painted."""
        return self._window

    @property
    def coordinates(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x, y, z (mm) of the part being painted, ready to broadcast against its [x, z, y] arrays."""
        x, z, y = (axis[window] for axis, window in zip(self._axes, self._window, strict=True))
        return x[:, None, None], y[None, None, :], z[None, :, None]

    def local(self, centre: np.ndarray, axes: np.ndarray) -> list[np.ndarray]:
        """Left, back and up coordinates (mm) in the frame of a body or disc, of the part being painted."""
        x, y, z = self.coordinates
        x, y, z = x - np.float32(centre[0]), y - np.float32(centre[1]), z - np.float32(centre[2])
        return [x * np.float32(a[0]) + y * np.float32(a[1]) + z * np.float32(a[2]) for a in axes]

    def cover(self, distance: np.ndarray) -> np.ndarray:
        """How much of each voxel lies inside a surface that is `distance` mm away (negative inside)."""
        return np.clip(0.5 - distance / self.pixel, 0, 1)

    def mark(self, distance: np.ndarray, structure: Structure, level: int = 0) -> None:
        """Note in the truth what lies inside a surface, the voxels whose centre does, and its vertebra's label."""
        inside = distance < 0
        self.structures[self._window][inside] = structure
        self.levels[self._window][inside] = level

    def paint(self, amount: np.ndarray, tissue: Tissue) -> None:
        """Lay `amount` (0 to 1 per voxel) of a tissue, with its texture, over what is there."""
        touched = amount > 0
        fine, medium, coarse = (field[self._window][touched] for field in (self.fine, self.medium, self.coarse))
        texture = tissue.fine * fine + tissue.medium * medium + tissue.coarse * coarse
        part = self.signal[self._window]
        before = part[touched]
        part[touched] = before + amount[touched] * (tissue.signal * (1 + texture) - before)


def paint_bone(canvas: VoxelCanvas, distance: np.ndarray, rim_mm: float, tissues: Tissues) -> None:
    """Paint marrow inside a surface and its cortex, about `rim_mm` thick, on it."""
    canvas.paint(canvas.cover(distance), tissues["marrow"])
    paint_cortex(canvas, distance, rim_mm, tissues)


def paint_cortex(canvas: VoxelCanvas, distance: np.ndarray, rim_mm: float, tissues: Tissues) -> None:
    """Paint the cortex, about `rim_mm` thick, of a bone whose surface is `distance` away."""
    amount = 0.9 * np.exp(-(((distance + 0.4 * rim_mm) / rim_mm) ** 2))
    canvas.paint(np.where(amount > 0.01, amount, 0), tissues["cortex"])
