"""The table of a result: what each segment measures, and how well it agrees with a reference."""

import csv
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import repeat
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..anatomy import Naming, Segment
from ..files.atomic import atomic
from ..processors import in_threads
from ..spine.quality import told
from ..volume.boxes import widened
from ..volume.geometry import canonical, spacing_ipl
from .body_shape import SUPERIOR, BodyShape, shape_of
from .matching import Places, find_labels, layers_of
from .morphometry.frames import Scan, bodies_of
from .morphometry.landmarks import Landmarks, find_landmarks
from .reference import Comparison, compare, fitting_reference

HEIGHTS = "anterior_height_mm", "middle_height_mm", "posterior_height_mm"
Cell = str | int | float | bool | None


@dataclass(frozen=True)
class VertebraMeasurement:
    """One vertebral body. Depth and width in mm and tilts in degrees are those of `body_shape.BodyShape`, the heights
    those of its `landmarks`: None without two endplates in the scan. `centroid_lps_mm` is in the coordinates of the
    scan.

    `partial`: cut off by the border of the scan, so that volume, depth and width are those of the part inside.
    `quality` is the Dice coefficient that `quality.estimate` expects, as `quality.told` tells it. None stands for what
    cannot be told: the volume in a scan of a single slice, which has an `area_mm2` instead.
    `reference_label` is the value of the body in the reference that it shares most with (see `matching`), if any; the
    agreement with it is None where there is no reference, or none that reaches this level.
    """

    level: str
    label: int
    partial: bool
    quality: float | None
    volume_mm3: float | None
    area_mm2: float | None
    anterior_height_mm: float | None
    middle_height_mm: float | None
    posterior_height_mm: float | None
    depth_mm: float | None
    width_mm: float | None
    sagittal_tilt_deg: float | None
    coronal_tilt_deg: float | None
    centroid_lps_mm: tuple[float, float, float] | None
    reference_label: int | None = None
    dice: float | None = None
    hd95_mm: float | None = None
    assd_mm: float | None = None
    landmarks: Landmarks | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class StructureMeasurement:
    """All of a structure that is no vertebra; the fields are those of `VertebraMeasurement`.

    One that was not found has a volume or area of 0 and no centroid.
    """

    level: str
    label: int
    volume_mm3: float | None
    area_mm2: float | None
    centroid_lps_mm: tuple[float, float, float] | None
    reference_label: int | None = None
    dice: float | None = None
    hd95_mm: float | None = None
    assd_mm: float | None = None


@dataclass(frozen=True)
class ReferenceSummary:
    """Everything together against the reference; vertebrae within its labelled axial slices (see `reference`).

    The agreement is None where neither side has anything; `n_missed` bodies and structures of the reference were not
    found, and `n_false` predicted ones are none of the reference, both by the rule of `matching`: IoU > 0.5.
    """

    dice: float | None
    hd95_mm: float | None
    assd_mm: float | None
    nsd: float | None
    n_missed: int
    n_false: int


@dataclass(frozen=True)
class Measurements:
    """The vertebrae from top to bottom; `reference` is None where no reference was given.

    `structures` are all that the model looks for beside vertebrae, found or not. `naming` says where the vertebrae have
    their names from; None where that is not known.
    """

    vertebrae: list[VertebraMeasurement]
    reference: ReferenceSummary | None = None
    structures: list[StructureMeasurement] = field(default_factory=list)
    naming: Naming | None = None

    @property
    def rows(self) -> list[VertebraMeasurement | StructureMeasurement]:
        """All, in the order of the table."""
        return [*self.vertebrae, *self.structures]


