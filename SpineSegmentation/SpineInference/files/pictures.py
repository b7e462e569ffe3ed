"""A 2D picture as a volume of one slice.

A picture of a spine is mostly a lateral one, so a picture that does not say more is a **sagittal** slice: its rows
run from superior to inferior and its columns from anterior to posterior. Slice `[:, :, 0]` of its canonical array
is then the picture itself.
"""

import numpy as np
import SimpleITK as sitk

from ..errors import SpineError

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
    """The 2D `picture` as a 3D image of one sagittal slice of 1 mm, its first pixel at the origin."""
    volume = sitk.JoinSeries(picture)
    volume.SetSpacing((*picture.GetSpacing(), 1.0))
    volume.SetOrigin((0.0, 0.0, 0.0))
    volume.SetDirection(SAGITTAL)
    return volume
