"""The bones of the chest, which the bone scan and the radiograph have in common.

Millimetres above the soles of a person 1700 mm tall with a middle build: see `disc_solids` for the axes. `side` is 1
on the left and -1 on the right.
"""

from collections.abc import Callable

import numpy as np

from .solids import Discs, joined, mirrored, plate, tube

SIDES = {"right": -1, "left": 1}

# Distance of the middles of the vertebrae from C1 to L5, and how deep the middle of the body lies (y).
_PITCH = [15, 17, 17.5, 17.5, 17.5, 18, 19, 20, 20.5, 21, 21.5, 22, 22.5, 23, 23.5, 24, 24.5, 26, 28, 31, 34, 36, 36]
VERTEBRAE = (*(f"C{n}" for n in range(1, 8)), *(f"T{n}" for n in range(1, 13)), *(f"L{n}" for n in range(1, 6)))
_T1_HEIGHT = 1425.0
_HEIGHTS = np.concatenate([[0], -np.cumsum(_PITCH)])
_HEIGHTS += _T1_HEIGHT - _HEIGHTS[VERTEBRAE.index("T1")]
_DEPTH = {1545: 12, 1495: 6, 1444: 18, 1425: 28, 1360: 50, 1295: 58, 1225: 48, 1170: 34, 1105: 18, 1035: 12, 980: 32}

# Of the ribs 1 to 12: half the width and depth of their arch, how far they fall to the front, where they end
# (degrees around the arch from the back).
_HALF_WIDTH = (50, 76, 96, 109, 118, 124, 128, 131, 130, 126, 120, 108)
_HALF_DEPTH = (42, 60, 72, 80, 86, 90, 93, 94, 94, 92, 90, 86)
_FALL = (42, 58, 68, 78, 87, 95, 104, 112, 116, 116, 105, 88)
_END = (146, 146, 145, 143, 140, 136, 130, 122, 114, 106, 84, 52)


def vertebra(name: str) -> tuple[float, float, float]:
    """Depth (y) and height (z) of the middle of a vertebral body, and the distance to the next one."""
    number = VERTEBRAE.index(name)
    height = float(_HEIGHTS[number])
    return spine_depth(height), height, float(_PITCH[min(number, len(_PITCH) - 1)])


def spine_depth(height: float) -> float:
    """How deep (y) the middle of the spine lies at a height."""
    heights = sorted(_DEPTH)
    return float(np.interp(height, heights, [_DEPTH[h] for h in heights]))


def vertebral_bodies(names: tuple[str, ...], step: float, disc_gap: float = 5.0) -> Discs:
    """The bodies with their arches: transverse, articular and spinous processes."""
    parts = []
    for name in names:
        y, z, pitch = vertebra(name)
        half, high = _half_width(name), (pitch - disc_gap) / 2
        right = [(0, 0.9 * high), (-half, high), (-0.9 * half, 0), (-half, -high)]
        outline = np.array([*right, *((-x, -up) for x, up in right)])
        outline[:, 1] += z
        parts.append(plate(outline, y, _oval(half), step))
        for side in SIDES.values():
            pedicle = [(0.75 * half, y + half, z + 2), (0.8 * half, y + half + 12, z - 2)]
            parts.append(tube(mirrored(pedicle, side), 4.5, step))
            reach = 1.15 * half + (12 if name[0] != "C" else 3)
            process = [(0.8 * half, y + half + 10, z), (reach, y + half + 16, z + 3)]
            parts.append(tube(mirrored(process, side), 4.0, step, 0.8))
        spinous = [(0, y + half + 14, z - 2), (0, y + half + 34, z - pitch * (0.75 if name[0] == "T" else 0.35))]
        parts.append(tube(spinous, 3.5, step))
    return joined(parts)


def _oval(half: float) -> Callable:
    """The thickness of a body, which is an oval as seen from above."""
    return lambda x, _: 1.6 * half * np.sqrt(np.clip(1.02 - (x / half) ** 2, 0.15, 1))


def _half_width(name: str) -> float:
    number = VERTEBRAE.index(name)
    return float(np.interp(number, (0, 6, 10, 18, 23), (12, 14, 14, 20, 25)))


