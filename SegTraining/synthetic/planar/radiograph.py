"""A chest radiograph out of nothing, taken from behind (PA), with its exact truth: 16 bit, bone is white.

The attenuation along every ray is summed up over simple solids, then comes what a detector makes of it: scattered
radiation, quantum noise, blur, the logarithm and a window.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .chest import Chest, ChestPatient
from .solids import Discs, Film, ellipsoid, joined, smooth_noise
from .trunk_bones import SIDES, clavicle, rib, scapula, sternum, vertebral_bodies

PIXEL_MM = 0.7
SIZE = 512

STRUCTURES = {
    "Right lung": 1,
    "Left lung": 2,
    "Heart": 3,
    "Right clavicle": 4,
    "Left clavicle": 5,
    "Right clavicle over the lung": 6,
    "Left clavicle over the lung": 7,
}
"""The values of the truth. A lung is what is seen of it beside heart and mediastinum and above the diaphragm; what a
clavicle covers of it has a value of its own, since it belongs to both."""

# Linear attenuation per mm at about 60 keV; of bone what it has more than soft tissue.
_SOFT, _LUNG, _BONE, _SPONGY_BONE, _METAL = 0.0205, 0.0058, 0.044, 0.006, 6.0


@dataclass(frozen=True, eq=False)
class Radiograph:
    """The image (uint16 [rows, cols]) and its truth (uint8, see `STRUCTURES`)."""

    image: np.ndarray
    truth: np.ndarray


def make_radiograph(seed: int, size: int = SIZE, pixel_mm: float = PIXEL_MM) -> Radiograph:
    """A random person's chest, `size` pixels of `pixel_mm` in each direction; `seed` decides everything."""
    rng = np.random.default_rng(seed)
    person = ChestPatient.random(rng)
    top = 1462 * person.height + rng.uniform(-8, 14)
    film = Film(size, size, pixel_mm, top, rng.uniform(-8, 8))
    chest = Chest.of(rng, person, film)
    bones = _bones(rng, person, film)

    attenuation = _SOFT * chest.body + (_LUNG - _SOFT) * chest.lung - _SOFT * chest.air
    attenuation += _SOFT * _vessels(rng, person, film) * chest.lung_share + _SOFT * _shadows(rng, chest, film)
    attenuation += _BONE * bones["compact"] + _SPONGY_BONE * bones["spongy"]
    attenuation += _METAL * _marker(rng, film)
    image = _detected(rng, np.maximum(attenuation, 0), chest.body > 0, pixel_mm)

    truth = np.zeros(image.shape, np.uint8)
    for name, side in SIDES.items():
        side_name = name.capitalize()
        truth[chest.seen_lung & (chest.x * side > 0)] = STRUCTURES[f"{side_name} lung"]
    truth[chest.heart] = STRUCTURES["Heart"]
    for name in SIDES:
        covered = bones[f"{name} clavicle"]
        over_lung = covered & chest.seen_lung
        truth[covered] = STRUCTURES[f"{name.capitalize()} clavicle"]
        truth[over_lung] = STRUCTURES[f"{name.capitalize()} clavicle over the lung"]
    return Radiograph(image, truth)


def _vessels(rng: np.random.Generator, person: ChestPatient, film: Film) -> np.ndarray:
    """Thickness of the vessels of both lungs in mm, as trees that grow out of the hila."""
    headings = np.array([1.3, 0.95, 0.6, 0.25, -0.1, -0.4, -0.75, -1.05, -1.3]) + rng.normal(0, 0.1, (2, 9))
    radii = np.array([3.4, 3.2, 3.0, 3.2, 3.6, 4.0, 4.4, 5.4, 4.6]) * rng.uniform(0.85, 1.1)
    hila = np.array([[-36, 1286], [40, 1297]])
    # Branches of one generation: where they start [n, 2] in x and z, where they head to, how thick they are.
    start = np.repeat(hila, 9, axis=0) + rng.normal(0, 3, (18, 2))
    heading = np.concatenate([np.pi - headings[0], headings[1]])
    radius = np.tile(radii, 2)
    parts: list[Discs] = []
    along = np.linspace(0, 1, 40)
    for _ in range(8):
        count = len(radius)
        length = rng.uniform(10, 22, count) * radius**0.35
        # What leads to or from the viewer is shortened, but holds as much.
        shortened = rng.uniform(0.5, 1, count)
        course = heading[:, None] + rng.normal(0, 0.35, (count, 1)) * along
        steps = (length * shortened / len(along))[:, None, None] * np.stack([np.cos(course), np.sin(course)], -1)
        path = start[:, None] + np.cumsum(steps, axis=1)
        x, z = path.reshape(-1, 2).T
        thickness = np.repeat(length / len(along), len(along))
        widths = (radius[:, None] * (1 - 0.15 * along)).ravel()
        parts.append(Discs(np.stack([x, np.zeros(len(x)), z], 1), widths, thickness))
        share = np.stack([rng.uniform(0.72, 0.88, count), rng.uniform(0.5, 0.74, count)])
        turn = rng.choice((-1, 1), count) * rng.uniform(0.25, 0.6, count)
        heading = np.concatenate([course[:, -1] + turn * (1.25 - share[0]), course[:, -1] - turn * (1.25 - share[1])])
        start, radius = np.tile(path[:, -1], (2, 1)), (radius * share).ravel()
        kept = radius > 0.35
        start, heading, radius = start[kept], heading[kept], radius[kept]
    return film.sums(joined(parts).moved(person.place, person.width))[0]


