"""The soft tissue of the generated chest radiograph: how much of body, lung and air each ray meets, and what is seen.

Shapes are of a middle person, millimetres above the soles of 1700: see `disc_solids` for the axes.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.interpolate import PchipInterpolator

from .solids import Film, filled, joined, smooth_outline, tube
from .trunk_bones import SIDES

# The outline of the chest's inside and of the skin in mm, at heights above the soles of a person 1700 mm tall.
_LUNG_HEIGHTS = (1100, 1160, 1190, 1225, 1260, 1300, 1335, 1360, 1385, 1405, 1418, 1424)
_LUNG_HALF_WIDTHS = (126, 129, 129, 127, 122, 114, 102, 90, 74, 60, 45, 33)
_LUNG_HALF_DEPTHS = (88, 88, 88, 87, 85, 80, 73, 65, 55, 40, 22, 6)
_SKIN = [(0, 1560), (57, 1545), (58, 1490), (66, 1462), (95, 1447), (140, 1440), (190, 1425), (235, 1390), (262, 1330)]
_SKIN += [(250, 1270), (215, 1290), (178, 1322), (160, 1312), (151, 1260), (150, 1180), (156, 1080), (0, 1075)]
_HEART = [(-16, 1306), (-34, 1284), (-41, 1256), (-40, 1228), (-28, 1204), (8, 1193), (46, 1192), (74, 1202)]
_HEART += [(85, 1219), (80, 1246), (62, 1274), (44, 1298), (18, 1314)]
_MEDIASTINUM = [(-22, 1450), (-23, 1405), (-27, 1360), (-30, 1315), (-32, 1250), (-30, 1150), (30, 1150), (34, 1250)]
_MEDIASTINUM += [(42, 1292), (39, 1308), (31, 1322), (36, 1340), (34, 1354), (25, 1368), (23, 1405), (22, 1450)]


@dataclass(frozen=True)
class ChestPatient:
    """How a person differs from the middle one: sizes are factors, the rest millimetres in that one's frame."""

    height: float
    width: float
    depth: float
    fat: float
    heart: float
    breath: float
    bend: float
    breasts: float
    lean: float

    @staticmethod
    def random(rng: np.random.Generator) -> "ChestPatient":
        return ChestPatient(
            height=rng.uniform(0.93, 1.08),
            width=rng.uniform(0.98, 1.18),
            depth=rng.uniform(0.9, 1.15),
            fat=rng.uniform(0.85, 1.35),
            heart=float(np.clip(rng.normal(0.97, 0.1), 0.8, 1.3)),
            breath=rng.normal(0, 9),
            bend=rng.normal(0, 3.5),
            breasts=float(rng.random() < 0.45) * rng.uniform(0.5, 1.2),
            lean=rng.normal(0, 0.012),
        )

    def _shift(self, z: np.ndarray) -> np.ndarray:
        """How far the trunk lies to the left at a height (mm above the soles of the middle person)."""
        return self.bend * np.sin((z - 1100) / 110) + self.lean * (z - 1300)

    def place(self, points: np.ndarray) -> np.ndarray:
        """Where points [n, 3] of the middle person are in this one."""
        x, y, z = points.T
        return np.stack([(x + self._shift(z)) * self.width, y * self.depth, z * self.height], 1)

    def coordinates(self, film: Film) -> tuple[np.ndarray, np.ndarray]:
        """x and z of the middle person [rows, cols] that each pixel shows."""
        z = np.broadcast_to(film.z / self.height, (film.rows, film.cols))
        return film.x / self.width - self._shift(z), z


@dataclass(frozen=True, eq=False)
class Chest:
    """What of the soft tissue each ray meets, in mm [rows, cols]: of the body (lung included), of lung, of air."""

    x: np.ndarray
    """Of each pixel in the middle person."""
    body: np.ndarray
    lung: np.ndarray
    air: np.ndarray
    heart: np.ndarray
    """The pixels (bool) within the heart's outline."""
    seen_lung: np.ndarray
    """The pixels (bool) in which lung is seen."""
    lung_share: np.ndarray
    """How much of the chest's depth is lung (0 to 1)."""

    @staticmethod
    def of(rng: np.random.Generator, person: ChestPatient, film: Film) -> "Chest":
        x, z = person.coordinates(film)
        depth = person.depth
        pixel = film.pixel_mm

        heart_outline = np.array(_HEART, float) + rng.normal(0, 1.6, (len(_HEART), 2))
        middle = np.array([8.0, 1196.0])
        heart_outline = middle + (heart_outline - middle) * (person.heart, 0.5 + 0.5 * person.heart)
        heart_outline[:, 1] += 0.5 * person.breath
        heart = _inside(heart_outline, person, film)
        mediastinum_outline = np.array(_MEDIASTINUM, float)
        mediastinum_outline[:, 0] += rng.normal(0, 1.6, len(_MEDIASTINUM))
        mediastinum_outline *= (rng.uniform(0.9, 1.12), 1)
        mediastinum = _inside(mediastinum_outline, person, film)
        middle_part = heart | mediastinum
        organ = _inflated(heart, 40, pixel) * 118 * depth
        organ = np.maximum(organ, _inflated(mediastinum, 30, pixel) * 135 * depth)

        apex = rng.normal(0, 3)
        heights = np.array(_LUNG_HEIGHTS) + apex
        half_width = PchipInterpolator(heights, _LUNG_HALF_WIDTHS, extrapolate=False)(z)
        half_depth = PchipInterpolator(heights, _LUNG_HALF_DEPTHS, extrapolate=False)(z)
        # The top of a lung lies beside the spine, not before it.
        across = np.clip((np.abs(x) - _apex_middle(z)) / (np.nan_to_num(half_width, nan=1e-3) - _apex_middle(z)), -1, 1)
        chord = 2 * depth * np.nan_to_num(half_depth) * (1 - across**2) ** 0.45
        chest_wall = chord > 0
        dome = _dome(rng, x, person.breath)
        below = np.clip(dome - z, 0, None)
        recess = np.where(below > 0, 0.45 * np.clip(1 - np.sqrt(below / 50), 0, None), 1)
        lung = np.maximum(chord - organ, 0.12 * chord) * recess
        seen = chest_wall & (below == 0) & ~middle_part

        body = _body(person, film)
        breasts = _breasts(rng, person, x, z)
        air = _airways(person, film) + _stomach_bubble(rng, x, z, dome)
        share = lung / np.maximum(chord, 40)
        return Chest(x, body + breasts, np.minimum(lung, body), np.minimum(air, body), heart, seen, share)


