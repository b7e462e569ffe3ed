"""DICOM: which volumes a folder holds, and one of them as an image.

Files are known by their content, so a missing suffix does not matter, and whatever else lies in the folder is
passed over. A series is split where it cannot be one volume: by orientation, size and pixel size, and, where several
images share a position, by what tells them apart (echo, kind of image, time, ...). Images without a position in the
body (radiographs) and multi-frame files stand alone. If more than one volume remains, the user chooses with
`FOLDER#2` (its number in the list that the error shows) or `FOLDER#SERIES_UID`.

Headers are read by pydicom (`dicom_file.py`), pixels by SimpleITK, whose GDCM decodes the usual compressions.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import NotAScan, SpineError
from ..formats.pictures import SAGITTAL, grey
from ..monitor import Monitor
from ..volume.slice_placement import PIXEL_SIZE, POSITION, mark_unknown
from .dicom_file import inspect, is_dicom, no_scan_kind
from .dicom_geometry import Placement, StackGeometry, check_pixel_size, place, repeats
from .dicom_image import SAME_GEOMETRY, WHAT_DIFFERS, DicomImage, frame_geometry
from .itk_files import itk_name, read_pixels

_GDCM = "GDCMImageIO"
_LISTED = 30
_DIRECTIONS = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0), "H": (0, 0, 1), "F": (0, 0, -1)}

SOURCE_KEY = "SpineSegmentation.dicom"
"""Of the metadata of a volume: the files that its slices are read from, in their order, and the `order` in which the
frames of a single one were sorted, as JSON. Filters of SimpleITK do not pass it on."""


@dataclass(frozen=True, eq=False)
class Volume:
    """DICOM images that make up one volume; `detail` tells it apart from others of the same series."""

    images: list[DicomImage]
    detail: str = ""

    @property
    def title(self) -> str:
        first = self.images[0]
        columns, rows, frames = first.size
        parts = [
            f'"{first.text("SeriesDescription")}"',
            first.text("Modality"),
            self.detail,
            f"{len(self.images) * frames} images of {columns} x {rows}",
            f"UID {first.text('SeriesInstanceUID') or 'missing'}",
        ]
        return ", ".join(part for part in parts if part)


def split_selector(path: Path) -> tuple[Path, str | None]:
    """`FOLDER#SERIES` -> (FOLDER, SERIES); a path that exists, or has no #, is taken as it is: (path, None)."""
    folder, mark, selector = path.name.rpartition("#")
    if not (mark and folder and selector) or path.exists():
        return path, None
    return path.with_name(folder), selector


def holds_series(folder: Path) -> bool:
    """Whether a DICOM file lies directly in `folder`."""
    return any(is_dicom(file) for file in _visible_files(folder))


def read_folder(folder: Path, selector: str | None, monitor: Monitor) -> sitk.Image:
    """The only volume in `folder`, or the one that `selector` (a number from 1, or a series UID) names.

    Values are rescaled (HU for CT). Raises SpineError when there is none, or more than one to choose from.
    """
    volumes = _volumes(_inspect_all(_visible_files(folder), monitor))
    if not volumes:
        raise NotAScan(
            f"{folder}: the folder holds no DICOM image, give an image file or a folder with a DICOM series."
        )
    return _read(_choose(volumes, folder, selector), monitor)


def read_file(path: Path, monitor: Monitor) -> sitk.Image:
    """The volume that the DICOM file at `path` belongs to.

    An image with a position in the body stands for its series: the volume of all files of the same folder that
    belong to it. A multi-frame file and a radiograph stand for themselves. Raises SpineError.
    """
    image = inspect(path)
    if image is None:
        kind = no_scan_kind(path)
        why = f"but {kind}: give the images of the scan" if kind else "that can be read"
        raise NotAScan(f"{path}: the DICOM file holds no image {why}.")
    if not image.has_place:
        return _read(Volume([image]), monitor)
    # The file itself comes first, so that it stays where another one is a copy of it, and counts where it is hidden.
    others = _inspect_all([file for file in _visible_files(path.parent) if file.name != path.name], monitor)
    others = [other for other in others if other.series == image.series]
    volume = next(volume for volume in _volumes([image, *others]) if image in volume.images)
    if len(volume.images) > 1:
        detail = f" with {volume.detail}" if volume.detail else ""
        monitor.note(f"{path.name}: all {len(volume.images)} images of its series{detail} are read.")
    return _read(volume, monitor)


