"""The shapes of the spine phantom: bodies, rods of bone and what is built of them, as signed distances (mm).

Distances are approximate and negative inside; coordinates are a body's own (left, back, up) in mm.
"""

from dataclasses import dataclass

import numpy as np

from .anatomy import Disc, PhantomBody
from .pathology import Node


@dataclass(frozen=True)
class Rod:
    """A tapered rod of bone between two points of a body's own coordinates, `tall` times higher than wide."""

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    radius: float
    end_radius: float
    tall: float = 1.0

    def distance(self, left: np.ndarray, back: np.ndarray, up: np.ndarray) -> np.ndarray:
        """Signed distance (mm) to the rod."""
        a, b = np.array(self.start), np.array(self.end)
        stretch = np.array([1.0, 1.0, 1.0 / self.tall])
        a, b = a * stretch, b * stretch
        p = (left - a[0], back - a[1], up * stretch[2] - a[2])
        axis = b - a
        along = np.clip((p[0] * axis[0] + p[1] * axis[1] + p[2] * axis[2]) / (axis @ axis), 0, 1)
        away = np.sqrt(sum((q - along * d) ** 2 for q, d in zip(p, axis, strict=True)))
        return away - (self.radius + along * (self.end_radius - self.radius))


def outline(left: np.ndarray, back: np.ndarray, width: float | np.ndarray, depth: float | np.ndarray) -> np.ndarray:
    """The kidney-shaped axial outline of a body: 1 on the outline, less inside, more outside."""
    across = np.abs(left) / (0.5 * width)
    notch = 0.16 * np.exp(-((left / (0.22 * width)) ** 2)) * np.clip(back / (0.5 * depth), 0, 1)
    along = np.abs(back / (0.5 * depth) + notch)
    return (across**2.3 + along**2.3) ** (1 / 2.3)


def tube(x: np.ndarray, y: np.ndarray, half_width: np.ndarray, half_depth: np.ndarray) -> np.ndarray:
    """Approximate signed distance (mm) to a vertical tube of elliptic cross-section around the origin."""
    ratio = np.hypot(x / half_width, y / half_depth)
    return (ratio - 1) * np.minimum(half_width, half_depth)


def ellipsoid(left: np.ndarray, back: np.ndarray, up: np.ndarray, radii: tuple[float, float, float]) -> np.ndarray:
    """Approximate signed distance (mm) to an ellipsoid around the origin."""
    ratio = np.sqrt((left / radii[0]) ** 2 + (back / radii[1]) ** 2 + (up / radii[2]) ** 2)
    return (ratio - 1) * min(radii)


