"""Paints the spine of the phantom, canal, processes, discs and bodies, and notes the truth on the way."""

import numpy as np

from .anatomy import Disc, PhantomBody, Spine
from .curve import Course
from .dural_sac import DuralSac
from .image import Tissue, Tissues, VoxelCanvas, paint_bone, paint_cortex
from .pathology import Lesion
from .shapes import body_distance, disc_distances, node_distance, posterior_elements, tube
from .structures import Structure


def paint_canal(canvas: VoxelCanvas, rng: np.random.Generator, spine: Spine, course: Course, tissues: Tissues) -> None:
    """Epidural fat, dural sac, cord and nerve roots."""
    sac = DuralSac.draw(rng, spine, course)
    points = np.stack([course.canal_x, course.canal_y, course.z], axis=1)
    with canvas.box(list(points), 18.0) as seen:
        if not seen:
            return
        z = canvas.coordinates[2]
        dx, dy, half_width, half_depth = sac.section(*canvas.coordinates)
        closing, end = sac.closing(z), z - sac.top
        inside = sac.distance(*canvas.coordinates)
        space = tube(dx, dy - 1.5, half_width + 1.5 + 4 * (1 - closing), half_depth + 2.5 + 4 * (1 - closing))
        space = np.maximum(space, end + 4)
        epidural = Tissue((tissues["fat"].signal + tissues["inner fat"].signal) / 2)
        canvas.paint(canvas.cover(space), epidural)
        canvas.paint(0.8 * canvas.cover(np.abs(inside - 0.4) - 0.5), tissues["ligament"])
        canvas.paint(canvas.cover(inside), tissues["fluid"])
        canvas.mark(inside, Structure.FLUID)

        conus = spine.height("L1") + rng.uniform(-15, 15)
        taper = np.clip((z - conus + 5) / 30, 0.02, 1) ** 0.6
        swollen = np.exp(-(((z - spine.height("C5")) / 45) ** 2))
        cord = tube(dx, dy - 0.5, (4.8 + 1.9 * swollen) * taper, (3.6 + 0.7 * swollen) * taper)
        cord = np.maximum(cord, end - 5)
        cord = np.maximum(cord, conus - z)
        canvas.paint(0.95 * canvas.cover(cord), tissues["cord"])
        canvas.mark(np.maximum(cord, inside), Structure.CORD)
        roots = z < conus + 25
        for _ in range(24):
            start, end = rng.uniform(-0.75, 0.75, 2)
            along = np.clip((conus + 25 - z) / 220, 0, 1)
            across = half_width * (start * (1 - along) + end * along)
            deep = half_depth * (rng.uniform(0.1, 0.8) - 0.35 * along + 0.15 * np.sin(z / rng.uniform(15, 40)))
            thread = np.hypot(dx - across, dy - deep) - rng.uniform(0.3, 0.7)
            canvas.paint(0.45 * roots * canvas.cover(thread) * (inside < 0), tissues["cord"])


def paint_posterior_elements(canvas: VoxelCanvas, body: PhantomBody, tissues: Tissues) -> None:
    """Pedicles, laminae and processes of one vertebra as one bone with a cortex."""
    rods = posterior_elements(body)
    ends = [body.point(*point) for rod in rods for point in (rod.start, rod.end)]
    with canvas.box(ends, 16.0) as seen:
        if not seen:
            return
        local = canvas.local(body.centre, body.axes)
        distance = np.min([rod.distance(*local) for rod in rods], axis=0) + 0.5 * canvas.medium[canvas.window]
        paint_bone(canvas, distance, 1.0, tissues)
        canvas.mark(distance, Structure.ARCH if body.label else Structure.SACRUM, body.label)


