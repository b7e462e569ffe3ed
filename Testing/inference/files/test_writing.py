"""Writing results: whole or not at all, and with what 3D Slicer needs to know."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SpineInference.anatomy import LEVELS, numbered
from SpineInference.errors import SpineError
from SpineInference.files.atomic import atomic
from SpineInference.files.reading import read_labels
from SpineInference.files.terminology import terminology_context, terminology_entry
from SpineInference.files.writing import write_labelmap, write_segmentation

OBLIQUE = sitk.Euler3DTransform((0, 0, 0), 0.2, -0.7, 0.1).GetMatrix()


@pytest.fixture
def labels() -> sitk.Image:
    values = np.random.default_rng(1).choice([0, 20, 26, 31], (6, 7, 8)).astype(np.uint8)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((0.5, 0.75, 4.0))
    image.SetOrigin((10, -20, 30))
    image.SetDirection(OBLIQUE)
    return image


def write(labels: sitk.Image, path: Path) -> None:
    if path.name.endswith(".seg.nrrd"):
        write_segmentation(labels, [LEVELS["L1"]], path)
    else:
        write_labelmap(labels, path)


def left_overs(folder: Path, *expected: str) -> set[str]:
    return {path.name for path in folder.iterdir()} - set(expected)


@pytest.mark.parametrize("name", ["labels.nii.gz", "labels.nrrd", "labels.seg.nrrd"])
def test_written_labels_come_back(labels, tmp_path, name):
    folder = tmp_path / "Größe und Länge 脊椎"
    folder.mkdir()
    write(labels, folder / name)
    back = read_labels(folder / name)
    assert back.GetPixelID() == sitk.sitkUInt8
    assert np.array_equal(sitk.GetArrayViewFromImage(back), sitk.GetArrayViewFromImage(labels))
    for get in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(back, get)(), getattr(labels, get)(), atol=1e-6)
    assert not left_overs(folder, name)


@pytest.mark.parametrize("name", ["labels.nii.gz", "labels.nrrd", "labels.seg.nrrd"])
def test_files_are_compressed(tmp_path, name):
    write(sitk.Image([64, 64, 64], sitk.sitkUInt8), tmp_path / name)
    assert (tmp_path / name).stat().st_size < 64**3 / 50


def test_wrong_suffix(labels, tmp_path):
    with pytest.raises(SpineError, match="choose one of these suffixes"):
        write_labelmap(labels, tmp_path / "labels.png")
    with pytest.raises(SpineError, match=r"\.seg\.nrrd"):
        write_segmentation(labels, [], tmp_path / "labels.nrrd")
    assert not left_overs(tmp_path)


@pytest.mark.parametrize("name", ["labels.nii.gz", "labels.nrrd", "labels.seg.nrrd"])
def test_full_disk_leaves_the_old_file(labels, tmp_path, name):
    resource = pytest.importorskip("resource", reason="only POSIX can make a small disk")
    path = tmp_path / name
    path.write_bytes(b"the result of yesterday")
    noise = np.random.default_rng(1).integers(0, 255, (40, 64, 64), dtype=np.uint8)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(SpineError) as caught:
            write(sitk.GetImageFromArray(noise), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(path) in str(caught.value) and "cannot be written" in str(caught.value)
    assert path.read_bytes() == b"the result of yesterday"
    assert not left_overs(tmp_path, name)


def test_unusable_folders(labels, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "labels.nrrd").mkdir()
    for target in ("missing/labels.nrrd", "file/labels.nrrd", "labels.nrrd"):
        with pytest.raises(SpineError, match=r"labels\.nrrd: the file cannot be written \("):
            write_labelmap(labels, tmp_path / target)
    assert not left_overs(tmp_path, "file", "labels.nrrd")


def test_unwritable_folder(labels, tmp_path, monkeypatch):
    def denied(path: Path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "touch", denied)  # the tests may run as root, whom no folder stops
    with pytest.raises(SpineError, match=r"cannot be written \(Permission denied\)\.$"):
        write_labelmap(labels, tmp_path / "labels.nrrd")


def test_atomic_renames_on_success(tmp_path):
    with atomic(tmp_path / "case.v2.nii.gz") as temporary:
        assert temporary.parent == tmp_path and temporary.name.endswith(".nii.gz")
        temporary.write_text("new")
        assert not (tmp_path / "case.v2.nii.gz").exists()
    assert (tmp_path / "case.v2.nii.gz").read_text() == "new"
    assert not left_overs(tmp_path, "case.v2.nii.gz")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_atomic_removes_on_failure(tmp_path, error):
    (tmp_path / "table.csv").write_text("old")
    with pytest.raises(error), atomic(tmp_path / "table.csv") as temporary:
        temporary.write_text("half")
        raise error
    assert (tmp_path / "table.csv").read_text() == "old"
    assert not left_overs(tmp_path, "table.csv")


def test_name_as_long_as_a_file_system_allows(labels, tmp_path):
    name = "x" * 248 + ".nii.gz"
    write_labelmap(labels, tmp_path / name)
    assert not left_overs(tmp_path, name)


def test_segmentation_header(labels, tmp_path):
    path = tmp_path / "result.seg.nrrd"
    labels.SetMetaData("Segment0_Name", "of an older segmentation")
    labels.SetMetaData("Segment9_Name", "of an older segmentation")
    write_segmentation(labels, [LEVELS["L1"], LEVELS["S1"], numbered(1)], path)
    header = path.read_bytes().split(b"\n\n")[0].decode()
    fields = dict(line.split(":=", 1) for line in header.splitlines() if ":=" in line)
    assert fields["Segment1_Name"] == "S1" and fields["Segment2_Name"] == "Vertebra 1"
    assert [fields[f"Segment{n}_LabelValue"] for n in range(3)] == ["20", "26", "31"]
    assert fields["Segment0_Extent"] == "0 7 0 6 0 5"
    assert fields["Segment0_Tags"].split("~")[2] == "SCT^66794005^L1 vertebra"
    assert not any(key.startswith(("Segment3", "Segment9")) for key in fields)
    assert len({fields[f"Segment{n}_ID"] for n in range(3)}) == 3
    assert labels.GetMetaData("Segment0_Name") == "of an older segmentation"


def test_terminology_file_agrees_with_the_levels(project):
    path = project / "SpineSegmentation" / "Resources" / "SpineSegmentation.term.json"
    assert json.loads(path.read_text(encoding="utf-8")) == terminology_context(), "see terminology.py for how to remake"


def test_terminology_holds_every_level_once():
    (category,) = terminology_context()["SegmentationCodes"]["Category"]
    types = {kind["CodeValue"]: kind for kind in category["Type"]}
    assert len(types) == len(category["Type"]) == 26  # C1-L5, S1, and "Vertebra" for L6 and the unnamed
    for segment in (*LEVELS.values(), numbered(3)):
        kind = types[segment.code]
        assert kind["CodeMeaning"] == segment.meaning
        assert f"~SCT^{segment.code}^{segment.meaning}~" in terminology_entry(segment)
        if segment.name == kind["3dSlicerLabel"]:
            assert tuple(kind["recommendedDisplayRGBValue"]) == segment.colour
    labels = {kind["3dSlicerLabel"] for kind in category["Type"]}
    assert labels == set(LEVELS) - {"L6"} | {"Vertebra"}
