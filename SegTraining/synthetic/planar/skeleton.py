"""The skeleton of the bone scan: every bone as discs weighted by how much of the tracer it takes up.

Millimetres above the soles of a person 1700 mm tall who lies on the back: see `disc_solids` for the axes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .solids import Discs, by, ellipsoid, joined, mirrored, plate, shell, tube
from .trunk_bones import SIDES, clavicle, rib, rib_path, scapula, spine_depth, sternum, vertebra, vertebral_bodies

_STEP = 2.5
_PAIRED = ("ribs", "clavicle", "scapula", "humerus", "forearm and hand", "hip bone", "femur", "lower leg and foot")
_SINGLE = ("Skull", "Cervical spine", "Thoracic spine", "Lumbar spine", "Sacrum", "Sternum")
STRUCTURES = {
    name: value
    for value, name in enumerate(
        (*_SINGLE, *(f"{side.capitalize()} {bone}" for bone in _PAIRED for side in SIDES)), start=1
    )
}
"""The values of the truth. The lower jaw belongs to the skull, the patella to the femur."""


@dataclass(frozen=True)
class Posture:
    """How somebody lies there, angles in degrees: each array for right and left."""

    arms: np.ndarray
    """How far the upper arms lead away from the body."""
    forearms: np.ndarray
    """How far the forearms do."""
    legs: np.ndarray
    feet: np.ndarray
    """How far the feet point outwards."""
    head_turn: float
    head_tilt: float

    @staticmethod
    def random(rng: np.random.Generator) -> "Posture":
        return Posture(
            arms=rng.uniform(7, 14, 2),
            forearms=rng.uniform(-7, 5, 2),
            legs=rng.uniform(-3.5, 0.5, 2),
            feet=rng.uniform(-5, 30, 2),
            head_turn=rng.normal(0, 8),
            head_tilt=rng.normal(0, 2.5),
        )


@dataclass(frozen=True, eq=False)
class Limbs:
    """Where the joints of one side are: shoulder, elbow, wrist, knuckles, hip, knee, ankle, toes."""

    shoulder: np.ndarray
    elbow: np.ndarray
    wrist: np.ndarray
    knuckles: np.ndarray
    hip: np.ndarray
    knee: np.ndarray
    ankle: np.ndarray
    toes: np.ndarray

    @staticmethod
    def of(posture: Posture, side: int) -> "Limbs":
        index = list(SIDES.values()).index(side)

        def down(start: np.ndarray, length: float, angle: float, back: float = 0.0) -> np.ndarray:
            angle = np.deg2rad(angle)
            return start + np.array([side * length * np.sin(angle), back, -length * np.cos(angle)])

        shoulder, hip = mirrored([(172, 12, 1386), (88, 4, 888)], side)
        elbow = down(shoulder, 308, posture.arms[index], 18)
        wrist = down(elbow, 250, posture.forearms[index], -12)
        knee = down(hip + by(x=side * 12), 420, posture.legs[index], 6)
        ankle = down(knee, 385, posture.legs[index] + 1.5, 10)
        return Limbs(
            shoulder,
            elbow,
            wrist,
            down(wrist, 88, posture.forearms[index] + 1, -6),
            hip,
            knee,
            ankle,
            down(ankle, 118, posture.feet[index], -60),
        )


@dataclass(frozen=True, eq=False)
class Bone:
    """One bone, or several under one name, whose discs' amounts are weighted by uptake."""

    name: str
    discs: Discs


