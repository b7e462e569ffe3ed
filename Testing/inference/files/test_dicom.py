"""DICOM: files written here byte by byte, so that every tag is known, and one real series."""

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_files import (
    CR,
    CT,
    ENHANCED_MR,
    FILM,
    REPORT,
    SAGITTAL,
    element,
    frame_groups,
    placed,
    refuse,
    slices,
    values,
    write,
    write_series,
)

from SpineInference.errors import Cancelled
from SpineInference.files.dicom import SOURCE_KEY
from SpineInference.files.reading import find_scans, read_volume, scan_name
from SpineInference.monitor import Monitor
from SpineInference.volume.geometry import canonical, orientation_of
from SpineInference.volume.slice_placement import POSITION, unknown_of


def test_series_is_sorted_by_position(tmp_path):
    folder = tmp_path / "Größe und Länge 脊椎"
    pixels = slices(4)
    write_series(folder, pixels[[2, 0, 3, 1]], [8, 0, 12, 4])
    image = read_volume(folder)
    assert np.array_equal(values(image), pixels) and image.GetPixelID() == sitk.sitkInt16
    assert image.GetSpacing() == (0.7, 0.5, 4)
    assert image.GetOrigin() == (0, 2, 3)
    assert image.GetDirection() == (0, 0, -1, 1, 0, 0, 0, -1, 0)
    # The leftmost image comes last in the canonical array, its rows and columns as they were.
    assert np.array_equal(values(canonical(image))[:, :, -1], pixels[0])
    assert image.GetMetaDataKeys() == (SOURCE_KEY,), "nothing of the patient"


def test_oblique_series(tmp_path):
    row, column = np.array([0.6, 0.8, 0]), np.array([0, 0, -1])
    normal = np.cross(row, column)
    pixels = slices(3)
    for index, image in enumerate(pixels):
        cosines = "\\".join(f"{c:.6f}" for c in (*row, *column))
        write(tmp_path / f"{index}.ima", image, placed(tuple(normal * 3.5 * index), cosines))
    image = read_volume(tmp_path)
    assert np.array_equal(values(image), pixels)
    np.testing.assert_allclose(image.GetSpacing(), (0.7, 0.5, 3.5), atol=1e-5)
    np.testing.assert_allclose(np.reshape(image.GetDirection(), (3, 3)), np.stack([row, column, normal], 1), atol=1e-6)


