"""The accuracy benchmark: its numbers against cases worked out by hand, and its way from folders to tables."""

import csv
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from handmade_models import BRIGHT, write_model
from tiny_training import as_image, write_case

from SegTraining.evaluation.references import Reference
from SpineInference.app.runner import Runner
from SpineInference.errors import SpineError
from SpineInference.measuring.metrics import labelled_slices

sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))

from accuracy import main
from accuracy_cases import Truth, judge

SHAPE = (90, 30, 26)
TOPS = (4, 22, 40, 58)
"""Of four bodies of 12 x 12 x 12 voxels, T12 to L3."""
ACROSS = (slice(8, 20), slice(7, 19))


def bodies(*values: int, tops: tuple[int, ...] = TOPS) -> np.ndarray:
    """Canonical label map: one box for each value, 0 for none."""
    labels = np.zeros(SHAPE, np.uint8)
    for value, top in zip(values, tops, strict=False):
        labels[(slice(top, top + 12), *ACROSS)] = value
    return labels


def truth(instances: np.ndarray, cut_off: tuple[int, ...] = ()) -> Truth:
    nothing_ignored = np.zeros(SHAPE, bool)
    classes = (instances > 0).astype(np.uint8)
    reference = Reference(instances, classes, nothing_ignored, labelled_slices(instances), (1.0, 1.0, 1.0))
    return Truth("", reference, levels_known=True, cut_off=frozenset(cut_off))


def test_a_perfect_result_is_perfect_in_everything():
    score, found, false = judge(truth(bodies(0, 20, 21, 22)), bodies(101, 102, 103, 104), [101, 102, 103, 104])
    assert (score.dice, score.hd95_mm, score.assd_mm, false) == (1.0, 0.0, 0.0, 0)  # nobody labelled the topmost
    assert [(body.name, body.dice, body.hd95_mm) for body in found] == [("L1", 1, 0), ("L2", 1, 0), ("L3", 1, 0)]
    assert [body.counted for body in found] == [True, True, None]  # the lowest is told
    assert [body.automatic for body in found] == [None] * 3  # the pipeline numbered them


def test_a_split_body_is_missed_twice_false_and_shifts_the_count():
    split = bodies(101, 0, 104, 105)
    split[22:27, *ACROSS], split[29:34, *ACROSS] = 102, 103
    score, found, false = judge(truth(bodies(19, 20, 21, 22)), split, [101, 102, 103, 104, 105])
    assert [body.found for body in found] == [True, False, True, True] and false == 2
    assert score.dice == pytest.approx(2 * 46 / (46 + 48))
    assert [body.counted for body in found] == [False, None, True, None]


def test_bodies_grown_together_are_missed():
    merged = bodies(101, 102, 102, 103)
    score, found, false = judge(truth(bodies(19, 20, 21, 22)), merged, [101, 102, 103])
    assert [body.name for body in found if not body.found] == ["L1", "L2"] and false == 1
    assert score.dice == 1.0 and found[0].counted is False


def test_levels_of_the_pipeline_are_judged_where_it_gives_some():
    _, found, _ = judge(truth(bodies(19, 20, 21, 22)), bodies(18, 19, 20, 22), [18, 19, 20, 22])
    assert [body.automatic for body in found] == [False, False, False, True]
    assert [body.counted for body in found] == [True, True, True, None]


def test_cut_off_bodies_count_neither_way():
    wanted = bodies(19, 20, tops=(0, 22))
    for value, top in ((0, 22), (101, 5)):  # not found, and found badly
        found = bodies(value, 102, tops=(top, 22))
        _, judged, false = judge(truth(wanted, cut_off=(19,)), found, [101, 102])
        assert [body.name for body in judged] == ["L1"] and judged[0].found and false == 0


def test_nothing_found_is_zero():
    score, found, false = judge(truth(bodies(19, 20)), np.zeros(SHAPE, np.uint8), [])
    assert score.dice == 0 and score.hd95_mm > 30 and [body.dice for body in found] == [0, 0] and false == 0


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


