"""DICOM headers that lie, are silent or damaged: the right volume, a note, or one sentence; never a wrong length."""

import re

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from dicom_files import CR, ENHANCED_MR, element, frame_groups, placed, refuse, slices, values, write, write_series

from SpineInference.files.reading import read_volume
from SpineInference.monitor import Monitor
from SpineInference.volume.slice_placement import PIXEL_SIZE, unknown_of

UID, POSITION, ORIENTATION = (0x08, 0x18), (0x20, 0x32), (0x20, 0x37)
PIXEL_SPACING, IMAGER_SPACING, SLOPE, INTERCEPT = (0x28, 0x30), (0x18, 0x1164), (0x28, 0x1053), (0x28, 0x1052)
PLAIN = "1.2.840.10008.1.2.1"


def read(path) -> tuple[sitk.Image, list[str]]:
    """The volume, and what was noted about it."""
    notes = []
    return read_volume(path, Monitor(on_note=notes.append)), notes


def refuse_in_one_sentence(path, *words: str) -> None:
    message = refuse(path, *words)
    assert message.endswith(".") and "\n" not in message


def write_tagged(folder, pixels, change) -> list:
    """Axial slices 3 mm apart whose tags `change(index)` completes or replaces."""
    return [
        write(folder / str(i), image, placed((0, 0, 3 * i), "1\\0\\0\\0\\1\\0") | change(i))
        for i, image in enumerate(pixels)
    ]


def test_decimal_comma_is_a_point(tmp_path):
    commas = {PIXEL_SPACING: ("DS", "0,5\\0,75"), ORIENTATION: ("DS", "1,0\\0\\0\\0\\1\\0,0")}
    write_tagged(tmp_path, slices(3), lambda i: commas | {POSITION: ("DS", f"1,5\\2,5\\{i},25")})
    image = read_volume(tmp_path)
    assert image.GetSpacing() == (0.75, 0.5, 1) and image.GetOrigin() == (1.5, 2.5, 0.25)
    assert np.array_equal(values(image), slices(3))


@pytest.mark.parametrize("text", [None, "", " ", "\\"])
def test_placed_image_needs_its_pixel_size(tmp_path, text):
    for index, path in enumerate(write_tagged(tmp_path, slices(3), lambda i: {})):
        tags = placed((0, 0, 3 * index), "1\\0\\0\\0\\1\\0")
        del tags[PIXEL_SPACING]
        detector = {IMAGER_SPACING: ("DS", "0.3\\0.3")}  # that of a projection, which says nothing about a slice
        write(path, slices(3)[index], tags | detector | ({} if text is None else {PIXEL_SPACING: ("DS", text)}))
    refuse_in_one_sentence(tmp_path, str(tmp_path), "Pixel Spacing", "missing")
    refuse_in_one_sentence(tmp_path / "1", "Pixel Spacing", "missing")


def test_frames_need_their_pixel_size(tmp_path):
    groups = frame_groups([0, 3]).replace(b"\x28\x00\x30\x00DS", b"\x28\x00\x31\x00DS")
    refuse_in_one_sentence(write(tmp_path / "mf", slices(2), {}, ENHANCED_MR, groups), "Pixel Spacing", "missing")


@pytest.mark.parametrize(
    ("tag", "text", "name"),
    [
        (PIXEL_SPACING, "0.5", "Pixel Spacing"),
        (PIXEL_SPACING, "0.5\\0.5\\0.5", "Pixel Spacing"),
        (PIXEL_SPACING, "1,200.5\\1", "Pixel Spacing"),
        (PIXEL_SPACING, "nan\\1", "Pixel Spacing"),
        (PIXEL_SPACING, "1_0\\1_0", "Pixel Spacing"),
        (POSITION, "left\\0\\0", "Image Position (Patient)"),
        (ORIENTATION, "1\\0\\0\\0\\1", "Image Orientation (Patient)"),
        # What GDCM, which scales the values, takes for 1 or cuts at the comma.
        (SLOPE, "1,5", "Rescale Slope"),
        (SLOPE, "0", "Rescale Slope"),
        (SLOPE, "one", "Rescale Slope"),
        (INTERCEPT, "-1024,5", "Rescale Intercept"),
    ],
)
def test_unusable_number_is_refused(tmp_path, tag, text, name):
    write_tagged(tmp_path, slices(2), lambda i: {tag: ("DS", text)} if i else {})
    refuse_in_one_sentence(tmp_path, str(tmp_path / "1"), name, text.replace("\\", "\\\\"))


