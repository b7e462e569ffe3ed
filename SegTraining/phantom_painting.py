"""Paints the spine phantom, from the trunk inwards to the vertebral bodies, and notes the truth on the way."""

import numpy as np

from .phantom_anatomy import Body, Disc, Spine, body_distance, outline, posterior_elements
from .phantom_image import Canvas, Tissue
from .phantom_tissues import Course

Tissues = dict[str, Tissue]

DISC, CANAL = 201, 202
"""How the truth marks discs and the dural sac; bodies have their VerSe labels."""


def _tube(x: np.ndarray, y: np.ndarray, half_width: np.ndarray, half_depth: np.ndarray) -> np.ndarray:
    """Approximate signed distance (mm) to a vertical tube of elliptic cross-section around the origin."""
    ratio = np.hypot(x / half_width, y / half_depth)
    return (ratio - 1) * np.minimum(half_width, half_depth)


def _level(spine: Spine, name: str, missing: float) -> float:
    """The height z (mm) of a level; `missing` if the chain does not hold it."""
    return next((float(body.centre[2]) for body in spine.bodies if body.name == name), missing)


def paint_trunk(canvas: Canvas, rng: np.random.Generator, spine: Spine, course: Course, tissues: Tissues) -> None:
    """Skin, fat, back muscles, abdominal wall and content, psoas, kidneys and great vessels. Air stays 0."""
    x, y, z = canvas.coordinates
    dx = x - course.at(course.x, z)
    size = course.at(course.half_width, z) / 24.0
    furrow = rng.uniform(3, 8) * np.exp(-((dx / 13) ** 2))
    back = course.at(course.back, z) - furrow - 0.0012 * dx**2
    front = course.at(course.front, z) + 0.002 * dx**2 + 1.5 * course.at(course.ripple, z)
    outside = np.maximum(y - back, front - y)
    canvas.paint(canvas.cover(outside), tissues["fat"])
    canvas.paint(0.9 * canvas.cover(np.abs(outside + 1.0) - 0.8), tissues["skin"])

    tail = np.clip((_level(spine, "L2", -1e3) - z) / 130, 0, 1)
    fat_back = rng.uniform(4, 14) * size**0.5 + rng.uniform(6, 22) * tail**1.5
    fat_front = rng.uniform(6, 26) * size
    fascia = y - (back - fat_back)
    spine_back = course.at(course.canal_y, z) - 2.0 + 4.0 * canvas.coarse
    canvas.paint(canvas.cover(np.maximum(fascia, front + fat_front - y)), tissues["inner fat"])
    back_muscle = canvas.cover(np.maximum(fascia, spine_back - y))
    canvas.paint(back_muscle, tissues["muscle"])
    infiltration = rng.uniform(0.1, 0.9) * np.clip(canvas.medium + 0.6 * canvas.coarse - 0.9, 0, 1)
    canvas.paint(back_muscle * infiltration, tissues["fat"])
    canvas.paint(0.6 * back_muscle * np.exp(-((dx / 2.2) ** 2)), tissues["fat"])
    canvas.paint(0.7 * canvas.cover(np.abs(fascia) - 0.7), tissues["ligament"])

    wall = front + fat_front
    canvas.paint(canvas.cover(np.maximum(wall - y, y - wall - 9 * size)), tissues["muscle"])
    spine_front = course.at(course.y, z) - course.at(course.half_depth, z)
    abdomen = canvas.cover(np.maximum(wall + 9 * size - y, y - spine_front + 16 * size))
    lumps = np.clip(0.8 * canvas.coarse + 0.5 * canvas.medium, 0, 1)
    canvas.paint(0.9 * abdomen * lumps, tissues["bowel"])
    _paint_bowel(canvas, rng, course, tissues)
    _paint_deep_muscles(canvas, spine, course, tissues)
    _paint_vessels(canvas, rng, spine, course, tissues)


def _paint_bowel(canvas: Canvas, rng: np.random.Generator, course: Course, tissues: Tissues) -> None:
    """Loops of bowel, gas and pieces of organs in front of the spine: blobs with walls of their own."""
    x, _, z = canvas.coordinates
    for _ in range(90):
        height = rng.uniform(z.min(), z.max())
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


