"""A result as a DICOM segmentation that belongs to the series it was made from, for the archive.

Needs highdicom (the extra `dicom`), which is imported only where it is used.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from .. import __version__
from ..anatomy import Segment
from ..errors import SpineError
from .atomic import atomic
from .dicom import SOURCE_KEY

if TYPE_CHECKING:
    from highdicom.seg import Segmentation
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

_CATEGORY = ("123037004", "SCT", "Anatomical Structure")
_SERIES_NUMBER = 1000
_IDENTIFIERS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
_MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("StudyID", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName"),
)
"""Must be there (type 2), but anonymisation often removes them."""
_PATIENT_GROUP = 0x0010
_OF_A_FORM = ("AS", "CS", "DA", "DS", "IS", "TM")
"""Kinds of values that the standard gives a form, so that what has another one is no value."""
_SAME_IN_ALL_FRAMES = ("PixelMeasuresSequence", "PlaneOrientationSequence")
_SEXES = ("", "F", "M", "O")
_MAKER = "SpineSegmentation"


def check_source(scan: sitk.Image) -> None:
    """Raise SpineError for a `scan` that was not read from DICOM images with a place and all identifiers."""
    if not scan.HasMetaDataKey(SOURCE_KEY):
        raise SpineError(
            "a DICOM segmentation belongs to a DICOM series, but the scan is none, or does not say how it lies in the "
            "body: choose another format, and no structured report."
        )
    import pydicom

    needed = (*_IDENTIFIERS, "Modality")
    for file in json.loads(scan.GetMetaData(SOURCE_KEY))["files"]:
        header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(needed))
        missing = [name for name in needed if not header.get(name)]
        if missing:
            raise SpineError(
                f"{file}: a DICOM segmentation refers to the series by elements that its header lacks "
                f"({', '.join(missing)}): choose another format, and no structured report."
            )


def source_images(scan: sitk.Image, with_pixels: bool = True) -> "list[Dataset]":
    """The files of a `scan` that `check_source` has accepted, in the order of its slices.

    What they say about patient and study is what a new file of the study may repeat: without values that the standard
    does not allow.
    """
    import pydicom
    from pydicom.datadict import keyword_for_tag

    files = json.loads(scan.GetMetaData(SOURCE_KEY))["files"]
    images = [pydicom.dcmread(file, stop_before_pixels=not with_pixels) for file in files]
    for image in images:
        for tag in sorted(image.keys()):
            is_copied = tag.group == _PATIENT_GROUP or keyword_for_tag(tag) in _MAY_BE_EMPTY
            if is_copied and not _may_be_copied(image, tag):
                del image[tag]
        for name in _MAY_BE_EMPTY:
            if name not in image:
                setattr(image, name, "")
    return images


def _may_be_copied(image: "Dataset", tag: "BaseTag") -> bool:
    """Whether an element has a value that its kind allows: dates of anonymised files are often none."""
    from pydicom.config import RAISE
    from pydicom.valuerep import validate_value

    try:
        element = image[tag]
        if element.VR in _OF_A_FORM:
            validate_value(element.VR, "" if element.value is None else str(element.value), RAISE)
    except ValueError:
        return False
    return element.keyword != "PatientSex" or (element.value or "") in _SEXES


def _complete(images: "Sequence[Dataset]", slice_mm: float) -> None:
    """Say in the headers what highdicom takes from them: the thickness of slices, or else their distance; and what all
    frames of a file share, which some scanners say of each."""
    for image in images:
        if "PerFrameFunctionalGroupsSequence" in image:
            shared, first = image.SharedFunctionalGroupsSequence[0], image.PerFrameFunctionalGroupsSequence[0]
            for name in _SAME_IN_ALL_FRAMES:
                if name not in shared and name in first:
                    shared[name] = first[name]
        elif image.get("SliceThickness") in (None, ""):
            image.SliceThickness = f"{slice_mm:.6g}"


def write_dicom_seg(
    labels: sitk.Image, segments: Sequence[Segment], scan: sitk.Image, path: Path | str, are_given: bool = False
) -> "Segmentation":
    """Write `labels`, on the grid of `scan` as it was read, as a binary segmentation with a segment for each of
    `segments`, numbered from 1 in their order. It refers to every image of the series. Returns what was written.
    `are_given`: the labels are those of a person, who may have had them from any program.

    Raises SpineError."""
    import highdicom
    from highdicom.color import CIELabColor
    from highdicom.seg import Segmentation, SegmentDescription
    from pydicom.sr.coding import Code

    check_source(scan)
    images = source_images(scan)
    array = sitk.GetArrayViewFromImage(labels)
    if len(images) == 1 and len(array) > 1:
        # The frames of one file were sorted along the slices: back to its own order.
        array = array[np.argsort(json.loads(scan.GetMetaData(SOURCE_KEY))["order"])]
    numbers = np.zeros(256, np.uint8)
    numbers[[segment.label for segment in segments]] = np.arange(1, len(segments) + 1)
    family = (
        Code("123109", "DCM", "Manual Processing") if are_given else Code("123110", "DCM", "Artificial Intelligence")
    )
    algorithm = highdicom.AlgorithmIdentificationSequence(
        name=f"Labels given to {_MAKER}" if are_given else _MAKER,
        version=__version__,
        family=family,
    )
    descriptions = [
        SegmentDescription(
            segment_number=number,
            segment_label=segment.name,
            segmented_property_category=Code(*_CATEGORY),
            segmented_property_type=Code(segment.code, "SCT", segment.meaning),
            algorithm_type="SEMIAUTOMATIC" if are_given else "AUTOMATIC",
            algorithm_identification=algorithm,
            display_color=CIELabColor.from_rgb(*segment.colour),
        )
        for number, segment in enumerate(segments, start=1)
    ]
    try:
        _complete(images, scan.GetSpacing()[2])
        result = Segmentation(
            source_images=images,
            pixel_array=numbers[array],
            segmentation_type="BINARY",
            segment_descriptions=descriptions,
            series_instance_uid=highdicom.UID(),
            series_number=_SERIES_NUMBER,
            sop_instance_uid=highdicom.UID(),
            instance_number=1,
            manufacturer=_MAKER,
            manufacturer_model_name=_MAKER,
            software_versions=__version__,
            device_serial_number="0",
            series_description="Spine segmentation (research use)",
            content_description="For research only",
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SpineError(
            f"the headers of the series lack what a DICOM segmentation needs ({error}): choose another format, and no "
            "structured report."
        ) from error
    with atomic(path) as temporary:
        result.save_as(temporary)
    return result
