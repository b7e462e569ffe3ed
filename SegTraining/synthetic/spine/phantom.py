"""A spine scan out of nothing, with its exact truth: for the demonstration, for tests and for training.

    phantom = make_phantom(seed=7)            # phantom.image, phantom.bodies, phantom.vertebrae, phantom.discs ...
    write_dataset(Path("phantoms"), count=20, seed=1, variety="full")     # of phantom_dataset

The same seed and arguments give the same voxels. A person is drawn first: the whole spine from C1 to S5 with its
diseases (`phantom_anatomy`, `phantom_disease`) and, hung on it, head, neck and trunk. They are painted from the skin
inwards (`phantom_trunk`, `phantom_head`, `phantom_painting`) in tissues whose signal follows from the contrast
(`phantom_contrasts`), and scanned (`phantom_scanner`). What is painted is noted at the same time, so the truth is
exact: a voxel is what its centre is. The truth is not touched by what the scanner does to the picture.
"""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from .anatomy import REGIONS, Spine, build_spine
from .contrasts import CONTRASTS, draw_tissues
from .curve import Course
from .grid import PhantomGrid, rotation
from .head import paint_head
from .image import VoxelCanvas
from .implants import paint_implants
from .painting import paint_body, paint_canal, paint_disc, paint_posterior_elements
from .scanner import Scanner
from .structures import Structure
from .trunk import paint_trunk
from .truth import SpineTruth, truth_of


@dataclass(frozen=True)
class Phantom:
    """A scan (int16) and its truth on the same grid (uint8)."""

    image: sitk.Image
    structures: sitk.Image
    """What each voxel is, a `Structure`; 0 for everything that does not belong to the spine."""
    levels: sitk.Image
    """The VerSe number of the vertebra that a voxel belongs to (S1 = 26), of a disc that of the vertebra above it."""
    contrast: str
    truth: SpineTruth
    """Heights, endplates, fractures and slips as they were drawn."""

    @property
    def bodies(self) -> sitk.Image:
        """Vertebral bodies C2 (with the dens) to S1, by VerSe number."""
        return self._levels_of(Structure.BODY)

    @property
    def vertebrae(self) -> sitk.Image:
        """Whole vertebrae C1 to S1, body, arch and processes, by VerSe number."""
        return self._levels_of(Structure.BODY, Structure.ARCH)

    @property
    def discs(self) -> sitk.Image:
        """1 in the discs, also where they have broken into a body (Schmorl nodes) or bulge into the canal."""
        return self.structures == Structure.DISC

    @property
    def canal(self) -> sitk.Image:
        """1 in the dural sac, cord included."""
        return sitk.Or(self.structures == Structure.FLUID, self.structures == Structure.CORD)

    def _levels_of(self, *structures: Structure) -> sitk.Image:
        kept = np.isin(sitk.GetArrayViewFromImage(self.structures), structures)
        result = sitk.GetImageFromArray(np.where(kept, sitk.GetArrayViewFromImage(self.levels), 0).astype(np.uint8))
        result.CopyInformation(self.levels)
        return result


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
    counts = tuple(max(1, round(length / step)) for length, step in zip(field_of_view, spacing, strict=True))
    grid = PhantomGrid(_image_centre(person, spine, course, field_of_view), spacing, counts, scanner.folds(counts))
    canvas = VoxelCanvas(person, grid)

    paint_trunk(canvas, person, spine, course, tissues)
    paint_head(canvas, person, spine, tissues)
    for body in (spine.atlas, *spine.bodies):
        paint_posterior_elements(canvas, body, tissues)
    paint_canal(canvas, person, spine, course, tissues)
    for disc in spine.discs:
        paint_disc(canvas, disc, tissues)
    for body in spine.bodies:
        paint_body(canvas, person, body, tissues)
    paint_implants(canvas, person, spine, tissues, contrast)

    turn = rotation(scan, oblique_degrees)
    arrays = (scanner.take(scan, canvas, grid, course), grid.truth(canvas.structures), grid.truth(canvas.levels))
    return Phantom(*(grid.as_image(array, turn) for array in arrays), contrast, truth_of(spine, turn))


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
