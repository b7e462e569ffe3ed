"""Pictures and single slices: read as a slice of a volume, whose size and place may be unknown."""

import struct
import zlib

import numpy as np
import pytest
import SimpleITK as sitk
from refusals import refuse
from small_volumes import PIXDIM, SFORM, patch

from SpineInference.files.reading import read_volume
from SpineInference.volume.geometry import canonical
from SpineInference.volume.slice_placement import PIXEL_SIZE, POSITION, mark_unknown, unknown_of


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


def test_unknown_spacing_across_a_single_slice(tmp_path):
    path = tmp_path / "slice.nii"
    sitk.WriteImage(sitk.GetImageFromArray(np.arange(30, dtype=np.int16).reshape(1, 6, 5)), str(path))
    patch(path, PIXDIM, "4f", 1, 0.5, 0.5, 0)
    patch(path, SFORM, "2h", 1, 0)
    assert read_volume(path).GetSpacing() == (0.5, 0.5, 1)


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
