"""From what a person has on disk to a volume: an image file, a DICOM series, or a 2D picture.

Every scan becomes a 3D scalar image that has been checked, so that nothing after this has to ask again. How a 2D
picture gets its place in space is told in `pictures.py`, how a DICOM series is put together in `dicom.py`.
"""

import math
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import SpineError, about
from ..formats import metaimage, nifti, nrrd
from ..formats.pictures import PICTURE_SUFFIXES
from ..formats.voxels import image_on
from ..monitor import Monitor
from ..volume.geometry import Grid, check_geometry
from ..volume.labels import whole_numbers
from ..volume.slice_placement import UNKNOWN_KEY
from . import dicom, no_scan, picture_file
from .slicer_segmentation import segments_of, with_own_values

READERS: dict[str, Callable[[Path, Monitor], sitk.Image]] = {
    ".nii.gz": nifti.read,
    ".nii": nifti.read,
    ".nrrd": nrrd.read,
    ".nhdr": nrrd.read,
    ".mha": metaimage.read,
    ".mhd": metaimage.read,
    **dict.fromkeys(PICTURE_SUFFIXES, picture_file.read),
}
"""What reads the files with each suffix. DICOM files are known by their content, whatever their suffix."""

_COMPLEX = (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64)


def read_volume(path: Path | str, monitor: Monitor | None = None) -> sitk.Image:
    """The scan at `path` as a checked 3D scalar image (integer or float32), in LPS mm.

    `path` is an image file, a folder with one DICOM series, or `FOLDER#2` or `FOLDER#SERIES_UID` for one of
    several series. One file of a DICOM series stands for its whole series (see `dicom.read_file`).
    Raises SpineError for anything that is not such a scan: NotAScan for label maps and the like (see `no_scan`).
    """
    no_scan.check_header(Path(path))
    image = _load(Path(path), monitor or Monitor())
    check_volume(image, str(path))
    return image


def read_labels(path: Path | str, monitor: Monitor | None = None, overlapping: bool = False) -> sitk.Image:
    """The label map at `path` as a 3D uint8 or uint16 image; unlike a scan it may be empty.

    In a segmentation of 3D Slicer each segment gets a value of its own (see `slicer_segmentation`). With `overlapping`
    its segments may overlap: then each component of the image (uint16) has some of them, whole.

    Raises SpineError for what `read_volume` refuses, and for values that are no whole numbers of 0 to 65535, up to what
    a scale in the header leaves of them.
    """
    image = _load(Path(path), monitor or Monitor())
    if segments := segments_of(Path(path)):
        with about(path):
            image = with_own_values(image, segments)
        if image.GetNumberOfComponentsPerPixel() > 1:
            if overlapping:
                return image
            raise SpineError(f"{path}: its segments overlap: give each voxel to one of them, then export it again.")
    _check_kind(image, str(path))
    values = whole_numbers(sitk.GetArrayViewFromImage(image))
    if values is None or values.min() < 0 or values.max() > np.iinfo(np.uint16).max:
        raise SpineError(f"{path}: a label map must hold whole numbers from 0 to 65535 only, and this does not.")
    smallest = np.uint8 if values.max() <= np.iinfo(np.uint8).max else np.uint16
    return image_on(values.astype(smallest, copy=False), Grid.of(image))


def find_scans(path: Path | str) -> list[Path]:
    """The scans that `path` stands for, sorted by path.

    A file (or `FOLDER#SERIES`): itself. A folder with DICOM files: this folder, whatever else is in it. Any other
    folder: the image files in it, and the DICOM folders at any depth below it (exports nest patient, study and
    series). Hidden files and unknown suffixes are passed over. Raises SpineError when nothing is found.
    """
    path = Path(path)
    target, selector = dicom.split_selector(path)
    _check_exists(target)
    if selector is not None or not path.is_dir() or dicom.holds_series(path):
        return [path]
    found = [file for file in path.iterdir() if _suffix(file) and file.is_file() and not file.name.startswith(".")]
    for folder, subfolders, _ in os.walk(path):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        found += [Path(folder, name) for name in subfolders if dicom.holds_series(Path(folder, name))]
    if not found:
        raise SpineError(f"{path}: the folder holds no scan (NIfTI, NRRD, MHA, DICOM, PNG, JPEG or TIFF).")
    return sorted(found)


