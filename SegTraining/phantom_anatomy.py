"""The anatomy of the spine phantom: a chain of vertebral bodies and discs, and the shapes hung on it.

Coordinates are patient LPS in mm: x to the left, y to the back, z up. A body has its own axes (left, back, up) and
its shapes are written in those, as approximate signed distances in mm, negative inside.
"""

from dataclasses import dataclass

import numpy as np

from SpineInference.levels import LEVELS

# Level: width, depth and height of the body, thickness of the disc below it (mm), forward tilt of its axis
# (degrees) and by how much its front is higher than its back (degrees). Averages of adults.
_TABLE: dict[str, tuple[float, float, float, float, float, float]] = {
    "C2": (18, 15, 20, 5.0, -4, 0),
    "C3": (18, 16, 14, 5.0, -2, 0),
    "C4": (19, 16, 13.5, 5.0, 3, 0),
    "C5": (20, 17, 13, 5.0, 9, 0),
    "C6": (22, 18, 13, 5.2, 15, 0),
    "C7": (25, 18, 14, 5.0, 20, 0),
    "T1": (29, 18, 16, 4.2, 22, -1),
    "T2": (29, 19, 17, 3.8, 20, -1),
    "T3": (28, 20, 17.5, 3.6, 17, -1),
    "T4": (28, 22, 18, 3.6, 13, -2),
    "T5": (28, 23, 18.5, 3.8, 9, -2),
    "T6": (29, 25, 19, 4.0, 5, -3),
    "T7": (30, 26, 19.5, 4.2, 0, -3),
    "T8": (31, 27, 20, 4.4, -4, -3),
    "T9": (33, 28, 21, 4.6, -8, -2),
    "T10": (35, 29, 22, 5.0, -11, -2),
    "T11": (39, 31.5, 24, 5.6, -13, -2),
    "T12": (42, 33, 25.5, 6.6, -14, -2),
    "L1": (45, 34, 27, 8.0, -12, -1),
    "L2": (47, 35, 28, 9.4, -7, 0),
    "L3": (50, 36, 28.5, 10.4, 0, 1),
    "L4": (52, 36, 28.5, 11.0, 9, 3),
    "L5": (53, 36, 28, 10.4, 23, 8),
    "S1": (50, 31, 28, 2.2, 43, 8),
    "S2": (40, 22, 24, 1.4, 50, 0),
    "S3": (32, 16, 20, 1.0, 40, 0),
    "S4": (26, 12, 17, 1.0, 20, 0),
    "S5": (20, 9, 15, 1.0, 0, 0),
}

_REGIONS = {"cervical": ("C2", "T8", "C6"), "thoracolumbar": ("T3", "S5", "T12"), "lumbar": ("T6", "S5", "L3")}
"""Region: first and last level of the chain, and the level in the middle of the image."""


@dataclass(frozen=True)
class Body:
    """A vertebral body. `axes` holds its left, back and up direction in its rows; `label` is 0 below S1."""

    name: str
    label: int
    centre: np.ndarray
    axes: np.ndarray
    width: float
    depth: float
    height: float
    wedge: float
    """How much higher the front is than the back, degrees."""
    waist: float
    hollow_top: float
    hollow_bottom: float
    """How deep the endplates are hollowed, mm."""

    @property
    def size_ratio(self) -> float:
        """Its width as a fraction of an average L3: what processes and canal are scaled by."""
        return self.width / 50.0

    def point(self, left: float, back: float, up: float) -> np.ndarray:
        """A point of the body's own coordinates in patient coordinates."""
        return self.centre + np.array([left, back, up]) @ self.axes


@dataclass(frozen=True)
class Disc:
    """An intervertebral disc, in the frame halfway between its two bodies. `wear` is 0 (healthy) to 1 (dark)."""

    centre: np.ndarray
    axes: np.ndarray
    width: float
    depth: float
    thickness: float
    wear: float


@dataclass(frozen=True)
class Spine:
    """Bodies from top to bottom, the discs between them, and the point the image is centred on."""

    bodies: list[Body]
    discs: list[Disc]
    middle: np.ndarray