def _visible_files(folder: Path) -> list[Path]:
    try:
        return sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    except OSError as error:
        raise SpineError(f"{folder}: the folder cannot be opened ({error.strerror}).") from error


def _inspect_all(files: list[Path], monitor: Monitor) -> list[DicomImage]:
    images, others = [], Counter()
    for done, file in enumerate(files):
        monitor.progress("reading", done, len(files))
        if image := inspect(file):
            images.append(image)
        elif kind := no_scan_kind(file):
            others[kind] += 1
    if others:
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(others.items()))
        monitor.note(f"{files[0].parent.name}: passed over what is no scan: {kinds}.")
    return images


def _volumes(images: list[DicomImage]) -> list[Volume]:
    """The volumes that can be made of `images`, in the order of their series numbers."""
    series: dict[tuple, list[DicomImage]] = {}
    for image in images:
        alone = "" if image.has_place else image.path.name
        series.setdefault((*image.series, image.size, image.text("SamplesPerPixel"), alone), []).append(image)
    stacks = [stack for members in series.values() for stack in _by_geometry(_without_copies(members))]
    volumes = [volume for stack in stacks for volume in _by_difference(stack, list(WHAT_DIFFERS.items()))]
    return sorted(volumes, key=_series_order)


def _series_order(volume: Volume) -> tuple:
    first = volume.images[0]
    number = first.text("SeriesNumber")
    return (int(number) if number.isdecimal() else 0, first.series, volume.detail, first.path.name)


def _without_copies(images: list[DicomImage]) -> list[DicomImage]:
    """`images` without those that have UID, place and pixels of an earlier one: a UID alone may have been blanked."""
    alike: dict[tuple, list[DicomImage]] = {}
    for image in images:
        place = (*np.ravel(image.position), *np.ravel(image.axes))
        alike.setdefault((image.text("SOPInstanceUID"), *place), []).append(image)
    different: dict[tuple, DicomImage] = {}
    for key, candidates in alike.items():
        for image in candidates:
            different.setdefault((key, _pixel_digest(image) if len(candidates) > 1 else ""), image)
    return list(different.values())


def _pixel_digest(image: DicomImage) -> str:
    picture = _read_one(image)
    return hashlib.sha256(sitk.GetArrayViewFromImage(picture)).hexdigest()


def _by_geometry(images: list[DicomImage]) -> list[Volume]:
    """Parallel images of one pixel size: a localizer has several orientations in one series."""
    if not images[0].has_place:
        return [Volume(images)]
    groups: list[list[DicomImage]] = []
    for image in images:
        for group in groups:
            if np.allclose(_geometry(group[0]), _geometry(image), rtol=0, atol=SAME_GEOMETRY):
                group.append(image)
                break
        else:
            groups.append([image])
    sizes = {_pixel_size(group[0]) for group in groups}
    return [Volume(group, _pixel_size(group[0]) if len(sizes) > 1 else "") for group in groups]


def _geometry(image: DicomImage) -> np.ndarray:
    """What the images of a volume share: axes and pixel size, 0 where that is missing; [8]."""
    return np.append(image.axes, image.pixel_mm or (0, 0))


def _pixel_size(image: DicomImage) -> str:
    return "pixels of {:g} x {:g} mm".format(*image.pixel_mm) if image.pixel_mm else "pixels of unknown size"


def _by_difference(volume: Volume, differences: list[tuple[str, str]]) -> Iterable[Volume]:
    """Split `volume` by one element after the other for as long as several of its images lie at the same position."""
    images = volume.images
    if not differences or len(images) == 1 or not repeats(np.array([i.position for i in images]), images[0].axes):
        yield volume
        return
    (name, keyword), *others = differences
    parts: dict[str, list[DicomImage]] = {}
    for image in images:
        parts.setdefault(image.text(keyword), []).append(image)
    for value, part in parts.items():
        label = f"{name} {value}" if len(parts) > 1 else ""
        yield from _by_difference(Volume(part, ", ".join(text for text in (volume.detail, label) if text)), others)


