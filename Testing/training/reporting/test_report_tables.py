"""The tables of a report beside the published ones: ours only where there is a run, and made as in the thesis."""

import pytest
from report_runs_by_hand import write_evaluation, write_run, write_training_cases

from SegTraining.reporting import published as published
from SegTraining.reporting.comparison import comparisons
from SegTraining.reporting.runs import read_runs
from SegTraining.reporting.thesis_tables import MISSING, Pair, mean_and_sd, published_tables, run_table, score_table
from SpineInference.errors import SpineError

GRID = {key: dict(zip(published.PLANES, values, strict=True)) for key, values in published.GRID.items()}


@pytest.mark.parametrize("plane", published.PLANES)
def test_derived_thesis_tables_follow_from_the_grid(plane):
    assert mean_and_sd(GRID, plane) == published.BY_PLANE[plane]
    for name, corrected in (("raw", False), ("corrected", True)):
        assert mean_and_sd(GRID, plane, lambda key, c=corrected: key[2] == c) == published.BY_CORRECTION[name][plane]
    assert mean_and_sd(GRID, plane, lambda key: key[1] == "Random") == published.BY_START["Random"][plane]
    transfer = mean_and_sd(GRID, plane, lambda key: key[1] != "Random")
    assert transfer == published.BY_START["Transfer learning"][plane]
    for encoder, values in published.BY_ENCODER.items():
        assert mean_and_sd(GRID, plane, lambda key, e=encoder: key[1] == e) == values[plane]


def tables(*folders) -> dict:
    return {table.key: table for table in published_tables(read_runs(list(folders)))}


def test_run_stands_beside_its_published_value(tmp_path):
    run = write_run(tmp_path / "a", "unet", corrected=True, encoder="resnet50", encoder_weights="imagenet")
    write_evaluation(run, [0.85, 0.87])
    random = write_run(tmp_path / "b", "linknet", plane="axial", encoder="inceptionv4")
    write_evaluation(random, [0.7, 0.72], planes="axial")
    found = tables(run, random)
    rows = {row[:3]: row[3:] for row in found["table-4.3"].rows}
    assert rows["U-Net", "ResNet-50", "Yes"] == (Pair("86.0", "87"), Pair(MISSING, "79"), Pair(MISSING, "77"))
    assert rows["Linknet", "Random", "No"][2] == Pair("71.0", "79")
    assert sum(cell.ours != MISSING for cells in rows.values() for cell in cells) == 2 and len(rows) == 24
    assert found["table-4.4"].rows[0] == ("Sagittal", Pair("86.0", "81 ± 3.8"))
    assert found["table-4.7"].rows[1][1:3] == (Pair("86.0", "81 ± 4.2"), Pair(MISSING, "80 ± 3.9"))
    assert all("2 of the 72" in found[f"table-4.{number}"].note for number in (4, 5, 7, 8))


def test_weights_from_a_file_are_not_called_imagenet(tmp_path):
    weights = {"encoder": "resnet50", "encoder_weights": "/some/where/first/phantom-resnet50/weights.safetensors"}
    for name, arguments in (("file", weights), ("hub", {**weights, "encoder_weights": "imagenet"})):
        write_evaluation(write_run(tmp_path / name, "unet", **arguments), [0.8, 0.9])
    assert "from a file" not in tables(tmp_path / "hub")["table-4.3"].note
    found = tables(tmp_path / "file", tmp_path / "hub")
    for key in ("table-4.3", "table-4.7", "table-4.8"):
        assert "not from the published ImageNet weights: phantom-resnet50/weights.safetensors." in found[key].note
    starts = [row[2] for row in run_table(read_runs([tmp_path / "file", tmp_path / "hub"])).rows]
    assert starts == ["ResNet-50, phantom-resnet50/weights.safetensors", "ResNet-50"]


def test_runs_of_another_kind_make_no_published_table(tmp_path):
    other = write_run(tmp_path / "a", "unet", encoder="tu-resnet18")
    write_evaluation(other, [0.9, 0.9])
    unevaluated = write_run(tmp_path / "b", "unet", encoder="resnet50")
    assert tables(other, unevaluated) == {}


def test_custom_networks(tmp_path):
    for name, dice in (("v3-small64", [0.6, 0.62]), ("v3-large32", None)):
        run = write_run(tmp_path / name, f"custom-{name}")
        if dice:
            write_evaluation(run, dice)
    found = tables(tmp_path / "v3-small64", tmp_path / "v3-large32")["table-4.6"]
    assert dict(found.rows)["v3-small64"] == Pair("61.0", "64") and dict(found.rows)["v3-large32"] == Pair(
        MISSING, "59"
    )