def test_junk_beside_the_series(tmp_path, capfd):
    pixels = slices(3)
    paths = write_series(tmp_path, pixels, [0, 4, 8])
    write(tmp_path / "report.dcm", pixels[0], placed((0, 0, 0)), REPORT)
    directory = bytearray(paths[0].read_bytes())
    start = directory.index(b"1.2.840.10008.5")
    directory[start : start + 20] = b"1.2.840.10008.1.3.10"
    (tmp_path / "DICOMDIR").write_bytes(directory)
    (tmp_path / "notes.txt").write_text("T2 sagittal")
    (tmp_path / "preview.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(2000))
    (tmp_path / "table.bin").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00" * 300)
    (tmp_path / ".DS_Store").write_bytes(paths[0].read_bytes()[:300])
    (tmp_path / "empty").touch()
    (tmp_path / "sub").mkdir()
    assert np.array_equal(values(read_volume(tmp_path)), pixels)
    assert find_scans(tmp_path) == [tmp_path]
    assert capfd.readouterr().err == ""


def test_files_without_preamble(tmp_path):
    for index, image in enumerate(slices(2)):
        write(tmp_path / str(index), image, placed((-5 * index, 0, 0)), preamble=False)
    assert np.array_equal(values(read_volume(tmp_path)), slices(2))


def test_copies_of_a_file_count_once(tmp_path):
    first, *_ = write_series(tmp_path, slices(3), [0, 4, 8])
    (tmp_path / "copy").write_bytes(first.read_bytes())
    assert read_volume(tmp_path).GetSize() == (6, 5, 3)


def test_one_file_stands_for_its_series(tmp_path):
    paths = write_series(tmp_path, slices(3), [0, 4, 8])
    write(tmp_path / "other", slices(1, 9)[0], placed((0, 0, 0), uid="1.2.9"))
    notes = []
    assert np.array_equal(values(read_volume(paths[1], Monitor(on_note=notes.append))), slices(3))
    assert len(notes) == 1 and "all 3 images" in notes[0]
    assert np.array_equal(values(read_volume(tmp_path / "other"))[0], slices(1, 9)[0])


def test_single_slice_has_the_slice_thickness(tmp_path):
    write(tmp_path / "one", slices(1)[0], placed((0, 0, 0), thickness=4.4))
    assert read_volume(tmp_path / "one").GetSpacing() == (0.7, 0.5, 4.4)


def test_rescaled_to_hounsfield_units(tmp_path):
    pixels = slices(2).astype(np.uint16)
    for index, image in enumerate(pixels):
        write(tmp_path / str(index), image, placed((-index, 0, 0), slope=1, intercept=-1024), CT)
    image = read_volume(tmp_path)
    assert np.array_equal(values(image), pixels.astype(int) - 1024)


def test_each_slice_may_have_its_own_slope(tmp_path):
    pixels = slices(3)
    slopes = (1, 0.25, 2.5)
    for index, (image, slope) in enumerate(zip(pixels, slopes, strict=True)):
        write(tmp_path / str(index), image, placed((-index, 0, 0), slope=slope, intercept=0))
    image = read_volume(tmp_path)
    assert image.GetPixelID() == sitk.sitkFloat32
    np.testing.assert_allclose(values(image), pixels * np.reshape(slopes, (3, 1, 1)))


def test_several_series_are_listed_and_chosen(tmp_path):
    folder = tmp_path / "study"
    write_series(folder / "a", slices(3), [0, 4, 8], uid="1.2.5", number=7, description="Wirbelsäule T2")
    write_series(folder / "b", slices(2, 2), [0, 5], uid="1.2.4", number=3, description="T1")
    for path in sorted(folder.glob("*/*")):
        path.rename(folder / f"{path.parent.name}{path.name}")
    message = refuse(folder, "holds 2 volumes", "study#1", "study#UID")
    rows = message.splitlines()[1:]
    assert rows[0].split(", ") == ['  1: "T1"', "MR", "2 images of 6 x 5", "UID 1.2.4"]
    assert rows[1].split(", ") == ['  2: "Wirbelsäule T2"', "MR", "3 images of 6 x 5", "UID 1.2.5"]
    for selector, expected in (("1", slices(2, 2)), ("2", slices(3)), ("1.2.5", slices(3))):
        path = tmp_path / f"study#{selector}"
        assert np.array_equal(values(read_volume(path)), expected)
        assert find_scans(path) == [path] and scan_name(path) == f"study_{selector}"
    for selector in ("0", "3", "9.9"):
        refuse(tmp_path / f"study#{selector}", f"has no series {selector}", '1: "T1"')
    refuse(tmp_path / "missing#1", "no such file")


def test_a_folder_may_have_the_mark_in_its_name(tmp_path):
    write_series(tmp_path / "patient#2", slices(2), [0, 4])
    assert read_volume(tmp_path / "patient#2").GetSize() == (6, 5, 2)
    assert read_volume(tmp_path / "patient#2#1").GetSize() == (6, 5, 2)


def test_localizer_is_split_by_orientation(tmp_path):
    for index, orientation in enumerate((SAGITTAL, "1\\0\\0\\0\\0\\-1", "1\\0\\0\\0\\1\\0")):
        write(tmp_path / str(index), slices(3)[index], placed((0, 0, 0), orientation))
    refuse(tmp_path, "holds 3 volumes")
    refuse(tmp_path.with_name(f"{tmp_path.name}#1.2.3"), "holds 3 volumes of the series 1.2.3")
    assert {orientation_of(read_volume(tmp_path.with_name(f"{tmp_path.name}#{n}"))) for n in (1, 2, 3)} == {
        "PIR",
        "LIP",
        "LPS",
    }


def test_echoes_are_split(tmp_path):
    for echo in (10, 80):
        write_series(tmp_path / str(echo), slices(2, echo), [0, 4], echo=echo)
    for path in sorted(tmp_path.glob("*/*")):
        path.rename(tmp_path / f"{path.parent.name}{path.name}")
    refuse(tmp_path, "holds 2 volumes", "echo time 10, 2 images", "echo time 80, 2 images")
    assert np.array_equal(values(read_volume(tmp_path.with_name(f"{tmp_path.name}#2"))), slices(2, 80))
    # One file of an echo stands for its own echo.
    assert np.array_equal(values(read_volume(tmp_path / "80IM0001")), slices(2, 80))


@pytest.mark.parametrize(
    ("heights", "words"),
    [
        ([0, 4, 8, 16, 20], ["about 1 of 6 slices", "4 mm apart", "8 mm"]),
        ([0, 4, 4, 8], ["several images at the same position"]),
        ([0, 3, 8, 11, 16], ["unevenly spaced (3 to 5 mm)"]),
    ],
)
def test_irregular_stacks_are_refused(tmp_path, heights, words):
    write_series(tmp_path, slices(len(heights)), heights)
    refuse(tmp_path, str(tmp_path), *words)


def test_small_irregularity_is_noted(tmp_path):
    write_series(tmp_path, slices(4), [0, 4.2, 8, 12])
    notes = []
    assert read_volume(tmp_path, Monitor(on_note=notes.append)).GetSpacing()[2] == 4
    assert len(notes) == 1 and "3.8 to 4.2 mm apart" in notes[0]


def test_tilted_gantry_is_refused(tmp_path):
    for index, image in enumerate(slices(4)):
        write(tmp_path / str(index), image, placed((0, index * 1.0, index * 3.0), "1\\0\\0\\0\\1\\0"), CT)
    refuse(tmp_path, "shifted against each other by up to 3 mm")


@pytest.mark.parametrize("orientation", ["0\\0\\0\\0\\0\\0", "1\\0\\0\\1\\0\\0", "1\\0\\0\\0.2\\0.98\\0"])
def test_impossible_orientation_is_refused(tmp_path, orientation):
    write(tmp_path / "1", slices(1)[0], placed((0, 0, 0), orientation))
    refuse(tmp_path / "1", "not two directions at right angles")


@pytest.mark.parametrize("spacing", ["0\\0.5", "0.5\\-0.5"])
def test_bad_pixel_spacing_is_refused(tmp_path, spacing):
    write(tmp_path / "1", slices(1)[0], placed((0, 0, 0)) | {(0x28, 0x30): ("DS", spacing)})
    refuse(tmp_path / "1", "spacing", "not positive")
    write(tmp_path / "2", slices(1)[0].astype(np.uint16), {(0x28, 0x30): ("DS", spacing)}, CR)
    refuse(tmp_path / "2", "spacing", "not positive")


def test_progress_and_cancel(tmp_path):
    write_series(tmp_path, slices(3), [0, 4, 8])
    steps = []
    read_volume(tmp_path, Monitor(on_progress=lambda p: steps.append((p.stage, p.done, p.total))))
    assert steps == [("reading", 0, 3), ("reading", 1, 3), ("reading", 2, 3)]
    with pytest.raises(Cancelled):
        read_volume(tmp_path, Monitor(should_stop=lambda: True))


def test_truncated_file_of_a_series_is_refused(tmp_path, capfd):
    path = write_series(tmp_path, slices(3), [0, 4, 8])[2]
    path.write_bytes(path.read_bytes()[:-20])
    refuse(tmp_path, str(path), "truncated")
    refuse(path, "truncated")
    assert capfd.readouterr().err == ""


def test_report_alone_is_no_scan(tmp_path):
    path = write(tmp_path / "report.dcm", slices(1)[0], {}, REPORT)
    refuse(path, "no image")
    refuse(tmp_path, "no DICOM image")


@pytest.mark.parametrize(
    ("patient_orientation", "letters"), [("P\\F", "PIR"), ("L\\F", "LIP"), ("AF\\FP", "AIL"), (None, "PIR")]
)
def test_radiograph(tmp_path, patient_orientation, letters):
    tags = {(0x20, 0x0E): ("UI", "1.2.3"), (0x28, 0x30): ("DS", "0.2\\0.15"), (0x18, 0x1164): ("DS", "0.3\\0.3")}
    if patient_orientation:
        tags[0x20, 0x20] = ("CS", patient_orientation)
    pixels = slices(2).astype(np.uint16)
    for index, image in enumerate(pixels):
        write(tmp_path / f"{index}.dcm", image, tags, CR)
    image = read_volume(tmp_path / "1.dcm")
    assert np.array_equal(values(image), pixels[1:]) and orientation_of(image) == letters
    assert image.GetSpacing()[:2] == (0.15, 0.2)  # the calibrated spacing, not that of the detector
    assert unknown_of(image) == ((POSITION,) if patient_orientation is None else ())
    refuse(tmp_path, "holds 2 volumes")  # two views are no stack


def test_inverted_radiograph_shows_bone_bright(tmp_path):
    pixels = slices(1)[0].astype(np.uint16)
    write(tmp_path / "x.dcm", pixels, {(0x28, 4): ("CS", "MONOCHROME1")}, CR)
    assert np.array_equal(values(read_volume(tmp_path / "x.dcm"))[0], 65535 - pixels)


def test_colour(tmp_path):
    grey = slices(1)[0].astype(np.uint8)
    write(tmp_path / "grey.dcm", np.stack([grey] * 3, -1), {}, CR)
    assert np.array_equal(values(read_volume(tmp_path / "grey.dcm"))[0], grey)
    write(tmp_path / "colour.dcm", np.stack([grey, grey, grey + 1], -1), {}, CR)
    refuse(tmp_path / "colour.dcm", "colour")


@pytest.mark.parametrize("heights", [[0, 3, 6, 9], [9, 6, 3, 0], [6, 0, 9, 3]])
def test_multi_frame(tmp_path, heights):
    pixels = slices(4)
    path = write(tmp_path / "mf.dcm", pixels, {(0x20, 0x0E): ("UI", "1.2.4")}, ENHANCED_MR, frame_groups(heights))
    for source in (path, tmp_path):
        image = read_volume(source)
        assert np.array_equal(values(image), pixels[np.argsort(heights)])
        np.testing.assert_allclose(image.GetSpacing(), (0.7, 0.5, 3))
        assert image.GetOrigin() == (1, 2, 0) and orientation_of(image) == "LPS"


def test_enhanced_file_with_a_single_frame(tmp_path):
    path = write(tmp_path / "mf.dcm", slices(1), {}, ENHANCED_MR, frame_groups([7]))
    image = read_volume(path)
    assert image.GetOrigin() == (1, 2, 7) and image.GetSpacing()[:2] == (0.7, 0.5)


@pytest.mark.parametrize(
    ("groups", "word"),
    [
        (frame_groups([0, 3, 0, 3]), "several images at the same position"),
        (frame_groups([0, 3, 9, 12]), "about 1 of 5 slices"),
        (frame_groups([0, 3, 6]), "no positions in the body"),
        (frame_groups([0, 3, 6, 9], [1, 1, 2, 2]), "scaled differently"),
        (b"", "no positions in the body"),
    ],
)
def test_multi_frame_that_is_no_volume(tmp_path, groups, word):
    refuse(write(tmp_path / "mf.dcm", slices(4), {}, FILM if not groups else ENHANCED_MR, groups), word)


def test_find_scans_in_nested_exports(tmp_path):
    write_series(tmp_path / "patient" / "study" / "series 2", slices(2), [0, 4])
    write_series(tmp_path / "patient" / "study" / "series 1", slices(2), [0, 4])
    write_series(tmp_path / ".hidden", slices(2), [0, 4])
    (tmp_path / "scan.nii.gz").touch()
    (tmp_path / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM" + element((2, 2), "UI", "1.2.840.10008.1.3.10"))
    study = tmp_path / "patient" / "study"
    assert find_scans(tmp_path) == [study / "series 1", study / "series 2", tmp_path / "scan.nii.gz"]


@pytest.mark.data
def test_real_series(spine_data):
    folder = spine_data / "samples" / "dicom_ct"
    image = read_volume(folder)
    assert image.GetSize() == (512, 512, 20) and image.GetSpacing() == (0.9765625, 0.9765625, 2)
    assert image.GetOrigin() == (-249.51171875, -437.51171875, -804.5) and orientation_of(image) == "LPS"
    assert values(image).min() == -1024  # air, in Hounsfield units
    assert find_scans(spine_data / "samples") == [folder]
