"""Damaged files and impossible headers are refused with a sentence that names the file."""

import gzip

import numpy as np
import pytest
import SimpleITK as sitk
from refusals import refuse
from small_volumes import DIM, PIXDIM, SFORM, VOLUME_SUFFIXES, patch

from SpineInference.errors import SpineError
from SpineInference.files.reading import check_volume


def test_missing_file_and_unknown_suffix(tmp_path):
    refuse(tmp_path / "nothing.nii.gz", "no such file")
    (tmp_path / "notes.txt").write_text("T2 sagittal")
    refuse(tmp_path / "notes.txt", "neither a DICOM file nor")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9])
@pytest.mark.parametrize("suffix", [*VOLUME_SUFFIXES[:3], ".mha", ".mhd", ".png", ".tif"])
def test_truncated_files(volume, tmp_path, suffix, share, capfd):
    path = tmp_path / f"scan{suffix}"
    flat = suffix in (".png", ".tif")
    sitk.WriteImage(sitk.Cast(volume[:, :, 0] + 1000, sitk.sitkUInt16) if flat else volume, str(path), not flat)
    # Of an .mhd the voxels are cut, of everything else the file itself.
    cut = path.with_suffix(".zraw") if suffix == ".mhd" else path
    content = cut.read_bytes()
    cut.write_bytes(content[: int(share * len(content))])
    refuse(path)
    printed = capfd.readouterr()
    assert printed.err == "" and printed.out == ""


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_a_flipped_bit_in_compressed_voxels(volume, tmp_path, suffix):
    path = tmp_path / f"scan{suffix}"
    sitk.WriteImage(volume, str(path), useCompression=True)
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    refuse(path, "corrupt")


@pytest.mark.parametrize("suffix", [*VOLUME_SUFFIXES, ".png", ".tif", ".dcm"])
def test_junk_in_a_file_with_the_right_name(tmp_path, suffix, capfd):
    path = tmp_path / f"scan{suffix}"
    path.write_bytes(b"This is not an image. " * 100)
    refuse(path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("bad", [0.0, -0.75, float("nan"), float("inf")])
@pytest.mark.parametrize("form", ["qform", "sform", "neither"])
def test_bad_spacing_in_nifti(nifti, form, bad):
    """ITK takes zero, NaN and infinity for 1 mm, and a negative spacing for a flipped axis."""
    patch(nifti, SFORM, "2h", form == "qform", form == "sform")
    patch(nifti, PIXDIM, "8f", 1, 0.5, bad, 4, 0, 0, 0, 0)
    refuse(nifti, "spacing", "not positive")
    path = nifti.with_suffix(".nii.gz")
    path.write_bytes(gzip.compress(nifti.read_bytes()))
    refuse(path, "spacing", "not positive")


@pytest.mark.parametrize("spacing", ["1 0 3", "1 -2 3", "1 nan 3"])
def test_bad_spacing_in_metaimage_and_nrrd(volume, tmp_path, spacing):
    mha, nrrd = tmp_path / "scan.mha", tmp_path / "scan.nrrd"
    sitk.WriteImage(volume, str(mha))
    mha.write_bytes(mha.read_bytes().replace(b"ElementSpacing = 0.5 0.75 4", b"ElementSpacing = " + spacing.encode()))
    refuse(mha, "spacing", "not positive")
    fields = f"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 2 2\nspacings: {spacing}\nencoding: raw\n\n"
    nrrd.write_bytes(fields.encode() + bytes(range(8)))
    if "nan" not in spacing:  # which is how an NRRD file says "unknown", read as 1 mm
        refuse(nrrd)


@pytest.mark.parametrize("size", [(3, 8, 0, 6), (3, 8, -7, 6), (0, 8, 7, 6)])
def test_no_voxels_in_nifti(nifti, size):
    patch(nifti, DIM, "4h", *size)
    refuse(nifti, "voxels")


@pytest.mark.parametrize("start", [float("nan"), -1.0, 1e30])
def test_impossible_place_of_the_voxels_in_nifti(nifti, start):
    patch(nifti, 108, "f", start)
    refuse(nifti, "header is corrupt")


@pytest.mark.parametrize("size", ["8 0 6", "8 -7 6"])
def test_no_voxels_in_metaimage(volume, tmp_path, size):
    path = tmp_path / "scan.mha"
    sitk.WriteImage(volume, str(path))
    path.write_bytes(path.read_bytes().replace(b"DimSize = 8 7 6", b"DimSize = " + size.encode()))
    refuse(path, "voxels")


def test_sheared_axes(nifti, tmp_path):
    patch(nifti, SFORM, "2h", 0, 1)
    patch(nifti, 280, "12f", -1, 0.5, 0, 0, 0, -2, 0, 0, 0, 0, 3, 0)
    refuse(nifti, "right angles")
    lines = "space: left-posterior-superior\nspace directions: (1,0,0) (0.5,2,0) (0,0,3)"
    path = tmp_path / "scan.nrrd"
    header = f"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 2 2\n{lines}\nencoding: raw\n\n"
    path.write_bytes(header.encode() + bytes(range(8)))
    refuse(path, "right angles")


def test_four_dimensions(nifti):
    patch(nifti, DIM, "5h", 4, 8, 7, 3, 2)
    refuse(nifti, "4 dimensions", "8 x 7 x 3 x 2")


def test_vectors_and_complex_numbers(volume, tmp_path):
    sitk.WriteImage(sitk.Compose(volume, volume, volume), str(tmp_path / "v.nrrd"))
    refuse(tmp_path / "v.nrrd", "3 values in each voxel")
    sitk.WriteImage(sitk.RealAndImaginaryToComplex(*[sitk.Cast(volume, sitk.sitkFloat32)] * 2), str(tmp_path / "c.nii"))
    refuse(tmp_path / "c.nii", "complex")


@pytest.mark.parametrize(
    ("value", "word"), [(np.nan, "NaN"), (np.inf, "infinite"), (-np.inf, "infinite"), (None, "same value")]
)
@pytest.mark.parametrize("suffix", [".nrrd", ".nii", ".nii.gz"])
def test_useless_values(tmp_path, suffix, value, word):
    """In NIfTI files ITK takes NaN and infinity for zero."""
    values = np.full((4, 4, 4), 7, np.float32)
    if value is not None:
        values[0], values[1, 2, 3] = 1, value
    path = tmp_path / f"scan{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(values), str(path))
    refuse(path, word)


def test_check_volume_names_the_scan(volume):
    check_volume(volume, "MR 1")
    volume.SetDirection((1, 0.4, 0, 0, 1, 0, 0, 0, 1))
    with pytest.raises(SpineError, match=r"^MR 1: "):
        check_volume(volume, "MR 1")