def _choose(volumes: list[Volume], folder: Path, selector: str | None) -> Volume:
    chosen = volumes
    if selector is not None and selector.isdecimal():
        chosen = volumes[int(selector) - 1 : int(selector)] if int(selector) > 0 else []
    elif selector is not None:
        chosen = [volume for volume in volumes if volume.images[0].text("SeriesInstanceUID") == selector]
    if len(chosen) == 1:
        return chosen[0]
    if selector is None or chosen:
        found = f"holds {len(chosen)} volumes" + (f" of the series {selector}" if selector else "")
    else:
        found = f"has no series {selector}"
    rows = [f"  {number}: {volume.title}" for number, volume in enumerate(volumes, start=1)]
    if len(rows) > _LISTED:
        rows = [*rows[:_LISTED], f"  ... and {len(rows) - _LISTED} more"]
    raise SpineError(
        f"{folder}: the folder {found}, choose one by its number, as in {folder.name}#1, or by its UID, as in "
        f"{folder.name}#UID:\n" + "\n".join(rows)
    )


def _read(volume: Volume, monitor: Monitor) -> sitk.Image:
    first = volume.images[0]
    if first.has_frames:
        image, placement = _read_frames(first)
    elif first.has_place:
        image, placement = _read_stack(volume.images)
    else:
        return _read_radiograph(first)
    if placement.note:
        monitor.note(placement.note)
    placement.apply(image)
    scan = grey(image, str(first.path))
    files = [first.path] if first.has_frames else [volume.images[index].path for index in placement.order]
    source = {"files": [os.path.abspath(file) for file in files], "order": [int(index) for index in placement.order]}
    scan.SetMetaData(SOURCE_KEY, json.dumps(source))
    return scan


def _read_stack(images: list[DicomImage]) -> tuple[sitk.Image, Placement]:
    first = images[0]
    positions = np.array([image.position for image in images])
    thickness_mm = first.thickness_mm() if len(images) == 1 else None
    name = str(first.path.parent if len(images) > 1 else first.path)
    placement = place(StackGeometry(positions, first.axes, first.pixel_mm, thickness_mm), name)
    placement.check((*first.size[:2], len(images)), name)
    reader = sitk.ImageSeriesReader()
    reader.SetImageIO(_GDCM)
    reader.SetFileNames([itk_name(images[index].path) for index in placement.order])
    if len({image.stored_as for image in images}) > 1:
        # Each slice may have its own rescale slope; ITK would convert all of them to the type of the first.
        reader.SetOutputPixelType(sitk.sitkFloat32)
    try:
        return read_pixels(reader, first.path.parent), placement
    except SpineError:
        for image in images:  # one of them is at fault, and is named
            _read_one(image)
        raise


def _read_frames(image: DicomImage) -> tuple[sitk.Image, Placement]:
    placement = place(frame_geometry(image), str(image.path))
    placement.check(image.size, str(image.path))
    frames = _read_one(image)
    ordered = sitk.GetArrayViewFromImage(frames)[placement.order]
    return sitk.GetImageFromArray(ordered, isVector=frames.GetNumberOfComponentsPerPixel() > 1), placement


def _read_radiograph(image: DicomImage) -> sitk.Image:
    """One image in the plane that its Patient Orientation names, or sagittal and marked when it does not say."""
    unknown = []
    letters = [value[:1] for value in image.text("PatientOrientation").split("\\")]
    axes = [np.array(_DIRECTIONS[letter]) for letter in letters if letter in _DIRECTIONS]
    if len(axes) == 2 and axes[0] @ axes[1] == 0:
        direction = np.stack([*axes, np.cross(*axes)], axis=1).ravel().astype(float).tolist()
    else:
        direction = SAGITTAL
        unknown.append(POSITION)
    pixel_mm = image.pixel_mm
    if pixel_mm is None:
        pixel_mm = (1.0, 1.0)
        unknown.append(PIXEL_SIZE)
    check_pixel_size(pixel_mm, str(image.path))
    picture = grey(_read_one(image), str(image.path))
    picture.SetOrigin((0.0, 0.0, 0.0))
    picture.SetSpacing((*pixel_mm, image.thickness_mm() or 1.0))  # nothing is measured across a projection
    picture.SetDirection(direction)
    mark_unknown(picture, *unknown)
    return picture


def _read_one(image: DicomImage) -> sitk.Image:
    image.scale()  # raises where GDCM would pass over it
    reader = sitk.ImageFileReader()
    reader.SetImageIO(_GDCM)
    reader.SetFileName(itk_name(image.path))
    try:
        picture = read_pixels(reader, image.path)
    except SpineError:
        if image.unusual_compression:
            raise SpineError(
                f"{image.path}: its pixels are compressed as {image.unusual_compression}, which cannot be read here: "
                "export it uncompressed."
            ) from None
        raise
    if picture.GetSize() != image.size:
        raise SpineError(f"{image.path}: the file is truncated or corrupt, copy or export it again.")
    return picture
