"""A whole-body bone scan out of nothing, from the front and from behind, with its exact truth.

Every bone gives off photons in proportion to its uptake; tissue before it takes some away, the collimator blurs what
is far from it, and what arrives is counted (Poisson).
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .skeleton import STRUCTURES, Bone, Limbs, Posture, build_skeleton, wear_places
from .solids import Discs, Film, by, ellipsoid, joined, smooth_noise
from .trunk_bones import SIDES

PIXEL_MM = 2.2
ROWS, COLS = 1024, 256
VIEWS = ("anterior", "posterior")

_ATTENUATION = 0.0135
"""Of tissue per mm at 140 keV, some scattered photons being counted too."""
_CHEST = (1180, 1240, 1390, 1430), (1, 0.55, 0.55, 1)
"""At which heights lungs leave only a part of it."""
_LAYERS, _LAYER_MM = 7, 40.0

# Half the width and depth of the body's parts and how deep their axis lies (y), at heights in mm.
_TRUNK = [(1470, 58, 58, 10), (1445, 75, 70, 10), (1425, 140, 85, 8), (1400, 188, 95, 4), (1350, 192, 108, 0)]
_TRUNK += [(1310, 172, 112, 0), (1230, 160, 114, 0), (1120, 150, 108, 0), (1050, 158, 104, 4), (950, 178, 104, 8)]
_TRUNK += [(880, 182, 104, 10), (840, 172, 98, 10), (800, 20, 60, 10)]
_HEAD = [(1704, 10, 15, 5), (1690, 48, 60, 5), (1650, 74, 92, 5), (1600, 78, 98, 0), (1550, 72, 92, -6)]
_HEAD += [(1510, 62, 85, -10), (1485, 58, 60, 5), (1440, 58, 56, 10)]


@dataclass(frozen=True, eq=False)
class BoneScan:
    """The counts (uint16 [rows, cols]) of one view and its truth (uint8, see `STRUCTURES`)."""

    image: np.ndarray
    truth: np.ndarray


@dataclass(frozen=True)
class BoneScanPatient:
    """How a person differs from the middle one: sizes are factors, the rest millimetres."""

    height: float
    width: float
    depth: float
    fat: float
    bend: float
    lean: float
    aside: float

    @staticmethod
    def random(rng: np.random.Generator) -> "BoneScanPatient":
        height = rng.uniform(0.88, 1.12)
        return BoneScanPatient(
            height=height,
            width=np.sqrt(height) * rng.uniform(0.92, 1.1),
            depth=rng.uniform(0.88, 1.15),
            fat=rng.uniform(0.9, 1.22),
            bend=rng.normal(0, 5),
            lean=rng.normal(0, 0.012),
            aside=rng.normal(0, 8),
        )

    def shift(self, z: np.ndarray) -> np.ndarray:
        """How far the body lies to the left at a height (mm above the soles of the middle person)."""
        scoliosis = self.bend * np.sin((z - 950) / 95) * np.interp(z, (880, 960, 1420, 1480), (0, 1, 1, 0))
        return scoliosis + self.lean * (z - 900) + self.aside

    def place(self, points: np.ndarray) -> np.ndarray:
        """Where points [n, 3] of the middle person are in this one."""
        x, y, z = points.T
        return np.stack([x * self.width + self.shift(z), y * self.depth, z * self.height], 1)


def make_scans(seed: int, rows: int = ROWS, cols: int = COLS, pixel_mm: float = PIXEL_MM) -> dict[str, BoneScan]:
    """A random person's scans of all `VIEWS`, `rows` x `cols` pixels of `pixel_mm`; `seed` decides everything."""
    rng = np.random.default_rng(seed)
    person, posture = BoneScanPatient.random(rng), Posture.random(rng)
    bones = [Bone(bone.name, bone.discs.moved(person.place, person.height)) for bone in build_skeleton(rng, posture)]
    sources = joined([*(bone.discs for bone in bones), *_lesions(rng, person, posture, bones), *_urine(rng, person)])
    sources = joined([sources, *_injection(rng, person, posture)])
    top = (ROWS * PIXEL_MM + 1640 * person.height) / 2 + rng.uniform(-40, 40)
    tracer = rng.uniform(0.022, 0.04)
    counts = rng.uniform(0.9e6, 2.4e6) * (rows * pixel_mm * cols * pixel_mm) / (ROWS * COLS * PIXEL_MM**2)
    scans = {}
    for view in VIEWS:
        film = Film(rows, cols, pixel_mm, top, from_behind=view == "posterior")
        front, back = _surfaces(person, posture, film)
        attenuation = _ATTENUATION * np.interp(film.z[:, 0] / person.height, *_CHEST)
        image = _projected(sources, film, front, back, attenuation)
        image += tracer * _soft_tissue(rng, film, back - front, attenuation)
        image = rng.poisson(image * counts / image.sum())
        scans[view] = BoneScan(np.minimum(image, 65535).astype(np.uint16), _truth(bones, film))
    return scans


