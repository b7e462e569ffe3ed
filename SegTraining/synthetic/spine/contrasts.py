"""What a scanner makes of the tissues of the spine phantom: T1, T2, STIR and others, CT, and contrasts nobody makes.

The magnetic resonance contrasts follow from the physics of their sequences: proton density, fat fraction, T1 and T2
of each tissue (rounded averages at 1.5 T) and repetition, echo and inversion times drawn as radiologists choose them.
"""

from dataclasses import dataclass, replace

import numpy as np

from .image import Tissue


@dataclass(frozen=True)
class Matter:
    """What a tissue is made of: protons (fluid 1), the fat among them, T1, T2 (ms) of its water, Hounsfield units."""

    protons: float
    fat: float
    t1: float
    t2: float
    hounsfield: float
    texture: tuple[float, float, float] = (0.05, 0.05, 0.05)
    """Relative variation at 1 mm, 4 mm and 16 mm."""


_MATTER: dict[str, Matter] = {
    "fat": Matter(1.00, 0.95, 900, 45, -100, (0.03, 0.06, 0.05)),
    "inner fat": Matter(0.90, 0.75, 900, 45, -80, (0.06, 0.13, 0.13)),
    "skin": Matter(0.60, 0.10, 600, 30, 20),
    "muscle": Matter(0.80, 0.04, 1000, 42, 55, (0.08, 0.10, 0.06)),
    "marrow": Matter(0.80, 0.45, 800, 55, 160, (0.09, 0.07, 0.08)),
    "cortex": Matter(0.12, 0.20, 600, 20, 750),
    "vein": Matter(0.90, 0.10, 1300, 130, 60),
    "fluid": Matter(1.00, 0.00, 3500, 1200, 8, (0.02, 0.05, 0.06)),
    "cord": Matter(0.75, 0.00, 900, 85, 38, (0.03, 0.04, 0.05)),
    "brain": Matter(0.80, 0.00, 950, 92, 35, (0.05, 0.08, 0.05)),
    "nucleus": Matter(0.90, 0.00, 1100, 110, 75, (0.04, 0.06, 0.08)),
    "annulus": Matter(0.60, 0.02, 900, 36, 95),
    "worn disc": Matter(0.60, 0.02, 1000, 45, 85),
    "ligament": Matter(0.30, 0.05, 700, 25, 85),
    "vessel": Matter(0.90, 0.00, 1300, 160, 48),
    "bowel": Matter(0.75, 0.15, 900, 80, 20, (0.08, 0.20, 0.20)),
    "gas": Matter(0.02, 0.00, 900, 40, -920),
    "lung": Matter(0.12, 0.00, 1100, 45, -820, (0.25, 0.25, 0.10)),
    "organ": Matter(0.75, 0.06, 650, 55, 60, (0.06, 0.06, 0.05)),
    "gland": Matter(0.80, 0.10, 900, 75, 70, (0.06, 0.10, 0.05)),
    "oedema": Matter(0.90, 0.08, 1300, 95, 60, (0.08, 0.12, 0.10)),
    "tumour": Matter(0.85, 0.02, 1150, 85, 55, (0.08, 0.12, 0.08)),
    "sclerosis": Matter(0.30, 0.10, 800, 30, 550, (0.12, 0.15, 0.10)),
    "angioma": Matter(1.00, 0.60, 1200, 130, 90, (0.20, 0.12, 0.05)),
    "cement": Matter(0.02, 0.00, 900, 40, 1500, (0.0, 0.1, 0.1)),
    "metal": Matter(0.00, 0.00, 900, 40, 2600, (0.0, 0.0, 0.0)),
}
_FAT_T1, _FAT_T2 = 300.0, 150.0
"""Of fat itself; in trains of spin echoes its T2 is long."""


@dataclass(frozen=True)
class _Sequence:
    """A spin echo, or a spoiled gradient echo (flip angle below 90 degrees); times in ms."""

    repetition: float
    echo: float
    inversion: float | None = None
    flip_degrees: float = 90.0
    water_kept: float = 1.0
    fat_kept: float = 1.0
    flow: float = 0.1
    """How much flowing blood keeps of its signal."""

    def signal(self, matter: Matter) -> float:
        water = self.water_kept * (1 - matter.fat) * self._magnetisation(matter.t1) * np.exp(-self.echo / matter.t2)
        fat = self.fat_kept * matter.fat * self._magnetisation(_FAT_T1) * np.exp(-self.echo / _FAT_T2)
        return abs(matter.protons * (water + fat))

    def _magnetisation(self, t1: float) -> float:
        recovered = np.exp(-self.repetition / t1)
        if self.inversion is not None:
            return 1 - 2 * np.exp(-self.inversion / t1) + recovered
        flip = np.deg2rad(self.flip_degrees)
        return np.sin(flip) * (1 - recovered) / (1 - np.cos(flip) * recovered)


