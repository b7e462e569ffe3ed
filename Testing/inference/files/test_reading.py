"""Reading image files and pictures: what arrives, and what is refused with which words."""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from refusals import refuse

from SpineInference.errors import SpineError
from SpineInference.files.reading import check_volume, find_scans, read_labels, read_volume, scan_name
from SpineInference.volume.geometry import canonical
from SpineInference.volume.labels import whole_numbers
from SpineInference.volume.slice_placement import PIXEL_SIZE, POSITION, mark_unknown, unknown_of

VOLUME_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
# Permuted and flipped, so that a reader that drops the direction is found out.
DIRECTION = (0, 0, -1, 1, 0, 0, 0, -1, 0)
PIXDIM, DIM, SFORM = 76, 40, 252  # byte offsets in a NIfTI-1 header


@pytest.fixture
def volume() -> sitk.Image:
    values = np.random.default_rng(1).integers(-1000, 1000, (6, 7, 8)).astype(np.int16)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((0.5, 0.75, 4.0))
    image.SetOrigin((10, -20, 30))
    image.SetDirection(DIRECTION)
    return image


@pytest.fixture
def nifti(volume, tmp_path) -> Path:
    path = tmp_path / "scan.nii"
    sitk.WriteImage(volume, str(path))
    return path


def assert_same(read: sitk.Image, expected: sitk.Image) -> None:
    assert np.array_equal(sitk.GetArrayViewFromImage(read), sitk.GetArrayViewFromImage(expected))
    for name in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(read, name)(), getattr(expected, name)(), atol=1e-5)