def build_skeleton(rng: np.random.Generator, posture: Posture) -> list[Bone]:
    """All bones of `STRUCTURES`; what they take up differs from person to person."""
    parts: dict[str, list[Discs]] = {"Skull": _head(posture)}
    for name, letter in (("Cervical", "C"), ("Thoracic", "T"), ("Lumbar", "L")):
        names = tuple(f"{letter}{n}" for n in range(1, {"C": 7, "T": 12, "L": 5}[letter] + 1))
        parts[f"{name} spine"] = [vertebral_bodies(names, _STEP, 3.0) * {"C": 0.8, "T": 0.85, "L": 0.95}[letter]]
    parts["Sacrum"] = _sacrum()
    parts["Sternum"] = [sternum(_STEP) * 1.15, ellipsoid((0, -84, 1346), (17, 5, 6), _STEP) * 0.8]
    for name, side in SIDES.items():
        limbs = Limbs.of(posture, side)
        own = {
            "ribs": [_rib(number, side) for number in range(1, 13)],
            "clavicle": [clavicle(side, _STEP, -4.0) * 0.85, _ball((side * 23, -64, 1384), 9, 0.9)],
            "scapula": _scapula(side),
            "humerus": _humerus(limbs),
            "forearm and hand": _forearm(limbs, side),
            "hip bone": _hip_bone(side),
            "femur": _femur(limbs, side),
            "lower leg and foot": _lower_leg(limbs, side),
        }
        parts |= {f"{name.capitalize()} {bone}": discs for bone, discs in own.items()}
    # The two sides of a person are alike, but not the same.
    common = {bone: rng.lognormal(0, 0.15) for bone in (*_SINGLE, *_PAIRED)}
    return [
        Bone(name, joined(parts[name]) * common[name.removeprefix("Right ").removeprefix("Left ")]
             * rng.lognormal(0, 0.04))
        for name in STRUCTURES
    ]  # fmt: skip


def _ball(centre: np.ndarray | tuple[float, ...], radius: float, uptake: float) -> Discs:
    return ellipsoid(tuple(centre), (radius,) * 3, _STEP) * uptake


def _bone(points: list, radius: float | list[float], uptake: float | list[float]) -> Discs:
    """A tube whose uptake may change along it."""
    made = tube(points, radius, _STEP)
    places = np.linspace(0, 1, len(made.radii))
    return made * np.interp(places, np.linspace(0, 1, np.size(uptake)), np.atleast_1d(uptake))


def _head(posture: Posture) -> list[Discs]:
    jaw = [(54, 2, 1562), (50, -4, 1525), (38, -48, 1500), (0, -78, 1490)]
    parts = [
        shell((0, 8, 1614), (73, 92, 82), 5.0) * 0.62,
        ellipsoid((0, 10, 1556), (48, 45, 10), _STEP) * 0.45,
        ellipsoid((0, -66, 1546), (30, 16, 20), _STEP) * 0.8,
        ellipsoid((0, -78, 1572), (12, 10, 22), _STEP) * 0.8,
        _bone([(-58, -20, 1562), (-50, -62, 1556), (0, -84, 1560), (50, -62, 1556), (58, -20, 1562)], 6, 0.4),
        _bone([(-58, -40, 1602), (-35, -76, 1600), (0, -86, 1598), (35, -76, 1600), (58, -40, 1602)], 7, 0.22),
        _bone([*mirrored(jaw[:-1], -1), *jaw[::-1]], 7.5, [0.9, 0.7, 0.9, 0.7, 0.9]),
    ]
    return [part.moved(_turned(posture)) for part in parts]


def _turned(posture: Posture) -> Callable[[np.ndarray], np.ndarray]:
    """Turns points about the upper end of the neck."""
    turn, tilt = np.deg2rad(posture.head_turn), np.deg2rad(posture.head_tilt)

    def place(points: np.ndarray) -> np.ndarray:
        x, y, z = (points - (0, 12, 1545)).T
        x, y = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
        x, z = x * np.cos(tilt) - z * np.sin(tilt), x * np.sin(tilt) + z * np.cos(tilt)
        return np.stack([x, y, z], 1) + by(y=12, z=1545)

    return place


def _rib(number: int, side: int) -> Discs:
    path = rib_path(number, side)
    end = _ball(path[-1], 6, 0.5 if number < 11 else 0.0)
    return joined([rib(number, side, _STEP) * 1.7, end])