def test_dilated_networks_with_evaluated_splits(tmp_path):
    run = write_run(tmp_path / "fdn", "fdn11be")
    write_evaluation(run, [0.9, 0.92])
    write_evaluation(run, [0.96, 0.98], split="training")
    of_lungs = write_run(tmp_path / "lungs", "poster-unet")
    write_training_cases(of_lungs, "Lungs", 5)
    rows = {row[0]: row[1:] for row in tables(run, of_lungs)["scintigraphy"].rows}
    assert rows["FDN-11be"] == (
        Pair("0.5500", "0.0559"),  # of the epoch that was kept
        Pair("0.9700", "0.9648"),
        Pair("0.8000", "0.9501"),
        Pair("0.9100", "0.9220"),
    )
    assert {pair.ours for pair in rows["U-Net"]} == {MISSING}, "a U-Net of other images is no rival"
    rival = write_run(tmp_path / "rival", "poster-unet")
    found = tables(run, rival)
    assert {row[0]: row[1:] for row in found["scintigraphy"].rows}["U-Net"][2].ours == "0.8000"
    assert "robustness" not in found, "a U-Net of the same images is no experiment of the poster"


def test_segnet_and_the_experiments_of_the_poster(tmp_path):
    segnet = write_run(tmp_path / "segnet", "segnet", plane="axial")
    write_evaluation(segnet, [0.93, 0.95, 0.97], planes="axial")
    noise = write_run(tmp_path / "xray-noise-validation", "poster-unet", plane="axial")
    found = tables(segnet, noise)
    assert found["xray"].rows == [
        ("segnet", Pair("0.950", "0.962"), Pair("0.930", "0.926"), Pair("0.970", "0.974"), Pair("0.020", "0.008"))
    ]
    assert found["robustness"].rows == [("xray-noise-validation", "12", Pair("80.000", "66.48"))]


def test_pairs_become_two_columns_of_a_csv_file(tmp_path):
    run = write_run(tmp_path / "a", "unet", encoder="resnet50")
    write_evaluation(run, [0.85, 0.87])
    row = next(r for r in tables(run)["table-4.3"].as_rows() if (r["Weights"], r["Corrected"]) == ("Random", "No"))
    assert row["Sagittal, % (ours)"] == "86.0" and row["Sagittal, % (published)"] == "84"


def test_runs_are_compared_with_the_best_one(tmp_path):
    best = [0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97]
    for name, dice in (("best", best), ("worse", [d - 0.01 * n for n, d in enumerate(best, 1)]), ("fewer", best[:5])):
        write_evaluation(write_run(tmp_path / name, "unet"), dice)
    (found,) = comparisons(read_runs([tmp_path / "worse", tmp_path / "best", tmp_path / "fewer"]))
    assert "best (test, Body, 8 cases" in found.title
    assert [row[0] for row in found.rows] == ["worse"]
    assert found.rows[0][2:] == ("8", "-0.0450", "0.0078", "0.0078", "differs")


def test_too_few_cases_are_told_in_one_sentence(tmp_path):
    for name, dice in (("a", 0.9), ("b", 0.8), ("c", 0.7)):
        write_evaluation(write_run(tmp_path / name, "unet"), [dice, dice + 0.01])
    (found,) = comparisons(read_runs([tmp_path / name for name in "abc"]))
    assert "cannot be tested: 2 of 2 patients differ" in found


def test_scores_and_runs_say_what_was_not_measured(tmp_path):
    run = write_run(tmp_path / "a", "unet", encoder="resnet50")
    write_evaluation(run, [0.8, None])
    records = read_runs([run])
    assert run_table(records).rows[0][:5] == ("a", "U-Net, ResNet-50", "Random", "sagittal", "no")
    scores = score_table(records)
    row = dict(zip(scores.columns, scores.rows[0], strict=True))
    assert (row["n"], row["Dice"], row["Not judged"]) == ("2", "0.8000", "1")
    assert "95 % CI or range" not in row and "False positive" not in row, "empty columns are left out"


def test_several_labels_are_compared_by_their_mean_too(tmp_path):
    run = write_run(tmp_path / "a", "unet")
    folder = write_evaluation(run, [0.8, 0.6])
    cases = folder / "cases.csv"
    lines = cases.read_text("utf-8").splitlines()
    cases.write_text("\n".join([*lines, lines[1].replace("Body", "Disc").replace("0.8", "0.4")]) + "\n", "utf-8")
    (record,) = read_runs([run])
    assert record.evaluations["test"].dice_of_cases("sagittal", "all") == pytest.approx({"case0": 0.6, "case1": 0.6})


def test_damaged_file_and_missing_run_are_told(tmp_path):
    with pytest.raises(SpineError, match="neither a run nor an evaluation"):
        read_runs([tmp_path])
    run = write_run(tmp_path / "a", "unet")
    (run / "result.json").write_text("{", "utf-8")
    with pytest.raises(SpineError, match=r"result\.json"):
        read_runs([run])
