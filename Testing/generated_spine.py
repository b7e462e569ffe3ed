"""Label maps of generated spines with the truth of their measures: bodies only, without a picture, in a second."""

import itertools
from collections.abc import Collection, Iterable
from itertools import pairwise

import numpy as np
import SimpleITK as sitk

from SegTraining.synthetic.spine.anatomy import Spine, build_spine
from SegTraining.synthetic.spine.grid import PhantomGrid, rotation
from SegTraining.synthetic.spine.image import VoxelCanvas
from SegTraining.synthetic.spine.shapes import body_distance, node_distance
from SegTraining.synthetic.spine.structures import Structure
from SegTraining.synthetic.spine.truth import SpineTruth, truth_of
from SpineInference.anatomy import LEVELS, Segment
from SpineInference.measuring.measurements import measure
from SpineInference.measuring.morphometry.coronal import CoronalCurve, largest_curve
from SpineInference.measuring.morphometry.measure import Measure
from SpineInference.measuring.morphometry.spine_measures import spine_measures


def generated_bodies(
    seed: int,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    field_of_view: tuple[float, float, float] = (110.0, 230.0, 90.0),
    region: str = "lumbar",
    disease: float = 0.1,
    degrees: float = 0.0,
    rough_mm: float = 0.0,
    spine: Spine | None = None,
) -> tuple[sitk.Image, SpineTruth]:
    """The bodies that `make_phantom` would paint, by VerSe number (uint8), and the truth; arguments are as there.

    `degrees` turn person and scan together. `rough_mm`: how uneven the surfaces are, in a phantom 0.35 mm. `spine`
    instead of a random one.
    """
    person, scan = np.random.default_rng(seed).spawn(2)
    spine = spine or build_spine(person, region, disease)
    counts = tuple(max(1, round(length / step)) for length, step in zip(field_of_view, spacing, strict=True))
    grid = PhantomGrid(np.asarray(spine.middle), spacing, counts, (0, 0, 0))
    canvas = VoxelCanvas(person, grid)
    for body in spine.bodies:
        with canvas.box([body.centre], 0.75 * body.width + 4) as seen:
            if not seen or not body.label:
                continue
            local = canvas.local(body.centre, body.axes)
            distance = body_distance(body, *local) + rough_mm * canvas.medium[canvas.window]
            for node in body.nodes:
                distance = np.maximum(distance, -node_distance(body, node, *local))
            canvas.mark(distance, Structure.BODY, body.label)
    turn = rotation(scan, degrees)
    return grid.as_image(grid.truth(canvas.levels), turn), truth_of(spine, turn)


def measured(
    labels: sitk.Image, has_scale: bool = True, partial: Collection[str] = ()
) -> dict[tuple[str, str], Measure]:
    """The measures of a label map with VerSe numbers, by place and name; the scan cuts off the bodies `partial`."""
    present = set(np.unique(sitk.GetArrayViewFromImage(labels)).tolist())
    bodies: list[Segment] = [level for level in LEVELS.values() if level.label in present]
    table = measure(labels, bodies, {LEVELS[name].label for name in partial})
    return {(each.at, each.name): each for each in spine_measures(labels, table.vertebrae, has_scale)}


def true_measures(truth: SpineTruth) -> dict[tuple[str, str], float]:
    """What heights, slips and angles should be, of every body and level that the truth knows."""
    values: dict[tuple[str, str], float] = {}
    posterior, _, superior = truth.axes

    def lean(normal: np.ndarray) -> float:
        return float(np.degrees(np.arctan2(-normal @ posterior, normal @ superior)))

    for body in truth.bodies:
        names = ("anterior_height", "middle_height", "posterior_height")
        values |= {(body.name, name): height for name, height in zip(names, body.heights, strict=True)}
    for above, below in pairwise(truth.bodies):
        at = f"{above.name}-{below.name}"
        along = below.corners["posterior_superior"] - below.corners["anterior_superior"]
        along = along - truth.axes[1] * (truth.axes[1] @ along)
        length = np.linalg.norm(along)
        moved = (below.corners["posterior_superior"] - above.corners["posterior_inferior"]) @ along / length
        values[at, "slip"], values[at, "slip_percent"] = float(moved), float(100 * moved / length)
        values[at, "disc_angle"] = lean(below.superior_normal) - lean(above.inferior_normal)
        values[at, "segmental_angle"] = lean(below.inferior_normal) - lean(above.superior_normal)
    by_name = {body.name: body for body in truth.bodies}
    values["L1-S1", "lumbar_lordosis"] = lean(by_name["S1"].superior_normal) - lean(by_name["L1"].superior_normal)
    values["L1-L5", "lumbar_lordosis"] = lean(by_name["L5"].inferior_normal) - lean(by_name["L1"].superior_normal)
    values["T5-T12", "thoracic_kyphosis"] = lean(by_name["T5"].superior_normal) - lean(by_name["T12"].inferior_normal)
    values["C2-C7", "cervical_lordosis"] = lean(by_name["C7"].inferior_normal) - lean(by_name["C2"].inferior_normal)
    return values


def true_coronal_curve(truth: SpineTruth, names: Collection[str]) -> tuple[CoronalCurve, list[str]] | None:
    """The largest curve in the coronal plane of the bodies `names`, and their names from top to bottom, which its
    indices count."""
    bodies = [body for body in truth.bodies if body.name in names]

    def leans(normals: Iterable[np.ndarray]) -> list[float]:
        return [float(np.degrees(np.arctan2(normal @ truth.axes[1], normal @ truth.axes[2]))) for normal in normals]

    centres = np.array([body.centre for body in bodies]).reshape(-1, 3) @ truth.axes[1:].T
    superior, inferior = (body.superior_normal for body in bodies), (body.inferior_normal for body in bodies)
    curve = largest_curve(leans(superior), leans(inferior), centres)
    return None if curve is None else (curve, [body.name for body in bodies])


def scoliotic_seeds(region: str, first: int, count: int, least_deg: float = 12.0) -> list[int]:
    """The first `count` seeds from `first` on of which `generated_bodies` makes a spine with such a Cobb angle."""
    found = []
    for seed in itertools.count(first):
        person, _ = np.random.default_rng(seed).spawn(2)
        spine = build_spine(person, region, 1.0)
        near = {body.name for body in spine.bodies if np.abs(body.centre - spine.middle)[2] < 90}
        true = true_coronal_curve(truth_of(spine, np.eye(3)), near)
        if true and true[0].angle >= least_deg:
            found.append(seed)
        if len(found) == count:
            return found