def _scapula(side: int) -> list[Discs]:
    blade, *lines = scapula(side, _STEP)
    return [blade * 1.0, *(line * uptake for line, uptake in zip(lines, (0.9, 1.1, 1.0, 0.9, 0.8), strict=True))]


def _humerus(limbs: Limbs) -> list[Discs]:
    a, b = limbs.shoulder, limbs.elbow
    along = b - a
    shaft = [a + 0.06 * along, a + 0.2 * along, a + 0.55 * along, a + 0.86 * along, a + 0.97 * along]
    return [_ball(a, 22, 0.42), _bone(shaft, [18, 11, 10, 12, 22], [0.4, 0.3, 0.25, 0.25, 0.35])]


def _forearm(limbs: Limbs, side: int) -> list[Discs]:
    a, b, c = limbs.elbow, limbs.wrist, limbs.knuckles
    across = by(x=11)
    parts = [
        _bone([a + across + by(z=-10), (a + b) / 2 + 1.3 * across, b + across], [8, 6, 9], [0.5, 0.3, 0.6]),
        _bone([a - across + by(z=8), (a + b) / 2 - 1.1 * across, b - across], [10, 6, 6], [0.5, 0.3, 0.5]),
        ellipsoid(tuple(b + 0.2 * (c - b)), (22, 9, 15), _STEP) * 0.75,
    ]
    ray = (c - b) / np.linalg.norm(c - b)
    for number, spread in enumerate((-24, -9, 5, 18)):
        knuckle = c + by(x=spread)
        tip = knuckle + (70, 84, 80, 62)[number] * ray + by(x=0.4 * spread)
        parts.append(_bone([b + 0.3 * (c - b) + by(x=0.5 * spread), knuckle, tip], [4, 4.5, 3], [0.45, 0.7, 0.4]))
    thumb = b + 0.75 * (c - b) + by(x=-side * 42)
    parts.append(
        _bone([b + 0.25 * (c - b) + by(x=-side * 16), thumb, thumb + 38 * ray], [4.5, 5, 3.5], [0.9, 0.9, 0.6])
    )
    return parts


def _sacrum() -> list[Discs]:
    half = [(0, 986), (-26, 984), (-48, 972), (-44, 930), (-26, 893), (-12, 866), (-5, 846)]
    outline = np.array([*half, (0, 840), *((-x, z) for x, z in half[:0:-1])])
    bone = plate(outline, lambda x, z: np.interp(z, (840, 900, 980), (66, 78, 40)), 24, _STEP) * 0.75
    return [bone, _bone([(0, 62, 978), (0, 92, 930), (0, 92, 890)], 6, 0.9)]


