"""A 2D picture as a volume of one slice.

A picture of a spine is mostly a lateral one, so it is read as a **sagittal** slice: its rows run from superior to
inferior and its columns from anterior to posterior. Slice `[:, :, 0]` of its canonical array is then the picture
itself. What it really shows, and how large its pixels are, is marked as not known (see `volume.slice_placement`).
"""

import numpy as np
import SimpleITK as sitk

from ..errors import SpineError
from ..volume.slice_placement import PIXEL_SIZE, POSITION, is_single_slice, mark_unknown, spacing_in_plane

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


def as_volume(picture: sitk.Image) -> sitk.Image:
    """The 2D `picture` as a 3D image of one sagittal slice of 1 mm, its first pixel at the origin.

    Its position is not known, nor is the size of its pixels where that is exactly 1: what is written by default.
    """
    volume = sitk.JoinSeries(picture)
    volume.SetSpacing((*picture.GetSpacing(), 1.0))
    volume.SetOrigin((0.0, 0.0, 0.0))
    volume.SetDirection(SAGITTAL)
    mark_unknown(volume, POSITION, *_sizes(volume))
    return volume


def mark_default_header(volume: sitk.Image, has_directions: bool) -> None:
    """Mark what the header of a 3D image of one slice does not say.

    `has_directions`: whether the header has direction cosines at all. Also a slice with pixels of exactly 1 mm, along
    the first two axes of the patient and from exactly the origin on, has the header of a program that knew none.
    """
    nowhere = not any(volume.GetOrigin()) and np.array_equal(np.abs(volume.GetDirection()), np.eye(3).ravel())
    by_default = nowhere and volume.GetSize()[2] == 1 and set(volume.GetSpacing()) == {1.0}
    if is_single_slice(volume) and (by_default or not has_directions):
        mark_unknown(volume, POSITION, *_sizes(volume))


def _sizes(volume: sitk.Image) -> tuple[str, ...]:
    return (PIXEL_SIZE,) if spacing_in_plane(volume) == (1.0, 1.0) else ()
