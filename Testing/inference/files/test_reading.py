"""Reading image files and pictures: what arrives, and what is refused with which words."""

import gzip
import struct

import numpy as np
import pytest
import SimpleITK as sitk
from refusals import refuse
from small_volumes import DIM, PIXDIM, VOLUME_SUFFIXES, assert_same, patch

from SpineInference.errors import SpineError
from SpineInference.files.reading import find_scans, read_labels, read_volume, scan_name
from SpineInference.volume.labels import whole_numbers


@pytest.mark.parametrize("folder", ["plain", "Größe und Länge 脊椎"])
@pytest.mark.parametrize("suffix", VOLUME_SUFFIXES)
def test_volume_formats(volume, tmp_path, suffix, folder):
    path = tmp_path / folder / f"bild é{suffix}"
    path.parent.mkdir()
    sitk.WriteImage(volume, str(path), useCompression=suffix in (".nrrd", ".mha"))
    assert_same(read_volume(path), volume)


@pytest.mark.parametrize(("suffix", "original"), [(".NII.GZ", ".nii.gz"), (".NRRD", ".nrrd"), (".MHA", ".mha")])
def test_suffix_in_capitals(volume, tmp_path, suffix, original):
    path = tmp_path / f"scan{original}"
    sitk.WriteImage(volume, str(path))
    path = path.rename(tmp_path / f"SCAN{suffix}")
    assert_same(read_volume(path), volume)


def test_nifti_that_only_claims_to_be_compressed(nifti, volume):
    assert_same(read_volume(nifti.rename(nifti.with_name("scan.nii.gz"))), volume)


def test_big_endian_nifti(volume, tmp_path):
    voxels = sitk.GetArrayViewFromImage(volume)
    header = bytearray(352)
    struct.pack_into(">i", header, 0, 348)
    struct.pack_into(">8h", header, DIM, 3, 8, 7, 6, 1, 1, 1, 1)
    struct.pack_into(">2h", header, 70, 4, 16)
    struct.pack_into(">8f", header, PIXDIM, 1, 2, 3, 4, 0, 0, 0, 0)
    struct.pack_into(">f", header, 108, 352)
    header[344:348] = b"n+1\0"
    content = bytes(header) + voxels.astype(">i2").tobytes()
    path = tmp_path / "big.nii.gz"
    path.write_bytes(gzip.compress(content))
    image = read_volume(path)
    assert image.GetSpacing() == (2, 3, 4) and np.array_equal(sitk.GetArrayViewFromImage(image), voxels)
    path.write_bytes(gzip.compress(content[:-2]))
    refuse(path, "truncated", "670 of 672")


def test_nifti_2_is_refused(nifti):
    patch(nifti, 0, "i", 540)
    refuse(nifti, "NIfTI-2")


def test_double_precision_becomes_single(volume, tmp_path):
    sitk.WriteImage(sitk.Cast(volume, sitk.sitkFloat64), str(tmp_path / "scan.nrrd"))
    assert read_volume(tmp_path / "scan.nrrd").GetPixelID() == sitk.sitkFloat32


def test_one_time_point_is_a_volume(nifti, volume):
    patch(nifti, DIM, "8h", 4, 8, 7, 6, 1, 1, 1, 1)
    assert_same(read_volume(nifti), volume)


def test_field_name_that_is_not_utf8(volume, tmp_path):
    path = tmp_path / "scan.mha"
    sitk.WriteImage(volume, str(path))
    path.write_bytes(path.read_bytes().replace(b"BinaryData =", b"Gr\xf6\xdfe = 1\nBinaryData ="))
    assert_same(read_volume(path), volume)


def test_labels(tmp_path):
    path = tmp_path / "labels.nii.gz"
    values = np.zeros((3, 4, 5), np.float32)
    sitk.WriteImage(sitk.GetImageFromArray(values), str(path))
    assert read_labels(path).GetPixelID() == sitk.sitkUInt8  # an empty reference is a reference
    values[1, 1, 1] = 300
    sitk.WriteImage(sitk.GetImageFromArray(values), str(path))
    labels = read_labels(path)
    assert labels.GetPixelID() == sitk.sitkUInt16 and labels[1, 1, 1] == 300
    for wrong in (0.5, -1, 70000):
        values[1, 1, 1] = wrong
        sitk.WriteImage(sitk.GetImageFromArray(values), str(path))
        with pytest.raises(SpineError, match="whole numbers"):
            read_labels(path)


