"""A DICOM segmentation read back: it has the labels at their places, and belongs to its series."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_series import write_series

from SpineInference.anatomy import LEVELS, numbered
from SpineInference.errors import SpineError
from SpineInference.files.dicom_seg import check_source, write_dicom_seg
from SpineInference.files.reading import read_volume

highdicom = pytest.importorskip("highdicom", reason="the extra dicom is not installed")
pydicom = pytest.importorskip("pydicom")

SEGMENTS = [LEVELS["L4"], LEVELS["L5"], numbered(3)]


def small_series(folder: Path) -> Path:
    """Six oblique sagittal slices of noise."""
    tilt = np.radians(10)
    rows, columns = np.array([0.0, np.cos(tilt), -np.sin(tilt)]), np.array([0.0, -np.sin(tilt), -np.cos(tilt)])
    volume = sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 1000, (6, 20, 16)).astype(np.uint16))
    volume.SetSpacing((0.8, 0.9, 4.0))
    volume.SetOrigin((0.0, 10.0, 30.0))
    volume.SetDirection(np.stack([rows, columns, np.cross(rows, columns)], axis=1).ravel().tolist())
    return write_series(volume, folder)


def test_read_back(tmp_path):
    scan = read_volume(str(small_series(tmp_path / "series")))
    array = np.zeros(sitk.GetArrayViewFromImage(scan).shape, np.uint8)
    array[1:4, 2:8, 3:9], array[0:5, 10:17, 3:9], array[5, 1:3, 1:3] = (segment.label for segment in SEGMENTS)
    labels = sitk.GetImageFromArray(array)
    labels.CopyInformation(scan)
    write_dicom_seg(labels, SEGMENTS, scan, tmp_path / "a.dcm")

    result = highdicom.seg.segread(tmp_path / "a.dcm")
    first = pydicom.dcmread(tmp_path / "series" / "0.dcm")
    assert result.StudyInstanceUID == first.StudyInstanceUID and result.PatientID == "p1"
    referenced = result.ReferencedSeriesSequence[0]
    assert referenced.SeriesInstanceUID == first.SeriesInstanceUID
    assert len(referenced.ReferencedInstanceSequence) == 6
    for number, segment in enumerate(SEGMENTS, start=1):
        described = result.get_segment_description(number)
        assert described.segment_label == segment.name
        assert described.segmented_property_type.value == segment.code
        assert "RecommendedDisplayCIELabValue" in described
        volume = result.get_volume(segment_numbers=[number], combine_segments=True)
        # Voxel for voxel at its place in the patient, whatever the order of the frames.
        found = np.argwhere(volume.array == 1) if volume.array.max() == 1 else np.argwhere(volume.array == number)
        own = np.argwhere(array == segment.label)
        places = [labels.TransformIndexToPhysicalPoint([int(i) for i in index[::-1]]) for index in own]
        theirs = np.column_stack([found, np.ones(len(found))]) @ volume.affine.T
        assert np.allclose(sorted(map(tuple, np.round(places, 2))), sorted(map(tuple, np.round(theirs[:, :3], 2))))


def test_what_is_no_series_is_refused():
    with pytest.raises(SpineError, match="belongs to a DICOM series"):
        check_source(sitk.Image(4, 4, 4, sitk.sitkInt16))


def test_a_series_without_identifiers_is_refused(tmp_path):
    folder = small_series(tmp_path / "series")
    for file in folder.iterdir():
        image = pydicom.dcmread(file)
        del image.FrameOfReferenceUID
        image.save_as(file)
    with pytest.raises(SpineError, match="FrameOfReferenceUID"):
        check_source(read_volume(str(folder)))


def test_an_anonymised_series_is_accepted(tmp_path):
    folder = small_series(tmp_path / "series")
    for file in folder.iterdir():
        image = pydicom.dcmread(file)
        for name in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "AccessionNumber"):
            delattr(image, name)
        image.save_as(file)
    scan = read_volume(str(folder))
    array = np.zeros(sitk.GetArrayViewFromImage(scan).shape, np.uint8)
    array[1:4, 2:8, 3:9] = LEVELS["L4"].label
    labels = sitk.GetImageFromArray(array)
    labels.CopyInformation(scan)
    written = write_dicom_seg(labels, [LEVELS["L4"]], scan, tmp_path / "a.dcm")
    assert written.PatientID == "" and highdicom.seg.segread(tmp_path / "a.dcm").number_of_segments == 1
