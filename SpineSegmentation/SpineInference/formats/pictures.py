"""A 2D picture as a volume of one slice.

A picture of a spine is mostly a lateral one, so it is read as a **sagittal** slice: its rows run from superior to
inferior and its columns from anterior to posterior. Slice `[:, :, 0]` of its canonical array is then the picture
itself. What it really shows, and how large its pixels are, is marked as not known (see `volume.slice_placement`).
"""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import SpineError
from ..monitor import Monitor
from ..volume.geometry import Grid
from ..volume.slice_placement import PIXEL_SIZE, POSITION, is_single_slice, mark_unknown, spacing_in_plane
from .axes import grid_of, no_place
from .voxels import image_on

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
SAGITTAL = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
"""Direction cosines (LPS): x from anterior to posterior, y from superior to inferior."""


def grey(image: sitk.Image, name: str) -> sitk.Image:
    """A scalar image from one whose colour channels are all equal. `name` is what the SpineError calls it.

    A fourth channel is opacity and must be the same everywhere. A scalar image comes back as it is.
    """
    if image.GetNumberOfComponentsPerPixel() == 1:
        return image
    channels = sitk.GetArrayViewFromImage(image)
    if channels.shape[-1] == 4 and channels[..., 3].min() == channels[..., 3].max():
        channels = channels[..., :3]
    if not np.array_equal(channels, np.broadcast_to(channels[..., :1], channels.shape)):
        raise SpineError(f"{name}: the picture is in colour, save it as a greyscale picture.")
    return sitk.VectorIndexSelectionCast(image, 0)


def as_slice(values: np.ndarray, spacing_mm: tuple[float, float] | None, path: Path) -> sitk.Image:
    """The picture `values` [y, x] or [1, y, x] as a sagittal slice of 1 mm, its first pixel at the origin.

    Its position is not known, nor is the size of its pixels where `spacing_mm` (along x and y) is None, or exactly 1:
    what is written by default. Raises SpineError for a spacing that cannot be meant.
    """
    steps = np.array(SAGITTAL).reshape(3, 3) * (*(spacing_mm or (1.0, 1.0)), 1.0)
    grid = grid_of((*values.shape[:-3:-1], 1), steps, np.zeros(3), path)
    image = image_on(values.reshape(grid.size[::-1]), grid)
    _mark(image)
    return image


def as_volume(values: np.ndarray, grid: Grid, has_directions: bool, path: Path, monitor: Monitor) -> sitk.Image:
    """The image of `values` on `grid`. Where its header does not say how it lies, that is noted, a single slice marked.

    `has_directions`: whether the header has directions in the body at all.
    """
    image = image_on(values, grid)
    mark_default_header(image, has_directions)
    if not (has_directions or is_single_slice(image)):
        monitor.note(no_place(path))
    return image


def mark_default_header(image: sitk.Image, has_directions: bool) -> None:
    """Mark what the header of a 3D image of one slice does not say.

    `has_directions`: whether the header has direction cosines at all. Also a slice with pixels of exactly 1 mm, along
    the first two axes of the patient and from exactly the origin on, has the header of a program that knew none.
    """
    by_default = is_at_the_origin(image) and image.GetSize()[2] == 1 and set(image.GetSpacing()) == {1.0}
    if is_single_slice(image) and (by_default or not has_directions):
        _mark(image)


def is_at_the_origin(image: sitk.Image) -> bool:
    """Whether an image lies along the axes of the patient, from exactly the origin on."""
    return not any(image.GetOrigin()) and np.array_equal(np.abs(image.GetDirection()), np.eye(3).ravel())


def _mark(image: sitk.Image) -> None:
    sizes = (PIXEL_SIZE,) if spacing_in_plane(image) == (1.0, 1.0) else ()
    mark_unknown(image, POSITION, *sizes)
