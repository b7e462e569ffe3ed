"""The tissues of the spine phantom: what each contrast makes of them, and how they are painted around the spine."""

from dataclasses import dataclass

import numpy as np

from .phantom_anatomy import Spine
from .phantom_image import Tissue

CONTRASTS = ("T1", "T2", "water")

# Signal relative to subcutaneous fat (or, in the fat-suppressed water image, to muscle). Columns as in CONTRASTS.
_SIGNALS: dict[str, tuple[float, float, float]] = {
    "fat": (1.00, 0.90, 0.07),
    "inner fat": (0.92, 0.58, 0.22),
    "skin": (0.35, 0.25, 1.00),
    "muscle": (0.36, 0.15, 0.85),
    "marrow": (0.56, 0.36, 0.50),
    "cortex": (0.10, 0.05, 0.20),
    "vein": (0.30, 0.62, 0.72),
    "fluid": (0.17, 1.00, 1.15),
    "cord": (0.36, 0.45, 0.95),
    "nucleus": (0.36, 0.60, 1.05),
    "annulus": (0.28, 0.09, 0.90),
    "worn disc": (0.24, 0.12, 0.60),
    "ligament": (0.12, 0.06, 0.22),
    "vessel": (0.08, 0.05, 0.45),
    "bowel": (0.38, 0.34, 0.42),
    "gas": (0.03, 0.03, 0.03),
    "organ": (0.42, 0.36, 0.62),
}
_TEXTURES: dict[str, tuple[float, float, float]] = {
    "fat": (0.03, 0.06, 0.05),
    "inner fat": (0.06, 0.13, 0.13),
    "muscle": (0.08, 0.10, 0.06),
    "marrow": (0.09, 0.07, 0.08),
    "fluid": (0.02, 0.05, 0.06),
    "cord": (0.03, 0.04, 0.05),
    "nucleus": (0.04, 0.06, 0.08),
    "bowel": (0.08, 0.20, 0.20),
    "organ": (0.06, 0.06, 0.05),
}


def draw_tissues(rng: np.random.Generator, contrast: str) -> dict[str, Tissue]:
    """The tissues of one person in one contrast ("T1", "T2" or "water"), each a little different from the mean.

    "water" is the water image of a chemical-shift gradient echo, in which fat is dark.
    """
    column = CONTRASTS.index(contrast)
    tissues = {}
    for name, signals in _SIGNALS.items():
        signal = signals[column] * np.exp(rng.normal(0, 0.1))
        tissues[name] = Tissue(signal, *_TEXTURES.get(name, (0.05, 0.05, 0.05)))
    return tissues


@dataclass(frozen=True)
class Course:
    """Smooth lines along the spine as functions of z: the middle of the bodies, the canal, the skin."""

    z: np.ndarray
    x: np.ndarray
    y: np.ndarray
    canal_x: np.ndarray
    canal_y: np.ndarray
    canal_slant: np.ndarray
    """Cosine of the canal's angle to the body's long axis: an axial cut through a slanted tube is longer."""
    half_depth: np.ndarray
    half_width: np.ndarray
    back: np.ndarray
    front: np.ndarray
    """y of the skin of the back beside the midline, and of the skin in front."""
    ripple: np.ndarray
    """Unevenness of the front (unit variance)."""

    @staticmethod
    def along(rng: np.random.Generator, spine: Spine) -> "Course":
        """The lines of a spine in a person whose trunk is more or less stout."""
        bodies = spine.bodies[::-1]
        canal = np.array([b.point(0, b.depth / 2 + 3 + 6 * b.size_ratio, 0) for b in bodies])
        centres = np.array([b.centre for b in bodies])
        z = np.arange(centres[0, 2] - 120.0, centres[-1, 2] + 120.0)

        def line(points: np.ndarray, values: np.ndarray, smooth_mm: float) -> np.ndarray:
            # Straight on beyond the ends: there is more spine than the chain holds.
            values = np.interp(z, points[:, 2], values)
            reach = int(3 * smooth_mm)
            kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / smooth_mm) ** 2)
            return np.convolve(np.pad(values, reach, mode="edge"), kernel / kernel.sum(), mode="valid")

        canal_y = line(canal, canal[:, 1], 7.0)
        trunk = line(centres, centres[:, 1], 45.0)
        ratio = line(centres, np.array([b.size_ratio for b in bodies]), 30.0)
        build = rng.uniform(0.85, 1.2)
        return Course(
            z=z,
            x=line(centres, centres[:, 0], 8.0),
            y=line(centres, centres[:, 1], 8.0),
            canal_x=line(canal, canal[:, 0], 8.0),
            canal_y=canal_y,
            canal_slant=np.cos(np.arctan(np.gradient(canal_y))),
            half_depth=line(centres, np.array([b.depth / 2 for b in bodies]), 10.0),
            half_width=line(centres, np.array([b.width / 2 for b in bodies]), 10.0),
            back=trunk + rng.uniform(0.92, 1.12) * (26.0 + 62.0 * ratio),
            front=trunk - build * (20.0 + 90.0 * ratio),
            ripple=np.sin(z / 21 + rng.uniform(0, 6)) + np.sin(z / 53 + rng.uniform(0, 6)),
        )

    def at(self, line: np.ndarray, z: np.ndarray) -> np.ndarray:
        """The value of one of the lines at z (any shape)."""
        return np.interp(z, self.z, line).astype(np.float32)