def measure(
    labels: sitk.Image,
    bodies: list[Segment] | None,
    partial: set[int],
    reference: sitk.Image | None = None,
    structures: Sequence[Segment] = (),
    quality: Sequence[float] | None = None,
    picture: sitk.Image | None = None,
) -> Measurements:
    """Measure `bodies` (from top to bottom) and `structures` in `labels`, unsigned integers in any orientation.

    Where segments overlap, `labels` and `reference` have several components, each of which holds some of them whole.

    `bodies` is None where no vertebrae were looked for; `quality` has a number for each of them. `partial` holds the
    label values of bodies cut off by the border of the scan; with the scan itself as `picture`, on the grid of
    `labels`, those are added that end where it shows nothing any more. `reference` is a mask or label map on the same
    grid; `reference.compare` tells what it may hold. Raises SpineError if the reference cannot be compared.
    """
    comparison = None
    if reference is not None:
        oriented, oriented_reference = canonical(labels), canonical(fitting_reference(reference, labels))
        comparison = compare(
            layers_of(oriented),
            layers_of(oriented_reference),
            spacing_ipl(oriented),
            [structure.label for structure in structures],
            has_bodies=bodies is not None,
        )
    bodies = bodies or []
    places = find_labels(layers_of(labels))
    masks = in_threads(lambda body: _mask(places.get(body.label), body.label, labels), bodies)
    centroids = [centroid for _, centroid in masks]
    scan = Scan.of(labels, picture, places)
    partial = partial | _without_going_on(bodies, places, scan)
    upwards = (_upwards(centroids, index) for index in range(len(bodies)))
    shapes = in_threads(shape_of, (mask for mask, _ in masks), repeat(scan.steps), upwards)
    if scan.is_coarse_along(SUPERIOR):
        shapes = [replace(shape, sagittal_tilt_deg=None, coronal_tilt_deg=None) for shape in shapes]
    vertebrae = [
        VertebraMeasurement(
            level=body.name,
            label=body.label,
            partial=body.label in partial,
            quality=None if quality is None else told(quality[index]),
            **_size(mask, labels),
            **dict.fromkeys(HEIGHTS),
            centroid_lps_mm=centroid,
            **asdict(shapes[index]),
            **_agreement(comparison, body.label),
        )
        for index, (body, (mask, centroid)) in enumerate(zip(bodies, masks, strict=True))
    ]
    vertebrae = _with_heights(vertebrae, places, scan)
    others = []
    for structure in structures:
        mask, centroid = _mask(places.get(structure.label), structure.label, labels)
        size, agreement = _size(mask, labels), _agreement(comparison, structure.label)
        others.append(
            StructureMeasurement(structure.name, structure.label, **size, centroid_lps_mm=centroid, **agreement)
        )
    return Measurements(vertebrae, None if comparison is None else _summary(comparison), others)


def columns(measurements: Measurements) -> list[str]:
    """The names of the columns of the table; those about a reference or a single slice only where there is one."""
    centroid = [f"centroid_{direction}_mm" for direction in ("left", "posterior", "superior")]
    shape = [*HEIGHTS, *BodyShape.__dataclass_fields__]
    area = ["area_mm2"] if any(row.area_mm2 is not None for row in measurements.rows) else []
    reference = ["reference_label", "dice", "hd95_mm", "assd_mm"] if measurements.reference is not None else []
    naming = ["level_source", "level_confidence"] if measurements.naming is not None else []
    quality = ["quality"] if any(row.quality is not None for row in measurements.vertebrae) else []
    return ["level", "label", "partial", *quality, "volume_mm3", *area, *shape, *centroid, *reference, *naming]


def as_rows(measurements: Measurements) -> list[dict[str, Cell]]:
    """One row per vertebra and per structure, by column: plain values for tables, rounded to what they are worth."""
    rows, names = [], columns(measurements)
    for row in measurements.rows:
        values = dict(vars(row))
        if measurements.naming is not None and isinstance(row, VertebraMeasurement):
            values |= {"level_source": measurements.naming.source, "level_confidence": measurements.naming.confidence}
        for axis, direction in enumerate(("left", "posterior", "superior")):
            centroid = row.centroid_lps_mm
            values[f"centroid_{direction}_mm"] = centroid and centroid[axis]
        rows.append({name: _rounded(name, values.get(name)) for name in names})
    return rows


def as_json(measurements: Measurements) -> dict[str, list[dict[str, Cell]] | dict[str, Cell] | None]:
    """{"vertebrae" and "structures": their rows of `as_rows`, "reference": the `ReferenceSummary`, "naming": the
    `Naming`, or None}."""
    summary, rows = measurements.reference, as_rows(measurements)
    return {
        "vertebrae": rows[: len(measurements.vertebrae)],
        "structures": rows[len(measurements.vertebrae) :],
        "reference": summary and {name: _rounded(name, value) for name, value in asdict(summary).items()},
        "naming": measurements.naming and asdict(measurements.naming),
    }


