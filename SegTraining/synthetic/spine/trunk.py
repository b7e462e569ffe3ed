"""Paints what surrounds the spine of the phantom: skin, fat and muscles, and what neck, chest and belly hold."""

import numpy as np

from .anatomy import Spine
from .curve import Course
from .image import Tissue, Tissues, VoxelCanvas
from .neck import paint_neck
from .shapes import ellipsoid, tube


def paint_trunk(canvas: VoxelCanvas, rng: np.random.Generator, spine: Spine, course: Course, tissues: Tissues) -> None:
    """Everything but the spine, from the skin inwards. Air stays 0."""
    x, y, z = canvas.coordinates
    dx = x - course.at(course.x, z)
    size = course.at(course.half_width, z) / 24.0
    breadth = course.at(course.breadth, z)
    furrow = rng.uniform(3, 8) * np.exp(-((dx / 13) ** 2))
    # A neck is much rounder than a trunk.
    round_off = dx**2 * (150 / breadth) ** 1.8
    back = course.at(course.back, z) - furrow - 0.0012 * round_off
    front = course.at(course.front, z) + 0.002 * round_off + 1.5 * course.at(course.ripple, z)
    outside = np.maximum(np.maximum(y - back, front - y), np.abs(dx) - breadth)
    # The neck ends under the skull, which is painted over it, and in front under the chin.
    chin = np.clip(course.at(course.y, z) - course.at(course.half_depth, z) - 25 - y, 0, None)
    outside = np.maximum(outside, z - spine.height("C2") - 45 + 1.4 * chin)
    canvas.paint(canvas.cover(outside), tissues["fat"])
    canvas.paint(0.9 * canvas.cover(np.abs(outside + 1.0) - 0.8), tissues["skin"])

    tail = np.clip((spine.height("L2") - z) / 130, 0, 1)
    fat_back = rng.uniform(4, 14) * size**0.5 + rng.uniform(6, 22) * tail**1.5
    fat_front = rng.uniform(6, 26) * size
    fascia = y - (back - fat_back)
    spine_back = course.at(course.canal_y, z) - 2.0 + 4.0 * canvas.coarse
    inside = np.maximum(fascia, outside + 4)
    canvas.paint(canvas.cover(np.maximum(inside, front + fat_front - y)), tissues["inner fat"])
    back_muscle = canvas.cover(np.maximum(inside, spine_back - y))
    canvas.paint(back_muscle, tissues["muscle"])
    infiltration = rng.uniform(0.1, 0.9) * np.clip(canvas.medium + 0.6 * canvas.coarse - 0.9, 0, 1)
    canvas.paint(back_muscle * infiltration, tissues["fat"])
    canvas.paint(rng.uniform(0.3, 1.0) * back_muscle * np.exp(-((dx / 2.2) ** 2)), tissues["fat"])
    canvas.paint(0.7 * canvas.cover(np.abs(inside) - 0.7), tissues["ligament"])
    wall = front + fat_front
    canvas.paint(canvas.cover(np.maximum(np.maximum(wall - y, y - wall - 9 * size), inside)), tissues["muscle"])

    diaphragm = spine.height("T10") + rng.uniform(-15, 15)
    _paint_blobs(canvas, rng, course, tissues, diaphragm)
    _paint_chest(canvas, rng, spine, course, tissues, wall, diaphragm)
    paint_neck(canvas, rng, spine, course, tissues)
    _paint_belly(canvas, spine, course, tissues)
    _paint_great_vessels(canvas, rng, spine, course, tissues)


def _paint_blobs(canvas: VoxelCanvas, rng: np.random.Generator, course: Course, tissues: Tissues, top: float) -> None:
    """Loops of bowel, gas and pieces of organs in front of the spine: blobs with walls of their own."""
    x, y, z = canvas.coordinates
    low, high = float(z.min()), min(float(z.max()), top)
    with canvas.between(low, high) as seen:
        if not seen:
            return
        x, y, z = canvas.coordinates
        spine_front = course.at(course.y, z) - course.at(course.half_depth, z)
        belly = canvas.cover(np.maximum(course.at(course.front, z) + 30 - y, y - spine_front + 16))
        lumps = np.clip(0.8 * canvas.coarse[canvas.window] + 0.5 * canvas.medium[canvas.window], 0, 1)
        canvas.paint(0.9 * belly * lumps, tissues["bowel"])
    for _ in range(int(0.3 * (high - low))):
        height = rng.uniform(low, high)
        front, spine = course.at(course.front, height) + 25, course.at(course.y, height) - 48
        across = rng.uniform(x.min() - 10, x.max() + 10)
        deep = rng.uniform(front, max(spine, front + 5))
        radius = rng.uniform(4, 17)
        shape = radius * rng.uniform(0.6, 1.5, 3)
        kind = tissues[rng.choice(["bowel", "gas", "organ", "fluid", "vessel"], p=[0.46, 0.16, 0.24, 0.04, 0.1])]
        tissue = Tissue(kind.signal * rng.uniform(0.6, 1.5), kind.fine, kind.medium, kind.coarse)
        centre = np.array([across, deep, height])
        with canvas.box([centre], float(shape.max()) + 6) as seen:
            if not seen:
                continue
            left, back, up = canvas.local(centre, np.eye(3))
            ratio = np.sqrt((left / shape[0]) ** 2 + (back / shape[1]) ** 2 + (up / shape[2]) ** 2)
            distance = (ratio - 1) * radius + 2.0 * canvas.coarse[canvas.window]
            canvas.paint(0.85 * canvas.cover(distance), tissue)


