"""What a scanner does to the spine phantom: blur, shading and noise."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .phantom_image import Canvas, smooth_field


@dataclass(frozen=True)
class Scanner:
    """How a scan is taken, drawn once per scan."""

    blur_mm: float
    slice_blur_mm: float
    noise: float
    """Standard deviation of the noise relative to the signal 1."""
    shading: float
    coil_depth_mm: float
    """How far (mm) in front of the back a spine coil still receives 1/e of the signal."""
    gain: float
    offset: float

    @staticmethod
    def random(rng: np.random.Generator, contrast: str, artefacts: float) -> "Scanner":
        """A scanner with a surface coil at the back, as in spine MR, or for "CT" one without shading, in HU.

        `artefacts` (0 to 1) says how bad the scan may be.
        """
        scanner = Scanner(
            blur_mm=rng.uniform(0.35, 0.6),
            slice_blur_mm=rng.choice([0.4, rng.uniform(0.8, 1.7)]),
            noise=rng.uniform(0.006, 0.03) if rng.random() > artefacts else rng.uniform(0.01, 0.09),
            shading=rng.uniform(0.05, 0.2 + 0.2 * artefacts),
            coil_depth_mm=rng.uniform(120 - 50 * artefacts, 280) if rng.random() > 0.3 * artefacts else np.inf,
            gain=rng.uniform(250, 1200),
            offset=0.0,
        )
        if contrast == "CT":
            noise = rng.uniform(0.008, 0.06)
            return Scanner(scanner.blur_mm, scanner.slice_blur_mm, noise, 0.0, np.inf, 1000.0, -1000.0)
        return scanner

    def take(self, rng: np.random.Generator, canvas: Canvas, spacing: tuple[float, ...]) -> np.ndarray:
        """The scanned signal (float32) of the canvas, whose voxels are `spacing` mm along the array axes.

        Blurred, shaded smoothly and by the coil, without noise: that comes with the final voxels.
        """
        widths = (self.slice_blur_mm, self.blur_mm, self.blur_mm)
        image = ndimage.gaussian_filter(
            canvas.signal, [w / s for w, s in zip(widths, spacing, strict=True)], truncate=3
        )
        x, y, z = canvas.coordinates
        image *= np.exp(self.shading * smooth_field(rng, [x.ravel(), z.ravel(), y.ravel()], 120.0))
        image *= np.exp((y - y.max() + 60) / self.coil_depth_mm)
        return image

    def receive(self, rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
        """The magnitude image (int16) with Rician noise."""
        real = image + self.noise * rng.standard_normal(image.shape, dtype=np.float32)
        imaginary = self.noise * rng.standard_normal(image.shape, dtype=np.float32)
        return np.clip(np.rint(self.gain * np.hypot(real, imaginary) + self.offset), -1024, 32767).astype(np.int16)