def patch(path: Path, offset: int, layout: str, *values: float) -> None:
    content = bytearray(path.read_bytes())
    struct.pack_into("<" + layout, content, offset, *values)
    path.write_bytes(content)


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


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF"])
def test_picture_is_a_sagittal_slice(tmp_path, dtype, suffix):
    picture = np.random.default_rng(2).integers(0, np.iinfo(dtype).max, (9, 5)).astype(dtype)
    path = tmp_path / f"röntgen bild{suffix}"
    image = sitk.GetImageFromArray(picture)
    image.SetSpacing((0.35, 0.35))  # of a print or a screen
    sitk.WriteImage(image, str(path))
    image = read_volume(path)
    assert image.GetSize() == (5, 9, 1) and image.GetSpacing() == (1, 1, 1)
    array = sitk.GetArrayFromImage(canonical(image))
    assert array.dtype == dtype and np.array_equal(array[:, :, 0], picture)
    # Rows go down the body, columns go to the back.
    assert image.TransformIndexToPhysicalPoint((0, 8, 0)) == (0, 0, -8)
    assert image.TransformIndexToPhysicalPoint((4, 0, 0)) == (0, 4, 0)
    assert unknown_of(image) == (PIXEL_SIZE, POSITION)


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_a_picture(tmp_path, channels):
    grey = np.tile(np.arange(0, 240, 4, dtype=np.uint8), (40, 1))
    picture = sitk.GetImageFromArray(grey if channels == 1 else np.stack([grey] * 3, -1), isVector=channels == 3)
    sitk.WriteImage(picture, str(tmp_path / "a.jpg"))
    image = read_volume(tmp_path / "a.jpg")
    assert image.GetSize() == (60, 40, 1) and unknown_of(image) == (PIXEL_SIZE, POSITION)
    assert np.abs(sitk.GetArrayFromImage(image)[0].astype(int) - grey).max() < 8
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "b.jpeg").write_bytes(content[: len(content) // 2])
    refuse(tmp_path / "b.jpeg", "truncated")


@pytest.mark.parametrize(
    ("shape", "spacing", "origin", "unknown"),
    [
        ((1, 6, 5), (1, 1, 1), (0, 0, 0), (PIXEL_SIZE, POSITION)),  # what a program writes that knows nothing
        ((1, 6, 5), (0.7, 0.7, 4), (0, 0, 0), ()),
        ((1, 6, 5), (1, 1, 1), (3, 0, 0), ()),
        ((6, 5, 1), (1, 1, 1), (0, 0, 0), ()),
        ((2, 6, 5), (1, 1, 1), (0, 0, 0), ()),
        ((6, 5), (1, 1), (0, 0), (PIXEL_SIZE, POSITION)),
        ((6, 5), (0.7, 0.6), (0, 0), (POSITION,)),
    ],
)
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_what_a_header_does_not_tell(tmp_path, suffix, shape, spacing, origin, unknown):
    image = sitk.GetImageFromArray(np.arange(np.prod(shape), dtype=np.float64).reshape(shape))
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    sitk.WriteImage(image, str(tmp_path / f"slice{suffix}"))
    assert unknown_of(read_volume(tmp_path / f"slice{suffix}")) == unknown


def test_nifti_without_a_transform_has_no_position(tmp_path):
    image = sitk.GetImageFromArray(np.arange(30, dtype=np.float32).reshape(1, 6, 5))
    image.SetSpacing((0.7, 0.7, 4.0))
    path = tmp_path / "slice.nii"
    sitk.WriteImage(image, str(path))
    patch(path, 252, "2h", 0, 0)  # qform_code, sform_code
    read = read_volume(path)
    assert unknown_of(read) == (POSITION,) and read.GetSpacing() == pytest.approx((0.7, 0.7, 4.0))


def test_a_slice_that_was_a_picture_stays_one(tmp_path):
    image = sitk.GetImageFromArray(np.arange(30, dtype=np.float32).reshape(1, 6, 5))
    image.SetSpacing((0.35, 0.35, 1.0))
    mark_unknown(image, PIXEL_SIZE, POSITION)
    sitk.WriteImage(image, str(tmp_path / "from_slicer.nrrd"))
    assert unknown_of(read_volume(tmp_path / "from_slicer.nrrd")) == (PIXEL_SIZE, POSITION)


def test_grey_picture_with_colour_channels(tmp_path):
    grey = np.random.default_rng(3).integers(0, 255, (6, 5), dtype=np.uint8)
    opaque = np.stack([grey, grey, grey, np.full_like(grey, 255)], axis=-1)
    for channels in (3, 4):
        path = tmp_path / f"{channels}.png"
        sitk.WriteImage(sitk.GetImageFromArray(opaque[..., :channels], isVector=True), str(path))
        assert np.array_equal(sitk.GetArrayFromImage(canonical(read_volume(path)))[:, :, 0], grey)


def test_colour_picture_is_refused(tmp_path):
    colour = np.random.default_rng(3).integers(0, 255, (6, 5, 3), dtype=np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(colour, isVector=True), str(tmp_path / "c.png"))
    refuse(tmp_path / "c.png", "colour")


def test_tiff_of_several_pages_is_refused(volume, tmp_path):
    sitk.WriteImage(volume, str(tmp_path / "pages.tif"))
    refuse(tmp_path / "pages.tif", "pages")


def test_picture_in_a_volume_format(tmp_path):
    picture = sitk.GetImageFromArray(np.arange(30, dtype=np.float32).reshape(6, 5))
    picture.SetSpacing((0.2, 0.3))
    sitk.WriteImage(picture, str(tmp_path / "xray.nrrd"))
    image = read_volume(tmp_path / "xray.nrrd")
    assert image.GetSize() == (5, 6, 1) and image.GetSpacing() == (0.2, 0.3, 1)


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


def test_unknown_spacing_across_a_single_slice(tmp_path):
    path = tmp_path / "slice.nii"
    sitk.WriteImage(sitk.GetImageFromArray(np.arange(30, dtype=np.int16).reshape(1, 6, 5)), str(path))
    patch(path, PIXDIM, "4f", 1, 0.5, 0.5, 0)
    patch(path, SFORM, "2h", 1, 0)
    assert read_volume(path).GetSpacing() == (0.5, 0.5, 1)


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


def test_field_name_that_is_not_utf8(volume, tmp_path):
    path = tmp_path / "scan.mha"
    sitk.WriteImage(volume, str(path))
    path.write_bytes(path.read_bytes().replace(b"BinaryData =", b"Gr\xf6\xdfe = 1\nBinaryData ="))
    assert_same(read_volume(path), volume)


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


def test_find_scans_in_a_folder_of_files(tmp_path):
    for name in ("b.nii.gz", "a.NRRD", "c.png", ".hidden.nii.gz", "notes.txt", "dataset.json", "v.mhd", "v.raw"):
        (tmp_path / name).touch()
    (tmp_path / "folder.nii.gz").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "d.nii.gz").touch()
    assert [path.name for path in find_scans(tmp_path)] == ["a.NRRD", "b.nii.gz", "c.png", "v.mhd"]
    assert find_scans(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]


def test_find_scans_finds_nothing(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SpineError, match="holds no scan"):
        find_scans(tmp_path)
    with pytest.raises(SpineError, match="no such file"):
        find_scans(tmp_path / "missing")
    refuse(tmp_path, "no DICOM image")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("in/case.nii.gz", "case"),
        ("case_0000.NII.GZ", "case_0000"),
        ("result.seg.nrrd", "result.seg"),
        ("IM0001", "IM0001"),
        ("1.2.840.5.dcm", "1.2.840.5"),
        ("patient/series/", "series"),
        ("series#2", "series_2"),
        ("series#1.2.3", "series_1.2.3"),
        ("Wirbelsäule 1.nrrd", "Wirbelsäule 1"),
        ('a:b*"c?.nii', "a_b__c_"),
        ("r\udcfccken.nii", "r_cken"),
        (".nii.gz", "scan"),
    ],
)
def test_scan_name(path, name):
    assert scan_name(path) == name


def test_scan_name_of_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "Müller").mkdir()
    monkeypatch.chdir(tmp_path / "Müller")
    assert scan_name(".") == "Müller"


def test_palette_picture_is_read_through_its_palette(tmp_path):
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(b"\0" + bytes(row) for row in ([0, 1], [2, 1], [0, 0]))
    palette = bytes([10] * 3 + [90] * 3 + [200] * 3)
    header = struct.pack(">IIBBBBB", 2, 3, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    (tmp_path / "p.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*parts) for parts in chunks))
    array = sitk.GetArrayFromImage(read_volume(tmp_path / "p.png"))
    assert array[0].tolist() == [[10, 90], [200, 90], [10, 10]]


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