def _paint_chest(
    canvas: VoxelCanvas,
    rng: np.random.Generator,
    spine: Spine,
    course: Course,
    tissues: Tissues,
    wall: np.ndarray,
    diaphragm: float,
) -> None:
    """Lungs on both sides of the mediastinum, the heart in it, the liver under the diaphragm."""
    top = spine.height("T1")
    gaps = rng.uniform(-8, 12), rng.uniform(-10, 4)
    with canvas.between(diaphragm - 150, top + 5) as seen:
        if not seen:
            return
        rows = canvas.window[1]
        wall = wall[:, rows]
        x, y, z = canvas.coordinates
        dx = x - course.at(course.x, z)
        half_width, size = course.at(course.half_width, z), course.at(course.size, z)
        spine_front = course.at(course.y, z) - course.at(course.half_depth, z)
        dome = diaphragm - 0.006 * dx**2 - 0.012 * np.clip(y - (wall + spine_front) / 2, 0, None) ** 2
        # The lungs meet in front of the spine but for the mediastinum, which is wider on the left.
        gap = 0.9 * half_width + np.where(dx > 0, gaps[0], gaps[1])
        side = np.maximum(gap - np.abs(dx), np.abs(dx) - 10 - 80 * np.clip((top - z) / 90, 0, 1) ** 0.6)
        deep = np.maximum(wall + 12 * size - y, y - spine_front - 26 * size - 8)
        lung = np.maximum(np.maximum(side, deep), dome - z) - 4 * canvas.coarse[canvas.window]
        heart = ellipsoid(dx - 18, y - wall - 50, z - spine.height("T7") + 10, (52, 44, 55))
        heart = np.maximum(heart, y - spine_front + 22)
        canvas.paint(canvas.cover(np.abs(lung) - 0.8), tissues["ligament"])
        canvas.paint(canvas.cover(lung), tissues["lung"])
        liver = ellipsoid(dx + 50, y - wall - 70, z - diaphragm + 60, (85, 60, 85))
        organ = np.maximum(np.maximum(z - dome + 2, wall + 14 * size - y), liver)
        canvas.paint(canvas.cover(organ), tissues["organ"])
        canvas.paint(canvas.cover(heart), tissues["muscle"])
        canvas.paint(canvas.cover(heart + 9 + 2 * canvas.coarse[canvas.window]), tissues["vessel"])


def _paint_belly(canvas: VoxelCanvas, spine: Spine, course: Course, tissues: Tissues) -> None:
    """Psoas and quadratus lumborum beside the lumbar spine, kidneys above them."""
    top = spine.height("T12")
    with canvas.between(top - 320, top + 40) as seen:
        if not seen:
            return
        x, y, z = canvas.coordinates
        dx, dy = x - course.at(course.x, z), y - course.at(course.y, z)
        half_width = course.at(course.half_width, z)
        grown = np.clip((top - z) / 150, 0, 1)
        low = np.clip((spine.height("L5") - z) / 60, 0, 1)
        for side in (-1, 1):
            radius = 4.0 + 17.0 * grown
            psoas = tube(dx - side * (half_width + 0.85 * radius + 14 * low), dy + 26 * low - 3, radius, 1.15 * radius)
            psoas = np.maximum(psoas, z - top)
            canvas.paint(canvas.cover(psoas + 0.5 * canvas.medium[canvas.window]), tissues["muscle"])
            quadratus = np.maximum(tube(dx - side * 66, dy - 22, 20.0, 9.0), np.abs(z - top + 70) - 60)
            canvas.paint(canvas.cover(quadratus), tissues["muscle"])
            kidney = ellipsoid(dx - side * 62, dy + 2, z - top + 35, (25, 22, 52))
            canvas.paint(canvas.cover(kidney), tissues["organ"])


def _paint_great_vessels(
    canvas: VoxelCanvas, rng: np.random.Generator, spine: Spine, course: Course, tissues: Tissues
) -> None:
    """Aorta and vena cava before the spine, parting below L4."""
    aorta, cava = (1, 7.0, rng.uniform(7, 10), 0.95), (-1, 15.0, rng.uniform(7, 12), 0.65)
    with canvas.between(spine.height("S3"), spine.height("T4")) as seen:
        if not seen:
            return
        x, y, z = canvas.coordinates
        dx = x - course.at(course.x, z)
        dy = y - course.at(course.y, z) + course.at(course.half_depth, z)
        apart = np.clip((spine.height("L4") - z) / 60, 0, 1)
        high = np.clip((z - spine.height("L1")) / 150, 0, 1)
        for side, start, radius, flat in (aorta, cava):
            width = radius * (1 - 0.35 * apart)
            across = start + 30 * apart + (8 * high if side > 0 else -4 * high)
            forward = radius + 2 + 6 * apart - (6 if side > 0 else -18) * high
            vessel = tube(dx - side * across, dy + forward, width, flat * width)
            vessel = vessel + 1.2 * canvas.coarse[canvas.window]
            canvas.paint(canvas.cover(np.abs(vessel) - 0.9), tissues["muscle"])
            canvas.paint(canvas.cover(vessel), tissues["vessel"])
