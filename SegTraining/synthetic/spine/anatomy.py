"""The anatomy of the spine phantom: a chain of vertebral bodies and discs, healthy or not.

Coordinates are patient LPS in mm: x to the left, y to the back, z up. A body has its own axes (left, back, up) and
its shapes are written in those.
"""

from dataclasses import dataclass, replace

import numpy as np

from SpineInference.anatomy import LEVELS

from .pathology import Lesion, Node, draw_diseases, draw_screwed

# Level: width, depth and height of the body, thickness of the disc below it (mm), forward tilt of its axis
# (degrees) and by how much its front is higher than its back (degrees). Averages of adults.
_TABLE: dict[str, tuple[float, float, float, float, float, float]] = {
    "C2": (18, 15, 20, 5.0, -4, 0),
    "C3": (19.5, 16, 14, 5.0, -2, 0),
    "C4": (20.5, 16, 13.5, 5.0, 3, 0),
    "C5": (21.5, 17, 13, 5.0, 9, 0),
    "C6": (23.5, 18, 13, 5.2, 15, 0),
    "C7": (26.5, 18, 14, 5.0, 20, 0),
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


REGIONS: dict[str, tuple[str, ...]] = {
    "cervical": ("C4", "C5", "C6"),
    "cervicothoracic": ("C6", "C7", "T1", "T2"),
    "thoracic": ("T5", "T6", "T7", "T8"),
    "thoracolumbar": ("T10", "T11", "T12", "L1"),
    "lumbar": ("L3",),
    "lumbosacral": ("L4", "L5"),
}
"""Region: the levels one of which is in the middle of the image."""


@dataclass(frozen=True)
class PhantomBody:
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
    lip: float
    """How far osteophytes stand out at the edges of the endplates, mm."""
    nodes: tuple[Node, ...]
    lesions: tuple[Lesion, ...]
    fracture: str = ""
    """What kind of compression it has, if any."""
    slip: float = 0.0
    """How far it has slipped forwards on the one below, as a fraction of its depth."""

    @property
    def size_ratio(self) -> float:
        """Its width as a fraction of an average L3: what processes and canal are scaled by."""
        return self.width / 50.0

    def point(self, left: float, back: float, up: float) -> np.ndarray:
        """A point of the body's own coordinates in patient coordinates."""
        return self.centre + np.array([left, back, up]) @ self.axes


@dataclass(frozen=True)
class Disc:
    """An intervertebral disc, in the frame halfway between its two bodies. `label` is that of the body above."""

    label: int
    centre: np.ndarray
    axes: np.ndarray
    width: float
    depth: float
    thickness: float
    reach: float
    """How far it reaches into the hollow endplates above and below, mm."""
    wear: float
    """0 (healthy) to 1 (dark and flat)."""
    bone: bool
    """Ossified: the bodies above and below are one."""
    bulge: tuple[float, float]
    """Where (mm to the left) and how far (mm) it protrudes into the canal."""


@dataclass(frozen=True)
class Spine:
    """Bodies from C2 to S5, the discs between them, and the point the image is centred on."""

    atlas: PhantomBody
    """C1, which has no body: only the frame that its ring is hung on."""
    bodies: list[PhantomBody]
    discs: list[Disc]
    middle: np.ndarray
    screwed: tuple[str, ...]
    """Levels that carry pedicle screws."""

    def height(self, name: str) -> float:
        """The z (mm) of a level."""
        return next(float(body.centre[2]) for body in self.bodies if body.name == name)


def _frame(forward: float, sideways: float, twist: float) -> np.ndarray:
    """Rows left, back, up of a frame tilted forward and sideways and turned about its axis (degrees)."""
    f, s, t = np.deg2rad([forward, sideways, twist])
    tilt = np.array([[1, 0, 0], [0, np.cos(f), np.sin(f)], [0, -np.sin(f), np.cos(f)]])
    lean = np.array([[np.cos(s), 0, -np.sin(s)], [0, 1, 0], [np.sin(s), 0, np.cos(s)]])
    turn = np.array([[np.cos(t), np.sin(t), 0], [-np.sin(t), np.cos(t), 0], [0, 0, 1]])
    return tilt @ lean @ turn


def build_spine(rng: np.random.Generator, region: str, disease: float) -> Spine:
    """A random whole spine, a level of the middle of `region` (one of `REGIONS`) at its `middle`.

    One person's stature, curvature (lordosis and kyphosis), scoliosis and worn discs are drawn from `rng`, and
    fractures, lesions and the like the more often the higher `disease` (0 to 1).
    """
    names = list(_TABLE)
    stature = rng.normal(1.02, 0.06)
    stoutness = rng.normal(1.0, 0.04)
    curvature = rng.uniform(0.5, 1.25)
    # Most spines are nearly straight from the front; some are clearly scoliotic.
    scoliosis = rng.uniform(4.0, 13.0 + 12.0 * disease) if rng.random() < 0.2 else rng.uniform(0.0, 2.5)
    bow = rng.uniform(0, 2 * np.pi), rng.uniform(8.0, 14.0)
    waist = rng.uniform(0.04, 0.09)
    middle = str(rng.choice(REGIONS[region]))
    diseases = draw_diseases(rng, names, disease)

    bodies: list[PhantomBody] = []
    discs: list[Disc] = []
    position = np.zeros(3)
    bent = 0.0
    for i, name in enumerate(reversed(names)):
        ill = diseases[name]
        label = LEVELS[name].label if name in LEVELS else 0
        width, depth, height, gap, tilt, wedge = _TABLE[name]
        sideways = scoliosis * np.sin(bow[0] + 2 * np.pi * i / bow[1])
        width = stature * stoutness * width * rng.normal(1, 0.03) * ill.width
        depth = stature * stoutness * depth * rng.normal(1, 0.03) * ill.width
        height = stature * height * rng.normal(1, 0.03) * ill.height
        sunk = np.rad2deg(np.arctan(ill.front_loss * height / depth))
        height *= 1 - ill.front_loss / 2
        wedge += rng.normal(0, 1.2) - sunk
        # The spine leans forward over a wedge, and straightens again above it.
        forward = curvature * tilt + rng.normal(0, 1.0) + bent + sunk / 2
        bent = 0.75 * (bent + sunk)
        axes = _frame(forward, sideways, 0.6 * sideways + rng.normal(0, 0.7))
        fused = name in ("S2", "S3", "S4", "S5")
        thickness = stature * gap * rng.normal(1, 0.08) * ill.disc_height
        hollows = rng.uniform((0.035, 0.045), (0.07, 0.095)) * height * ill.hollow
        if fused:
            hollows *= 0
        if bodies:
            below = bodies[-1]
            between = below.axes + axes
            between /= np.linalg.norm(between, axis=1, keepdims=True)
            lower_face = below.centre + below.axes[2] * below.height / 2
            position = lower_face + between[2] * thickness + axes[2] * height / 2 - axes[1] * ill.slip * depth
            discs.append(
                Disc(
                    label,
                    lower_face + between[2] * thickness / 2 - axes[1] * ill.slip * depth / 2,
                    between,
                    (width + below.width) / 2,
                    (depth + below.depth) / 2 + 2.0 * ill.wear,
                    thickness,
                    1.5 + max(3.0, hollows[1], below.hollow_top),
                    ill.wear,
                    ill.bone,
                    (ill.bulge[0], ill.bulge[1] * width / 50),
                )
            )
        bodies.append(
            PhantomBody(
                name,
                label,
                position,
                axes,
                width,
                depth,
                height,
                wedge,
                waist,
                hollows[0],
                hollows[1],
                ill.lip * width / 50,
                ill.nodes,
                ill.lesions,
                ill.fracture,
                ill.slip,
            )
        )
    bodies.reverse()
    discs.reverse()
    origin = next(body.centre for body in bodies if body.name == middle)
    return Spine(_atlas(rng, bodies[0]), bodies, discs, origin, draw_screwed(rng, names, disease))


def _atlas(rng: np.random.Generator, axis: PhantomBody) -> PhantomBody:
    """C1 around the dens of C2, whose tip it reaches."""
    turned = _frame(rng.normal(0, 3), rng.normal(0, 2), rng.normal(0, 4)) @ axis.axes
    centre = axis.point(0, -1, axis.height / 2 + 7)
    return replace(axis, name="C1", label=LEVELS["C1"].label, centre=centre, axes=turned, nodes=(), lesions=())