def _hip_bone(side: int) -> list[Discs]:
    wing = [(38, 975), (58, 1018), (88, 1040), (118, 1038), (142, 1012), (146, 976), (134, 950), (122, 928)]
    wing += [(112, 912), (86, 912), (62, 912), (50, 930)]

    def depth(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        return 62 - 0.95 * (np.abs(x) - 38) - 0.15 * (1000 - z)

    flat = np.array(wing, float) * (side, 1)
    crest = [(40, 70, 990), (60, 58, 1022), (90, 24, 1040), (120, -8, 1037), (143, -34, 1008), (144, -46, 974)]
    joint = [(42, 56, 976), (50, 58, 948), (48, 62, 918)]
    ring = [(88 + 27 * np.cos(t), 2, 888 + 29 * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 12)]
    ischium = [(82, 18, 866), (66, 34, 832), (56, 30, 812), (44, 8, 816), (24, -34, 836), (10, -52, 856)]
    pubis = [(84, -18, 902), (56, -42, 898), (28, -56, 884), (9, -58, 872), (8, -56, 858)]
    lines = [(crest, 7, [0.8, 0.7, 0.6, 0.7, 0.85]), (joint, 7, [1.5, 1.7, 1.2]), (ring, 7, 0.75)]
    lines += [(ischium, [12, 13, 13, 8, 7], [0.5, 0.5, 0.55, 0.5, 0.6]), (pubis, [10, 8, 8, 9], 0.65)]
    return [
        plate(flat, depth, 10, _STEP) * 0.9,
        *(_bone(mirrored(points, side), radius, uptake) for points, radius, uptake in lines),
    ]


def _femur(limbs: Limbs, side: int) -> list[Discs]:
    hip, knee = limbs.hip, limbs.knee
    trochanter = hip + by(side * 58, 8, -14)
    top = hip + by(side * 47, 8, -42)
    along = knee - top
    shaft = [top, top + 0.12 * along, top + 0.5 * along, top + 0.86 * along, knee + by(z=16)]
    return [
        _ball(hip, 23, 0.5),
        _bone([hip, (hip + trochanter) / 2 + by(z=-6), top], [15, 14, 19], 0.4),
        _bone([trochanter + by(z=10), trochanter, top], [9, 13, 16], 0.5),
        _bone(shaft, [19, 14.5, 13, 15, 29], [0.36, 0.26, 0.24, 0.24, 0.36]),
        *(_ball(knee + by(x=sign * 21, y=6, z=8), 20, 0.28) for sign in (-1, 1)),
        ellipsoid(tuple(knee + by(y=-42, z=18)), (20, 9, 21), _STEP) * 0.55,
    ]


def _lower_leg(limbs: Limbs, side: int) -> list[Discs]:
    knee, ankle, toes = limbs.knee, limbs.ankle, limbs.toes
    along = ankle - knee
    shin = [knee + 0.015 * along, knee + 0.14 * along, knee + 0.5 * along, knee + 0.9 * along, ankle]
    out = by(side * 30, 14)
    fibula = [knee + 0.09 * along + 1.1 * out, knee + 0.5 * along + out, ankle + 0.9 * out + by(z=-14)]
    parts = [
        _bone(shin, [30, 18, 12.5, 13, 21], [0.4, 0.26, 0.24, 0.25, 0.35]),
        _bone(fibula, [9, 5, 9], [0.4, 0.2, 0.45]),
        _ball(ankle + by(y=6, z=-24), 19, 0.38),
        ellipsoid(tuple(ankle + by(y=38, z=-40)), (17, 30, 17), _STEP) * 0.14,
    ]
    for number, spread in enumerate((-25, -12, 0, 12, 24)):
        # The great toe is on the inner side.
        ball = toes + by(x=side * spread)
        heavy = 1.3 if number == 0 else 0.85
        middle = (ankle + by(z=-40) + ball) / 2 + by(x=side * 0.2 * spread, y=-14)
        tip = ball + 0.3 * (toes - ankle) * (1, 0.3, 1)
        radius = [6, 5 * heavy, 6 * heavy, 4 * heavy]
        parts.append(
            _bone([ankle + by(x=side * 0.3 * spread, z=-38), middle, ball, tip], radius, [0.5, 0.45, 0.7, 0.5])
        )
    return parts


def wear_places(posture: Posture) -> np.ndarray:
    """Where joints wear out, points [n, 3]: knees, shoulders, feet, hands, hips, collar bones, lower spine."""
    places = []
    for side in SIDES.values():
        limbs = Limbs.of(posture, side)
        places += [limbs.knee + by(x=side * sign * 22, y=-10, z=-8) for sign in (-1, 1)]
        places += [limbs.shoulder + by(y=-6, z=14), limbs.ankle, limbs.toes + by(x=-side * 25), limbs.wrist, limbs.hip]
        places.append(by(side * 23, -66, 1386))
        for name in ("C6", "T10", "L3", "L4", "L5"):
            _, height, pitch = vertebra(name)
            places.append(np.array([side * 18, spine_depth(height) + 8, height - pitch / 2]))
    return np.array(places)
