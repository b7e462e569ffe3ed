"""Smooth lines along the spine of the phantom, which the soft tissues are hung on."""

from dataclasses import dataclass

import numpy as np

from .anatomy import Spine

# Half the breadth of an average person and how far the skin in front is from the middle of the bodies, mm.
_GIRTH = {
    "C2": (58, 58),
    "C6": (60, 58),
    "C7": (75, 62),
    "T1": (130, 74),
    "T4": (155, 104),
    "T8": (155, 120),
    "T12": (150, 118),
    "L3": (150, 110),
    "L5": (165, 112),
    "S2": (175, 110),
}


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
    size: np.ndarray
    """Width of the bodies relative to an average L3, smoothed widely: what the trunk is scaled by."""
    breadth: np.ndarray
    """Half the breadth of neck, shoulders and trunk."""
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
        known = [b for b in bodies if b.name in _GIRTH]
        girth_at, girth = np.array([b.centre for b in known]), np.array([_GIRTH[b.name] for b in known])
        return Course(
            z=z,
            x=line(centres, centres[:, 0], 8.0),
            y=line(centres, centres[:, 1], 8.0),
            canal_x=line(canal, canal[:, 0], 8.0),
            canal_y=canal_y,
            canal_slant=np.cos(np.arctan(np.gradient(canal_y))),
            half_depth=line(centres, np.array([b.depth / 2 for b in bodies]), 10.0),
            half_width=line(centres, np.array([b.width / 2 for b in bodies]), 10.0),
            size=ratio,
            breadth=build * line(girth_at, girth[:, 0], 20.0),
            back=trunk + rng.uniform(0.92, 1.12) * (32.0 + 56.0 * ratio),
            front=trunk - build * line(girth_at, girth[:, 1], 20.0),
            ripple=np.sin(z / 21 + rng.uniform(0, 6)) + np.sin(z / 53 + rng.uniform(0, 6)),
        )

    def at(self, line: np.ndarray, z: np.ndarray) -> np.ndarray:
        """The value of one of the lines at z (any shape)."""
        return np.interp(z, self.z, line).astype(np.float32)
