"""`segtraining predict`: label maps of scans on the scans' own grids, without references."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from handmade_models import BRIGHT, LEVELS, write_model
from tiny_training import DATASET, as_image, make_dataset, write_settings

from SegTraining.cli import main


def two_structures(orientation: str) -> tuple[sitk.Image, sitk.Image]:
    """A scan of two structures of their own brightness, and where they are (1 and 2), on a slightly oblique grid."""
    labels = np.zeros((20, 40, 36), np.uint8)
    labels[:, 8:24, 4:14] = 1
    labels[:, 8:24, 20:30] = 2
    image = np.array([20, 60, 100], np.int16)[labels]
    turned = sitk.VersorTransform((0.0, 0.0, 1.0), 0.1)
    pair = as_image(image, orientation), as_image(labels, orientation)
    for each in pair:
        direction = np.array(turned.GetMatrix()).reshape(3, 3) @ np.array(each.GetDirection()).reshape(3, 3)
        each.SetDirection(direction.ravel())
        each.SetOrigin((-3.0, 5.0, 40.0))
    return pair


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """One that finds two classes and one that finds blocks."""
    folder = tmp_path_factory.mktemp("models")
    write_model(folder / "levels", "axial", LEVELS)
    write_model(folder / "bright", "axial", BRIGHT)
    return folder


def predict(*arguments) -> int:
    return main(["predict", *map(str, arguments), "--threads", "1"])


@pytest.mark.parametrize("orientation", ["LPS", "RSA"])
def test_a_label_map_lies_on_the_grid_of_its_scan(models, orientation, tmp_path):
    scan, truth = two_structures(orientation)
    sitk.WriteImage(scan, tmp_path / "knee_0000.nii.gz")
    assert predict("--model", models / "levels", tmp_path / "knee_0000.nii.gz", "-o", tmp_path / "out") == 0
    found = sitk.ReadImage(tmp_path / "out" / "knee.nii.gz")
    expected = sitk.ReadImage(tmp_path / "knee_0000.nii.gz")
    assert found.GetSize() == expected.GetSize()
    assert np.allclose(found.GetDirection(), expected.GetDirection()) and found.GetOrigin() == expected.GetOrigin()
    assert np.mean(sitk.GetArrayFromImage(found) == sitk.GetArrayFromImage(truth)) > 0.97


def test_a_folder_of_scans_with_a_bad_one(models, tmp_path, capsys):
    scan, _ = two_structures("LPS")
    for name in ("a.nrrd", "c.nii.gz"):
        sitk.WriteImage(scan, tmp_path / name)
    (tmp_path / "b.nii.gz").write_bytes(b"no image")
    arguments = ("--model", models / "levels", tmp_path, tmp_path / "nowhere", "--format", "nrrd")
    assert predict(*arguments, "-o", tmp_path / "out") == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.nrrd", "c.nrrd"]
    told = capsys.readouterr().err
    assert "b.nii.gz" in told and "nowhere" in told and "2 of 4 scans have no prediction" in told


def test_names_that_differ_in_the_channel_stay_apart(models, tmp_path):
    scan, _ = two_structures("LPS")
    for name in ("a.nii.gz", "a_0000.nii.gz", "b_0000.nii.gz"):
        sitk.WriteImage(scan, tmp_path / name)
    assert predict("--model", models / "levels", tmp_path, "-o", tmp_path / "out") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.nii.gz", "a_0000.nii.gz", "b.nii.gz"]


def test_existing_prediction_is_never_overwritten(models, tmp_path, capsys):
    scan, _ = two_structures("LPS")
    sitk.WriteImage(scan, tmp_path / "a.nii.gz")
    before = (tmp_path / "a.nii.gz").read_bytes()
    assert predict("--model", models / "levels", tmp_path / "a.nii.gz", "-o", tmp_path) == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "a.nii.gz").read_bytes() == before


def test_a_segmentation_for_slicer_names_its_segments(models, tmp_path):
    scan, _ = two_structures("LPS")
    sitk.WriteImage(scan, tmp_path / "a.nii.gz")
    format_ = ("--format", "seg.nrrd")
    assert predict("--model", models / "levels", tmp_path / "a.nii.gz", "-o", tmp_path / "out", *format_) == 0
    written = sitk.ReadImage(tmp_path / "out" / "a.seg.nrrd")
    assert [written.GetMetaData(f"Segment{n}_Name") for n in (0, 1)] == ["Disc", "Canal"]
    assert written.GetMetaData("Segment1_LabelValue") == "2"


def test_split_is_predicted_without_its_labels(models, tmp_path):
    data = make_dataset(tmp_path / "data")
    for part in ("labelsTr", "instancesTr"):
        (data / DATASET / part / "d.nii.gz").write_bytes(b"damaged")
    split = ("--config", write_settings(tmp_path / "tiny.yaml"), "--split", "test", "--data", data)
    assert predict("--model", models / "bright", *split, "-o", tmp_path / "out") == 0
    (made,) = (tmp_path / "out").iterdir()
    found = sitk.GetArrayFromImage(sitk.ReadImage(made))
    assert made.name == "d.nii.gz" and set(np.unique(found)) == {0, 1} and found.sum() > 2 * 12 * 16 * 16


@pytest.mark.parametrize(
    ("arguments", "part_of_message"),
    [
        (["scan.nii.gz"], "--model"),
        (["scan.nii.gz", "--model", "a", "--run", "b"], "--model"),
        (["--model", "a"], "--split"),
        (["scan.nii.gz", "--model", "a", "--split", "test"], "--split"),
        (["--model", "a", "--split", "test", "--data", "."], "--config"),
        (["--run", "nowhere", "--split", "test", "--data", "."], "nowhere"),
    ],
)
def test_mistakes_are_told_before_any_work(arguments, part_of_message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["predict", *arguments, "-o", "out"]) == 2
    assert part_of_message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
