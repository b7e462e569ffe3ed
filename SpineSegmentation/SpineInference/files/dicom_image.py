"""What the header of a DICOM image says: size, place in the body, scale, compression.

What cannot be understood is refused: no default takes the place of what a header says.
"""

import math
import warnings
from collections.abc import MutableSequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import SpineError
from .dicom_geometry import StackGeometry

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

SAME_GEOMETRY = 1e-3
"""Direction cosines, and pixel sizes in mm, that differ by no more than this are one value, rounded twice."""

WHAT_DIFFERS = {
    "echo time": "EchoTime",
    "kind": "ImageType",
    "time point": "TemporalPositionIdentifier",
    "b-value": "DiffusionBValue",
    "acquisition": "AcquisitionNumber",
}
"""What may tell apart the images of one series that lie at the same position, most telling first."""

_SCALE = ("RescaleSlope", "RescaleIntercept")
_STORED_AS = ("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")
_PIXEL_SIZES = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "ImagePlanePixelSpacing")
"""The size of a pixel: in the body, at the detector, of a scanned film, at the isocentre. The first one counts."""

KEYWORDS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "Modality")
KEYWORDS += ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", *_STORED_AS, *_SCALE, *_PIXEL_SIZES)
KEYWORDS += ("ImagePositionPatient", "ImageOrientationPatient", "PatientOrientation")
KEYWORDS += ("SliceThickness", "SpacingBetweenSlices", *WHAT_DIFFERS.values())
KEYWORDS += ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_ENHANCED = {_STORAGE + number for number in ("2.1", "2.2", "4.1", "4.4", "128.1", "130")}
"""Enhanced CT, MR and PET: the place of each frame, even of a single one, stands in a sequence."""

_SYNTAX = "1.2.840.10008.1.2"
_PLAIN = {"", *(_SYNTAX + number for number in ("", ".1", ".1.99", ".2"))}
_DECODED = _PLAIN | {_SYNTAX + number for number in (".5", *(f".4.{n}" for n in (50, 51, 57, 70, 80, 81, 90, 91)))}
"""Transfer syntaxes that GDCM decodes: not compressed, RLE, JPEG, JPEG-LS, JPEG 2000."""