def _shadows(rng: np.random.Generator, chest: Chest, film: Film) -> np.ndarray:
    """Soft tissue in mm that the lungs hold besides their vessels: texture and, in some, nodules or infiltrates."""
    shape = (film.rows, film.cols)
    texture = 1.6 * smooth_noise(rng, shape, 3.5 / film.pixel_mm) + 2.0 * smooth_noise(rng, shape, 10 / film.pixel_mm)
    total = texture + 3 * smooth_noise(rng, shape, 45 / film.pixel_mm)
    rows, cols = np.nonzero(chest.seen_lung)
    kind = rng.random()
    for _ in range(rng.integers(1, 4) if kind < 0.25 else 0):
        at = rng.integers(len(rows))
        radius = rng.uniform(4, 11)
        distance = np.hypot(film.x - film.x[0, cols[at]], film.z - film.z[rows[at], 0]) / radius
        total += 1.3 * radius * np.sqrt(np.clip(1 - distance**2, 0, None))
    if kind > 0.85:
        at = rng.integers(len(rows))
        distance = np.hypot(film.x - film.x[0, cols[at]], film.z - film.z[rows[at], 0]) / rng.uniform(20, 45)
        patchy = np.clip(1 + 0.6 * smooth_noise(rng, shape, 9 / film.pixel_mm), 0, None)
        total += rng.uniform(20, 45) * np.exp(-(distance**2)) * patchy
    return total * chest.lung_share


def _bones(rng: np.random.Generator, person: ChestPatient, film: Film) -> dict[str, np.ndarray]:
    """Thickness of compact and of spongy bone in mm, and the pixels (bool) that each clavicle covers."""
    step = film.pixel_mm
    scale = (person.height + person.width) / 2
    lift, outwards = rng.normal(2, 6), rng.uniform(28, 48)
    slope = rng.normal(1, 0.1)
    compact, spongy, result = [], [], {}
    for name, side in SIDES.items():
        own = clavicle(side, step, lift + rng.normal(0, 2))
        compact.append(own.hollowed(0.72, 0.72))
        result[f"{name} clavicle"] = film.covers(own.moved(person.place, scale))
        compact += [rib(number, side, step, slope).hollowed(0.78, 0.7) for number in range(1, 13)]
        compact += [part * 0.55 for part in scapula(side, 2 * step, outwards)]
        spongy.append(ellipsoid((side * (168 + 0.6 * outwards), 10, 1388), (24, 24, 25), 2 * step))
    spongy.append(sternum(2 * step))
    spine = ("C4", "C5", "C6", "C7", *(f"T{number}" for number in range(1, 13)), "L1", "L2")
    spongy.append(vertebral_bodies(spine, 1.5 * step))
    for name, parts in (("compact", compact), ("spongy", spongy)):
        result[name] = film.sums(joined(parts).moved(person.place, scale))[0]
    return result


def _marker(rng: np.random.Generator, film: Film) -> np.ndarray:
    """A letter L of lead, 1 mm thick, beside the left shoulder."""
    x, z = film.x - (film.x.max() - rng.uniform(20, 40)), film.z - (film.top - rng.uniform(25, 45))
    upright = (np.abs(x) < 1.6) & (np.abs(z) < 7)
    foot = (np.abs(x - 3.2) < 4.8) & (np.abs(z + 5.6) < 1.6)
    return (upright | foot) * float(rng.random() < 0.7)


def _detected(rng: np.random.Generator, attenuation: np.ndarray, body: np.ndarray, pixel_mm: float) -> np.ndarray:
    """The image (uint16) that a detector and its processing make of the attenuation along the rays."""
    primary = np.exp(-attenuation)
    scattered = _spread(primary * body, 35 / pixel_mm)
    exposure = ndimage.gaussian_filter(primary, 0.35 / pixel_mm) + rng.uniform(0.1, 0.3) * scattered
    photons = rng.uniform(1.2e5, 5e5) * pixel_mm**2
    exposure = np.maximum(rng.normal(exposure * photons, np.sqrt(exposure * photons)), 1) / photons
    density = -np.log(exposure)
    # What most machines do: coarse differences are made smaller, and so fine ones seem larger.
    coarse = _spread(np.clip(density, np.percentile(density[body], 3) - 1, None), 28 / pixel_mm)
    density = density - rng.uniform(0.1, 0.4) * (coarse - coarse[body].mean())
    low, high = np.percentile(density[body], (5, 95))
    place = (density - low) / (high - low)
    steepness = rng.uniform(2.6, 3.6)
    tone = 1 / (1 + np.exp(-steepness * (place - rng.uniform(0.46, 0.56))))
    darkest, brightest = rng.uniform(0.03, 0.09), rng.uniform(0.9, 0.97)
    tone = darkest + (brightest - darkest) * (tone - 0.08) / 0.84
    return np.clip(np.rint(65535 * tone), 0, 65535).astype(np.uint16)


def _spread(image: np.ndarray, pixels: float) -> np.ndarray:
    """Blurred so much that a coarser grid will do."""
    part = max(1, int(pixels / 5))
    rows, cols = image.shape
    coarse = ndimage.zoom(
        ndimage.uniform_filter(image, part, mode="nearest"), 1 / part, order=1, grid_mode=True, mode="nearest"
    )
    coarse = ndimage.gaussian_filter(coarse, pixels / part, mode="nearest")
    return ndimage.zoom(
        coarse, (rows / coarse.shape[0], cols / coarse.shape[1]), order=1, grid_mode=True, mode="nearest"
    )
