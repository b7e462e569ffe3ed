"""A spine MR scan out of nothing, with its exact truth: for the demonstration, for tests and for pre-training.

    phantom = make_phantom(seed=7)            # phantom.image, phantom.bodies, phantom.discs, phantom.canal
    write_dataset(Path("phantoms"), count=20, seed=1)

The same seed and arguments give the same voxels.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .phantom_anatomy import Spine, build_spine
from .phantom_image import Canvas, Scanner
from .phantom_painting import CANAL, DISC, paint_body, paint_canal, paint_disc, paint_posterior_elements, paint_trunk
from .phantom_tissues import CONTRASTS, Course, draw_tissues

# Directions of the columns, rows and slices of a sagittal acquisition: to the back, downwards, to the right ("PIR").
_SAGITTAL = np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


@dataclass(frozen=True)
class Phantom:
    """A scan (int16) and its truth on the same grid (uint8): bodies with VerSe labels, discs, dural sac."""

    image: sitk.Image
    bodies: sitk.Image
    discs: sitk.Image
    canal: sitk.Image
    contrast: str


def make_phantom(
    seed: int,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    field_of_view: tuple[float, float, float] = (220.0, 300.0, 90.0),
    region: str = "lumbar",
    contrast: str = "random",
    oblique_degrees: float = 0.0,
) -> Phantom:
    """A random person's spine scanned sagittally; `seed` decides everything about person and scan.

    `spacing` and `field_of_view` (mm) follow the image axes: front to back, top to bottom, left to right.
    `region` is "lumbar" (about T11-S1 in the middle), "thoracolumbar" or "cervical"; `contrast` is "T1", "T2",
    "water" (the water image of a chemical-shift gradient echo: dark fat) or "random". `oblique_degrees` turns
    person and scan together, as a technician aligns the slices with a tilted spine. Bodies cut off by the field
    of view are part of the truth. Raises ValueError for a contrast that does not exist.
    """
    rng = np.random.default_rng(seed)
    if contrast == "random":
        contrast = str(rng.choice(CONTRASTS))
    if contrast not in CONTRASTS:
        raise ValueError(f'"{contrast}" is not a contrast of the phantom: use {", ".join(CONTRASTS)} or random.')
    spine = build_spine(rng, region)
    course = Course.along(rng, spine)
    tissues = draw_tissues(rng, contrast)
    scanner = Scanner.random(rng)

    # Thick voxels are painted in an odd number of parts and averaged; the middle part says what the voxel is.
    parts = [2 * int(step / 4.5 + 0.5) + 1 for step in spacing]
    counts = [max(1, round(length / step)) for length, step in zip(field_of_view, spacing, strict=True)]
    middle = _image_centre(rng, spine, course, field_of_view)
    y, z, x = (
        (np.arange(count * part) - (count * part - 1) / 2) * step / part
        for count, part, step in zip(counts, parts, spacing, strict=True)
    )
    canvas = Canvas(rng, middle[0] - x, middle[2] - z, middle[1] + y)

    paint_trunk(canvas, rng, spine, course, tissues)
    for body in spine.bodies:
        paint_posterior_elements(canvas, body, tissues)
    paint_canal(canvas, rng, spine, course, tissues)
    for disc in spine.discs:
        paint_disc(canvas, disc, tissues)
    for body in spine.bodies:
        paint_body(canvas, rng, body, tissues)

    # The arrays are [slice, row, column]; SimpleITK's axes run the other way round.
    parts_array, counts_array = (parts[2], parts[1], parts[0]), (counts[2], counts[1], counts[0])
    fine_spacing = tuple(spacing[axis] / parts[axis] for axis in (2, 1, 0))
    signal = scanner.take(rng, canvas, fine_spacing)
    blocks = [n for count, part in zip(counts_array, parts_array, strict=True) for n in (count, part)]
    image = scanner.receive(rng, signal.reshape(blocks).mean(axis=(1, 3, 5)))
    centres = tuple(slice(part // 2, None, part) for part in parts_array)

    turn = _rotation(rng, oblique_degrees)
    first = np.array([middle[0] - x[parts[2] // 2], middle[1] + y[parts[0] // 2], middle[2] - z[parts[1] // 2]])

    def as_image(array: np.ndarray) -> sitk.Image:
        result = sitk.GetImageFromArray(np.ascontiguousarray(array))
        result.SetSpacing([float(step) for step in spacing])
        result.SetDirection((turn @ _SAGITTAL).ravel().tolist())
        result.SetOrigin((turn @ first).tolist())
        return result

    truth = canvas.truth[centres]
    return Phantom(
        as_image(image),
        as_image(np.where(truth < DISC, truth, 0).astype(np.uint8)),
        as_image((truth == DISC).astype(np.uint8)),
        as_image((truth == CANAL).astype(np.uint8)),
        contrast,
    )


def _image_centre(
    rng: np.random.Generator, spine: Spine, course: Course, field_of_view: tuple[float, float, float]
) -> np.ndarray:
    """Where a technician centres the image: the back just inside it, unless the whole trunk fits."""
    x, y, z = spine.middle + rng.uniform((-4, 0, -12), (4, 0, 12))
    shown = np.abs(course.z - z) < field_of_view[1] / 2
    back, front = float(course.back[shown].max()), float(course.front[shown].min())
    margin = max(rng.uniform(5, 25), (field_of_view[0] - (back - front)) / 2)
    y = min(back + margin - field_of_view[0] / 2, y + 0.2 * field_of_view[0])
    return np.array([x, y, z])


def _rotation(rng: np.random.Generator, degrees: float) -> np.ndarray:
    """A rotation by `degrees` about a random axis, as a 3 x 3 matrix."""
    axis = rng.standard_normal(3)
    axis /= np.linalg.norm(axis)
    cross = np.cross(np.eye(3), axis)
    angle = np.deg2rad(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def write_dataset(folder: Path, count: int, seed: int, **arguments) -> None:
    """Write `count` phantoms in nnU-Net's raw layout: imagesTr, labelsTr (bodies 1), instancesTr (VerSe labels).

    Contrasts take turns and the seeds are `seed`, `seed + 1`, ...; `arguments` go to `make_phantom`.
    """
    for name in ("imagesTr", "labelsTr", "instancesTr"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for i in range(count):
        phantom = make_phantom(seed + i, **{"contrast": CONTRASTS[i % len(CONTRASTS)], **arguments})
        name = f"phantom_{seed + i:05d}"
        sitk.WriteImage(phantom.image, folder / "imagesTr" / f"{name}_0000.nii.gz", True)
        sitk.WriteImage(phantom.bodies > 0, folder / "labelsTr" / f"{name}.nii.gz", True)
        sitk.WriteImage(phantom.bodies, folder / "instancesTr" / f"{name}.nii.gz", True)
    description = {
        "channel_names": {"0": "MR"},
        "labels": {"background": 0, "vertebral_body": 1},
        "numTraining": count,
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
