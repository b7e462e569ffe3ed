"""One DICOM file: is it one, is it an image, and what does its header say about its place in the body.

SimpleITK gives the tags of a file, but not those inside sequences, and takes the frames of a multi-frame file as
evenly spaced whatever their positions are. Those positions are therefore searched in the bytes of the file.
"""

import mmap
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import SpineError
from .itk_files import open_header

GDCM = "GDCMImageIO"

SOP_CLASS, UID, SERIES_UID, SERIES_NUMBER = "0008|0016", "0008|0018", "0020|000e", "0020|0011"
DESCRIPTION, MODALITY = "0008|103e", "0008|0060"
POSITION, ORIENTATION, PIXEL_SPACING, THICKNESS = "0020|0032", "0020|0037", "0028|0030", "0018|0050"
PATIENT_ORIENTATION = "0020|0020"
WHAT_DIFFERS = {
    "echo time": "0018|0081",
    "kind": "0008|0008",
    "time point": "0020|0100",
    "b-value": "0018|9087",
    "acquisition": "0020|0012",
}
"""What may tell apart the images of one series that lie at the same position, most telling first."""

_TAGS = (SOP_CLASS, UID, SERIES_UID, SERIES_NUMBER, DESCRIPTION, MODALITY, *WHAT_DIFFERS.values())
_TAGS += (POSITION, ORIENTATION, PIXEL_SPACING, THICKNESS, PATIENT_ORIENTATION)

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_ENHANCED = {_STORAGE + number for number in ("2.1", "2.2", "4.1", "4.4", "128.1", "130")}
"""Enhanced CT, MR and PET: the place of each frame, even of a single one, stands in a sequence."""

_HEAD = 1024
_MEDIA_DIRECTORY = b"1.2.840.10008.1.3.10"
_WITHOUT_PREAMBLE = re.compile(rb"[\x02\x08]\x00[\x00-\x20]\x00(?:[A-Z]{2}|..\x00\x00)", re.DOTALL)
_SCAN_CLASS = re.compile(rb"1\.2\.840\.10008\.5\.1\.4\.1\.1\.(?:1|1\.1|2|2\.1|4|4\.1|7|20|128|130)[\x00 ]?\x02\x00")
"""Storage classes of radiographs, CT, MR, secondary capture, nuclear medicine and PET, as the file's meta header
names them; reports, presentation states and the like are not images, and no loss when they cannot be read."""


@dataclass(frozen=True, eq=False)
class DicomImage:
    """The header of a DICOM image file. `size` is (columns, rows, frames); `spacing` is ITK's, in mm."""

    path: Path
    tags: dict[str, str]
    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    pixel_id: int

    @property
    def frames(self) -> int:
        return self.size[2]

    @property
    def series(self) -> tuple[str, str]:
        """What the images of a series share; anonymised files may have no UID any more."""
        uid = self.tags[SERIES_UID]
        return (uid, "") if uid else (self.tags[SERIES_NUMBER], self.tags[DESCRIPTION])

    @property
    def position(self) -> np.ndarray | None:
        """Of the first pixel, LPS, mm; [3]. None when the file does not say."""
        return _decimals(self.tags[POSITION], 3)

    @property
    def axes(self) -> np.ndarray | None:
        """Directions of growing column and row number, LPS; [2, 3]. None when the file does not say."""
        cosines = _decimals(self.tags[ORIENTATION], 6)
        return None if cosines is None else cosines.reshape(2, 3)

    @property
    def has_frames(self) -> bool:
        """Whether the places of its slices are found by `frame_geometry` only."""
        return self.frames > 1 or self.tags[SOP_CLASS] in _ENHANCED

    @property
    def has_place(self) -> bool:
        return not self.has_frames and self.position is not None and self.axes is not None

    @property
    def pixel_mm(self) -> tuple[float, float]:
        """Spacing along columns and rows. A calibrated radiograph has it in a tag that GDCM passes over."""
        rows_columns = _decimals(self.tags[PIXEL_SPACING], 2)
        return self.spacing[:2] if rows_columns is None else (float(rows_columns[1]), float(rows_columns[0]))

    @property
    def thickness_mm(self) -> float:
        """Extent of a single image across its plane; 1 mm when nothing sensible is said about it."""
        thickness = _decimals(self.tags[THICKNESS], 1)
        known = (0.0 if thickness is None else float(thickness[0]), self.spacing[2], 1.0)
        return next(mm for mm in known if mm > 0)