def rib_path(number: int, side: int, slope: float = 1.0) -> np.ndarray:
    """Points [n, 3] along a rib (1 to 12), from its head at the spine to its cartilage; `slope` is a factor."""
    y_spine, z, _ = vertebra(f"T{number}")
    width, depth, fall, end = (table[number - 1] for table in (_HALF_WIDTH, _HALF_DEPTH, _FALL, _END))
    angle = np.deg2rad(np.linspace(22, end, 9))
    back = min(y_spine + 34, 88)
    y = back - depth + depth * np.cos(angle)
    sag = 10 * np.sin(angle)
    arch = np.stack([width * np.sin(angle) ** 0.9, y, z + 3 - slope * (fall * (back - y) / (2 * depth) + sag)], 1)
    return mirrored([(17, y_spine + 16, z + 6), *arch], side)


def rib(number: int, side: int, step: float, slope: float = 1.0) -> Discs:
    """A rib: a band about 12 mm high, half as thick."""
    width = 6.2 if 1 < number < 11 else 5.0
    return tube(rib_path(number, side, slope), [4.5, width, width, width, width + 0.6], step, 0.5)


def clavicle(side: int, step: float, lift: float = 0.0) -> Discs:
    """An S-shaped tube from the sternum to the shoulder, whose outer end lies `lift` mm higher."""
    points = [(20, -62, 1384), (45, -72, 1392), (85, -66, 1403), (125, -40, 1412), (158, -14, 1416)]
    points = mirrored(points, side)
    points[:, 2] += lift * (np.abs(points[:, 0]) - 20) / 138
    return tube(points, [9.5, 6.5, 5.8, 6.2, 8.0], step, 0.9)


def sternum(step: float) -> Discs:
    """Manubrium, body and xiphoid process."""
    right = [(0, 1384), (-16, 1388), (-29, 1378), (-24, 1358), (-15, 1340), (-17, 1300), (-19, 1262), (-10, 1232)]
    outline = [*right, (-3, 1212), *((-x, z) for x, z in reversed(right[1:]))]
    return plate(np.array(outline), lambda x, z: -78 - 0.16 * (1384 - z), 10, step)


def scapula(side: int, step: float, outwards: float = 0.0) -> list[Discs]:
    """Blade, borders and spine, and the shoulder's socket with the acromion; moved `outwards` by some mm."""

    def at(x: float, y: float, z: float) -> tuple[float, float, float]:
        # What is low swings further out.
        return (x + outwards * (1 + (1400 - z) / 250), y, z)

    outline = [at(*p) for p in ((78, 0, 1398), (98, 0, 1404), (140, 0, 1388), (150, 0, 1362), (134, 0, 1338))]
    outline += [at(*p) for p in ((120, 0, 1296), (104, 0, 1256), (94, 0, 1258), (82, 0, 1300), (74, 0, 1356))]

    def depth(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        return 92 - 0.45 * (np.abs(x) - 75)

    flat = mirrored([(x, 0, z) for x, _, z in outline], side)[:, [0, 2]]
    lateral = [at(*p) for p in ((147, 58, 1358), (134, 64, 1336), (120, 72, 1298), (103, 80, 1260))]
    medial = [at(*p) for p in ((80, 88, 1398), (76, 92, 1356), (83, 90, 1302), (97, 84, 1258))]
    ridge = [at(*p) for p in ((77, 98, 1372), (110, 100, 1386), (145, 84, 1404), (172, 40, 1414), (168, 12, 1414))]
    socket = [at(*p) for p in ((150, 50, 1384), (152, 52, 1360))]
    coracoid = [at(*p) for p in ((140, 45, 1392), (136, 15, 1404), (142, -8, 1394))]
    lines = [(lateral, 5.5), (medial, 2.6), (ridge, 5.0), (socket, 11.0), (coracoid, 5.5)]
    return [
        plate(flat, depth, 4.0, step),
        *(tube(mirrored(points, side), radius, step, 0.8) for points, radius in lines),
    ]
