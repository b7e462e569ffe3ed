"""What a scanner does to the spine phantom: blur, shading, saturation bands, ghosts, Gibbs ringing, folding, noise."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import fft, ndimage

from .curve import Course
from .grid import PhantomGrid
from .image import VoxelCanvas, smooth_field


@dataclass(frozen=True)
class Scanner:
    """How a scan is taken, drawn once per scan. Array axes are [slice, row, column]."""

    blur_mm: float
    slice_blur_mm: float
    noise: float
    """Standard deviation of the noise relative to the signal 1."""
    shading: float
    coil_depth_mm: float
    """How far (mm) in front of the back a spine coil still receives 1/e of the signal."""
    gain: float
    offset: float = 0.0
    phase_axis: int = 1
    """The array axis along which ghosts appear and folding happens."""
    ghosts: float = 0.0
    """Strength of the ghosts that breath and pulse leave, and how far they are shifted (a fraction of the image)."""
    ghost_shift: float = 0.3
    sampled: float = 1.0
    """How much of k-space is sampled along the phase axis; the rest is filled with zeros, and edges ring."""
    folded: float = 0.0
    """How much of the image's length is scanned beyond each of its ends along the phase axis."""
    saturated_mm: float = np.inf
    """How far in front of the bodies a saturation band begins that keeps breath and bowel from ghosting."""
    flicker: float = 0.0
    """By how much every other slice is brighter than its neighbours."""

    @staticmethod
    def random(rng: np.random.Generator, contrast: str, artefacts: float) -> "Scanner":
        """A scanner with a surface coil at the back, as in spine MR, or for "CT" one that tells Hounsfield units.

        `artefacts` (0 to 1) says how bad the scan may be.
        """
        blur, slice_blur = rng.uniform(0.35, 0.6), rng.choice([0.4, rng.uniform(0.8, 1.7)])
        if contrast == "CT":
            return Scanner(blur, slice_blur, rng.uniform(0.008, 0.06), 0.0, np.inf, gain=1000.0, offset=-1000.0)
        scanner = Scanner(
            blur_mm=blur,
            slice_blur_mm=slice_blur,
            noise=rng.uniform(0.006, 0.03),
            shading=rng.uniform(0.05, 0.2 + 0.2 * artefacts),
            coil_depth_mm=rng.uniform(120 - 70 * artefacts, 280),
            gain=rng.uniform(250, 1200),
        )
        faults = {
            "noise": rng.uniform(0.03, 0.09),
            "coil_depth_mm": np.inf,
            "ghosts": rng.uniform(0.02, 0.12),
            "sampled": rng.uniform(0.45, 0.8),
            "folded": rng.uniform(0.05, 0.2),
            "saturated_mm": rng.uniform(12, 50),
            "flicker": rng.uniform(0.02, 0.15),
        }
        happens = rng.random(len(faults)) < artefacts * np.array([0.35, 0.3, 0.4, 0.4, 0.15, 0.5, 0.25])
        drawn = {name: value for (name, value), bad in zip(faults.items(), happens, strict=True) if bad}
        return replace(scanner, phase_axis=int(rng.integers(1, 3)), ghost_shift=rng.uniform(0.15, 0.5), **drawn)

    def folds(self, counts: tuple[int, int, int]) -> tuple[int, int, int]:
        """How many voxels beyond each end of the image axes fold over, of images with `counts` voxels."""
        beyond = [0, 0, 0]
        beyond[2 - self.phase_axis] = int(self.folded * counts[2 - self.phase_axis])
        return tuple(beyond)

    def take(self, rng: np.random.Generator, canvas: VoxelCanvas, grid: PhantomGrid, course: Course) -> np.ndarray:
        """The scanned image (int16 [slice, row, column]) of the canvas."""
        widths = (self.slice_blur_mm, self.blur_mm, self.blur_mm)
        sigmas = [width / step for width, step in zip(widths, grid.part_spacing, strict=True)]
        image = ndimage.gaussian_filter(canvas.signal, sigmas, truncate=3)
        x, y, z = canvas.coordinates
        image *= np.exp(self.shading * smooth_field(rng, [x.ravel(), z.ravel(), y.ravel()], 120.0))
        image *= np.exp((y - y.max() + 60) / self.coil_depth_mm)
        if np.isfinite(self.saturated_mm):
            image *= self._saturation(course, y, z)
        return self._receive(rng, self._disturb(grid.acquire(image)))

    def _saturation(self, course: Course, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """What a straight band before the spine leaves of the signal."""
        front = course.at(course.y, z) - course.at(course.half_depth, z) - self.saturated_mm
        slope, height = np.polyfit(z.ravel(), front.ravel(), 1)
        return 1 - 0.85 / (1 + np.exp(np.clip((y - slope * z - height) / 2.5, -40, 40)))

    def _disturb(self, image: np.ndarray) -> np.ndarray:
        axis = self.phase_axis
        if self.flicker:
            image[::2] *= 1 + self.flicker
        if self.ghosts:
            shift = int(self.ghost_shift * image.shape[axis])
            image = image + self.ghosts * (np.roll(image, shift, axis) - np.roll(image, -shift, axis))
        if self.sampled < 1:
            spectrum = np.moveaxis(fft.rfft(image, axis=axis), axis, 0)
            spectrum[int(self.sampled * len(spectrum)) + 1 :] = 0
            image = fft.irfft(np.moveaxis(spectrum, 0, axis), image.shape[axis], axis)
        return image

    def _receive(self, rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
        """The magnitude with Rician noise."""
        real = image + self.noise * rng.standard_normal(image.shape, dtype=np.float32)
        imaginary = self.noise * rng.standard_normal(image.shape, dtype=np.float32)
        return np.clip(np.rint(self.gain * np.hypot(real, imaginary) + self.offset), -1024, 32767).astype(np.int16)