@dataclass(frozen=True, eq=False)
class DicomImage:
    """A DICOM image file and its `header`, which holds the elements of `KEYWORDS` only.

    `storage` is the UID of its storage class. A number that cannot be used raises SpineError when it is asked for.
    """

    path: Path
    header: "Dataset"
    storage: str

    def text(self, keyword: str, holder: "Dataset | None" = None) -> str:
        """An element of the header, or of its part `holder`: values joined by backslashes, empty when it is missing."""
        return element_text(self.header if holder is None else holder, keyword)

    def numbers(self, keyword: str, count: int, holder: "Dataset | None" = None) -> np.ndarray | None:
        """The `count` finite numbers of such an element. None when it is missing."""
        text = self.text(keyword, holder)
        if not text.strip("\\ "):
            return None
        with suppress(ValueError):  # some programs write the decimal comma of their country
            numbers = np.array([float(part) for part in text.replace(",", ".").split("\\")])
            if len(numbers) == count and np.isfinite(numbers).all() and "_" not in text:
                return numbers
        raise self._unusable(keyword, text)

    @cached_property
    def size(self) -> tuple[int, int, int]:
        """Columns, rows and frames."""
        number = self.numbers("NumberOfFrames", 1)
        frames = 1 if number is None else max(1, int(number[0]))
        return int(self.text("Columns")), int(self.text("Rows")), frames

    @property
    def series(self) -> tuple[str, str, str]:
        """What the images of a series share; anonymised files may have no UID any more, or all the same one."""
        uid = self.text("SeriesInstanceUID")
        return uid, self.text("SeriesNumber"), "" if uid else self.text("SeriesDescription")

    @cached_property
    def position(self) -> np.ndarray | None:
        """Of the first pixel, LPS, mm; [3]. None when the file does not say."""
        return self.numbers("ImagePositionPatient", 3)

    @cached_property
    def axes(self) -> np.ndarray | None:
        """Directions of growing column and row number, LPS; [2, 3]. None when the file does not say."""
        cosines = self.numbers("ImageOrientationPatient", 6)
        return None if cosines is None else cosines.reshape(2, 3)

    @property
    def has_frames(self) -> bool:
        """Whether the places of its slices are found by `frame_geometry` only."""
        return self.size[2] > 1 or self.storage in _ENHANCED

    @cached_property
    def has_place(self) -> bool:
        return not self.has_frames and self.position is not None and self.axes is not None

    @cached_property
    def pixel_mm(self) -> tuple[float, float] | None:
        """Spacing along columns and rows, for a place in the body Pixel Spacing only. None when it is missing."""
        for keyword in _PIXEL_SIZES[: 1 if self.has_place else None]:
            if (rows_columns := self.numbers(keyword, 2)) is not None:
                return float(rows_columns[1]), float(rows_columns[0])
        return None

    @property
    def stored_as(self) -> tuple:
        """What the type of the pixels depends on: scale and bits."""
        return (*self.scale(), *(self.text(keyword) for keyword in _STORED_AS))

    @property
    def syntax(self) -> str:
        """The UID of its transfer syntax, which tells the compression; empty in a file without meta header."""
        return self.text("TransferSyntaxUID", self.header.file_meta)

    @property
    def is_deflated(self) -> bool:
        """Whether the whole data set, not its pixels, is compressed."""
        return self.syntax == _SYNTAX + ".1.99"

    @property
    def unusual_compression(self) -> str:
        """The name of the compression of the pixels, if it is none that GDCM decodes; else empty."""
        return "" if self.syntax in _DECODED else uid_name(self.syntax)

    @property
    def least_bytes(self) -> int:
        """How many bytes the pixels take at least: GDCM would fill up an image that is short of them."""
        bits = self.text("BitsAllocated")
        known = self.syntax in _PLAIN and self.text("SamplesPerPixel") == "1" and bits.isdecimal()
        return math.prod(self.size) * int(bits) // 8 if known else 0

    @property
    def surplus_bytes(self) -> int:
        """How many bytes more than `least_bytes` are no padding: a row or column that the size leaves out."""
        bits = self.text("BitsAllocated")
        return max(2, min(self.size[:2]) * int(bits) // 8) if bits.isdecimal() else 2

    @property
    def has_sound_bits(self) -> bool:
        """Whether the bits of a pixel, as far as the header tells them, can be what it says."""
        texts = [self.text(keyword) for keyword in _STORED_AS]
        if not all(text.isdecimal() or not text for text in texts) or texts[3] not in ("", "0", "1"):
            return False
        allocated, stored, high = (int(text) if text else None for text in texts[:3])
        if allocated is None or stored is None:
            return True
        return 0 < stored <= allocated and (high is None or stored - 1 <= high < allocated)

    def thickness_mm(self, holder: "Dataset | None" = None) -> float | None:
        """Extent of a single image across its plane. None when nothing sensible is said about it."""
        values = [self.numbers(keyword, 1, holder) for keyword in ("SliceThickness", "SpacingBetweenSlices")]
        return next((float(value[0]) for value in values if value is not None and value[0] > 0), None)

    def scale(self, holder: "Dataset | None" = None) -> tuple[float, float]:
        """Slope and intercept from stored to measured values, 1 and 0 when they are missing.

        GDCM applies them, but passes over a slope of 0 and over whatever it cannot read, so that is refused here. So is
        a blank one beside a number: both blank mean no scale.
        """
        scale = []
        header = self.header if holder is None else holder
        is_scaled = any(self.text(keyword, holder).strip("\\ ") for keyword in _SCALE)
        for keyword, default in zip(_SCALE, (1.0, 0.0), strict=True):
            number = self.numbers(keyword, 1, holder)
            text = self.text(keyword, holder)
            is_blank = number is None and keyword in header
            if "," in text or (keyword == "RescaleSlope" and number == 0) or (is_blank and is_scaled):
                raise self._unusable(keyword, text)
            scale.append(default if number is None else float(number[0]))
        return scale[0], scale[1]

    def _unusable(self, keyword: str, text: str) -> SpineError:
        from pydicom.datadict import dictionary_description

        name = dictionary_description(keyword)
        return SpineError(f"{self.path}: its {name} {text[:40]!r} is no usable number, correct the header of the scan.")


def frame_geometry(image: DicomImage) -> StackGeometry:
    """The places of the frames of a multi-frame file. Raises SpineError when they are not all known or parallel."""
    shared = next(iter(_items(image.header, "SharedFunctionalGroupsSequence")), image.header)
    frames = _items(image.header, "PerFrameFunctionalGroupsSequence") or [image.header]

    def parts(group: str) -> list["Dataset"]:
        """Where each frame has the elements of a functional group: in its own, in that of all, or in the header."""
        of_all = [*_items(shared, group), image.header]
        return [[*_items(frame, group), *of_all][0] for frame in frames]

    def numbers(group: str, keyword: str, count: int) -> np.ndarray | None:
        """[frame, count], None when a frame lacks them."""
        values = [image.numbers(keyword, count, part) for part in parts(group)]
        return None if any(value is None for value in values) else np.array(values)

    positions = numbers("PlanePositionSequence", "ImagePositionPatient", 3)
    axes = numbers("PlaneOrientationSequence", "ImageOrientationPatient", 6)
    pixels = numbers("PixelMeasuresSequence", "PixelSpacing", 2)
    count = image.size[2]
    if len(frames) != count or positions is None or axes is None:
        raise SpineError(
            f"{image.path}: its {count} frames have no positions in the body (a film, or single views?), "
            "export them as a volume."
        )
    if any(values is not None and np.ptp(values, axis=0).max() > SAME_GEOMETRY for values in (axes, pixels)):
        raise SpineError(f"{image.path}: its frames differ in orientation or pixel size, export one volume of it.")
    if len({image.scale(part) for part in parts("PixelValueTransformationSequence")}) > 1:
        raise SpineError(f"{image.path}: its frames are scaled differently, export it as one file for each slice.")
    pixel_mm = None if pixels is None else (float(pixels[0, 1]), float(pixels[0, 0]))
    thickness_mm = image.thickness_mm(parts("PixelMeasuresSequence")[0])
    return StackGeometry(positions, axes[0].reshape(2, 3), pixel_mm, thickness_mm)


def _items(holder: "Dataset", keyword: str) -> list["Dataset"]:
    """The items of a sequence; none when it is missing or broken."""
    with suppress(Exception), warnings.catch_warnings(action="ignore"):
        return list(holder.get(keyword) or [])
    return []


def element_text(holder: "Dataset", keyword: str) -> str:
    from pydicom.datadict import dictionary_VR
    from pydicom.tag import Tag

    tag = Tag(keyword)
    value = getattr(holder.get_item(tag), "value", None)
    # Numbers and UIDs are taken as they were written: what is no number must not be repaired into one.
    if isinstance(value, bytes) and dictionary_VR(tag) in ("DS", "IS", "UI"):
        return value.decode("latin-1").strip(" \0")
    with suppress(Exception), warnings.catch_warnings(action="ignore"):
        value = holder.get(keyword)
        values = value if isinstance(value, MutableSequence) else [value]
        return "\\".join("" if part is None else str(part).strip(" \0") for part in values)
    return ""


def uid_name(uid: str) -> str:
    """What the standard calls a `uid`, which stays as it is when it is a private one; empty when it is no UID."""
    from pydicom.uid import UID

    with warnings.catch_warnings(action="ignore"):
        return UID(uid).name if UID(uid).is_valid else ""