def _frame(forward: float, sideways: float, twist: float) -> np.ndarray:
    """Rows left, back, up of a frame tilted forward and sideways and turned about its axis (degrees)."""
    f, s, t = np.deg2rad([forward, sideways, twist])
    tilt = np.array([[1, 0, 0], [0, np.cos(f), np.sin(f)], [0, -np.sin(f), np.cos(f)]])
    lean = np.array([[np.cos(s), 0, -np.sin(s)], [0, 1, 0], [np.sin(s), 0, np.cos(s)]])
    turn = np.array([[np.cos(t), np.sin(t), 0], [-np.sin(t), np.cos(t), 0], [0, 0, 1]])
    return tilt @ lean @ turn


def build_spine(rng: np.random.Generator, region: str) -> Spine:
    """A random spine of `region` ("lumbar", "thoracolumbar" or "cervical"), its middle level at the origin.

    One person's stature, curvature (lordosis and kyphosis), scoliosis, wedged bodies and worn discs are drawn
    from `rng`. Raises KeyError for another region.
    """
    first, last, middle = _REGIONS[region]
    names = list(_TABLE)[list(_TABLE).index(first) : list(_TABLE).index(last) + 1]
    stature = rng.normal(1.02, 0.06)
    stoutness = rng.normal(1.0, 0.04)
    curvature = rng.uniform(0.6, 1.2)
    # Most spines are nearly straight from the front; about a fifth are clearly scoliotic.
    scoliosis = rng.uniform(4.0, 13.0) if rng.random() < 0.2 else rng.uniform(0.0, 2.5)
    bow = rng.uniform(0, 2 * np.pi), rng.uniform(8.0, 14.0)
    waist = rng.uniform(0.04, 0.09)
    age = rng.uniform(0.0, 1.0)

    bodies: list[Body] = []
    discs: list[Disc] = []
    position = np.zeros(3)
    for i, name in enumerate(reversed(names)):
        width, depth, height, gap, tilt, wedge = _TABLE[name]
        sideways = scoliosis * np.sin(bow[0] + 2 * np.pi * i / bow[1])
        axes = _frame(curvature * tilt + rng.normal(0, 1.0), sideways, 0.6 * sideways + rng.normal(0, 0.7))
        fused = name in ("S2", "S3", "S4", "S5")
        width = stature * stoutness * width * rng.normal(1, 0.02)
        depth = stature * stoutness * depth * rng.normal(1, 0.02)
        height = stature * height * rng.normal(1, 0.025)
        wedge += rng.normal(0, 1.2)
        if not fused and rng.random() < 0.04:  # an old compression fracture: the front has sunk
            sunk = rng.uniform(0.1, 0.25)
            height *= 1 - sunk / 2
            wedge -= np.rad2deg(np.arctan(sunk * height / depth))
        thickness = stature * gap * rng.normal(1, 0.08)
        wear = float(np.clip(rng.beta(1.2, 2.0) * (0.3 + age), 0, 1))
        thickness *= 1 - 0.45 * wear
        if bodies:
            below = bodies[-1]
            between = below.axes + axes
            between /= np.linalg.norm(between, axis=1, keepdims=True)
            lower_face = below.centre + below.axes[2] * below.height / 2
            position = lower_face + between[2] * thickness + axes[2] * height / 2
            discs.append(
                Disc(
                    lower_face + between[2] * thickness / 2,
                    between,
                    (width + below.width) / 2,
                    (depth + below.depth) / 2 + 2.0 * wear,
                    thickness,
                    wear,
                )
            )
        hollows = (0.0, 0.0) if fused else (rng.uniform(0.035, 0.07) * height, rng.uniform(0.045, 0.095) * height)
        label = LEVELS[name].label if name in LEVELS else 0
        bodies.append(Body(name, label, position, axes, width, depth, height, wedge, waist, *hollows))
    bodies.reverse()
    discs.reverse()
    origin = next(body.centre for body in bodies if body.name == middle)
    return Spine(bodies, discs, origin)


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