def run(data: Path, model: Path, folder: Path, *more: str) -> tuple[dict, dict[str, dict[str, str]]]:
    files = ["--csv", str(folder / "cases.csv"), "--json", str(folder / "all.json")]
    assert main([str(data), "--model", str(model), "--threads", "1", *files, *more]) == 0
    with (folder / "cases.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["case"]: row for row in csv.DictReader(file)}
    return json.loads((folder / "all.json").read_text("utf-8")), rows


def test_from_a_folder_to_tables(data, model, tmp_path, capsys):
    content, rows = run(data, model, tmp_path)
    (result,) = content["results"]
    assert {case: (row["volume_dice"], row["missed"]) for case, row in rows.items()} == {
        "perfect": ("1.0", ""),
        "again": ("1.0", ""),
        "dark": (f"{2 * 3 / (3 + 4):.4f}", "L2"),
    }
    assert (result["cases"], result["patients"]) == (3, 2)  # the same image twice is one patient
    assert result["volume_dice"]["mean"] == pytest.approx((1 + 1 + 6 / 7) / 3)
    assert result["volume_dice"]["ci95"] == pytest.approx([6 / 7, 1])
    assert (result["recall"]["mean"], result["recall"]["n"]) == (0.9, 10) and result["precision"]["mean"] == 1
    assert (result["instance_dice"]["mean"], result["instance_dice_all"]["mean"]) == (1, 0.9)
    assert result["levels"]["L2"]["found"]["mean"] == pytest.approx(2 / 3) and "T11" not in result["levels"]
    assert (result["level_counted"]["mean"], result["level_automatic"]) == (pytest.approx(4 / 6), None)
    printed = capsys.readouterr().out
    assert "again and perfect are the same image" in printed and "0.900 (0.750-1.000)  9 of 10" in printed
    assert "dark: missed L2; level (counted) wrong: T12, L1" in printed and "IoU > 0.5" in printed


def test_a_scan_that_fails_counts_as_nothing_found_and_is_named(data, model, tmp_path, capsys, monkeypatch):
    real = Runner.run

    def refuse_one(runner, request, monitor):
        if "perfect" in request.input:
            raise SpineError("this scan is not wanted.")
        return real(runner, request, monitor)

    monkeypatch.setattr(Runner, "run", refuse_one)
    content, rows = run(data, model, tmp_path, "--cases", "perfect", "again")
    assert rows["perfect"]["volume_dice"] == "0.0" and rows["perfect"]["missed"] == "L1 L2 L3"
    assert rows["perfect"]["failure"] == "this scan is not wanted." and rows["again"]["volume_dice"] == "1.0"
    assert content["results"][0]["volume_dice"]["mean"] == 0.5 and content["results"][0]["recall"]["mean"] == 0.5
    assert "perfect failed and counts as Dice 0" in capsys.readouterr().out


@pytest.mark.parametrize("levels", (True, False))
def test_whole_vertebrae_are_judged_in_front_of_the_canal(model, tmp_path, capsys, levels):
    folder = tmp_path / "Dataset002_Whole"
    vertebrae = bodies(19, 20, 21, 22)
    for value, top in enumerate(TOPS, start=19):
        vertebrae[top + 2 : top + 10, 20:26, 9:17] = value  # posterior elements, which the model does not find
    vertebrae[:, 20:23, 11:15] = 0
    write_case(folder, "one", image_of(1, 1, 1, 1), vertebrae)
    drawn = (vertebrae > 0).astype(np.uint8)
    drawn[:, 20:23, 11:15] = 3
    sitk.WriteImage(as_image(drawn), folder / "labelsTr" / "one.nii.gz")
    if not levels:
        shutil.rmtree(folder / "instancesTr")
    names = {"background": 0, "vertebra": 1, "disc": 2, "spinal_canal": 3}
    (folder / "dataset.json").write_text(json.dumps({"labels": names}))
    content, rows = run(folder, model, tmp_path)
    assert rows["one"]["volume_dice"] == "1.0" and (rows["one"]["bodies"], rows["one"]["found"]) == ("4", "4")
    assert content["results"][0]["in_front_of_canal_only"] and bool(content["results"][0]["levels"]) == levels
    assert "The labels are whole vertebrae" in capsys.readouterr().out


def test_mistakes_are_told_before_the_work(data, model, tmp_path, capsys):
    for arguments, sentence in (
        ([str(tmp_path)], "has no folder imagesTr"),
        ([str(data), "--cases", "unknown"], 'No data set has the case "unknown"'),
        ([str(data), "--model", "no-such-model"], 'There is no model "no-such-model"'),
        ([str(data), "--planes", "oblique"], "the planes must be"),
    ):
        assert main(arguments) == 2
        assert sentence in capsys.readouterr().err
