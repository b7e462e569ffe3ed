"""Single slices whose file does not say how they lie in the body: a picture knows neither its size nor its place.

Whoever reads such an image marks what is not known; `spine.single_slice` finds it, and `placed` makes use of it.
"""

import numpy as np
import SimpleITK as sitk

from ..options import Plane
from ..placement import SlicePlacement
from .geometry import PLANES, SLICE_AXIS, orientation_of

PIXEL_SIZE, POSITION = "pixel size", "position"
"""What may not be known of an image: how many mm a pixel is, and which plane it shows with which side up."""

UNKNOWN_KEY = "SpineSegmentation.unknown"
"""Of the metadata of an image, and in the header of an NRRD file."""

_DOWN_AND_RIGHT = {
    "sagittal": ((0.0, 0.0, -1.0), (0.0, 1.0, 0.0)),
    "coronal": ((0.0, 0.0, -1.0), (1.0, 0.0, 0.0)),
    "axial": ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0)),
}
"""LPS directions in a plane as radiologists show it, which is that of canonical arrays (see `geometry`)."""


def placed(image: sitk.Image, placement: SlicePlacement) -> sitk.Image:
    """The same pixels of a 3D `image` of one slice in their place, around the origin if that was not known."""
    rows, columns, across = _axes_of(image)
    result = sitk.Image(image)
    spacing = list(image.GetSpacing())
    spacing[rows], spacing[columns] = placement.spacing_mm
    result.SetSpacing(spacing)
    if placement.quarter_turns is None:
        return result
    down, right = np.array(_DOWN_AND_RIGHT[placement.plane])
    direction = np.empty((3, 3))
    for axis, (along_down, along_right) in ((rows, (1, 0)), (columns, (0, 1))):
        for _ in range(placement.quarter_turns):
            along_down, along_right = along_right, -along_down
        direction[:, axis] = along_down * down + (-along_right if placement.mirrored else along_right) * right
    direction[:, across] = np.cross(direction[:, (across + 1) % 3], direction[:, (across + 2) % 3])
    result.SetDirection(direction.ravel().tolist())
    result.SetOrigin((0.0, 0.0, 0.0))
    return result


def mark_unknown(image: sitk.Image, *what: str) -> None:
    """Note in `image` that its `PIXEL_SIZE` or `POSITION` is not known. Filters of SimpleITK do not pass that on."""
    image.SetMetaData(UNKNOWN_KEY, ", ".join(what))


def unknown_of(image: sitk.Image | sitk.ImageFileReader) -> tuple[str, ...]:
    """What is not known of an image, or of the file behind a reader."""
    marked = image.GetMetaData(UNKNOWN_KEY) if image.HasMetaDataKey(UNKNOWN_KEY) else ""
    return tuple(what for what in (PIXEL_SIZE, POSITION) if what in marked)


def is_single_slice(image: sitk.Image) -> bool:
    """Whether a 3D image has one slice, of several rows and columns."""
    return image.GetSize().count(1) == 1


def plane_of(image: sitk.Image) -> Plane:
    """The plane in which a 3D image of one slice lies by its direction cosines."""
    letter = orientation_of(image)[image.GetSize().index(1)]
    return next(plane for plane in PLANES if letter in ("SI", "AP", "LR")[SLICE_AXIS[plane]])


def spacing_in_plane(image: sitk.Image) -> tuple[float, float]:
    """The spacing in mm between rows and between columns of a 3D image of one slice."""
    rows, columns, _ = _axes_of(image)
    return image.GetSpacing()[rows], image.GetSpacing()[columns]


def _axes_of(image: sitk.Image) -> tuple[int, int, int]:
    """The axes of rows (from one to the next), of columns, and across the only slice."""
    across = image.GetSize().index(1)
    columns, rows = (axis for axis in range(3) if axis != across)
    return rows, columns, across
