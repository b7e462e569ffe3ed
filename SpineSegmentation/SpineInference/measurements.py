"""The table of a result: what each vertebral body measures, and how well it agrees with a reference."""

import csv
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from .body_shape import SUPERIOR, BodyShape, shape_of
from .geometry import canonical, spacing_ipl
from .levels import Segment
from .reference import Comparison, check_reference, compare
from .writing import atomic

Cell = str | int | float | bool | None


@dataclass(frozen=True)
class VertebraMeasurement:
    """One vertebral body. Lengths in mm and tilts in degrees are those of `body_shape.BodyShape`; `centroid_lps_mm` is
    in the coordinates of the scan.

    `partial`: cut off by the border of the scan, so that volume and lengths are those of the part inside. None stands
    for what cannot be told. `reference_label` is the value of the body in the reference that it was matched with, if
    any; the agreement with it is None where there is no reference, or none that reaches this level.
    """

    level: str
    label: int
    partial: bool
    volume_mm3: float
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


@dataclass(frozen=True)
class ReferenceSummary:
    """All bodies together against the reference, within its labelled axial slices (see `reference`).

    The agreement is None where neither side has a body; `n_missed` reference bodies were not found, and `n_false`
    bodies were found where the reference has none.
    """

    dice: float | None
    hd95_mm: float | None
    assd_mm: float | None
    nsd: float | None
    n_missed: int
    n_false: int


@dataclass(frozen=True)
class Measurements:
    """The vertebrae from top to bottom; `reference` is None where no reference was given."""

    vertebrae: list[VertebraMeasurement]
    reference: ReferenceSummary | None = None


def measure(
    labels: sitk.Image, segments: list[Segment], partial: set[int], reference: sitk.Image | None = None
) -> Measurements:
    """Measure each of `segments` (from top to bottom) in `labels`, a label map of unsigned integers, any orientation.

    `partial` holds the label values of bodies cut off by the border of the scan. `reference` is a mask or label map on
    the same grid; `reference.compare` tells what it may hold. Raises SpineError if it cannot be compared.
    """
    comparison = None
    if reference is not None:
        check_reference(reference, labels)
        oriented = canonical(labels)
        true_array = sitk.GetArrayFromImage(canonical(reference))
        comparison = compare(sitk.GetArrayViewFromImage(oriented), true_array, spacing_ipl(oriented))
    array = sitk.GetArrayViewFromImage(labels)
    places = ndimage.find_objects(array, max_label=max((segment.label for segment in segments), default=0))
    bodies = [_body(array, segment.label, places[segment.label - 1], labels) for segment in segments]
    centroids = [centroid for _, centroid in bodies]
    vertebrae = [
        VertebraMeasurement(
            level=segment.name,
            label=segment.label,
            partial=segment.label in partial,
            volume_mm3=int(np.count_nonzero(mask)) * math.prod(labels.GetSpacing()),
            centroid_lps_mm=centroid,
            **asdict(shape_of(mask, _steps(labels), _upwards(centroids, index))),
            **_agreement(comparison, segment.label),
        )
        for index, (segment, (mask, centroid)) in enumerate(zip(segments, bodies, strict=True))
    ]
    return Measurements(vertebrae, None if comparison is None else _summary(comparison))


def columns(with_reference: bool) -> list[str]:
    """The names of the columns of the table; those about the reference only `with_reference`."""
    centroid = [f"centroid_{direction}_mm" for direction in ("left", "posterior", "superior")]
    shape = list(BodyShape.__dataclass_fields__)
    reference = ["reference_label", "dice", "hd95_mm", "assd_mm"] if with_reference else []
    return ["level", "label", "partial", "volume_mm3", *shape, *centroid, *reference]


def as_rows(measurements: Measurements) -> list[dict[str, Cell]]:
    """One row per vertebra, by column: plain values for tables and JSON, rounded to what they are worth."""
    rows = []
    for vertebra in measurements.vertebrae:
        values = asdict(vertebra)
        for axis, direction in enumerate(("left", "posterior", "superior")):
            centroid = vertebra.centroid_lps_mm
            values[f"centroid_{direction}_mm"] = centroid and centroid[axis]
        names = columns(with_reference=measurements.reference is not None)
        rows.append({name: _rounded(name, values[name]) for name in names})
    return rows


def as_json(measurements: Measurements) -> dict[str, list[dict[str, Cell]] | dict[str, Cell] | None]:
    """{"vertebrae": the rows of `as_rows`, "reference": the fields of `ReferenceSummary`, or None}."""
    summary = measurements.reference
    return {
        "vertebrae": as_rows(measurements),
        "reference": summary and {name: _rounded(name, value) for name, value in asdict(summary).items()},
    }


def write_csv(measurements: Measurements, path: Path | str) -> None:
    """Write the rows as a comma-separated table: an empty cell for None, "yes" or "no" for what is partial.

    Raises SpineError when the file cannot be written.
    """
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns(with_reference=measurements.reference is not None))
        table.writeheader()
        for row in as_rows(measurements):
            table.writerow(row | {"partial": "yes" if row["partial"] else "no"})


def _body(
    array: np.ndarray, label: int, place: tuple[slice, ...] | None, image: sitk.Image
) -> tuple[np.ndarray, tuple[float, float, float] | None]:
    """The mask of a body, cut out with a voxel around it where the scan goes on, and its centroid in LPS mm."""
    if place is None:
        return np.zeros((1, 1, 1), bool), None
    around = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in place)
    mask = array[around] == label
    centre = np.argwhere(mask).mean(axis=0) + [s.start for s in around]
    return mask, image.TransformContinuousIndexToPhysicalPoint([float(c) for c in reversed(centre)])


def _steps(image: sitk.Image) -> np.ndarray:
    """Rows: the step in LPS mm from voxel to voxel along each array axis."""
    directions = np.array(image.GetDirection()).reshape(3, 3).T
    return (directions * np.array(image.GetSpacing())[:, None])[::-1]


def _upwards(centroids: list[tuple[float, float, float] | None], index: int) -> np.ndarray:
    """The direction of the spine (LPS) at a body: from the next one below to the next one above, as far as known."""
    if centroids[index] is None:
        return SUPERIOR
    above = next((c for c in reversed(centroids[:index]) if c is not None), centroids[index])
    below = next((c for c in centroids[index + 1 :] if c is not None), centroids[index])
    upwards = np.subtract(above, below)
    return upwards if upwards.any() else SUPERIOR


def _agreement(comparison: Comparison | None, label: int) -> dict[str, Cell]:
    if comparison is None or label not in comparison.bodies:
        return {}
    body = comparison.bodies[label]
    return {
        "reference_label": comparison.matched.get(label),
        "dice": body.dice,
        "hd95_mm": body.hd95_mm,
        "assd_mm": body.assd_mm,
    }


def _summary(comparison: Comparison) -> ReferenceSummary:
    overall = asdict(comparison.overall) if comparison.overall else dict.fromkeys(("dice", "hd95_mm", "assd_mm", "nsd"))
    return ReferenceSummary(**overall, n_missed=len(comparison.missed), n_false=len(comparison.false))


def _rounded(name: str, value: Cell) -> Cell:
    if not isinstance(value, float):
        return value
    digits = 4 if name in ("dice", "nsd") else 1 if name.endswith(("_mm3", "_deg")) else 2
    return round(value, digits)
