"""What `segtraining inspect` says about data sets, above all what is wrong with them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from tiny_training import DATASET, as_image, config, make_dataset, settings, write_settings

from SegTraining.cli import main
from SegTraining.data.prepare import prepare
from SegTraining.data.sampling import PatchDataset
from SegTraining.data.targets import IGNORE
from SegTraining.reporting.inspect import examine
from SpineInference.errors import SpineError
from SpineInference.volume.geometry import canonical


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
    assert (
        "No faults." in said and "shows all 4 cases" in said and "no other" in said and picture.stat().st_size > 10_000
    )


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
    labels = [{"name": "Upper", "values": [18], "code": "51282000", "meaning": "Vertebra"}]
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


def described(folder: Path, labels: dict, instances: bool = False) -> Path:
    """The data set of blocks with a dataset.json; without label maps of instances unless asked for."""
    make_dataset(folder)
    (folder / DATASET / "dataset.json").write_text(json.dumps({"labels": labels}), "utf-8")
    if not instances:
        shutil.rmtree(folder / DATASET / "instancesTr")
    return folder


def test_each_file_left_out_is_named(tmp_path, capsys, caplog):
    folder = make_dataset(tmp_path / "data")
    images, labels = (folder / DATASET / part for part in ("imagesTr", "labelsTr"))
    shutil.copy(images / "a_0000.nii.gz", images / "a_0001.nii.gz")
    shutil.copy(images / "a_0000.nii.gz", images / "e.nii.gz")
    shutil.copy(labels / "a.nii.gz", labels / "f.nii.gz")
    (images / "g_0000.mnc").touch()
    data = {"data": {**settings()["data"], "datasets": [{"name": DATASET, "channel": 0}]}}
    said = [sentence for fatal, sentence in faults(folder, **data) if not fatal]
    for name, reason in (
        ("imagesTr/a_0001.nii.gz", "another channel"),
        ("imagesTr/e.nii.gz", "not called NAME_0000"),
        ("imagesTr/g_0000.mnc", "no image file"),
        ("labelsTr/f.nii.gz", "without an image"),
    ):
        assert any(f"{reason}: {name}." in sentence for sentence in said)
    prepare(config(**data), folder, tmp_path / "cache")
    assert all(sentence in caplog.messages for sentence in said) and len(said) == 4


def test_a_second_channel_is_chosen_or_refused(tmp_path):
    folder = make_dataset(tmp_path)
    images = folder / DATASET / "imagesTr"
    shutil.copy(images / "a_0000.nii.gz", images / "b_0001.nii.gz")
    assert any(fatal and '"b"' in said and '"channel: 0"' in said for fatal, said in faults(folder))
    for name in ("a", "c", "d"):
        (images / f"{name}_0000.nii.gz").rename(images / f"{name}_0001.nii.gz")
    second = {"datasets": [{"name": DATASET, "channel": 1}], "split": {"validation": ["c"]}}
    facts, found = examine(config(data=second), folder)
    assert {fact.case.name: fact.case.image.name for fact in facts}["b"] == "b_0001.nii.gz"
    assert not any(fault.fatal for fault in found if "channel" in fault.sentence)


def test_empty_masks_where_they_are_allowed(tmp_path, capsys):
    folder = make_dataset(tmp_path / "data")
    change(folder, "instancesTr/a.nii.gz", lambda labels: labels * 0)
    assert [fatal for fatal, _ in faults(folder)] == [True]
    data = {"data": {**settings()["data"], "datasets": [{"name": DATASET, "may_be_empty": True}]}}
    assert not faults(folder, **data)
    samples = PatchDataset(prepare(config(**data), folder, tmp_path / "cache")["training"], config(**data))
    assert {bool((samples[number][1] == 1).any()) for number in range(20)} == {True, False}
    for name in "bcd":
        change(folder, f"instancesTr/{name}.nii.gz", lambda labels: labels * 0)
    with pytest.raises(SpineError, match="nothing to learn"):
        prepare(config(**data), folder, tmp_path / "cache")


def test_suffix_in_capitals_is_a_case(tmp_path):
    folder = make_dataset(tmp_path / "data")
    for file in ("imagesTr/b_0000", "instancesTr/b"):
        (folder / DATASET / f"{file}.nii.gz").rename(folder / DATASET / f"{file}.NII.GZ")
    facts, found = examine(config(), folder)
    assert [fact.case.name for fact in facts] == ["a", "b", "c", "d"] and not found


@pytest.mark.parametrize("file", ["imagesTr/b_0000", "labelsTr/b"])
def test_two_files_of_one_case_are_refused(tmp_path, file):
    folder = described(tmp_path / "data", {"background": 0, "body": 1})
    image = sitk.ReadImage(str(folder / DATASET / f"{file}.nii.gz"))
    sitk.WriteImage(image, str(folder / DATASET / f"{file}.nrrd"))
    assert [fatal for fatal, said in faults(folder) if "remove one of them" in said] == [True]


@pytest.mark.parametrize("labels", [{"background": 0, "body": 1, "ignore": 2}, {"0": "", "1": "body", "2": "Ignore"}])
def test_ignore_label_teaches_nothing(tmp_path, labels):
    folder = described(tmp_path / "data", labels)
    before = opened(folder, tmp_path)
    change(folder, "labelsTr/a.nii.gz", upper_body_becomes(2))
    assert not faults(folder)
    target, whole = opened(folder, tmp_path), before == 1
    undecided = whole & (np.arange(len(whole)) < 35)[:, None, None]
    assert (target[undecided] == IGNORE).all() and (target[whole & ~undecided] == 1).all()


def test_value_that_is_not_named_is_refused(tmp_path):
    folder = described(tmp_path / "data", {"background": 0, "body": 1})
    change(folder, "labelsTr/a.nii.gz", upper_body_becomes(3))
    ((fatal, said),) = faults(folder)
    assert fatal and '"a"' in said and "value 3" in said and "dataset.json" in said
    with pytest.raises(SpineError, match="value 3"):
        prepare(config(), folder, tmp_path / "cache")
    ours = {"datasets": [{"name": DATASET, "background_labels": [3]}], "split": {}}
    assert not faults(folder, data=ours)


def test_names_taught_as_one_class_are_told(tmp_path):
    folder = described(tmp_path / "data", {"background": 0, "body": 1, "disc": 2, "canal": [3, 4]})
    ((fatal, said),) = faults(folder)
    assert not fatal and "body (1), disc (2), canal (3), canal (4)" in said
    ours = {"datasets": [{"name": DATASET, "background_labels": [2, 3, 4]}], "split": {}}
    assert not faults(folder, data=ours)


@pytest.mark.parametrize("text", ["{", '{"labels": {"body": "one"}}', '{"labels": [1]}'])
def test_description_not_understood_is_refused(tmp_path, text):
    folder = described(tmp_path / "data", {})
    (folder / DATASET / "dataset.json").write_text(text, "utf-8")
    assert ["dataset.json" in said for fatal, said in faults(folder) if fatal] == [True]


def test_ignore_label_beside_instances_is_told(tmp_path):
    folder = described(tmp_path / "data", {"background": 0, "body": 1, "ignore": 2}, instances=True)
    assert ['label "ignore"' in said for fatal, said in faults(folder) if fatal] == [True]


def upper_body_becomes(value: int):
    """The upper one of the two labelled blocks gets another value."""

    def changed(image: sitk.Image) -> sitk.Image:
        labels = sitk.GetArrayFromImage(canonical(image))
        labels[:35][labels[:35] > 0] = value
        return as_image(labels)

    return changed


def opened(folder: Path, tmp_path: Path) -> np.ndarray:
    """What is taught of case "a"."""
    cases = prepare(config(data={"datasets": [{"name": DATASET}], "split": {}}), folder, tmp_path / "cache")
    return np.array(next(case for case in cases["training"] if case.record.name == "a").target)