def test_metadata_stay_behind(volume, tmp_path):
    volume.SetMetaData("PatientName", "Mustermann")
    sitk.WriteImage(volume, str(tmp_path / "scan.nrrd"))
    assert b"Mustermann" in (tmp_path / "scan.nrrd").read_bytes()
    assert read_volume(tmp_path / "scan.nrrd").GetMetaDataKeys() == ()


@pytest.mark.parametrize("suffix", [*VOLUME_SUFFIXES, ".png", ".tif"])
def test_name_that_is_not_utf8(volume, tmp_path, suffix):
    """ITK would end the process; what it has to read is refused."""
    picture = suffix in (".png", ".tif")
    path = tmp_path / f"x{suffix}"
    sitk.WriteImage(sitk.Cast(volume[:, :, 0] + 1000, sitk.sitkUInt16) if picture else volume, str(path))
    path = path.rename(tmp_path / f"r\udcfccken{suffix}")
    if picture:
        refuse(path, "not written in UTF-8", "rename it")
    else:
        assert_same(read_volume(path), volume)


def test_gzip_around_other_formats_is_named(volume, tmp_path):
    for suffix in (".nrrd", ".mha"):
        path = tmp_path / f"scan{suffix}"
        sitk.WriteImage(volume, str(path))
        path.write_bytes(gzip.compress(path.read_bytes()))
        refuse(path, "compressed with gzip", "unpack it first")


def test_nearly_whole_numbers():
    assert whole_numbers(np.array([0, 20.00018, -0.009])).tolist() == [0, 20, 0]
    assert whole_numbers(np.array([0, 20.02])) is None and whole_numbers(np.array([np.nan])) is None


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "orientation"),
    [
        ("tptbox/sub-mri_label-6_T2w.nii.gz", "PIR"),
        ("tptbox/sub-ct_label-22_ct.nii.gz", "PIR"),
        ("verse_ct/sub-verse014_ct.nii.gz", "PIR"),
        ("sct/t2_lumbar.nii.gz", "RAS"),
        ("sct/t2_cervical_crop.nii.gz", "PSR"),
    ],
)
def test_real_volumes(spine_data, file, orientation):
    path = spine_data / "samples" / file
    image = read_volume(path)
    assert_same(image, sitk.ReadImage(str(path)))
    letters = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection())
    assert letters == orientation


@pytest.mark.data
def test_real_labels_and_pictures(spine_data):
    samples = spine_data / "samples"
    labels = read_labels(samples / "verse_ct" / "sub-verse014_seg-vert_msk.nii.gz")
    assert set(np.unique(sitk.GetArrayViewFromImage(labels))) == {0, 20, 21, 22, 23, 24}
    pictures = find_scans(samples / "sagittal_png" / "images")
    assert len(pictures) == 20
    assert all(read_volume(picture).GetSize() == (256, 256, 1) for picture in pictures)
    assert len({scan_name(picture) for picture in pictures}) == 20


@pytest.mark.parametrize("second", [{}, {"LabelValue": "2", "Layer": "1"}])
def test_segments_that_are_not_told_apart(tmp_path, second):
    """Two with the same voxels, and one in a layer that the file does not have."""
    image = sitk.GetImageFromArray(np.arange(60, dtype=np.uint8).reshape(3, 4, 5) % 3)
    for number, fields in enumerate(({"LabelValue": "1", "Layer": "0"}, {"Layer": "0"} | second)):
        for name, value in ({"ID": f"s{number}"} | fields).items():
            image.SetMetaData(f"Segment{number}_{name}", value)
    sitk.WriteImage(image, str(tmp_path / "two.seg.nrrd"))
    with pytest.raises(SpineError, match=r"two\.seg\.nrrd: its header .*layer.*\.$"):
        read_labels(tmp_path / "two.seg.nrrd")