def _paint_deep_muscles(canvas: Canvas, spine: Spine, course: Course, tissues: Tissues) -> None:
    """Psoas and quadratus lumborum beside the lumbar spine, kidneys above them; longus muscles in the neck."""
    x, y, z = canvas.coordinates
    dx, dy = x - course.at(course.x, z), y - course.at(course.y, z)
    half_width = course.at(course.half_width, z)
    top = _level(spine, "T12", -1e3)
    if top < -500:
        for side in (-1, 1):
            longus = _tube(dx - side * 0.6 * half_width, dy + course.at(course.half_depth, z) + 4, 7.0, 4.0)
            canvas.paint(canvas.cover(longus), tissues["muscle"])
        return
    grown = np.clip((top - z) / 150, 0, 1)
    low = np.clip((_level(spine, "L5", -1e3) - z) / 60, 0, 1)
    for side in (-1, 1):
        radius = 4.0 + 17.0 * grown
        psoas = _tube(dx - side * (half_width + 0.85 * radius + 14 * low), dy + 26 * low - 3, radius, 1.15 * radius)
        psoas = np.maximum(psoas, z - top)
        canvas.paint(canvas.cover(psoas + 0.5 * canvas.medium), tissues["muscle"])
        quadratus = np.maximum(_tube(dx - side * 66, dy - 22, 20.0, 9.0), np.abs(z - top + 70) - 60)
        canvas.paint(canvas.cover(quadratus), tissues["muscle"])
        kidney = np.sqrt(((dx - side * 62) / 25) ** 2 + ((dy + 2) / 22) ** 2 + ((z - top + 35) / 52) ** 2)
        canvas.paint(canvas.cover((kidney - 1) * 23), tissues["organ"])


def _paint_vessels(canvas: Canvas, rng: np.random.Generator, spine: Spine, course: Course, tissues: Tissues) -> None:
    """Aorta and vena cava before the spine, parting below L4; the windpipe in the neck."""
    x, y, z = canvas.coordinates
    dx = x - course.at(course.x, z)
    dy = y - course.at(course.y, z) + course.at(course.half_depth, z)
    fork = _level(spine, "L4", -1e3)
    if fork < -500:
        windpipe = _tube(dx, dy + rng.uniform(17, 22), 8.5, 8.0)
        canvas.paint(canvas.cover(np.abs(windpipe) - 1.2), tissues["muscle"])
        canvas.paint(canvas.cover(windpipe), tissues["gas"])
        return
    apart = np.clip((fork - z) / 60, 0, 1)
    aorta, cava = (1, 7.0, rng.uniform(7, 10), 0.95), (-1, 15.0, rng.uniform(7, 12), 0.65)
    for side, start, radius, flat in (aorta, cava):
        width = radius * (1 - 0.35 * apart)
        vessel = _tube(dx - side * (start + 30 * apart), dy + radius + 2 + 6 * apart, width, flat * width)
        vessel = vessel + 1.2 * canvas.coarse
        canvas.paint(canvas.cover(np.abs(vessel) - 0.9), tissues["muscle"])
        canvas.paint(canvas.cover(vessel), tissues["vessel"])


def paint_canal(canvas: Canvas, rng: np.random.Generator, spine: Spine, course: Course, tissues: Tissues) -> None:
    """Epidural fat, dural sac (marked `CANAL`), cord and nerve roots."""
    points = np.stack([course.canal_x, course.canal_y, course.z], axis=1)
    with canvas.box(list(points), 18.0) as seen:
        if not seen:
            return
        x, y, z = canvas.coordinates
        dx = x - course.at(course.canal_x, z)
        dy = (y - course.at(course.canal_y, z)) * course.at(course.canal_slant, z)
        closing = np.clip((z - _level(spine, "S3", -1e4)) / 55, 0.02, 1) ** 0.5
        half_width = (8.0 + 0.1 * course.at(course.half_width, z)) * closing * rng.uniform(0.9, 1.1)
        half_depth = (6.0 + 0.08 * course.at(course.half_depth, z)) * closing * rng.uniform(0.85, 1.1)
        sac = _tube(dx, dy, half_width, half_depth)
        space = _tube(dx, dy - 1.5, half_width + 1.5 + 4 * (1 - closing), half_depth + 2.5 + 4 * (1 - closing))
        epidural = Tissue((tissues["fat"].signal + tissues["inner fat"].signal) / 2)
        canvas.paint(canvas.cover(space), epidural)
        canvas.paint(0.8 * canvas.cover(np.abs(sac - 0.4) - 0.5), tissues["ligament"])
        canvas.paint(canvas.cover(sac), tissues["fluid"])
        canvas.mark(sac, CANAL)

        conus = _level(spine, "L1", -1e3) + rng.uniform(-15, 15)
        taper = np.clip((z - conus + 5) / 30, 0.02, 1) ** 0.6
        cord = _tube(dx, dy - 0.5, 5.0 * taper, 3.7 * taper)
        canvas.paint(0.95 * canvas.cover(np.maximum(cord, conus - z)), tissues["cord"])
        roots = z < conus + 25
        for _ in range(24):
            start, end = rng.uniform(-0.75, 0.75, 2)
            along = np.clip((conus + 25 - z) / 220, 0, 1)
            across = half_width * (start * (1 - along) + end * along)
            deep = half_depth * (rng.uniform(0.1, 0.8) - 0.35 * along + 0.15 * np.sin(z / rng.uniform(15, 40)))
            thread = np.hypot(dx - across, dy - deep) - rng.uniform(0.3, 0.7)
            canvas.paint(0.45 * roots * canvas.cover(thread) * (sac < 0), tissues["cord"])


