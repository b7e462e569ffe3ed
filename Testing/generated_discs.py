"""Label maps of generated spines with bodies, discs and canal, and what their measures should be."""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import SimpleITK as sitk

from SegTraining.synthetic.spine.anatomy import Disc, PhantomBody, Spine, build_spine
from SegTraining.synthetic.spine.curve import Course
from SegTraining.synthetic.spine.dural_sac import DuralSac
from SegTraining.synthetic.spine.grid import PhantomGrid, rotation
from SegTraining.synthetic.spine.image import VoxelCanvas
from SegTraining.synthetic.spine.shapes import body_distance, disc_distances, node_distance
from SegTraining.synthetic.spine.structures import Structure
from SegTraining.synthetic.spine.truth import SpineTruth, truth_of
from SpineInference.anatomy import CANAL_LABEL, DISC_OFFSET

_FINE_MM = 0.1
_AREA_MM = 0.4
_THIRDS = ((0.1, 0.233), (0.433, 0.567), (0.767, 0.9))


@dataclass(frozen=True, eq=False)
class Column:
    """A generated spine with its dural sac, in a person who was not turned, and the truth of its bodies."""

    spine: Spine
    sac: DuralSac
    truth: SpineTruth

    def fill(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which of the `points` [n, 3] (LPS) lie in a disc, and which in the sac: bodies cover discs, both the sac."""
        x, y, z = points.T
        disc, sac, body = np.zeros(len(points), bool), self.sac.distance(x, y, z) < 0, np.zeros(len(points), bool)
        near = [each for each in self.spine.discs if _is_near(each, points)]
        for each in near:
            disc |= disc_distances(each, *_local(points, each.centre, each.axes))[2] < 0
        for each in [each for each in self.spine.bodies if _is_near(each, points)]:
            body |= body_distance(each, *_local(points, each.centre, each.axes)) < 0
        return disc & ~body, sac & ~disc & ~body


def generated_column(
    seed: int,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    field_of_view: tuple[float, float, float] = (120.0, 230.0, 90.0),
    region: str = "lumbar",
    disease: float = 0.1,
    degrees: float = 0.0,
    rough_mm: float = 0.0,
) -> tuple[sitk.Image, Column]:
    """Bodies (VerSe), discs (100 + the vertebra above) and canal (61) of a random spine; see `generated_bodies`."""
    person, scan = np.random.default_rng(seed).spawn(2)
    spine = build_spine(person, region, disease)
    course = Course.along(person, spine)
    sac = DuralSac.draw(person, spine, course)
    counts = tuple(max(1, round(length / step)) for length, step in zip(field_of_view, spacing, strict=True))
    # Further back than the middle of the bodies, so that the canal is in the scan where the spine is bent.
    grid = PhantomGrid(spine.middle + np.array([0, 8, 0]), spacing, counts, (0, 0, 0))
    canvas = VoxelCanvas(person, grid)
    canvas.mark(sac.distance(*canvas.coordinates), Structure.FLUID, CANAL_LABEL)
    for disc in spine.discs:
        with canvas.box([disc.centre], 0.75 * disc.width) as seen:
            if seen and disc.label and not disc.bone:
                distance = disc_distances(disc, *canvas.local(disc.centre, disc.axes))[2]
                canvas.mark(distance, Structure.DISC, DISC_OFFSET + disc.label)
    above = 0
    for body in spine.bodies:
        with canvas.box([body.centre], 0.75 * body.width + 4) as seen:
            if seen:
                local = canvas.local(body.centre, body.axes)
                whole = body_distance(body, *local) + rough_mm * canvas.medium[canvas.window]
                distance = whole
                for node in body.nodes:
                    dent = node_distance(body, node, *local)
                    canvas.mark(
                        np.maximum(whole, dent), Structure.DISC, DISC_OFFSET + (above if node.top else body.label)
                    )
                    distance = np.maximum(distance, -dent)
                canvas.mark(distance, Structure.BODY, body.label)
        above = body.label
    turn = rotation(scan, degrees)
    return grid.as_image(grid.truth(canvas.levels), turn), Column(spine, sac, truth_of(spine, np.eye(3)))


def true_soft_measures(column: Column, wanted: Container[str]) -> dict[tuple[str, str], float]:
    """Heights of discs, and diameter and area of the canal at bodies and discs, at the places that are `wanted`."""
    values: dict[tuple[str, str], float] = {}
    person = column.truth.axes
    by_name = {body.name: body for body in column.truth.bodies}
    for above, below in pairwise(column.truth.bodies):
        at = f"{above.name}-{below.name}"
        if at not in wanted:
            continue
        axis = above.inferior_normal + below.superior_normal
        axis /= np.linalg.norm(axis)
        front, back = (
            (above.corners[f"{end}_inferior"] + below.corners[f"{end}_superior"]) / 2
            for end in ("anterior", "posterior")
        )
        names = ("anterior_disc_height", "middle_disc_height", "posterior_disc_height")
        for name, share in zip(names, _THIRDS, strict=True):
            starts = [front + at * (back - front) for at in np.linspace(*share, 5)]
            away = np.arange(-11, 11, _FINE_MM)[:, None] * axis
            heights = [np.count_nonzero(column.fill(start + away)[0]) * _FINE_MM for start in starts]
            values[at, name] = float(np.mean(heights))
    for at, place in (each for each in _places(by_name) if each[0] in wanted):
        values[at, "canal_diameter"], values[at, "canal_area"] = _canal_at(column, place, person)
    return values


def _places(bodies: dict) -> Iterator[tuple[str, np.ndarray]]:
    for body in bodies.values():
        if body.name == "S1":  # what its lower end is, nobody can tell
            yield body.name, body.centre
        elif body.name != "C2":
            yield body.name, (body.corners["posterior_superior"] + body.corners["posterior_inferior"]) / 2
    for above, below in pairwise(bodies.values()):
        middle = (above.corners["posterior_inferior"] + below.corners["posterior_superior"]) / 2
        yield f"{above.name}-{below.name}", middle


def _canal_at(column: Column, place: np.ndarray, person: np.ndarray) -> tuple[float, float]:
    course = column.sac.course
    line = np.stack([course.canal_x, course.canal_y, course.z], axis=1)
    nearest = int(np.argmin(np.linalg.norm(line - place, axis=1)))
    along = line[nearest + 1] - line[nearest - 1]
    along /= np.linalg.norm(along)
    foot = line[nearest] + along * (along @ (place - line[nearest]))
    left = person[1] - along * (person[1] @ along)
    left /= np.linalg.norm(left)
    back = np.cross(along, left)
    steps = np.arange(-20, 20, _FINE_MM)[:, None]
    diameter = np.count_nonzero(column.fill(foot + steps * back)[1]) * _FINE_MM
    steps = np.arange(-20, 20, _AREA_MM)
    plane = foot + (steps[:, None, None] * left + steps[None, :, None] * back).reshape(-1, 3)
    return diameter, np.count_nonzero(column.fill(plane)[1]) * _AREA_MM**2


def _is_near(each: Disc | PhantomBody, points: np.ndarray) -> bool:
    return np.abs(points - each.centre).max(axis=1).min() < each.width


def _local(points: np.ndarray, centre: np.ndarray, axes: np.ndarray) -> list[np.ndarray]:
    return [(points - centre) @ axis for axis in axes]