def write_csv(measurements: Measurements, path: Path | str) -> None:
    """Write the rows as a comma-separated table: an empty cell for None, "yes" or "no" for what is true or false.

    Raises SpineError when the file cannot be written.
    """
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns(measurements))
        table.writeheader()
        for row in as_rows(measurements):
            table.writerow(
                {name: {True: "yes", False: "no"}[v] if isinstance(v, bool) else v for name, v in row.items()}
            )


def _mask(
    found: tuple[np.ndarray, tuple[slice, ...]] | None, label: int, image: sitk.Image
) -> tuple[np.ndarray, tuple[float, float, float] | None]:
    """The mask of a segment, cut out with a voxel around it where the scan goes on, and its centroid in LPS mm."""
    if found is None:
        return np.zeros((1, 1, 1), bool), None
    array, place = found
    around = widened(place)
    mask = array[around] == label
    centre = np.argwhere(mask).mean(axis=0) + [s.start for s in around]
    return mask, image.TransformContinuousIndexToPhysicalPoint([float(c) for c in reversed(centre)])


def _without_going_on(bodies: Sequence[Segment], places: Places, scan: Scan) -> set[int]:
    """The label values of bodies that end where the scan shows nothing any more, before its border."""
    if scan.content is None:
        return set()
    found = ((body.label, *places[body.label]) for body in bodies if body.label in places)
    return {
        label
        for label, layer, box in found
        if scan.content.cuts_along(layer[box] == label, tuple(side.start for side in box), scan.spacing)
    }


def _with_heights(vertebrae: list[VertebraMeasurement], places: Places, scan: Scan) -> list[VertebraMeasurement]:
    """The rows with the landmarks of their bodies, and the heights between these."""
    bodies = bodies_of(places, vertebrae)
    found = find_landmarks(bodies, scan)
    landmarks = {body.row.label: each for body, each in zip(bodies, found, strict=True) if each is not None}
    rows = []
    for row in vertebrae:
        own = landmarks.get(row.label)
        heights = {} if own is None or own.heights is None else dict(zip(HEIGHTS, own.heights.values, strict=True))
        rows.append(replace(row, landmarks=own, **heights))
    return rows


def _size(mask: np.ndarray, image: sitk.Image) -> dict[str, float | None]:
    voxels, spacing = int(np.count_nonzero(mask)), list(image.GetSpacing())
    if 1 not in image.GetSize():
        return {"volume_mm3": voxels * math.prod(spacing), "area_mm2": None}
    del spacing[image.GetSize().index(1)]
    return {"volume_mm3": None, "area_mm2": voxels * math.prod(spacing)}


def _upwards(centroids: list[tuple[float, float, float] | None], index: int) -> np.ndarray:
    """The direction of the spine (LPS) at a body: from the next one below to the next one above, as far as known."""
    if centroids[index] is None:
        return SUPERIOR
    above = next((c for c in reversed(centroids[:index]) if c is not None), centroids[index])
    below = next((c for c in centroids[index + 1 :] if c is not None), centroids[index])
    upwards = np.subtract(above, below)
    return upwards if upwards.any() else SUPERIOR


def _agreement(comparison: Comparison | None, label: int) -> dict[str, Cell]:
    if comparison is None or label not in comparison.agreement:
        return {}
    agreement = comparison.agreement[label]
    return {
        "reference_label": comparison.matched.get(label),
        "dice": agreement.dice,
        "hd95_mm": agreement.hd95_mm,
        "assd_mm": agreement.assd_mm,
    }


def _summary(comparison: Comparison) -> ReferenceSummary:
    overall = asdict(comparison.overall) if comparison.overall else dict.fromkeys(("dice", "hd95_mm", "assd_mm", "nsd"))
    return ReferenceSummary(**overall, n_missed=len(comparison.missed), n_false=len(comparison.false))


def _rounded(name: str, value: Cell) -> Cell:
    if not isinstance(value, float):
        return value
    digits = 4 if name in ("dice", "nsd") else 1 if name.endswith(("_mm3", "_mm2", "_deg")) else 2
    return round(float(value), digits)  # of numpy or not
