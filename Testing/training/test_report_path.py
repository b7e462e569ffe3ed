"""From a training to its report, as a user goes."""

import csv
from pathlib import Path

import pytest
from tiny_training import make_dataset, write_settings

from SegTraining.cli import main


@pytest.mark.slow
def test_a_run_is_evaluated_as_it_is_and_reported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPINE_DATA", str(make_dataset(tmp_path / "data")))
    config = str(write_settings(tmp_path / "tiny.yaml"))
    assert main(["train", config, "--set", "training.steps_per_epoch=30", "--set", "training.crop=[64, 64]"]) == 0
    for split in ("test", "training"):
        assert main(["evaluate", "--run", "runs/tiny", "--split", split, "--whole-volume"]) == 0
    assert main(["report", "runs/tiny", "-o", "report.html"]) == 0
    with Path("report-tables/scores.csv").open(newline="", encoding="utf-8") as file:
        scores = {row["Cases of"]: row for row in csv.DictReader(file)}
    assert scores["training"]["n"] == "2" and float(scores["test"]["Dice"]) > 0.5
    html = Path("report.html").read_text("utf-8")
    assert html.count("<h3>Activation maps: sagittal</h3>") == 1 and "Loss and validation Dice" in html
    assert str(tmp_path) not in html
