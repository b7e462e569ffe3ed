"""Screws and rods in the spine phantom: voids with bright rims in magnetic resonance, bright metal in CT."""

from itertools import pairwise

import numpy as np

from .anatomy import Spine
from .image import Tissue, Tissues, VoxelCanvas
from .shapes import Rod


def paint_implants(
    canvas: VoxelCanvas, rng: np.random.Generator, spine: Spine, tissues: Tissues, contrast: str
) -> None:
    """Pedicle screws in `spine.screwed` bodies and rods that join them; what is underneath stays in the truth."""
    bodies = [body for body in spine.bodies if body.name in spine.screwed]
    # Metal spoils the field around it: the void is larger than the screw, and signal piles up at its rim.
    void, piled = (0.0, 0.0) if contrast == "CT" else rng.uniform((0.5, 0.2), (6.0, 1.0))
    for side in (-1, 1):
        heads = []
        for body in bodies:
            x, back = side * body.width / 2, body.depth / 2 + 20 * body.size_ratio
            heads.append(body.point(0.95 * x, back, 0.1 * body.height))
            screw = Rod((0.95 * x, back, 0.1 * body.height), (0.45 * x, -0.6 * back, 0.05 * body.height), 2.8, 2.0)
            _paint_metal(canvas, body.centre, body.axes, screw, (void, piled), tissues)
        for upper, lower in pairwise(heads):
            rod = Rod((0, 0, 0), tuple(lower - upper), 2.8, 2.8)
            _paint_metal(canvas, upper, np.eye(3), rod, (void, piled), tissues)


def _paint_metal(
    canvas: VoxelCanvas, centre: np.ndarray, axes: np.ndarray, rod: Rod, spoilt: tuple[float, float], tissues: Tissues
) -> None:
    ends = [centre + np.array(point) @ axes for point in (rod.start, rod.end)]
    void, piled = spoilt
    with canvas.box(ends, 8 + 2 * void) as seen:
        if not seen:
            return
        distance = rod.distance(*canvas.local(centre, axes)) - void
        if void:
            distance = distance + 0.25 * void * canvas.medium[canvas.window]
            rim = np.where(distance < 6, piled * np.exp(-(((distance - 1) / 1.2) ** 2)), 0)
            canvas.paint(np.where(rim > 0.01, rim, 0), Tissue(1.3))
        canvas.paint(canvas.cover(distance), tissues["metal"])
