"""`segtraining evaluate --bodies`: from any nnU-Net raw folder to detection, agreement, levels and what went wrong."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from box_bodies import SHAPE, TOPS, bodies
from handmade_models import BRIGHT, write_model
from tiny_training import as_image, write_case

from SegTraining.cli import main
from SegTraining.config.data import Label
from SegTraining.data.raw_folder import describe_raw_folder
from SegTraining.evaluation import predicted_classes
from SpineInference.errors import SpineError
from SpineInference.pipeline import segment


def image_of(*values: int) -> np.ndarray:
    image = np.full(SHAPE, 20, np.int16)
    image[:, 3:-3, 3:-3] = 60
    image[bodies(*values) > 0] = 200
    return image


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "bright", "sagittal", BRIGHT)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "Dataset001_Bodies"
    write_case(folder, "perfect", image_of(1, 1, 1, 1), bodies(0, 20, 21, 22))
    write_case(folder, "again", image_of(1, 1, 1, 1), bodies(0, 20, 21, 22))
    write_case(folder, "dark", image_of(1, 1, 0, 2), bodies(19, 20, 21, 22))
    return folder


def run(data: Path, model: Path, output: Path, *more: str) -> tuple[dict, dict[str, dict[str, str]]]:
    """The summary and the rows of the cases."""
    what = ["evaluate", "--dataset", str(data), "--model", str(model), "--threads", "1", "--bodies"]
    assert main([*what, "-o", str(output), *more]) == 0
    with (output / "cases.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["case"]: row for row in csv.DictReader(file)}
    return json.loads((output / "summary.json").read_text("utf-8")), rows


def test_from_a_folder_to_tables(data, model, tmp_path, capsys):
    content, rows = run(data, model, tmp_path / "out")
    assert {case: (row["dice"], row["bodies"], row["found"]) for case, row in rows.items()} == {
        "perfect": ("1.0", "3", "3"),
        "again": ("1.0", "3", "3"),
        "dark": (f"{2 * 3 / (3 + 4):.4f}", "4", "3"),
    }
    (result,) = content["bodies"]
    assert (result["dataset"], result["planes"]) == ("Dataset001_Bodies", "sagittal")
    assert (result["cases"], result["patients"]) == (3, 2)  # the same image twice is one patient
    assert (result["recall"]["mean"], result["recall"]["n"]) == (0.9, 10) and result["precision"]["mean"] == 1
    assert (result["dice_found"]["mean"], result["dice"]["mean"]) == (1, 0.9)
    assert result["levels"]["L2"]["recall"]["mean"] == pytest.approx(2 / 3) and "T11" not in result["levels"]
    assert (result["counted_rightly"]["mean"], result["named_rightly"]) == (pytest.approx(4 / 6), None)
    assert content["results"][0]["dice"] == pytest.approx((1 + 1 + 6 / 7) / 3, abs=1e-4)
    printed = capsys.readouterr().out
    assert "again and perfect are the same image" in printed and "0.900  9 of 10" in printed
    assert "dark: missed L2; level (counted up) wrong: T12, L1" in printed and "IoU > 0.5" in printed


def fail_at(monkeypatch, number: int | None, error: Exception) -> None:
    """The pipeline fails at the scan of this number, counted from 0, or at every scan."""
    asked = []

    def refuse(*arguments, **more):
        asked.append(None)
        if number is None or len(asked) == number + 1:
            raise error
        return segment(*arguments, **more)

    monkeypatch.setattr(predicted_classes, "segment", refuse)


@pytest.mark.parametrize("error", [SpineError("this scan is not wanted."), IndexError("out of bounds")])
def test_a_scan_that_fails_counts_as_nothing_found(data, model, tmp_path, capsys, monkeypatch, error):
    fail_at(monkeypatch, 1, error)
    content, rows = run(data, model, tmp_path / "out", "--cases", "perfect", "again")
    assert (rows["perfect"]["dice"], rows["perfect"]["found"]) == ("0.0", "0")
    assert str(error) in rows["perfect"]["failure"] and rows["again"]["dice"] == "1.0"
    assert content["results"][0]["dice"] == 0.5 and content["results"][0]["failed"] == 1
    assert content["bodies"][0]["recall"]["mean"] == 0.5
    assert "perfect failed and counts as Dice 0" in capsys.readouterr().out


def test_where_every_scan_fails_there_is_no_result(data, model, tmp_path, capsys, monkeypatch):
    fail_at(monkeypatch, None, SpineError("this scan is not wanted."))
    assert main(["evaluate", "--dataset", str(data), "--model", str(model), "-o", str(tmp_path / "out")]) == 2
    assert "Every scan failed, the first one so: this scan is not wanted." in capsys.readouterr().err
    assert not (tmp_path / "out" / "summary.json").exists()


def test_results_are_kept_and_cases_come_from_a_file(data, model, tmp_path):
    (tmp_path / "list.txt").write_text("perfect\n\nagain\n", "utf-8")
    choices = ("--cases", str(tmp_path / "list.txt"), "--results", str(tmp_path / "results"), "--planes", "sagittal")
    _, rows = run(data, model, tmp_path / "out", *choices)
    assert set(rows) == {"perfect", "again"}
    kept = tmp_path / "results" / data.name / "perfect"
    labels = sitk.ReadImage(kept / "perfect_labels.nii.gz")
    assert labels.GetSize() == sitk.ReadImage(data / "labelsTr" / "perfect.nii.gz").GetSize()
    assert (kept / "perfect_overview.png").exists() and (kept / "perfect_result.json").exists()


@pytest.mark.parametrize("levels", (True, False))
def test_whole_vertebrae_in_front_of_the_canal(model, tmp_path, levels):
    folder = tmp_path / "Dataset002_Whole"
    vertebrae = bodies(19, 20, 21, 22)
    for value, top in enumerate(TOPS, start=19):
        vertebrae[top + 2 : top + 10, 20:26, 7:19] = value  # posterior elements, which the model does not find
    vertebrae[:, 20:23, 7:19] = 0
    write_case(folder, "one", image_of(1, 1, 1, 1), vertebrae)
    drawn = (vertebrae > 0).astype(np.uint8)
    drawn[:, 20:23, 7:19] = 3
    sitk.WriteImage(as_image(drawn), folder / "labelsTr" / "one.nii.gz")
    if not levels:
        shutil.rmtree(folder / "instancesTr")
    names = {"background": 0, "vertebra": 1, "disc": 2, "spinal_canal": 3}
    (folder / "dataset.json").write_text(json.dumps({"labels": names}))
    content, rows = run(folder, model, tmp_path / "out")
    assert rows["one"]["dice"] == "1.0" and (rows["one"]["bodies"], rows["one"]["found"]) == ("4", "4")
    assert bool(content["bodies"][0]["levels"]) == levels


def test_several_labels_are_read_as_they_are(tmp_path):
    (tmp_path / "imagesTr").mkdir()
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"vertebra": 1, "disc": 2, "canal": 3}}))
    assert describe_raw_folder(tmp_path).body_in_front_of == 3
    assert describe_raw_folder(tmp_path).background_labels == (2, 3)
    disc = Label(name="Disc", values=(8,))
    several = describe_raw_folder(tmp_path, (Label(values=(9,)), disc))
    assert several.body_in_front_of == 3 and several.background_labels == (3,)
    assert several.label_values == {"Vertebral body": (1,), "Disc": (2,)}
    whole = describe_raw_folder(tmp_path, (Label(name="Vertebra", values=(9,)), disc))
    assert whole.body_in_front_of is None and whole.unlabelled == ()


def test_what_a_data_set_does_not_name_is_unlabelled(tmp_path):
    (tmp_path / "imagesTr").mkdir()
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"vertebral_body": 1}}))
    labels = (Label(values=(9,)), Label(name="Disc", values=(8,)))
    assert describe_raw_folder(tmp_path, labels).unlabelled == ("Disc",)
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"v1": 1, "v2": 2}}))
    unknown = describe_raw_folder(tmp_path, labels)
    assert unknown.label_values == {"Vertebral body": (1, 2)} and unknown.unlabelled == ("Disc",)
    (tmp_path / "instancesTr").mkdir()
    several = describe_raw_folder(tmp_path, labels)
    assert several.unlabelled == ("Disc",) and 24 in several.label_values["Vertebral body"]


def test_mistakes_are_told_before_the_work(data, model, tmp_path, capsys):
    for arguments, sentence in (
        (["--dataset", str(tmp_path)], "has no folder imagesTr"),
        (["--dataset", str(data), "--cases", "unknown"], 'The case "unknown" is not among those'),
        (["--dataset", str(data), "--model", "no-such-model"], 'There is no model "no-such-model"'),
        (["--dataset", str(data), "--planes", "oblique"], "the planes must be"),
    ):
        assert main(["evaluate", "--model", str(model), *arguments]) == 2
        assert sentence in capsys.readouterr().err
