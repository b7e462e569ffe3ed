"""The measures of a result as a DICOM structured report (TID 1500) that belongs to the series and its segmentation.

Needs highdicom (the extra `dicom`), which is imported only where it is used.
"""

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import SimpleITK as sitk

from .. import __version__
from ..errors import SpineError
from ..files.atomic import atomic
from ..files.dicom_seg import source_images
from ..result import Result
from .sr_codes import PRIVATE, Coded
from .sr_groups import Number, groups_of

if TYPE_CHECKING:
    from highdicom.sr import (
        Measurement,
        MeasurementsAndQualitativeEvaluations,
        ObservationContext,
        VolumetricROIMeasurementsAndQualitativeEvaluations,
    )
    from pydicom.dataset import Dataset

_SERIES_NUMBER = 1001
_MAKER = "SpineSegmentation"
_PROCEDURES: dict[str, Coded] = {
    "MR": ("25056-3", "LN", "MRI unspecified body region"),
    "CT": ("25045-6", "LN", "CT unspecified body region"),
}
_OTHER_PROCEDURE: Coded = ("363679005", "SCT", "Imaging procedure")
_DESCRIBED_BY = ("PixelSpacing", "SliceThickness", "ImagePositionPatient", "ImageOrientationPatient")
"""What highdicom says of each image in the library of a report. Enhanced images have it for each frame instead."""
_UNCERTAINTY: Coded = ("371884006", "SCT", "+/-, range of measurement uncertainty")


def write_dicom_sr(result: Result, segmentation: "Dataset", scan: sitk.Image, path: Path | str) -> None:
    """Write the measures of `result` to `path`. They refer to the segments of `segmentation`, which
    `dicom_seg.write_dicom_seg` made of the same result, and to all images of the `scan`, which are described as far as
    their headers tell the same of each. Raises SpineError."""
    import highdicom
    from highdicom.sr import EnhancedSR, MeasurementReport

    images = source_images(scan, with_pixels=False)
    procedure = _PROCEDURES.get(images[0].get("Modality"), _OTHER_PROCEDURE)
    try:
        report = MeasurementReport(
            observation_context=_observer(),
            procedure_reported=_code(procedure),
            imaging_measurements=_measurements(result, segmentation),
            referenced_images=images if all(map(_can_be_described, images)) else None,
        )
        document = EnhancedSR(
            evidence=[*images, segmentation],
            content=report[0],
            series_instance_uid=highdicom.UID(),
            series_number=_SERIES_NUMBER,
            sop_instance_uid=highdicom.UID(),
            instance_number=1,
            manufacturer=_MAKER,
            is_complete=True,
            is_final=False,
            is_verified=False,
            series_description="Measures of the spine (research use)",
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SpineError(
            f"the headers of the series lack what a structured report needs ({error}): leave out --sr."
        ) from error
    document.ManufacturerModelName, document.SoftwareVersions = _MAKER, __version__
    document.CodingSchemeIdentificationSequence = [_private_scheme()]
    with atomic(path) as temporary:
        document.save_as(temporary)


def _can_be_described(image: "Dataset") -> bool:
    return all(image.get(keyword) not in (None, "") for keyword in _DESCRIBED_BY)


def _private_scheme() -> "Dataset":
    from pydicom.dataset import Dataset

    scheme = Dataset()
    scheme.CodingSchemeDesignator = PRIVATE
    scheme.CodingSchemeName = "Measures of SpineSegmentation, by their names in its documentation"
    scheme.CodingSchemeResponsibleOrganization = _MAKER
    return scheme


def _code(coded: Coded):
    from highdicom.sr import CodedConcept

    value, scheme, meaning = coded
    return CodedConcept(value, scheme, meaning)


def _observer() -> "ObservationContext":
    import highdicom
    from highdicom.sr import DeviceObserverIdentifyingAttributes, ObservationContext, ObserverContext

    device = DeviceObserverIdentifyingAttributes(
        uid=highdicom.UID.from_uuid(str(uuid.uuid5(uuid.NAMESPACE_DNS, _MAKER))),
        name=_MAKER,
        manufacturer_name=_MAKER,
        model_name=f"{_MAKER} {__version__}",
    )
    context = ObserverContext(_code(("121007", "DCM", "Device")), device)
    return ObservationContext(observer_device_context=context)


def _measurements(
    result: Result, segmentation: "Dataset"
) -> "list[VolumetricROIMeasurementsAndQualitativeEvaluations | MeasurementsAndQualitativeEvaluations]":
    import highdicom
    from highdicom.sr import (
        AlgorithmIdentification,
        FindingSite,
        MeasurementsAndQualitativeEvaluations,
        QualitativeEvaluation,
        ReferencedSegment,
        TrackingIdentifier,
        VolumetricROIMeasurementsAndQualitativeEvaluations,
    )

    made_from = [f"{what} SHA-256 {checksum}" for what, checksum in result.made_from.items() if checksum]
    tracked: dict[str, str] = {}
    templates = []
    for group in groups_of(result):
        uid = tracked.setdefault(group.title, highdicom.UID())
        content = {
            "tracking_identifier": TrackingIdentifier(uid=uid, identifier=group.title),
            "algorithm_id": AlgorithmIdentification(_MAKER, __version__, parameters=made_from or None),
            "finding_type": group.finding and _code(group.finding),
            "finding_sites": [FindingSite(_code(site)) for site in group.sites] or None,
            "measurements": [_measurement(number) for number in group.numbers] or None,
            "qualitative_evaluations": [QualitativeEvaluation(*map(_code, pair)) for pair in group.words] or None,
        }
        if group.segment is None:
            templates.append(MeasurementsAndQualitativeEvaluations(**content))
        else:
            segment = ReferencedSegment.from_segmentation(segmentation, group.segment)
            templates.append(VolumetricROIMeasurementsAndQualitativeEvaluations(referenced_segment=segment, **content))
    return templates


def _measurement(number: Number) -> "Measurement":
    from highdicom.sr import Measurement, MeasurementProperties, NumContentItem

    properties = None
    if number.error is not None:
        properties = MeasurementProperties()
        # highdicom's own argument for it would say that the error of a length has no unit.
        properties.append(
            NumContentItem(_code(_UNCERTAINTY), number.error, _code(number.unit), relationship_type="HAS PROPERTIES")
        )
    return Measurement(_code(number.concept), number.value, _code(number.unit), properties=properties)
