"""The largest curve in the coronal plane: its Cobb angle, end vertebrae and apex.

The end vertebrae are those whose outer endplates are tilted most against each other (Cobb 1948). The apex is the body
between them that stands farthest from the line through the centres of both (Scoliosis Research Society).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CoronalCurve:
    """`upper`, `lower` and `apex` are indices of bodies; the angle is in degrees; convex to the left or right."""

    upper: int
    lower: int
    apex: int
    angle: float
    convex_to_left: bool


def largest_curve(
    superior: Sequence[float | None], inferior: Sequence[float | None], centres: np.ndarray
) -> CoronalCurve | None:
    """From the coronal angles of the superior and inferior endplates of bodies from top to bottom (degrees, positive:
    leaning to the left; None: not seen) and their centres [n, 2] (left, superior; mm). None for fewer than three bodies
    with an upper and a lower end."""
    pairs = [
        (inferior[lower] - superior[upper], upper, lower)
        for upper in range(len(superior))
        for lower in range(upper + 2, len(inferior))
        if superior[upper] is not None and inferior[lower] is not None
    ]
    if not pairs:
        return None
    angle, upper, lower = max(pairs, key=lambda pair: abs(pair[0]))
    along = centres[upper] - centres[lower]
    across = np.array([along[1], -along[0]]) / np.linalg.norm(along)  # to the left of the way up
    distances = (centres[upper : lower + 1] - centres[lower]) @ across * np.sign(angle)
    return CoronalCurve(upper, lower, upper + int(np.argmax(distances)), abs(angle), angle > 0)