def test_unusable_scale_of_a_radiograph(tmp_path):
    write(tmp_path / "x", slices(1)[0].astype(np.uint16), {SLOPE: ("DS", "0,5")}, CR)
    refuse_in_one_sentence(tmp_path / "x", "Rescale Slope", "0,5")


def test_radiograph_without_scale_is_marked(tmp_path):
    write(tmp_path / "x", slices(1)[0].astype(np.uint16), {(0x20, 0x20): ("CS", "P\\F")}, CR)
    image, notes = read(tmp_path / "x")
    assert image.GetSpacing() == (1, 1, 1) and not notes
    assert unknown_of(image) == (PIXEL_SIZE,)


def test_unknown_thickness_is_noted(tmp_path):
    write(tmp_path / "one", slices(1)[0], placed((0, 0, 0)))
    image, notes = read(tmp_path / "one")
    assert image.GetSpacing() == (0.7, 0.5, 1)
    assert len(notes) == 1 and "1 mm is assumed" in notes[0]


def test_slices_may_share_one_uid(tmp_path):
    write_tagged(tmp_path, slices(5), lambda i: {UID: ("UI", "1.2.3.4")})
    assert np.array_equal(values(read_volume(tmp_path)), slices(5))
    assert np.array_equal(values(read_volume(tmp_path / "3")), slices(5))


def test_a_copy_has_the_same_pixels(tmp_path):
    write_tagged(tmp_path, slices(3), lambda i: {UID: ("UI", "1.2.3.4")})
    (tmp_path / "copy").write_bytes((tmp_path / "1").read_bytes())
    assert np.array_equal(values(read_volume(tmp_path)), slices(3))
    assert np.array_equal(values(read_volume(tmp_path / "copy")), slices(3))
    write(tmp_path / "other", slices(1, 9)[0], placed((0, 0, 3), "1\\0\\0\\0\\1\\0") | {UID: ("UI", "1.2.3.4")})
    refuse(tmp_path, "several images at the same position")


def test_pixel_sizes_are_split(tmp_path):
    sizes = ("0.5\\0.5", "0.5\\0.5", "0.5\\0.5", "0.6\\0.5")
    write_tagged(tmp_path, slices(4), lambda i: {PIXEL_SPACING: ("DS", sizes[i])})
    refuse(tmp_path, "pixels of 0.5 x 0.5 mm, 3 images", "pixels of 0.5 x 0.6 mm, 1 images")
    image = read_volume(tmp_path.with_name(f"{tmp_path.name}#1"))
    assert np.array_equal(values(image), slices(3 + 1)[:3]) and image.GetSpacing() == (0.5, 0.5, 3)
    _, notes = read(tmp_path / "0")
    assert len(notes) == 1 and "all 3 images of its series with pixels of 0.5 x 0.5 mm" in notes[0]


def test_rounded_geometry_is_one(tmp_path):
    sizes, cosines = ("0.48828125\\0.48828125", "0.488\\0.488"), ("0.70710678", "0.7071")
    write_tagged(
        tmp_path,
        slices(4),
        lambda i: {
            PIXEL_SPACING: ("DS", sizes[i % 2]),
            ORIENTATION: ("DS", "{0}\\{0}\\0\\-{0}\\{0}\\0".format(cosines[i % 2])),
        },
    )
    assert read_volume(tmp_path).GetSize() == (6, 5, 4)


