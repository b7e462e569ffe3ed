"""What is no scan is refused where it is named and passed over in a folder; a scan of few grey values is one."""

import gzip

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_files import REPORT, placed, slices, write, write_series

from SpineInference.errors import NotAScan
from SpineInference.files.no_scan import is_label_map
from SpineInference.files.reading import read_labels, read_volume
from SpineInference.monitor import Monitor

SEGMENTATION, DOSE = "66.4", "481.2"


def instances() -> np.ndarray:
    labels = np.zeros((60, 40, 30), np.uint8)
    for number, top in enumerate(range(2, 50, 12), start=20):
        labels[top : top + 11, 8:30, 6:24] = number
    return labels


def scan() -> np.ndarray:
    """Bodies in tissue, with noise, and air around."""
    image = np.random.default_rng(0).normal(100, 25, (60, 40, 30)) + 120 * (instances() > 0)
    image[:, :4] = 0
    return np.clip(image, 0, 400)


@pytest.mark.parametrize(
    "labels",
    [
        instances(),
        (instances() > 0) * 255,
        instances().astype(np.float32),
        instances() * 1.0004,
        np.where(instances() > 22, 2, instances() > 0),
        np.eye(1, 60 * 40 * 30, 777).reshape(60, 40, 30) * 5,
    ],
    ids=["instances", "mask", "float", "scaled", "two structures", "landmark"],
)
def test_label_maps_are_refused(labels, tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(labels), str(tmp_path / "labels.nrrd"))
    with pytest.raises(NotAScan, match=r"labels\.nrrd: this is a label map"):
        read_volume(tmp_path / "labels.nrrd")


@pytest.mark.parametrize("levels", [3, 4, 5, 8, 16, 64])
def test_scan_of_few_grey_values_is_one(levels):
    coarse = np.floor(scan() / 400.001 * levels)
    assert len(np.unique(coarse)) <= levels and not is_label_map(coarse.astype(np.uint8))


def test_flat_phantom_is_a_scan():
    """Bodies in tissue in air, without any noise: they touch the tissue, not the air."""
    phantom = np.select([instances() > 0], [500], 200)
    phantom[:, :3] = 0
    assert not is_label_map(phantom.astype(np.int16))


def test_real_scans_and_label_maps(spine_data):
    for part, expected in (("imagesTr", False), ("labelsTr", True), ("instancesTr", True)):
        for path in sorted((spine_data / "Dataset511_SPIDERmini_LS" / part).iterdir())[:5]:
            values = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
            assert is_label_map(values) == expected
            if not expected:
                assert not is_label_map(values // 64)  # four grey values


@pytest.mark.parametrize("name", ["Segmentation.seg.nrrd", "renamed.nrrd"])
def test_segmentation_of_slicer_is_refused(name, tmp_path):
    image = sitk.GetImageFromArray(scan().astype(np.int16))  # whatever its values are
    for key, value in {"Segment0_ID": "a", "Segment0_LabelValue": "1", "Segment0_Layer": "0"}.items():
        image.SetMetaData(key, value)
    sitk.WriteImage(image, str(tmp_path / name))
    with pytest.raises(NotAScan, match="segmentation of 3D Slicer"):
        read_volume(tmp_path / name)


@pytest.mark.parametrize(("intent", "word"), [(1002, "labels"), (5, "statistic")])
@pytest.mark.parametrize("compressed", [False, True])
def test_nifti_that_says_so_is_refused(intent, word, compressed, tmp_path):
    path = tmp_path / ("x.nii.gz" if compressed else "x.nii")
    sitk.WriteImage(sitk.GetImageFromArray(scan().astype(np.int16)), str(tmp_path / "x.nii"))
    content = bytearray((tmp_path / "x.nii").read_bytes())
    content[68:70] = intent.to_bytes(2, "little")
    path.write_bytes(gzip.compress(content) if compressed else content)
    with pytest.raises(NotAScan, match=word):
        read_volume(path)
    if not compressed:
        path.with_name("labels.nii").write_bytes(content)
        assert read_labels(path.with_name("labels.nii")).GetSize() == (30, 40, 60)


@pytest.mark.parametrize("storage", [SEGMENTATION, DOSE, REPORT])
def test_derived_dicom_is_passed_over_beside_a_series(storage, tmp_path):
    write_series(tmp_path, slices(3), [0, 4, 8])
    other = write(tmp_path / "other.dcm", slices(2), placed((0, 0, 0)), storage)
    notes: list[str] = []
    assert read_volume(tmp_path, Monitor(on_note=notes.append)).GetSize()[2] == 3
    assert len(notes) == 1 and "passed over what is no scan: 1 " in notes[0]
    with pytest.raises(NotAScan, match=r"other\.dcm"):
        read_volume(other)


def test_derived_dicom_alone_is_no_scan(tmp_path):
    write(tmp_path / "dose.dcm", slices(2), placed((0, 0, 0)), DOSE)
    with pytest.raises(NotAScan):
        read_volume(tmp_path)