@dataclass(frozen=True, eq=False)
class FrameGeometry:
    """Where the frames of a multi-frame file lie: positions [n, 3], axes [2, 3], LPS mm; pixel and slice size in mm."""

    positions: np.ndarray
    axes: np.ndarray
    pixel_mm: tuple[float, float]
    thickness_mm: float


def is_dicom(path: Path) -> bool:
    """Whether the file at `path` looks like DICOM, with or without preamble; a DICOMDIR does not count.

    Raises SpineError for a file that cannot be opened.
    """
    head = _head(path)
    if head[128:132] == b"DICM":
        return _MEDIA_DIRECTORY not in head
    return _WITHOUT_PREAMBLE.match(head) is not None


def inspect(path: Path) -> DicomImage | None:
    """The image in the DICOM file at `path`, or None for a report, a presentation state and the like.

    Raises SpineError for a damaged image.
    """
    try:
        header = open_header(path, GDCM)
    except RuntimeError as error:
        if _SCAN_CLASS.search(_head(path)):
            raise SpineError(f"{path}: the file is truncated or corrupt, copy or export it again.") from error
        return None
    tags = {tag: _text(header.GetMetaData(tag)) if header.HasMetaDataKey(tag) else "" for tag in _TAGS}
    size, spacing = (*header.GetSize(), 1)[:3], (*header.GetSpacing(), 1.0)[:3]
    return DicomImage(path, tags, size, spacing, header.GetPixelID())


def frame_geometry(image: DicomImage) -> FrameGeometry:
    """The places of the frames of a multi-frame file. Raises SpineError when they are not all known or parallel."""
    with open(image.path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        positions = _find(data, POSITION, 3)
        axes = _find(data, ORIENTATION, 6)
        pixel_spacing = _find(data, PIXEL_SPACING, 2)
        scales = [_find(data, tag, 1) for tag in ("0028|1052", "0028|1053")]
    if len(positions) != image.frames or not len(axes) or not len(pixel_spacing):
        raise SpineError(
            f"{image.path}: its {image.frames} frames have no positions in the body (a film, or single views?), "
            "export them as a volume."
        )
    if np.ptp(axes, axis=0).max() > 1e-3 or np.ptp(pixel_spacing, axis=0).max() > 1e-3:
        raise SpineError(f"{image.path}: its frames differ in orientation or pixel size, export one volume of it.")
    if any(len(scale) and np.ptp(scale) > 0 for scale in scales):
        raise SpineError(f"{image.path}: its frames are scaled differently, export it as one file for each slice.")
    rows_mm, columns_mm = pixel_spacing[0].tolist()
    return FrameGeometry(positions, axes[0].reshape(2, 3), (columns_mm, rows_mm), image.thickness_mm)


def _head(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_HEAD)
    except OSError as error:
        raise SpineError(f"{path}: the file cannot be opened ({error.strerror}).") from error


def _text(value: str) -> str:
    # SimpleITK hands over bytes that are not UTF-8 as lone surrogates, which no output can print.
    raw = value.encode("utf-8", "surrogateescape")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text.strip(" \x00")


def _decimals(text: str | bytes, count: int) -> np.ndarray | None:
    """The `count` finite numbers of a DICOM decimal string, or None when it holds something else."""
    try:
        numbers = np.array([float(part) for part in text.split("\\" if isinstance(text, str) else b"\\")])
    except ValueError:
        return None
    return numbers if len(numbers) == count and np.isfinite(numbers).all() else None


def _find(data: mmap.mmap, tag: str, count: int) -> np.ndarray:
    """Every value [n, count] of a decimal string `tag` in little-endian DICOM `data`, at any depth of sequences."""
    group, element = (int(part, 16).to_bytes(2, "little") for part in tag.split("|"))
    header = re.compile(re.escape(group + element) + rb"(?:DS(..)|(..)\x00\x00)", re.DOTALL)
    found = []
    for match in header.finditer(data):
        length = int.from_bytes(match[1] or match[2], "little")
        numbers = _decimals(data[match.end() : match.end() + length], count)
        if numbers is not None:
            found.append(numbers)
    return np.array(found).reshape(-1, count)