def _truth(bones: list[Bone], film: Film) -> np.ndarray:
    """The bone that is seen at each pixel: what lies nearer to the viewer hides what is behind, but the ribs do not."""
    order = [
        "Thoracic spine",
        "Lumbar spine",
        "Sacrum",
        "scapula",
        "hip bone",
        "humerus",
        "femur",
        "lower leg and foot",
    ]
    order += ["forearm and hand", "Cervical spine", "clavicle", "Sternum", "Skull"]
    from_far = ["ribs", *(reversed(order) if film.from_behind else order)]
    truth = np.zeros((film.rows, film.cols), np.uint8)
    for name in from_far:
        for bone in bones:
            if bone.name.endswith(name):
                truth[film.covers(bone.discs)] = STRUCTURES[bone.name]
    return truth


def _surfaces(person: BoneScanPatient, posture: Posture, film: Film) -> tuple[np.ndarray, np.ndarray]:
    """How deep (y) the body's front and back lie [rows, cols]; where there is no body, the back is before the front."""
    parts = [np.array([(0, *part) for part in table], float) for table in (_HEAD, _TRUNK)]
    for side in SIDES.values():
        limbs = Limbs.of(posture, side)
        fingers = limbs.knuckles + (limbs.knuckles - limbs.wrist)
        arm = [(limbs.shoulder, 46, 46), (0.5 * (limbs.shoulder + limbs.elbow), 46, 46), (limbs.elbow, 40, 38)]
        arm += [(0.75 * limbs.elbow + 0.25 * limbs.wrist, 42, 36), (limbs.wrist, 28, 20), (limbs.knuckles, 44, 15)]
        arm += [(fingers, 30, 10)]
        thigh = limbs.hip + by(x=side * 6, y=14, z=-60)
        leg = [(limbs.hip, 70, 80), (thigh, 90, 85), (0.5 * (thigh + limbs.knee), 76, 78), (limbs.knee, 60, 58)]
        leg += [(0.7 * limbs.knee + 0.3 * limbs.ankle, 58, 58), (limbs.ankle + by(z=40), 38, 40)]
        leg += [(limbs.ankle, 38, 48), (limbs.toes, 44, 22), (limbs.toes + 0.4 * (limbs.toes - limbs.ankle), 34, 12)]
        parts += [np.array([(p[0], p[2], width, depth, p[1]) for p, width, depth in limb]) for limb in (arm, leg)]

    z = film.z[:, 0] / person.height
    x = (film.x - person.shift(z)[:, None]) / person.width
    front, back = np.full((2, film.rows, film.cols), 1e3) * np.array([1, -1])[:, None, None]
    for part in parts:
        part = part[np.argsort(part[:, 1])]
        inside = (z > part[0, 1]) & (z < part[-1, 1])
        middle, width, depth, y = (
            np.interp(z[inside], part[:, 1], part[:, column])[:, None] for column in (0, 2, 3, 4)
        )
        across = ((x[inside] - middle) / (width * person.fat)) ** 2
        half = np.where(across < 1, depth * (0.5 + 0.5 * person.fat) * np.sqrt(np.clip(1 - across, 0, None)), -np.inf)
        front[inside] = np.minimum(front[inside], person.depth * (y - half))
        back[inside] = np.maximum(back[inside], person.depth * (y + half))
    return front, back


