"""The measures as a DICOM structured report, read back: the numbers, what they refer to, and what is unsure."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_series import write_series
from generated_result import generated_result

from SpineInference.anatomy import LEVELS
from SpineInference.files.dicom_seg import write_dicom_seg
from SpineInference.files.reading import read_volume
from SpineInference.measuring.morphometry.measure import CUT_OFF, DEFINITIONS, DOUBTFUL_BODY
from SpineInference.reports.dicom_sr import write_dicom_sr
from SpineInference.reports.sr_codes import PRIVATE, place_codes, unit_code
from SpineInference.result import Result

highdicom = pytest.importorskip("highdicom", reason="the extra dicom is not installed")
pydicom = pytest.importorskip("pydicom")


@dataclass(frozen=True)
class Group:
    """What was read back of a group: numbers by the value of their code, and words as pairs of meanings."""

    place: str
    template: Any
    numbers: dict[str, Any]
    words: set[tuple[str, str]]


@dataclass(frozen=True)
class Written:
    """A result, its segmentation, the report as it was read back, and its groups."""

    result: Result
    segmentation: Any
    document: Any
    groups: list[Group]

    def at(self, place: str) -> list[Group]:
        return [group for group in self.groups if group.place == place]


def noise_series(folder: Path) -> Path:
    labels, _ = generated_result()
    noise = np.random.default_rng(0).integers(0, 900, labels.GetSize()[::-1]).astype(np.uint16)
    volume = sitk.GetImageFromArray(noise)
    volume.CopyInformation(labels)
    return write_series(volume, folder)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Written:
    folder = tmp_path_factory.mktemp("sr")
    scan = read_volume(str(noise_series(folder / "series")))
    _, result = generated_result(on=scan, qualities={"L3": 0.6})
    segmentation = write_dicom_seg(result.labels, result.segments, scan, folder / "seg.dcm")
    write_dicom_sr(result, segmentation, scan, folder / "sr.dcm")
    assert sorted(path.name for path in folder.iterdir()) == ["seg.dcm", "series", "sr.dcm"]
    document = highdicom.sr.srread(folder / "sr.dcm")
    content = document.content
    return Written(
        result,
        segmentation,
        document,
        [
            Group(
                group.tracking_identifier,
                group,
                {each.name.value: each for each in group.get_measurements()},
                {(each.name.meaning, each.value.meaning) for each in group.get_qualitative_evaluations()},
            )
            for group in (*content.get_volumetric_roi_measurement_groups(), *content.get_image_measurement_groups())
        ],
    )


def test_every_number_is_there_with_its_unit(written):
    told = {(group.place, name): each for group in written.groups for name, each in group.numbers.items()}
    numbers = [each for each in written.result.morphometry if isinstance(each.value, int | float)]
    assert len(numbers) > 30
    for measure in numbers:
        name = "285285000" if measure.name == "coronal_cobb" else measure.name.replace("_", "")
        found = told[measure.at, name]
        assert found.value == pytest.approx(measure.value, abs=0.06)
        assert found.unit.value == unit_code(measure.definition.unit)[0]
    for row in written.result.measurements.vertebrae:
        assert told[row.level, "118565006"].value == pytest.approx(row.volume_mm3, abs=0.06)


def test_errors_have_the_unit_of_their_measure(written):
    measure = next(each for each in written.result.morphometry if each.name == "anterior_height" and each.error)
    (height,) = [
        group.numbers["anteriorheight"] for group in written.at(measure.at) if "anteriorheight" in group.numbers
    ]
    (error,) = [each for each in height[0].ContentSequence if each.RelationshipType == "HAS PROPERTIES"]
    assert error.value == pytest.approx(measure.error, abs=0.06) and error.unit.value == "mm"


def test_bodies_refer_to_their_segments(written):
    for number, segment in enumerate(written.result.segments, start=1):
        assert written.at(segment.name)
        for group in written.at(segment.name):
            assert group.template.finding_type.value == segment.code
            referenced = group.template.referenced_segment
            assert referenced.referenced_sop_instance_uid == written.segmentation.SOPInstanceUID
            assert referenced.referenced_segment_numbers == [number]


def test_the_report_belongs_to_the_series(written):
    document, segmentation = written.document, written.segmentation
    assert document.StudyInstanceUID == segmentation.StudyInstanceUID and document.PatientID == "p1"
    evidence = {
        instance.ReferencedSOPInstanceUID
        for study in document.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    (series,) = segmentation.ReferencedSeriesSequence
    images = {each.ReferencedSOPInstanceUID for each in series.ReferencedInstanceSequence}
    assert evidence == images | {segmentation.SOPInstanceUID}
    assert (document.VerificationFlag, document.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert "research" in document.SeriesDescription
    assert [each.CodingSchemeDesignator for each in document.CodingSchemeIdentificationSequence] == [PRIVATE]


def test_headers_without_thickness_are_no_obstacle(tmp_path):
    for file in noise_series(tmp_path / "series").iterdir():
        image = pydicom.dcmread(file)
        image.SliceThickness = None
        image.save_as(file)
    scan = read_volume(str(tmp_path / "series"))
    _, result = generated_result(on=scan)
    segmentation = write_dicom_seg(result.labels, result.segments, scan, tmp_path / "seg.dcm")
    write_dicom_sr(result, segmentation, scan, tmp_path / "sr.dcm")
    document = highdicom.sr.srread(tmp_path / "sr.dcm")
    (study,) = document.CurrentRequestedProcedureEvidenceSequence
    counts = [len(series.ReferencedSOPSequence) for series in study.ReferencedSeriesSequence]
    assert sorted(counts) == [1, scan.GetSize()[2]]


def test_what_is_unsure_is_marked(written):
    for measure in written.result.morphometry:
        if measure.value is None or isinstance(measure.value, str):
            continue
        name = "285285000" if measure.name == "coronal_cobb" else measure.name.replace("_", "")
        (group,) = [group for group in written.at(measure.at) if name in group.numbers]
        assert {value for concept, value in group.words if concept == "Reservation"} == set(measure.marks)
    assert any(("Reservation", DOUBTFUL_BODY) in group.words for group in written.at("L3"))


def test_what_cannot_be_told_is_said(written):
    missing = [each for each in written.result.morphometry if each.value is None]
    assert any(CUT_OFF in each.marks for each in missing)
    for measure in missing:
        marks = {("Reservation", mark) for mark in measure.marks}
        said = marks | {("Not measured", measure.definition.title)}
        assert any(said <= group.words for group in written.at(measure.at))


def test_levels_have_the_codes_of_their_discs(written):
    (group, *_) = written.at("L3-L4")
    assert [site.value.value for site in group.template.finding_sites] == ["243922006"]
    assert [code[0] for code in place_codes("L1-S1")] == [LEVELS["L1"].code, LEVELS["S1"].code]
    assert [code[2] for code in place_codes("Vertebra 1-Vertebra 2")] == ["Vertebra 1", "Vertebra 2"]


def test_every_unit_has_a_code():
    for unit in {definition.unit for definition in DEFINITIONS.values()} - {"", "grade"}:
        assert unit_code(unit)[0] != "1"
