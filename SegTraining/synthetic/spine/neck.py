"""Paints what lies before and beside the cervical spine of the phantom."""

import numpy as np

from .anatomy import Spine
from .curve import Course
from .image import Tissues, VoxelCanvas
from .shapes import ellipsoid, tube


def paint_neck(canvas: VoxelCanvas, rng: np.random.Generator, spine: Spine, course: Course, tissues: Tissues) -> None:
    """Long muscles, gullet, larynx and windpipe before the spine; thyroid gland and vessels beside them."""
    low, high = spine.height("T6"), spine.height("C2") + 40
    forward, wide = rng.uniform(14, 22), rng.uniform(6.5, 9.5)
    larynx, glottis = spine.height("C5") + rng.uniform(-12, 6), rng.uniform(0.15, 0.6)
    bright_vein = rng.random() < 0.5
    with canvas.between(low, high) as seen:
        if not seen:
            return
        x, y, z = canvas.coordinates
        dx, dy = x - course.at(course.x, z), y - course.at(course.y, z) + course.at(course.half_depth, z)
        half_width = course.at(course.half_width, z)
        thoracic = np.clip((spine.height("C7") - z) / 60, 0, 1)
        above_larynx = np.clip((z - larynx) / 25, -1, 1)
        before = np.maximum(course.at(course.front, z) + 14 - y, dy - 16)
        before = np.maximum(before, np.abs(dx) - 40)
        amount = np.clip(0.6 + 0.8 * canvas.coarse[canvas.window], 0, 1) * np.clip((z - spine.height("T3")) / 40, 0, 1)
        canvas.paint(0.9 * amount * canvas.cover(before), tissues["muscle"])
        middle = spine.height("C5")
        for side in (-1, 1):
            longus = np.maximum(tube(dx - side * 0.6 * half_width, dy + 4, 7.0, 4.0), spine.height("T3") - z)
            canvas.paint(canvas.cover(longus), tissues["muscle"])
            strap = ellipsoid(dx - side * 34, dy + 4 + 0.15 * (z - middle), z - middle, (10, 17, 85))
            canvas.paint(canvas.cover(strap + canvas.coarse[canvas.window]), tissues["muscle"])
            gland = ellipsoid(dx - side * 19, dy + 20, z - spine.height("C7"), (10, 13, 26))
            canvas.paint(canvas.cover(gland), tissues["gland"])
            for across, deep, radius, kind in (
                (24, 12, 3.5, "vessel"),
                (31, 9, 5.0, "vein" if bright_vein else "vessel"),
            ):
                vessel = np.maximum(tube(dx - side * across, dy + deep, radius, radius), spine.height("T1") - z)
                canvas.paint(canvas.cover(vessel), tissues[kind])
            beside = tube(dx - side * (half_width + 5.5), dy - 9, 4.0, 4.0) + 0.8 * canvas.medium[canvas.window]
            beside = np.maximum(beside, spine.height("C7") - z)
            canvas.paint(canvas.cover(beside), tissues["vein" if bright_vein else "inner fat"])
            canvas.paint(canvas.cover(beside + 2), tissues["vessel"])
        deep = dy + forward + 8 * thoracic - (forward - 13) * np.clip(above_larynx, 0, 1)
        gullet = np.maximum(tube(dx - 3, dy + 7 + 4 * thoracic, 9.0, 3.0), z - larynx + 12)
        canvas.paint(0.8 * canvas.cover(gullet), tissues["muscle"])
        # The windpipe is a ring of cartilage that widens into the larynx, narrow at the vocal folds.
        narrow = 1 - (1 - glottis) * np.exp(-(((z - larynx) / 6) ** 2))
        frame = wide + 5 * np.exp(-(((z - larynx) / 16) ** 2))
        # Below T4 it parts into the two bronchi.
        parted = np.abs(dx) - 30 * np.clip((spine.height("T4") - z) / 40, 0, None)
        end = spine.height("T5") - z
        box = np.maximum(tube(parted, deep, frame + 2.5, frame + 2), end)
        box = np.maximum(box, z - larynx - 16)
        canvas.paint(canvas.cover(box), tissues["muscle"])
        canvas.paint(canvas.cover(np.abs(box + 0.5) - 1.0), tissues["ligament"])
        windpipe = np.maximum(tube(parted, deep, wide * narrow, 0.95 * wide), end)
        canvas.paint(canvas.cover(windpipe), tissues["gas"])
        hyoid = np.hypot(deep + wide + 4 - 0.02 * dx**2, z - larynx - 32) - 3.2
        canvas.paint(canvas.cover(np.maximum(hyoid, np.abs(dx) - 20)), tissues["cortex"])
        canvas.paint(0.7 * canvas.cover(np.maximum(hyoid, np.abs(dx) - 20) + 1.2), tissues["marrow"])
