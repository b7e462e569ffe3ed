"""A DICOM segmentation read back: it has the labels at their places, and belongs to its series."""

import copy
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_files import ENHANCED_MR, frame_groups, slices, write
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


def changed(folder: Path, change: Callable[["pydicom.Dataset"], None]) -> sitk.Image:
    """The scan in `folder` after a `change` of each of its headers."""
    for file in folder.iterdir():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is no value is told while it is set
            image = pydicom.dcmread(file)
            change(image)
            image.save_as(file)
    return read_volume(str(folder))


def written(scan: sitk.Image, path: Path) -> "highdicom.seg.Segmentation":
    """A segmentation of a box in the `scan`, read back."""
    array = np.zeros(scan.GetSize()[::-1], np.uint8)
    array[1:4, 2:8, 3:9] = LEVELS["L4"].label
    labels = sitk.GetImageFromArray(array)
    labels.CopyInformation(scan)
    write_dicom_seg(labels, [LEVELS["L4"]], scan, path)
    return highdicom.seg.segread(path)


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
    scan = changed(small_series(tmp_path / "series"), lambda image: image.pop("FrameOfReferenceUID"))
    with pytest.raises(SpineError, match="FrameOfReferenceUID"):
        check_source(scan)


def test_an_anonymised_series_is_accepted(tmp_path):
    def anonymise(image: "pydicom.Dataset") -> None:
        for name in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "AccessionNumber"):
            delattr(image, name)

    result = written(changed(small_series(tmp_path / "series"), anonymise), tmp_path / "a.dcm")
    assert result.PatientID == "" and result.number_of_segments == 1


def test_what_is_no_value_is_not_copied(tmp_path):
    """As anonymised and old files have it."""

    def spoil(image: "pydicom.Dataset") -> None:
        image.PatientBirthDate, image.PatientSex, image.PatientAge, image.StudyTime = "1990/01/", "W", "99", "11:11:11"
        image.add_new("PatientWeight", "LO", "70,5")
        image["PatientWeight"].VR = "DS"
        image.PatientComments = "kept"

    result = written(changed(small_series(tmp_path / "series"), spoil), tmp_path / "a.dcm")
    assert (result.PatientBirthDate, result.PatientSex, result.StudyTime) == ("", "", "")
    assert "PatientAge" not in result and "PatientWeight" not in result
    assert result.PatientID == "p1" and result.PatientComments == "kept"


def test_slices_without_thickness_have_their_distance(tmp_path):
    def empty(image: "pydicom.Dataset") -> None:
        image.SliceThickness = None

    result = written(changed(small_series(tmp_path / "series"), empty), tmp_path / "a.dcm")
    assert result.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness == 4.0


def test_a_fractional_slope_keeps_the_series(tmp_path):
    def scale(image: "pydicom.Dataset") -> None:
        image.RescaleSlope, image.RescaleIntercept = "0.7731", "0"

    scan = changed(small_series(tmp_path / "series"), scale)
    check_source(scan)
    assert written(scan, tmp_path / "a.dcm").number_of_segments == 1


def test_what_frames_share_may_stand_in_each(tmp_path):
    """As in enhanced files of some scanners."""
    file, pixels = tmp_path / "series" / "a.dcm", slices(6)
    place = {(0x20, 0x52): ("UI", "1.2.5"), (0x20, 0x0D): ("UI", "1.2.4"), (0x20, 0x0E): ("UI", "1.2.3")}
    write(file, pixels, place, ENHANCED_MR, frame_groups([9, 3, 12, 0, 6, 15]))

    def move(image: "pydicom.Dataset") -> None:
        (shared,) = image.SharedFunctionalGroupsSequence
        for name in ("PixelMeasuresSequence", "PlaneOrientationSequence"):
            for frame in image.PerFrameFunctionalGroupsSequence:
                setattr(frame, name, copy.deepcopy(shared[name].value))
            delattr(shared, name)

    scan = changed(file.parent, move)
    array = np.zeros(scan.GetSize()[::-1], np.uint8)
    array[1:3, 1:3, 1:5] = LEVELS["L4"].label
    labels = sitk.GetImageFromArray(array)
    labels.CopyInformation(scan)
    write_dicom_seg(labels, [LEVELS["L4"]], scan, tmp_path / "a.dcm")
    volume = highdicom.seg.segread(tmp_path / "a.dcm").get_volume(segment_numbers=[1], combine_segments=True)
    heights = volume.affine[2, 3] + volume.affine[2, :3] @ np.argwhere(volume.array).T
    assert set(np.round(heights, 3)) == {3.0, 6.0}
