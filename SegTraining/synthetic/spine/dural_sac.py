"""The dural sac of the spine phantom: how wide and deep it is, and where."""

from dataclasses import dataclass

import numpy as np

from .anatomy import Spine
from .curve import Course
from .shapes import tube


@dataclass(frozen=True, eq=False)
class DuralSac:
    """A tube along the canal, flat in front; wider in the neck, and closing in the sacrum."""

    course: Course
    flat: float
    """How far its front is pressed in beside the middle, in half depths."""
    wide: float
    deep: float
    """How wide and deep it is in this person; 1 is usual."""
    bottom: float
    neck: float
    top: float
    """The z (mm) where it closes, above which it widens, and where it ends at the foramen magnum."""

    @staticmethod
    def draw(rng: np.random.Generator, spine: Spine, course: Course) -> "DuralSac":
        """That of a random person."""
        flat, wide, deep = rng.uniform(0.1, 0.45), rng.uniform(0.9, 1.1), rng.uniform(0.85, 1.1)
        return DuralSac(course, flat, wide, deep, spine.height("S3"), spine.height("T3"), spine.height("C2") + 32)

    def closing(self, z: np.ndarray) -> np.ndarray:
        """1 where it is as wide as above, less towards its lower end."""
        return np.clip((z - self.bottom) / 55, 0.02, 1) ** 0.5

    def section(
        self, x: np.ndarray, y: np.ndarray, z: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Of places (LPS, mm): to the left and behind its middle, were it not flat, and its half width and depth."""
        course, closing = self.course, self.closing(z)
        dx = x - course.at(course.canal_x, z)
        dy = (y - course.at(course.canal_y, z)) * course.at(course.canal_slant, z)
        neck = np.clip((z - self.neck) / 40, 0, 1)
        half_width = (8.0 + 0.1 * course.at(course.half_width, z) + 3.6 * neck) * closing * self.wide
        half_depth = (6.0 + 0.08 * course.at(course.half_depth, z)) * closing * self.deep
        dy = dy + self.flat * half_depth * (dx / half_width) ** 2
        return dx, dy, half_width, half_depth

    def distance(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Approximate signed distance (mm) to it, negative inside."""
        return np.maximum(tube(*self.section(x, y, z)), z - self.top)