def body_distance(body: Body, left: np.ndarray, back: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Signed distance (mm) to a body: waisted sides, hollow and wedged endplates, rounded edges."""
    half = 0.5 * body.height
    waist = 1 - body.waist * np.clip(1 - (up / half) ** 2, 0, 1)
    ratio = np.maximum(outline(left, back, body.width * waist, body.depth * waist), 1e-3)
    side = np.hypot(left, back) * (1 - 1 / ratio)
    bowl = np.clip(1 - ratio**2, 0, 1)
    hollow = np.where(up > 0, body.hollow_top, body.hollow_bottom) * bowl
    end = np.abs(up) - (half - back * np.tan(np.deg2rad(body.wedge / 2)) - hollow)
    edge = 2.0 * min(1.0, body.size_ratio + 0.2)
    side, end = side + edge, end + edge
    distance = np.minimum(np.maximum(side, end), 0) + np.hypot(np.maximum(side, 0), np.maximum(end, 0)) - edge
    if body.name == "C2":
        dens = Rod((0, -1, 0.3 * body.height), (0, -1, half + 14), 0.26 * body.width, 0.2 * body.width)
        distance = np.minimum(distance, dens.distance(left, back, up))
    return distance


def posterior_elements(body: Body) -> list[Rod]:
    """Pedicles, laminae, processes and (in the chest) rib heads of a vertebra; the wings of the sacrum."""
    s, half_width, half_depth, h = body.size_ratio, body.width / 2, body.depth / 2, body.height
    rods = []
    if body.name.startswith("S"):
        reach = {"S1": 52.0, "S2": 46.0, "S3": 30.0}.get(body.name, 12.0)
        for side in (-1, 1):
            rods.append(Rod((side * 0.4 * half_width, 3, 0), (side * reach, 14, -4), 0.52 * h, 0.62 * h))
            rods.append(Rod((side * 15, half_depth + 14, 0), (0, half_depth + 17, -2), 2.6, 2.6, 2.2))
        rods.append(Rod((0, half_depth + 17, 0), (0, half_depth + 22, -4), 2.5, 2.0, 2.0))
        return rods
    lumbar, chest = body.name.startswith("L"), body.name.startswith("T")
    lamina = half_depth + (9 + 15 * s)
    for side in (-1, 1):
        x = side * 0.66 * half_width
        rods.append(Rod((x, 0.7 * half_depth, 0.2 * h), (x, half_depth + 12 * s, 0.16 * h), 4.6 * s, 4.4 * s, 1.5))
        rods.append(Rod((0.95 * x, half_depth + 13 * s, 0), (side * 2, lamina, -0.25 * h), 3.4 * s, 3.2 * s, 2.4))
        tip = (side * (half_width + 19 * s), half_depth + (17 if lumbar else 26) * s, 0.15 * h)
        rods.append(Rod((x, half_depth + 13 * s, 0.05 * h), tip, 4.2 * s, 3.2 * s, 1.3))
        rods.append(Rod((x, half_depth + 14 * s, 0.1 * h), (1.1 * x, half_depth + 16 * s, 0.72 * h), 4.6 * s, 5.2 * s))
        rods.append(
            Rod((0.8 * x, half_depth + 18 * s, -0.3 * h), (0.85 * x, half_depth + 20 * s, -0.92 * h), 4.4 * s, 5.4 * s)
        )
        if chest:
            rods.append(
                Rod((side * (half_width + 3), 0.6 * half_depth, 0.35 * h), (side * 52, half_depth + 18, -2), 5.5, 5.0)
            )
    drop = -0.5 * h if lumbar else -1.0 * h if chest else -0.4 * h
    reach = (14 if body.name == "L5" else 24) * s
    rods.append(Rod((0, lamina, -0.2 * h), (0, lamina + reach, drop), 2.8 * s, 3.6 * s, 3.2 if lumbar else 1.6))
    return rods
