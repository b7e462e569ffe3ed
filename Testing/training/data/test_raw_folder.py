"""What the names in a dataset.json make of the values of label maps."""

import json
from pathlib import Path

import pytest

from SegTraining.config.data import Label
from SegTraining.data.raw_folder import describe_raw_folder
from SegTraining.data.structures import has_no_body, is_vertebra, structure_code

DISC = Label(name="Disc", code="360499006", meaning="Intervertebral disc", values=(2,))


def folder_with(path: Path, labels: dict, instances: bool = False, **more) -> Path:
    for part in ("imagesTr", "instancesTr") if instances else ("imagesTr",):
        (path / part).mkdir()
    (path / "dataset.json").write_text(json.dumps({"labels": labels, **more}))
    return path


@pytest.mark.parametrize(
    "name", ["vertebra", "vertebral_body", "Vertebra bodies", "L1", "vertebra T12", "vertebrae_L3"]
)
def test_names_of_vertebrae(name):
    assert is_vertebra(name) and structure_code(name) is None


@pytest.mark.parametrize("name", ["intervertebral_disc", "discs", "vertebral canal", "Sacrum", "rib_4", "L"])
def test_names_of_other_things(name):
    assert not is_vertebra(name)


def test_single_vertebrae_are_one_class(tmp_path):
    labels = {"background": 0, "L1": 20, "L2": 21, "disc": 100, "sacrum": 26}
    dataset = describe_raw_folder(folder_with(tmp_path, labels))
    assert (dataset.background_labels, dataset.ignore_labels) == ((100,), (26,)) and has_no_body("sacrum")


def test_single_vertebrae_join_their_label_among_others(tmp_path):
    labels = {"background": 0, "L1": 20, "L2": 21, "intervertebral_discs": 100, "cord": 5}
    dataset = describe_raw_folder(folder_with(tmp_path, labels), (Label(name="Vertebra", values=(1,)), DISC))
    assert dataset.label_values == {"Vertebra": (20, 21), "Disc": (100,)} and dataset.background_labels == (5,)


def test_saved_cases_teach_s1(tmp_path):
    saved = folder_with(tmp_path, {"background": 0, "vertebral_body": 1}, instances=True, program="SpineSegmentation")
    assert describe_raw_folder(saved).ignore_labels == ()


def test_others_call_the_sacrum_s1(tmp_path):
    others = folder_with(tmp_path, {"background": 0, "vertebra": 1}, instances=True)
    assert describe_raw_folder(others).ignore_labels == (26, 27)