def _projected(sources: Discs, film: Film, front: np.ndarray, back: np.ndarray, attenuation: np.ndarray) -> np.ndarray:
    """What arrives from the sources at the collimator, blurred by it; the tissue's `attenuation` is of each row."""
    rows, cols = (np.rint(part).astype(int) for part in film.positions(sources.centres))
    rows, cols = np.clip(rows, 0, film.rows - 1), np.clip(cols, 0, film.cols - 1)
    y = sources.centres[:, 1]
    depth = back[rows, cols] - y if film.from_behind else y - front[rows, cols]
    depth = np.clip(depth, 8, 300)
    layer = np.minimum((depth / _LAYER_MM).astype(int), _LAYERS - 1)
    sums = film.sums(sources * np.exp(-attenuation[rows] * depth), layer, _LAYERS)
    return sum(
        ndimage.gaussian_filter(sums[number], _blur_mm((number + 0.5) * _LAYER_MM) / film.pixel_mm)
        for number in range(_LAYERS)
    )


def _blur_mm(depth: float) -> float:
    """Standard deviation of the blur of what lies `depth` mm below the skin, some 30 mm away from the camera."""
    return (3.6 + 0.042 * (depth + 30)) / 2.355


def _soft_tissue(rng: np.random.Generator, film: Film, thickness: np.ndarray, attenuation: np.ndarray) -> np.ndarray:
    """What arrives from everything that is not bone, for an uptake of 1 per mm."""
    # What weakens less, the lungs, also takes up less.
    share = attenuation[:, None] / _ATTENUATION
    seen = (1 - np.exp(-_ATTENUATION * share * np.clip(thickness, 0, None))) / _ATTENUATION
    seen *= np.clip(1 + 0.12 * smooth_noise(rng, seen.shape, 70 / film.pixel_mm), 0.4, None)
    return ndimage.gaussian_filter(seen, _blur_mm(60) / film.pixel_mm)


def _lesions(rng: np.random.Generator, person: BoneScanPatient, posture: Posture, bones: list[Bone]) -> list[Discs]:
    """Hot spots: worn joints in most people, metastases in some, mostly in the trunk."""
    spots = []
    places = person.place(wear_places(posture))
    for index in rng.choice(len(places), rng.poisson(2.5), replace=False):
        radius = rng.uniform(5, 11)
        spots.append(ellipsoid(tuple(places[index]), (radius,) * 3, 2.5) * rng.uniform(0.4, 1.8))
    if rng.random() < 0.45:
        trunk = [b for b in bones if not b.name.endswith(("hand", "foot", "humerus", "femur", "Skull", "clavicle"))]
        for _ in range(1 + rng.geometric(0.15)):
            bone = (trunk if rng.random() < 0.8 else bones)[rng.integers(len(trunk))]
            centre = bone.discs.centres[rng.integers(len(bone.discs.radii))]
            radius = rng.uniform(5, 13)
            spots.append(
                ellipsoid(tuple(centre), (radius, radius, radius * rng.uniform(0.7, 1.4)), 2.5) * rng.uniform(1, 4)
            )
    return spots


def _urine(rng: np.random.Generator, person: BoneScanPatient) -> list[Discs]:
    """Bladder and kidneys."""
    filling = rng.uniform(0.6, 1.3)
    organs = [(ellipsoid((rng.normal(0, 4), -30, 905), (36 * filling, 30, 27 * filling), 3.0), rng.uniform(0.8, 5))]
    for side, height in ((-1, 1098), (1, 1110)):
        kidney = ellipsoid((side * 60, 48, height + rng.normal(0, 8)), (25, 22, 50), 3.0)
        pelvis = ellipsoid((side * 50, 42, height), (10, 10, 20), 3.0)
        uptake = rng.uniform(0.15, 0.7)
        organs += [(kidney, uptake), (pelvis, 1.5 * uptake)]
    return [discs.moved(person.place, person.height) * uptake for discs, uptake in organs]


def _injection(rng: np.random.Generator, person: BoneScanPatient, posture: Posture) -> list[Discs]:
    """What was left at the place of the injection, at the elbow or the back of the hand, in half of the people."""
    limbs = Limbs.of(posture, int(rng.choice(list(SIDES.values()))))
    place = limbs.elbow + by(y=-30, z=-10) if rng.random() < 0.7 else (limbs.wrist + limbs.knuckles) / 2 + by(y=-12)
    spot = ellipsoid(tuple(place), (6, 5, rng.uniform(6, 16)), 2.5) * rng.uniform(2, 14)
    return [spot.moved(person.place)] if rng.random() < 0.5 else []