def scan_name(path: Path | str) -> str:
    """What to call the scan at `path`, safe as a folder name: "case.nii.gz" -> "case", "ct#2" -> "ct_2"."""
    target, selector = dicom.split_selector(Path(path))
    name = Path(os.path.abspath(target)).name  # "." and ".." have no name of their own
    suffix = _suffix(target) or (".dcm" if name.lower().endswith(".dcm") else "")
    name = name[: len(name) - len(suffix)] + (f"_{selector}" if selector else "")
    # What Windows forbids, what is not UTF-8, and leading or trailing dots and blanks, which hide a folder or get lost.
    return re.sub(r'[<>:"/\\|?*\x00-\x1f#\ud800-\udfff]', "_", name).strip(" .") or "scan"


def check_volume(image: sitk.Image, name: str) -> None:
    """Raise SpineError, beginning with `name`, unless `image` is a 3D scalar image of usable values and geometry.

    NotAScan where it holds labels.
    """
    _check_kind(image, name)
    values = sitk.GetArrayViewFromImage(image)
    low, high = values.min(), values.max()  # both are NaN as soon as one voxel is
    if not (math.isfinite(low) and math.isfinite(high)):
        raise SpineError(f"{name}: the image holds values that are not numbers (NaN or infinite), export it again.")
    if low == high:
        raise SpineError(f"{name}: every voxel has the same value ({low:g}), so there is nothing to see in this image.")
    no_scan.check_is_scan(image, name)


def _check_kind(image: sitk.Image, name: str) -> None:
    if image.GetDimension() != 3:
        raise SpineError(
            f"{name}: the image has {image.GetDimension()} dimensions (a time or channel series?), "
            "export one volume of it."
        )
    if image.GetPixelID() in _COMPLEX:
        raise SpineError(f"{name}: the image holds complex numbers, export its magnitude.")
    if image.GetNumberOfComponentsPerPixel() != 1:
        raise SpineError(
            f"{name}: the image has {image.GetNumberOfComponentsPerPixel()} values in each voxel (colours or vectors), "
            "export a scalar volume."
        )
    if 0 in image.GetSize():
        raise SpineError(f"{name}: the image has no voxels ({_times(image.GetSize())}), export it again.")
    with about(name):
        check_geometry(image)


def _load(path: Path, monitor: Monitor) -> sitk.Image:
    target, selector = dicom.split_selector(path)
    _check_exists(target)
    if target.is_dir():
        image = dicom.read_folder(target, selector, monitor)
    elif selector is not None:
        raise SpineError(f"{path}: a series can be chosen in a folder only, and {target.name} is a file.")
    elif suffix := _suffix(target):
        with np.errstate(all="ignore"):  # a header may hold any number: what comes of it is checked
            image = READERS[suffix](target, monitor)
    elif dicom.is_dicom(target):
        image = dicom.read_file(target, monitor)
    else:
        known = ", ".join(READERS)
        raise SpineError(f"{path}: this is neither a DICOM file nor one of {known}: convert it to one of these.")
    if image.GetPixelID() == sitk.sitkFloat64:  # more than any scanner measures, and twice the memory
        image = _told_as_before(sitk.Cast(image, sitk.sitkFloat32), image)
    return image


def _told_as_before(image: sitk.Image, before: sitk.Image) -> sitk.Image:
    """The `image` with what the reader noted in the one `before`: filters of SimpleITK do not pass that on."""
    for key in (UNKNOWN_KEY, dicom.SOURCE_KEY):
        if before.HasMetaDataKey(key):
            image.SetMetaData(key, before.GetMetaData(key))
    return image


def _suffix(path: Path) -> str:
    """The suffix of `path` among those of `READERS`, as long as possible, or an empty string."""
    return next((suffix for suffix in READERS if path.name.lower().endswith(suffix)), "")


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise SpineError(f"{path}: there is no such file or folder.")


def _times(size: tuple[int, ...]) -> str:
    return " x ".join(str(count) for count in size)
