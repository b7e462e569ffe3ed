"""What `segtraining inspect` says about data sets, above all what is wrong with them."""

from pathlib import Path

import pytest
import SimpleITK as sitk
from tiny_training import DATASET, config, make_dataset, settings, write_settings

from SegTraining.cli import main
from SegTraining.reporting.inspect import examine


def faults(folder: Path, **changes) -> list[tuple[bool, str]]:
    return [(fault.fatal, fault.sentence) for fault in examine(config(**changes), folder)[1]]


def change(folder: Path, file: str, how) -> None:
    path = str(folder / DATASET / file)
    sitk.WriteImage(how(sitk.ReadImage(path)), path)


def test_good_data_are_described_and_drawn(tmp_path, capsys):
    folder = make_dataset(tmp_path / "data")
    picture = tmp_path / "sheet.png"
    arguments = ["inspect", str(write_settings(tmp_path / "x.yaml")), "--data", str(folder), "-o", str(picture)]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "4 cases of 4 patients (2 training, 1 validation, 1 test)" in said
    assert "36 x 40 x 64" in said and "label 18" in said and "in 4 cases, 3.07 to 3.07 ml" in said
    assert "No faults." in said and picture.stat().st_size > 10_000


def test_every_fault_is_told_at_once(tmp_path, capsys):
    folder = make_dataset(tmp_path / "data")
    change(folder, "instancesTr/a.nii.gz", lambda labels: labels * 0)
    change(folder, "instancesTr/b.nii.gz", lambda labels: labels[1:])
    (folder / DATASET / "imagesTr/c_0000.nii.gz").write_bytes(b"no image")
    found = faults(folder)
    assert [fatal for fatal, _ in found] == [True, True, True]
    for sentence in ('"a" (training) has no labelled voxel', '"b" do not lie on the same grid', '"c" cannot be used'):
        assert any(sentence in said for _, said in found)
    path = str(write_settings(tmp_path / "x.yaml"))
    assert main(["inspect", path, "--data", str(folder), "-o", str(tmp_path / "sheet.png")]) == 2
    assert "3 faults" in capsys.readouterr().err


def test_labels_outside_of_the_list_are_told(tmp_path):
    labels = [{"name": "Upper", "values": [18]}]
    model_info = {**settings()["model_info"], "labels": labels}
    found = faults(make_dataset(tmp_path), model_info=model_info)
    assert len(found) == 4 and all(fatal and "value 19" in said for fatal, said in found)


@pytest.mark.parametrize(("split", "fatal"), [({"validation": ["b"]}, True), ({"validation": ["c"]}, False)])
def test_same_image_twice_is_fatal_in_two_parts(tmp_path, split, fatal):
    folder = make_dataset(tmp_path)
    image = (folder / DATASET / "imagesTr/a_0000.nii.gz").read_bytes()
    (folder / DATASET / "imagesTr/b_0000.nii.gz").write_bytes(image)
    ((found, said),) = faults(folder, data={"split": split})
    assert found == fatal and '"a" (training)' in said and "same image" in said


def test_leaking_patient_is_told_beside_the_rest(tmp_path):
    folder = make_dataset(tmp_path, ("p1_x", "p1_y", "p2_x"))
    data = {"datasets": [{"name": DATASET, "patient_pattern": "^(p.)"}], "split": {"validation": ["p1_x"]}}
    facts, found = examine(config(data=data), folder)
    assert len(facts) == 3 and len(found) == 1 and found[0].fatal and 'patient "p1"' in found[0].sentence
