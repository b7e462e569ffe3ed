"""Paints the head of the phantom as far as it confuses: skull base, brain stem, cerebellum, face and its airways.

Everything hangs on the tip of the dens and is written in its frame: left, back and up in mm from there.
"""

import numpy as np

from .anatomy import Spine
from .image import Tissues, VoxelCanvas, paint_bone
from .shapes import Rod, ellipsoid


def paint_head(canvas: VoxelCanvas, rng: np.random.Generator, spine: Spine, tissues: Tissues) -> None:
    """Scalp and face, skull with brain in fluid, air in the nose; the neck reaches up to it and is there already."""
    axis, atlas = spine.bodies[0], spine.atlas
    tip = axis.point(0, -1, axis.height / 2 + 14)
    stout = rng.uniform(0.92, 1.1)
    chin, palate, sinus = rng.uniform(-8, 8), rng.uniform(-4, 4), rng.uniform(5, 16)
    nod = np.deg2rad(rng.normal(4, 7))
    nodded = np.array([[1, 0, 0], [0, np.cos(nod), np.sin(nod)], [0, -np.sin(nod), np.cos(nod)]])
    with canvas.between(float(tip[2]) - 75, np.inf) as seen:
        if not seen:
            return
        left, back, up = (part / stout for part in canvas.local(tip, nodded @ atlas.axes))
        uneven = canvas.coarse[canvas.window]
        cerebrum = np.maximum(ellipsoid(left, back + 12, up - 72, (66, 82, 58)), 44 - up)
        fossa = ellipsoid(left, back - 27, up - 26, (52, 46, 30))
        cavity = np.minimum(cerebrum, fossa)
        face = np.maximum(ellipsoid(left, back + 58, up + 8 - chin, (58, 56, 62)), -up - 52 + chin)
        face = np.maximum(face, back + 31 - 4 * np.clip(up + 5, 0, 10))  # the throat is behind it
        scalp = np.minimum(cavity - 15, face) + uneven
        bare = canvas.signal[canvas.window] == 0
        canvas.paint(canvas.cover(scalp) * bare, tissues["fat"])
        canvas.paint(0.9 * canvas.cover(np.abs(scalp + 1) - 0.8) * bare, tissues["skin"])
        canvas.paint(canvas.cover(face + 9 + 2 * uneven), tissues["muscle"])
        canvas.paint(canvas.cover(np.maximum(face + 9, 0.35 - canvas.medium[canvas.window])), tissues["inner fat"])

        _paint_airways(canvas, tissues, (left, back, up), palate)
        vault = cavity - rng.uniform(5, 8)
        paint_bone(canvas, vault, 1.6, tissues)
        clivus = Rod((0, -3, 7), (0, -32, 44), 3.5, 9.0).distance(left / 2.2, back, up)
        paint_bone(
            canvas, np.minimum(clivus, Rod((0, 34, 6), (0, 44, 4), 3.5, 3.0).distance(left / 3, back, up)), 1.2, tissues
        )
        canvas.paint(canvas.cover(ellipsoid(left, back + 44, up - 36, (14, sinus, 9))), tissues["gas"])
        _paint_brain(canvas, tissues, (left, back, up), cavity)
        for side in (-1, 1):  # occipital condyles, on the atlas
            condyle = Rod((side * 16, 2, 2), (side * 22, 12, 8), 6, 6).distance(left, back, up)
            paint_bone(canvas, condyle, 1.2, tissues)
        _paint_jaw(canvas, tissues, (left, back, up + chin), palate - chin)


def _paint_brain(canvas: VoxelCanvas, tissues: Tissues, local: tuple, cavity: np.ndarray) -> None:
    """Brain stem, cerebellum and cerebrum in their fluid; the stem goes over into the cord."""
    left, back, up = local
    canvas.paint(canvas.cover(cavity), tissues["fluid"])
    folds = 0.6 * canvas.fine[canvas.window] + 1.5 * canvas.medium[canvas.window]
    cerebellum = ellipsoid(left, back - 38, up - 25, (47, 30, 25)) + folds
    cerebrum = np.maximum(ellipsoid(left, back + 12, up - 74, (62, 78, 54)), 50 - up) + folds
    stem = Rod((0, 16, -4), (0, 2, 26), 5.5, 8.5).distance(left / 1.3, back, up)
    pons = ellipsoid(left, back + 3, up - 31, (17, 13, 14))
    brain = np.minimum(np.minimum(cerebellum, cerebrum), np.minimum(stem, pons))
    canvas.paint(canvas.cover(brain), tissues["brain"])
    canvas.paint(canvas.cover(ellipsoid(left, back - 14, up - 30, (8, 4, 11))), tissues["fluid"])


def _paint_airways(canvas: VoxelCanvas, tissues: Tissues, local: tuple, palate: float) -> None:
    """Nose and throat, parted by the palate; the throat goes on in the neck."""
    left, back, up = local
    nose = ellipsoid(left, back + 62, up - 18 - palate, (17, 34, 16))
    conchae = 6 * np.sin(left / 2.5) * np.sin(up / 4)
    throat = Rod((0, -22, 16), (0, -21, -10), 8.0, 6.5).distance(left / 1.7, back, up)
    soft = Rod((0, -62, 4 + palate), (0, -29, -12 + palate), 3.0, 3.5).distance(left / 4, back, up)
    air = np.maximum(np.minimum(nose + np.maximum(conchae, 0), throat), -soft)
    canvas.paint(canvas.cover(np.abs(air) - 1.5), tissues["organ"])
    canvas.paint(canvas.cover(air), tissues["gas"])


def _paint_jaw(canvas: VoxelCanvas, tissues: Tissues, local: tuple, palate: float) -> None:
    """Tongue, hard palate and lower jaw."""
    left, back, up = local
    tongue = ellipsoid(left, back + 56, up + 20, (24, 26, 20))
    canvas.paint(canvas.cover(tongue), tissues["muscle"])
    canvas.paint(0.5 * canvas.cover(np.maximum(tongue, -canvas.medium[canvas.window])), tissues["fat"])
    paint_bone(
        canvas, Rod((0, -60, 4 + palate), (0, -98, 4 + palate), 2.5, 5.0).distance(left / 6, back, up), 1.0, tissues
    )
    for side in (-1, 1):
        branch = Rod((0, -98, -34), (side * 44, -36, -22), 7.0, 6.0, 1.6).distance(left, back, up)
        rise = Rod((side * 44, -36, -22), (side * 48, -26, 22), 6.0, 5.0).distance(left, back, up)
        paint_bone(canvas, np.minimum(branch, rise), 1.8, tissues)