def _draw_sequence(rng: np.random.Generator, contrast: str) -> _Sequence:
    draw = rng.uniform
    flow = draw(0.0, 0.4)
    match contrast:
        case "T1":
            return _Sequence(draw(400, 750), draw(7, 15), flow=flow)
        case "T2":
            return _Sequence(draw(2500, 5000), draw(75, 125), flow=flow)
        case "T2 fat-suppressed":
            return _Sequence(draw(2500, 5000), draw(60, 100), fat_kept=draw(0.0, 0.2), flow=flow)
        case "PD":
            return _Sequence(draw(2000, 3500), draw(12, 35), flow=flow)
        case "STIR":
            null = _FAT_T1 * np.log(2) * draw(0.85, 1.1)
            return _Sequence(draw(3000, 6000), draw(25, 80), null, flow=flow)
        case "water":
            return _Sequence(draw(6, 12), draw(1, 3), None, draw(3, 6), fat_kept=draw(0, 0.08), flow=draw(0.5, 1.2))
        case "fat":
            return _Sequence(draw(6, 12), draw(1, 3), None, draw(3, 6), water_kept=draw(0, 0.08), flow=draw(0.5, 1.2))
    raise ValueError(f'"{contrast}" is not a contrast of the phantom: use {", ".join(CONTRASTS)} or random.')


CONTRASTS = ("T1", "T2", "STIR", "water", "fat", "T2 fat-suppressed", "PD", "CT", "invented")
"""Beside the usual ones: the water and the fat image of a chemical-shift gradient echo; what no scanner makes."""


def draw_tissues(rng: np.random.Generator, contrast: str) -> dict[str, Tissue]:
    """The tissues of one person in one contrast of `CONTRASTS`, each a little different from the average.

    The brightest of fat, fluid, muscle and marrow is about 1; in "CT" 1 is water and 0 air. Raises ValueError for a
    contrast that does not exist.
    """
    matters = {name: _vary(rng, matter) for name, matter in _MATTER.items()}
    marrow = matters["marrow"]
    patchy = rng.uniform(0.5, 2.0)
    matters["marrow"] = replace(
        marrow,
        fat=rng.uniform(0.2, 0.7),
        hounsfield=rng.uniform(60, 260),
        texture=tuple(patchy * part for part in marrow.texture),
    )
    if contrast == "CT":
        return {
            name: Tissue(1 + matter.hounsfield / 1000, *(np.array(matter.texture) * (0.6 if name == "marrow" else 0.2)))
            for name, matter in matters.items()
        }
    if contrast == "invented":
        return _invent(rng, matters)
    sequence = _draw_sequence(rng, contrast)
    signals = {name: sequence.signal(matter) * np.exp(rng.normal(0, 0.08)) for name, matter in matters.items()}
    signals["vessel"] *= sequence.flow
    if sequence.flip_degrees < 90:
        signals["fluid"] *= rng.uniform(1.0, 1.8)  # it pulsates: fresh, unsaturated spins flow in
    brightest = max(signals[name] for name in ("fat", "fluid", "muscle", "marrow"))
    return {name: Tissue(signals[name] / brightest, *matter.texture) for name, matter in matters.items()}


def _vary(rng: np.random.Generator, matter: Matter) -> Matter:
    factors = np.exp(rng.normal(0, 0.08, 4))
    return replace(
        matter,
        protons=matter.protons * factors[0],
        fat=min(1.0, matter.fat * factors[1]),
        t1=matter.t1 * factors[2],
        t2=matter.t2 * factors[3],
        hounsfield=matter.hounsfield + rng.normal(0, 8),
    )


def _invent(rng: np.random.Generator, matters: dict[str, Matter]) -> dict[str, Tissue]:
    """Any order of bright and dark, as long as a body can be told from what surrounds it."""
    strength = rng.uniform(0.3, 2.0)
    while True:
        signals = {name: rng.uniform(0.03, 1.0) for name in matters}
        rim, disc = (abs(signals["marrow"] - signals[name]) for name in ("cortex", "annulus"))
        if max(rim, disc) > 0.15:
            break
    signals["gas"] = rng.uniform(0.0, 0.1)
    return {
        name: Tissue(signals[name], *(strength * part for part in matter.texture)) for name, matter in matters.items()
    }