def test_series_number_tells_series_apart(tmp_path):
    """De-identified files may all have the same series UID."""
    write_tagged(tmp_path, slices(4), lambda i: {(0x20, 0x11): ("IS", str(i // 2))})
    refuse(tmp_path, "holds 2 volumes")


@pytest.mark.parametrize("number", [201, 202, 203, 110])
def test_unusual_compression_is_named(tmp_path, number):
    syntax = f"1.2.840.10008.1.2.4.{number}"
    for path in write_tagged(tmp_path, slices(2), lambda i: {}):
        code = bytes.fromhex("feff00e000000000 feff00e008000000 ff4fff5100290000 feffdde000000000")
        content = path.read_bytes().replace(PLAIN.encode() + b"\0", syntax.encode() + b"\0")
        content = content.replace(b"\x02\0\x10\0UI\x14\0", b"\x02\0\x10\0UI\x18\0")
        length = content.index(b"UL\x04\0") + 4  # of the meta header, which is 4 bytes longer now
        content = content[:length] + bytes([content[length] + 4]) + content[length + 1 :]
        start = content.index(b"\xe0\x7f\x10\0OW") + 8
        path.write_bytes(content[:start].replace(b"\x10\0OW", b"\x10\0OB") + b"\xff" * 4 + code)
    reason = "High-Throughput JPEG 2000" if number > 200 else syntax
    refuse_in_one_sentence(tmp_path, str(tmp_path / "0"), reason, "cannot be read here")
    refuse_in_one_sentence(tmp_path / "1", reason)


@pytest.mark.parametrize("length", [133, 150, 180, 184, 200, 300, 400, 450, 527])
def test_truncated_last_slice_is_not_lost(tmp_path, length):
    path = write_tagged(tmp_path, slices(4), lambda i: {})[-1]
    assert length < len(path.read_bytes())
    path.write_bytes(path.read_bytes()[:length])
    refuse_in_one_sentence(tmp_path, str(path), "truncated")


@pytest.mark.parametrize("missing", [1, 2, 40])
def test_last_bytes_are_missed_whatever_decodes(tmp_path, monkeypatch, missing):
    """Before SimpleITK 2.5.4 a slice without its last bytes was filled up."""
    monkeypatch.setattr("SpineInference.files.dicom.read_pixels", pytest.fail)
    path = write_tagged(tmp_path, slices(3), lambda i: {})[1]
    path.write_bytes(path.read_bytes()[:-missing])
    refuse_in_one_sentence(tmp_path, str(path), "truncated")


def test_end_of_compressed_pixels_must_be_there(tmp_path, monkeypatch):
    monkeypatch.setattr("SpineInference.files.dicom.read_pixels", pytest.fail)
    path = write(tmp_path / "one", slices(1)[0], placed((0, 0, 0)))
    plain = path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0")
    start = plain.rindex(b"\xe0\x7f\x10\x00OW")
    item = bytes.fromhex("feff00e0 08000000 0102030405060708")
    whole = plain[:start] + bytes.fromhex("e07f1000 4f42 0000 ffffffff feff00e0 00000000") + item
    for content in (whole[:-1], whole, whole + bytes.fromhex("feffdde0")):
        path.write_bytes(content)
        refuse_in_one_sentence(path, "truncated")


def test_lengths_of_wrong_units_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("SpineInference.files.dicom.read_pixels", pytest.fail)
    write_tagged(tmp_path, slices(3), lambda i: {PIXEL_SPACING: ("DS", "700\\700")})
    refuse_in_one_sentence(tmp_path, "field of view", "not in mm")


def test_fewer_pixels_than_rows(tmp_path):
    path = write(tmp_path / "one", slices(1)[0], placed((0, 0, 0)) | {(0x28, 0x10): ("US", 500)})
    refuse_in_one_sentence(path, "truncated")


def test_another_series_cannot_stop_a_named_file(tmp_path):
    write_series(tmp_path, slices(2), [0, 4])
    write(tmp_path / "other", slices(1)[0], placed((0, 0, 0), uid="1.2.9") | {POSITION: ("DS", "left\\0\\0")})
    assert read_volume(tmp_path / "IM0000").GetSize() == (6, 5, 2)


@pytest.mark.parametrize(
    "syntax", ["ImplicitVRLittleEndian", "ExplicitVRBigEndian", "DeflatedExplicitVRLittleEndian", "RLELossless"]
)
@pytest.mark.parametrize("frames", [False, True])
def test_transfer_syntaxes(tmp_path, syntax, frames):
    """Rewritten by pydicom: the same voxels at the same place."""
    pixels = np.random.default_rng(1).integers(0, 1000, (3, 16, 24)).astype(np.int16)
    if frames:
        paths = [write(tmp_path / "mf", pixels, {}, ENHANCED_MR, frame_groups([0, 3, 6]))]
    else:
        paths = write_tagged(tmp_path, pixels, lambda i: {})
    expected = read_volume(paths[0])
    for path in paths:
        original, changed = pydicom.dcmread(path), pydicom.Dataset()
        if syntax == "RLELossless":
            original.compress(pydicom.uid.RLELossless, encoding_plugin="pydicom")
        elif syntax == "ExplicitVRBigEndian":
            original.PixelData = original.pixel_array.astype(">i2").tobytes()
        changed.update(original)
        changed.file_meta = original.file_meta
        changed.file_meta.TransferSyntaxUID = getattr(pydicom.uid, syntax)
        changed.save_as(path, enforce_file_format=True)
    image = read_volume(paths[0])
    assert np.array_equal(values(image), pixels)
    for place in ("GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(image, place)() == getattr(expected, place)()


def test_scale_of_all_frames_is_applied(tmp_path):
    groups = frame_groups([0, 3], [2.5, 2.5])
    image = read_volume(write(tmp_path / "mf", slices(2), {}, ENHANCED_MR, groups))
    np.testing.assert_allclose(values(image), slices(2) * 2.5)


def test_header_text_stays_in_one_line(tmp_path):
    write_tagged(tmp_path, slices(2), lambda i: {PIXEL_SPACING: ("DS", "0.5\n0.5")})
    assert not re.search(r"[\n\r\x00]", refuse(tmp_path, "Pixel Spacing"))


def test_a_name_that_is_not_utf8_is_refused(tmp_path):
    path = write_tagged(tmp_path, slices(3), lambda i: {})[1]
    odd = path.rename(path.with_name(b"Sch\xe4del".decode("utf-8", "surrogateescape")))
    refuse_in_one_sentence(tmp_path, odd.name, "UTF-8", "rename it")
    refuse_in_one_sentence(odd, odd.name, "UTF-8", "rename it")


@pytest.mark.parametrize("change", [{(0x28, 0x10): ("US", 4)}, {(0x28, 0x11): ("US", 5)}, {(0x28, 0x100): ("US", 8)}])
def test_more_pixels_than_the_size_says(tmp_path, change):
    refuse_in_one_sentence(write(tmp_path / "one", slices(1)[0], placed((0, 0, 0)) | change), "corrupt")


def test_padded_pixels_are_read(tmp_path):
    path = write(tmp_path / "one", slices(1)[0], placed((0, 0, 0)))
    path.write_bytes(path.read_bytes().replace(b"OW\0\0\x3c\0\0\0", b"OW\0\0\x40\0\0\0") + b"\0" * 4)
    assert np.array_equal(values(read_volume(path)), slices(1))


@pytest.mark.parametrize(("tag", "value"), [(0x101, 17), (0x101, 0), (0x102, 16), (0x102, 3), (0x103, 2)])
def test_impossible_bits_are_refused(tmp_path, tag, value):
    refuse_in_one_sentence(write(tmp_path / "one", slices(1)[0], placed((0, 0, 0)) | {(0x28, tag): ("US", value)}))


def test_an_element_stands_there_once(tmp_path):
    """Readers differ in which of two they take; a second transfer syntax let the process hang."""
    path = write(tmp_path / "one", slices(1)[0], placed((0, 0, 0), slope=2, intercept=0))
    sound = path.read_bytes()
    slope = element(SLOPE, "DS", "3")
    path.write_bytes(sound.replace(element(SLOPE, "DS", "2"), element(SLOPE, "DS", "2") + slope))
    refuse_in_one_sentence(path, "corrupt")
    syntax = element((2, 0x10), "UI", PLAIN)
    doubled = sound.replace(syntax, element((2, 0x10), "UI", "1.2.840.10008.1.2.4.90") + syntax)
    length = doubled.index(b"UL\x04\0") + 4  # of the meta header
    doubled = doubled[:length] + bytes([doubled[length] + 32]) + doubled[length + 1 :]
    path.write_bytes(doubled)
    refuse_in_one_sentence(path, "corrupt")


def test_half_a_scale_is_refused(tmp_path):
    write_tagged(tmp_path, slices(2), lambda i: {SLOPE: ("DS", "" if i else "2"), INTERCEPT: ("DS", "100")})
    refuse_in_one_sentence(tmp_path, str(tmp_path / "1"), "Rescale Slope")


def test_a_blank_scale_is_none(tmp_path):
    write_tagged(tmp_path, slices(2), lambda i: {SLOPE: ("DS", ""), INTERCEPT: ("DS", "")})
    assert np.array_equal(values(read_volume(tmp_path)), slices(2))