def _bone(canvas: Canvas, distance: np.ndarray, rim_mm: float, marrow: Tissue, tissues: Tissues) -> None:
    """Paint marrow inside a surface and its cortex, about `rim_mm` thick, on it."""
    canvas.paint(canvas.cover(distance), marrow)
    canvas.paint(0.9 * np.exp(-(((distance + 0.4 * rim_mm) / rim_mm) ** 2)), tissues["cortex"])


def paint_posterior_elements(canvas: Canvas, body: Body, tissues: Tissues) -> None:
    """Pedicles, laminae and processes of one vertebra as one bone with a cortex."""
    rods = posterior_elements(body)
    ends = [body.point(*point) for rod in rods for point in (rod.start, rod.end)]
    with canvas.box(ends, 16.0) as seen:
        if not seen:
            return
        local = canvas.local(body.centre, body.axes)
        distance = np.min([rod.distance(*local) for rod in rods], axis=0) + 0.5 * canvas.medium[canvas.window]
        _bone(canvas, distance, 1.0, tissues["marrow"], tissues)


def paint_disc(canvas: Canvas, disc: Disc, tissues: Tissues) -> None:
    """One disc (marked `DISC`): annulus, nucleus with its cleft, and the ligaments around."""
    with canvas.box([disc.centre], 0.75 * disc.width) as seen:
        if not seen:
            return
        left, back, up = canvas.local(disc.centre, disc.axes)
        ratio = np.maximum(outline(left, back, 1.03 * disc.width, 1.03 * disc.depth), 1e-3)
        # It reaches under the hollow endplates of the bodies, which are painted over it.
        side, end = np.hypot(left, back) * (1 - 1 / ratio), np.abs(up) - disc.thickness / 2
        distance = np.maximum(side, end - 3.5)
        canvas.paint(0.8 * canvas.cover(np.maximum(side - 1.2, end - 0.5)), tissues["ligament"])
        canvas.paint(canvas.cover(distance), tissues["annulus"])
        canvas.paint(0.8 * disc.wear * canvas.cover(distance), tissues["worn disc"])
        middle = np.sqrt(
            (left / (0.36 * disc.width)) ** 2
            + ((back + 0.02 * disc.depth) / (0.34 * disc.depth)) ** 2
            + (up / (0.5 * disc.thickness + 2.0)) ** 2
        )
        nucleus = (1 - disc.wear) ** 1.3 * np.clip((1.12 - middle) / 0.3, 0, 1)
        cleft = 1 - 0.45 * np.exp(-((up / 1.1) ** 2))
        canvas.paint(nucleus * cleft, tissues["nucleus"])
        canvas.mark(distance, DISC)


def paint_body(canvas: Canvas, rng: np.random.Generator, body: Body, tissues: Tissues) -> None:
    """One vertebral body (marked with its label) with cortex and basivertebral vein."""
    level = tissues["marrow"].signal * np.exp(rng.normal(0, 0.05))
    vein_strength = rng.uniform(0.2, 0.8)
    angioma = rng.random() < 0.08, rng.uniform(-0.25, 0.25, 3) * (body.width, body.depth, body.height)
    with canvas.box([body.centre], 0.75 * body.width + 4) as seen:
        if not seen:
            return
        left, back, up = canvas.local(body.centre, body.axes)
        distance = body_distance(body, left, back, up) + 0.35 * canvas.medium[canvas.window]
        canvas.paint(0.7 * canvas.cover(distance - 1.0), tissues["ligament"])
        texture = tissues["marrow"]
        marrow = Tissue(level, texture.fine, texture.medium, texture.coarse)
        _bone(canvas, distance, 0.8, marrow, tissues)
        wall = body.depth / 2
        deep = np.clip((wall - back) / (0.65 * wall), 0, 1)
        vein = np.hypot(left / (1 + 1.5 * deep), up) - 3.6 * body.size_ratio * (1 - deep)
        canvas.paint(vein_strength * canvas.cover(np.maximum(vein, distance)) * (deep < 1), tissues["vein"])
        if angioma[0]:
            away = np.sqrt(sum((p - q) ** 2 for p, q in zip((left, back, up), angioma[1], strict=True)))
            angioma_size = 4 + 2 * canvas.medium[canvas.window]
            canvas.paint(0.35 * canvas.cover(np.maximum(away - angioma_size, distance + 2)), tissues["fat"])
        canvas.mark(distance, body.label)
