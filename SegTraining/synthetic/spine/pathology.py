"""What can be wrong with a spine of the phantom: worn discs, fractures, nodes, fusions, slips and spots."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Node:
    """A Schmorl node: a dent in an endplate, as fractions of the body's width and depth; radius and depth in mm."""

    left: float
    back: float
    top: bool
    radius: float
    depth: float


@dataclass(frozen=True)
class Lesion:
    """A spot of another tissue: centre and radii as fractions of the body's width, depth and height."""

    tissue: str
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    strength: float


@dataclass(frozen=True)
class Disease:
    """What one vertebra and the disc below it have. Factors are 1 and lengths 0 in a healthy one."""

    wear: float
    disc_height: float
    bone: bool
    """The disc is ossified."""
    bulge: tuple[float, float]
    lip: float
    """Osteophytes of a lumbar vertebra, mm."""
    slip: float
    """How far it has slipped forward on the one below, as a fraction of its depth."""
    height: float
    width: float
    hollow: float
    front_loss: float
    """By how much the front is lower than the back, as a fraction of the height."""
    nodes: tuple[Node, ...]
    lesions: tuple[Lesion, ...]
    fracture: str
    """What kind of compression it has, "wedge", "biconcave" or "crush"; empty without one."""


def draw_diseases(rng: np.random.Generator, names: list[str], disease: float) -> dict[str, Disease]:
    """What the vertebrae `names` of one person have, by name; `disease` (0 to 1) says how much a person may have."""
    age = rng.uniform(0.0, 1.0)
    metastases = disease * 0.6 * rng.random() if rng.random() < 0.4 * disease else 0.0
    porous = disease * rng.uniform(0.1, 0.5) if rng.random() < 0.25 + 0.3 * disease else 0.0
    nodes = disease * rng.uniform(0.1, 0.5) if rng.random() < 0.3 else 0.0
    fused = str(rng.choice(names)) if rng.random() < 0.15 * disease else ""
    slipped = str(rng.choice(["L3", "L4", "L5", "C4"], p=[0.1, 0.4, 0.4, 0.1])) if rng.random() < 0.2 * disease else ""
    return {
        name: _draw(
            rng,
            age,
            disease,
            fracture=0.0 if name.startswith("S") else min(0.03, 0.3 * disease) + porous,
            metastasis=metastases,
            node=0.0 if name.startswith(("S", "C")) else 0.01 + nodes,
            bone=name == fused,
            slip=rng.uniform(0.08, 0.35) if name == slipped else 0.0,
        )
        for name in names
    }


def draw_screwed(rng: np.random.Generator, names: list[str], disease: float) -> tuple[str, ...]:
    """The levels that a surgeon has joined with pedicle screws; mostly none."""
    places = [name for name in names if name.startswith(("T", "L")) or name == "S1"]
    first, count = int(rng.beta(3, 1) * (len(places) - 2)), int(rng.integers(2, 5))
    return tuple(places[first : first + count]) if rng.random() < 0.12 * disease else ()


def _draw(
    rng: np.random.Generator,
    age: float,
    disease: float,
    fracture: float,
    metastasis: float,
    node: float,
    bone: bool,
    slip: float,
) -> Disease:
    wear = float(np.clip(rng.beta(1.2, 2.0) * (0.3 + age), 0, 1))
    if rng.random() < 0.3 * disease:
        wear = rng.uniform(0.7, 1.0)
    height = width = hollow = 1.0
    front_loss = 0.0
    compression = ""
    lesions = []
    if rng.random() < fracture:
        # An old or fresh compression: a wedge, a biconcave one, or a crush.
        kind = rng.choice(3, p=[0.55, 0.25, 0.2])
        compression = ("wedge", "biconcave", "crush")[kind]
        front_loss = rng.uniform(0.1, 0.25 + 0.3 * disease) if kind == 0 else 0.0
        hollow = rng.uniform(1.5, 2.0 + 1.5 * disease) if kind == 1 else 1.0
        height = rng.uniform(0.9 - 0.4 * disease, 0.9) if kind == 2 else 1.0
        width = rng.uniform(1.0, 1.06)
        if rng.random() < 0.6 * disease:  # still fresh: oedema under an endplate, or everywhere
            up = rng.choice([-1, 1]) * rng.uniform(0.1, 0.5)
            lesions.append(Lesion("oedema", (0, -0.1, up), (1.0, 1.0, rng.uniform(0.2, 1.0)), rng.uniform(0.5, 1.0)))
        if rng.random() < 0.15:  # filled with cement
            lesions.append(Lesion("cement", tuple(rng.uniform(-0.15, 0.15, 3)), tuple(rng.uniform(0.15, 0.35, 3)), 1.0))
    worn = wear > 0.6 and rng.random() < 0.3 + 0.4 * disease
    if worn and rng.random() < 0.5 * disease:  # the bone beside a worn disc changes (Modic 1, 2, 3)
        kind = rng.choice(["oedema", "fat", "sclerosis"], p=[0.35, 0.5, 0.15])
        across = tuple(rng.uniform(-0.2, 0.2, 2))
        radii = tuple(rng.uniform(0.25, 0.6, 3) * (1, 1, 0.8))
        lesions.append(Lesion(kind, (*across, -0.5), radii, rng.uniform(0.4, 1)))
    if rng.random() < 0.06 + 0.08 * disease:
        kind = rng.choice(["fat", "angioma"])
        lesions.append(
            Lesion(kind, tuple(rng.uniform(-0.25, 0.25, 3)), tuple(rng.uniform(0.08, 0.25, 3)), rng.uniform(0.4, 1))
        )
    if rng.random() < metastasis:
        kind = rng.choice(["tumour", "sclerosis", "oedema"], p=[0.6, 0.25, 0.15])
        for _ in range(rng.integers(1, 4)):
            size = rng.uniform(0.12, 0.9 if rng.random() < 0.3 else 0.4)
            radii = tuple(size * rng.uniform(0.7, 1.4, 3))
            lesions.append(Lesion(kind, tuple(rng.uniform(-0.4, 0.4, 3)), radii, rng.uniform(0.6, 1.0)))
    dents = []
    while rng.random() < node and len(dents) < 3:
        across = rng.uniform(-0.25, 0.25, 2)
        dents.append(Node(*across, bool(rng.random() < 0.5), rng.uniform(3, 7), rng.uniform(2, 6)))
    bulging = rng.random() < 0.15 + 0.5 * wear * disease
    return Disease(
        wear=wear,
        disc_height=0.12 if bone else 1 - (0.4 + 0.3 * rng.random()) * wear,
        bone=bone,
        bulge=(rng.normal(0, 5), rng.uniform(1, 3 + 4 * disease)) if bulging else (0.0, 0.0),
        lip=rng.uniform(0.5, 2.0 + 2.5 * disease) if worn else 0.0,
        slip=slip,
        height=height,
        width=width,
        hollow=hollow,
        front_loss=front_loss,
        nodes=tuple(dents),
        lesions=tuple(lesions),
        fracture=compression,
    )