def _apex_middle(z: np.ndarray) -> np.ndarray:
    """How far beside the middle plane a lung is deepest, at a height."""
    return np.interp(z, (1340, 1424), (0, 30))


def _inside(outline: np.ndarray, person: ChestPatient, film: Film, margin: int = 0) -> np.ndarray:
    """The pixels (bool) within a smooth outline [n, 2] (x, z of the middle person), with a margin around the film."""
    curve = smooth_outline(outline)
    placed = person.place(np.stack([curve[:, 0], np.zeros(len(curve)), curve[:, 1]], 1))
    rows, cols = film.positions(placed)
    shape = (film.rows + 2 * margin, film.cols + 2 * margin)
    return filled(rows + margin, cols + margin, shape)


def _inflated(mask: np.ndarray, width_mm: float, pixel_mm: float) -> np.ndarray:
    """How thick (0 to 1) something with this outline is that is round at its edge, over `width_mm`."""
    distance = np.clip(ndimage.distance_transform_edt(mask) * pixel_mm / width_mm, 0, 1)
    return np.sqrt(1 - (1 - distance) ** 2)


def _body(person: ChestPatient, film: Film) -> np.ndarray:
    """Thickness of the body in mm."""
    right = np.array(_SKIN, float)
    right[:, 0] += np.where(right[:, 1] < 1330, 22 * (person.fat - 1), 8 * (person.fat - 1)) * (right[:, 0] > 0)
    outline = np.concatenate([right, (right * (-1, 1))[-2:0:-1]])
    margin = round(110 / film.pixel_mm)
    inside = _inflated(_inside(outline, person, film, margin), 90, film.pixel_mm)[margin:-margin, margin:-margin]
    _, z = person.coordinates(film)
    thickness = np.interp(z, (1080, 1200, 1330, 1400, 1440, 1480), (228, 222, 205, 172, 138, 118))
    return inside * thickness * person.depth * (0.75 + 0.25 * person.fat)


def _dome(rng: np.random.Generator, x: np.ndarray, breath: float) -> np.ndarray:
    """Height of the diaphragm's domes, as seen against the lung."""
    right, left = rng.uniform(50, 66, 2)
    tops = np.array([1214, 1202]) + breath + rng.normal(0, 3, 2)
    between = np.clip((x + right) / (right + left), 0, 1)
    height = tops[0] + (tops[1] - tops[0]) * between - 9 * np.sin(np.pi * between) ** 2
    out = np.clip(np.maximum(-x - right, x - left), 0, None)
    return height - rng.uniform(42, 54) * (out / 68) ** 2.3


def _breasts(rng: np.random.Generator, person: ChestPatient, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Thickness of the breasts in mm; their lower borders are seen."""
    if not person.breasts:
        return np.zeros(x.shape)
    size = person.breasts
    height = rng.uniform(1195, 1225)
    total = np.zeros(x.shape)
    for side in SIDES.values():
        out, up = side * x - 86 + rng.normal(0, 3), z - height + rng.normal(0, 3)
        # Round below, flowing out above.
        radius = (out / (66 * size**0.3)) ** 2 + (up / np.where(up < 0, 42, 85) / size**0.3) ** 2
        total += 40 * size * np.clip(1 - radius, 0, None) ** 0.6
    return total


def _airways(person: ChestPatient, film: Film) -> np.ndarray:
    """Thickness of the air in the windpipe and the main bronchi, in mm."""
    tubes = [
        tube([(0, -5, 1500), (0, 5, 1430), (-3, 18, 1360), (-2, 25, 1322)], 8.5, 0.7),
        tube([(-2, 25, 1322), (-18, 28, 1306), (-38, 32, 1288)], [7, 6, 5], 0.7),
        tube([(-2, 25, 1322), (20, 28, 1310), (44, 34, 1298)], [7, 5.5, 4.5], 0.7),
    ]
    return film.sums(joined(tubes).moved(person.place))[0]


def _stomach_bubble(rng: np.random.Generator, x: np.ndarray, z: np.ndarray, dome: np.ndarray) -> np.ndarray:
    """Thickness of the air below the left dome in mm: round above, level below."""
    width, level = rng.uniform(18, 34), rng.uniform(12, 34)
    out, up = x - rng.uniform(55, 72), z - (1200 - level)
    round_part = np.clip(1 - (out / width) ** 2 - (up / level) ** 2, 0, None)
    return 1.1 * width * np.sqrt(round_part) * np.clip(up + 0.5, 0, 1) * (z < dome - 5)
