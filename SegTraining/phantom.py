"""A spine MR scan out of nothing, with its exact truth: for the demonstration, for tests and for pre-training.

    phantom = make_phantom(seed=7)            # phantom.image, phantom.bodies, phantom.discs, phantom.canal
    write_dataset(Path("phantoms"), count=20, seed=1)      # of phantom_dataset, to train with

The same seed and arguments give the same voxels.
"""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from .phantom_anatomy import REGIONS, Spine, build_spine
from .phantom_contrasts import CONTRASTS, draw_tissues
from .phantom_course import Course
from .phantom_head import paint_head
from .phantom_image import Canvas
from .phantom_painting import CANAL, DISC, paint_body, paint_canal, paint_disc, paint_posterior_elements
from .phantom_scanner import Scanner
from .phantom_trunk import paint_trunk

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
    disease: float = 0.1,
    artefacts: float = 0.0,
) -> Phantom:
    """A random person's spine scanned sagittally; `seed` decides everything about person and scan.

    `spacing` and `field_of_view` (mm) follow the image axes: front to back, top to bottom, left to right.
    `region` says what is in the middle: a key of `REGIONS`. `contrast` is one of `CONTRASTS` or "random"; the same
    seed is the same person in each. `oblique_degrees` turns person and scan together, as a technician aligns the
    slices with a tilted spine. `disease` and `artefacts` say how ill the person and how bad the scan may be (0 to 1).
    Bodies cut off by the field of view are part of the truth. Raises ValueError for a contrast or a region that does
    not exist.
    """
    person, scan = np.random.default_rng(seed).spawn(2)
    drawn = str(scan.choice(CONTRASTS))
    contrast = drawn if contrast == "random" else contrast
    if region not in REGIONS:
        raise ValueError(f'"{region}" is not a region of the phantom: use {", ".join(REGIONS)}.')
    tissues = draw_tissues(scan, contrast)
    scanner = Scanner.random(scan, contrast, artefacts)
    spine = build_spine(person, region, disease)
    course = Course.along(person, spine)

    # Thick voxels are painted in an odd number of parts and averaged; the middle part says what the voxel is.
    parts = [2 * int(step / 4.5 + 0.5) + 1 for step in spacing]
    counts = [max(1, round(length / step)) for length, step in zip(field_of_view, spacing, strict=True)]
    middle = _image_centre(person, spine, course, field_of_view)
    y, z, x = (
        (np.arange(count * part) - (count * part - 1) / 2) * step / part
        for count, part, step in zip(counts, parts, spacing, strict=True)
    )
    canvas = Canvas(person, middle[0] - x, middle[2] - z, middle[1] + y)

    paint_trunk(canvas, person, spine, course, tissues)
    paint_head(canvas, person, spine, tissues)
    for body in (spine.atlas, *spine.bodies):
        paint_posterior_elements(canvas, body, tissues)
    paint_canal(canvas, person, spine, course, tissues)
    for disc in spine.discs:
        paint_disc(canvas, disc, tissues)
    for body in spine.bodies:
        paint_body(canvas, person, body, tissues)

    # The arrays are [slice, row, column]; SimpleITK's axes run the other way round.
    parts_array, counts_array = (parts[2], parts[1], parts[0]), (counts[2], counts[1], counts[0])
    fine_spacing = tuple(spacing[axis] / parts[axis] for axis in (2, 1, 0))
    signal = scanner.take(scan, canvas, fine_spacing)
    blocks = [n for count, part in zip(counts_array, parts_array, strict=True) for n in (count, part)]
    image = scanner.receive(scan, signal.reshape(blocks).mean(axis=(1, 3, 5)))
    centres = tuple(slice(part // 2, None, part) for part in parts_array)

    turn = _rotation(scan, oblique_degrees)
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