def paint_disc(canvas: VoxelCanvas, disc: Disc, tissues: Tissues) -> None:
    """One disc: annulus, nucleus with its cleft, and the ligaments around. An ossified one is bone."""
    with canvas.box([disc.centre], 0.75 * disc.width) as seen:
        if not seen:
            return
        left, back, up = canvas.local(disc.centre, disc.axes)
        side, end, distance = disc_distances(disc, left, back, up)
        canvas.paint(0.8 * canvas.cover(np.maximum(side - 1.2, end - 0.5)), tissues["ligament"])
        if disc.bone:
            canvas.paint(canvas.cover(distance), tissues["marrow"])
            return
        canvas.paint(canvas.cover(distance), tissues["annulus"])
        canvas.paint(0.8 * disc.wear * canvas.cover(distance), tissues["worn disc"])
        middle = np.sqrt(
            (left / (0.36 * disc.width)) ** 2
            + ((back + 0.02 * disc.depth) / (0.34 * disc.depth)) ** 2
            + (up / (0.5 * disc.thickness + 2.0)) ** 2
        )
        # Small discs are mostly annulus.
        nucleus = min(1.0, disc.thickness / 9 + 0.1) * (1 - disc.wear) ** 1.3 * np.clip((1.12 - middle) / 0.3, 0, 1)
        cleft = 1 - 0.45 * np.exp(-((up / 1.1) ** 2))
        canvas.paint(nucleus * cleft, tissues["nucleus"])
        canvas.mark(distance, Structure.DISC, disc.label)


def paint_body(canvas: VoxelCanvas, rng: np.random.Generator, body: PhantomBody, tissues: Tissues) -> None:
    """One vertebral body with cortex, basivertebral vein, lesions and Schmorl nodes."""
    level = tissues["marrow"].signal * np.exp(rng.normal(0, 0.05))
    vein_strength = rng.uniform(0.1, 0.8)
    with canvas.box([body.centre], 0.75 * body.width + 4) as seen:
        if not seen:
            return
        left, back, up = canvas.local(body.centre, body.axes)
        whole = body_distance(body, left, back, up) + 0.35 * canvas.medium[canvas.window]
        canvas.paint(0.7 * canvas.cover(whole - 1.0), tissues["ligament"])
        distance = whole
        for node in body.nodes:
            dent = node_distance(body, node, left, back, up) + 0.5 * canvas.medium[canvas.window]
            canvas.paint(canvas.cover(np.maximum(whole, dent)), tissues["worn disc"])
            canvas.mark(np.maximum(whole, dent), Structure.DISC, body.label)
            distance = np.maximum(distance, -dent)
        texture = tissues["marrow"]
        canvas.paint(canvas.cover(distance), Tissue(level, texture.fine, texture.medium, texture.coarse))
        wall = body.depth / 2
        deep = np.clip((wall - back) / (0.65 * wall), 0, 1)
        vein = np.hypot(left / (1 + 1.5 * deep), up) - 3.6 * body.size_ratio * (1 - deep)
        canvas.paint(vein_strength * canvas.cover(np.maximum(vein, distance)) * (deep < 1), tissues["vein"])
        for lesion in body.lesions:
            amount = lesion.strength * _spot(canvas, body, lesion, (left, back, up), distance)
            canvas.paint(amount, tissues[lesion.tissue])
        paint_cortex(canvas, distance, 0.8, tissues)
        canvas.mark(distance, Structure.BODY if body.label else Structure.SACRUM, body.label)


def _spot(canvas: VoxelCanvas, body: PhantomBody, lesion: Lesion, local: tuple, distance: np.ndarray) -> np.ndarray:
    """How much of each voxel a lesion takes up: an ellipsoid with an uneven, soft edge inside the body."""
    size = np.array([body.width, body.depth, body.height])
    centre, radii = size * lesion.centre, size * lesion.radii
    ratio = np.sqrt(sum(((p - c) / r) ** 2 for p, c, r in zip(local, centre, radii, strict=True)))
    edge = ratio + 0.15 * canvas.medium[canvas.window]
    return np.clip((1.15 - edge) / 0.3, 0, 1) * canvas.cover(distance)