def body_distance(body: PhantomBody, left: np.ndarray, back: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Signed distance (mm) to a body: waisted sides, hollow and wedged endplates, rounded edges; nodes are not cut."""
    half = 0.5 * body.height
    waist = 1 - body.waist * np.clip(1 - (up / half) ** 2, 0, 1)
    if body.lip:
        waist = waist + body.lip / (0.5 * body.depth) * np.exp(-(((half - np.abs(up)) / 2.5) ** 2))
    if body.name == "C2":
        waist = waist * (1 - 0.25 * np.clip(0.5 + 0.5 * up / half, 0, 1))
    ratio = np.maximum(outline(left, back, body.width * waist, body.depth * waist), 1e-3)
    side = np.hypot(left, back) * (1 - 1 / ratio)
    bowl = np.clip(1 - ratio**2, 0, 1)
    hollow = np.where(up > 0, body.hollow_top, body.hollow_bottom) * bowl
    end = np.abs(up) - (half - back * np.tan(np.deg2rad(body.wedge / 2)) - hollow)
    if body.name in ("C3", "C4", "C5", "C6", "C7", "T1"):
        # Uncinate processes: the sides stand up, and the body above is rounded off where it meets them.
        end = end - 10 * np.clip(np.abs(left) / body.width - 0.3, 0, 0.2) * np.where(up > 0, 1.5, -1.0)
    edge = 2.0 * min(1.0, body.size_ratio + 0.2)
    side, end = side + edge, end + edge
    distance = np.minimum(np.maximum(side, end), 0) + np.hypot(np.maximum(side, 0), np.maximum(end, 0)) - edge
    if body.name == "C2":
        dens = Rod((0, -1, 0.3 * body.height), (0, -1, half + 14), 0.26 * body.width, 0.2 * body.width)
        distance = np.minimum(distance, dens.distance(left, back, up))
    return distance


def disc_distances(
    disc: Disc, left: np.ndarray, back: np.ndarray, up: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signed distances (mm) from the sides and the flat ends of a disc, and from the whole with its bulge.

    It reaches under the hollow endplates of the bodies, which lie over it.
    """
    ratio = np.maximum(outline(left, back, 1.03 * disc.width, 1.03 * disc.depth), 1e-3)
    side, end = np.hypot(left, back) * (1 - 1 / ratio), np.abs(up) - disc.thickness / 2
    distance = np.maximum(side, end - disc.reach)
    if disc.bulge[1]:
        lump = np.sqrt(((left - disc.bulge[0]) / 2) ** 2 + (back - 0.44 * disc.depth) ** 2 + up**2)
        distance = np.minimum(distance, np.maximum(lump - 2 - disc.bulge[1], end - 1.5))
    return side, end, distance


def node_distance(body: PhantomBody, node: Node, left: np.ndarray, back: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Signed distance (mm) to a Schmorl node: half a ball in an endplate, open to the disc."""
    side = 1 if node.top else -1
    endplate = 0.5 * body.height - (body.hollow_top if node.top else body.hollow_bottom)
    across = np.hypot(left - node.left * body.width, back - node.back * body.depth) / node.radius
    along = np.minimum(side * up - endplate, 0) / node.depth
    return (np.hypot(across, along) - 1) * min(node.radius, node.depth)


def posterior_elements(body: PhantomBody) -> list[Rod]:
    """Pedicles, laminae, processes and (in the chest) ribs of a vertebra; the ring of C1; the wings of the sacrum."""
    if body.name == "C1":
        return _atlas_ring(body)
    s, half_width, half_depth, h = body.size_ratio, body.width / 2, body.depth / 2, body.height
    rods = []
    if body.name.startswith("S"):
        reach = {"S1": 52.0, "S2": 46.0, "S3": 30.0}.get(body.name, 12.0)
        for side in (-1, 1):
            rods.append(Rod((side * 0.4 * half_width, 3, 0), (side * reach, 14, -4), 0.52 * h, 0.62 * h))
            rods.append(Rod((side * 15, half_depth + 14, 0), (0, half_depth + 17, -2), 2.6, 2.6, 2.2))
        rods.append(Rod((0, half_depth + 17, 0), (0, half_depth + 22, -4), 2.5, 2.0, 2.0))
        return rods
    if body.name.startswith("C"):
        return _cervical_arch(body)
    lumbar, chest = body.name.startswith("L"), body.name.startswith("T")
    lamina = half_depth + (9 + 15 * s)
    for side in (-1, 1):
        x = side * (0.78 if chest else 0.66) * half_width
        rods.append(Rod((x, 0.7 * half_depth, 0.2 * h), (x, half_depth + 12 * s, 0.16 * h), 4.6 * s, 4.4 * s, 1.5))
        rods.append(Rod((0.95 * x, half_depth + 13 * s, 0), (side * 2, lamina, -0.25 * h), 3.4 * s, 3.2 * s, 2.4))
        tip = (side * (half_width + 19 * s), half_depth + (17 if lumbar else 26) * s, 0.15 * h)
        rods.append(Rod((x, half_depth + 13 * s, 0.05 * h), tip, 4.2 * s, 3.2 * s, 1.3))
        rods.append(Rod((x, half_depth + 14 * s, 0.1 * h), (1.1 * x, half_depth + 16 * s, 0.72 * h), 4.6 * s, 5.2 * s))
        rods.append(
            Rod((0.8 * x, half_depth + 18 * s, -0.3 * h), (0.85 * x, half_depth + 20 * s, -0.92 * h), 4.4 * s, 5.4 * s)
        )
        if chest:
            angle = (side * 52, half_depth + 18, -2)
            rods.append(Rod((side * (half_width + 3), 0.6 * half_depth, 0.35 * h), angle, 5.5, 5.0))
            rods.append(Rod(angle, (side * 92, half_depth - 2, -24), 4.5, 4.0, 1.3))
    drop = -0.5 * h if lumbar else -1.0 * h
    reach = (14 if body.name == "L5" else 24) * s
    rods.append(Rod((0, lamina, -0.2 * h), (0, lamina + reach, drop), 2.8 * s, 3.6 * s, 3.2 if lumbar else 1.6))
    return rods


def _cervical_arch(body: PhantomBody) -> list[Rod]:
    """Pedicles, articular pillars, transverse and spinous processes of C2 to C7 around the wide canal of the neck."""
    half_width, half_depth, h = body.width / 2, body.depth / 2, body.height
    s = half_width / 10
    reach = {"C2": 16, "C6": 15, "C7": 17}.get(body.name, 11)
    rods = [Rod((0, half_depth + 18 * s, -0.2 * h), (0, half_depth + 18 * s + reach, -0.6 * h), 2.6, 3.2, 1.8)]
    for side in (-1, 1):
        x = side * 15 * s
        rods.append(Rod((0.8 * side * half_width, 0.5 * half_depth, 0), (x, half_depth + 4 * s, 0), 2.5, 3.0, 1.2))
        rods.append(Rod((x, half_depth + 3 * s, 0.5 * h), (x, half_depth + 9 * s, -0.6 * h), 4.6 * s, 4.6 * s))
        rods.append(Rod((0.8 * side * half_width, -0.2 * half_depth, 0), (side * 23 * s, 1, -2), 2.0, 2.6))
        rods.append(Rod((x, half_depth + 9 * s, 0), (side * 2, half_depth + 19 * s, -0.2 * h), 2.4, 2.4, 2.4))
    return rods


def _atlas_ring(atlas: PhantomBody) -> list[Rod]:
    """Arches, lateral masses and transverse processes of C1 around the dens, which stands at the origin."""
    s = atlas.width / 18
    rods = [Rod((-6 * s, -10 * s, 0), (6 * s, -10 * s, 0), 2.8 * s, 2.8 * s, 1.9)]
    for side in (-1, 1):
        rods.append(Rod((side * 6 * s, -10 * s, 0), (side * 15 * s, -4 * s, 0), 2.8 * s, 5 * s, 1.6))
        rods.append(Rod((side * 17 * s, -2 * s, -1), (side * 19 * s, 4 * s, -1), 6.0 * s, 5.5 * s, 1.3))
        rods.append(Rod((side * 19 * s, 2 * s, 0), (side * 36 * s, 5 * s, -2), 4.5 * s, 3.5 * s))
        rods.append(Rod((side * 19 * s, 6 * s, 0), (side * 13 * s, 22 * s, 0), 3.4 * s, 2.6 * s, 1.5))
        rods.append(Rod((side * 13 * s, 22 * s, 0), (0, 28 * s, 0), 2.6 * s, 3.2 * s, 1.5))
    return rods
