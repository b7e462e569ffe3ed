"""Training runs, tiny ones: they learn, repeat exactly, and go on exactly."""

import csv
import json

import pytest
from tiny_training import DATASET, best_weights, config, last_state, same, write_settings

from SegTraining.cli import main
from SegTraining.training.module import SegmentationModule
from SegTraining.training.train import train
from SegTraining.training.validation import validate
from SpineInference.errors import SpineError


def test_a_run_leaves_what_is_needed(whole_run):
    result = json.loads((whole_run / "result.json").read_text("utf-8"))
    fingerprint = json.loads((whole_run / "fingerprint.json").read_text("utf-8"))
    assert (whole_run / "config.yaml").exists() and set(result["dice"]) == {"c"}
    assert fingerprint["training_cases"] == {DATASET: ["a", "b"]} and fingerprint["test_cases"] == ["d"]
    rows = list(csv.DictReader((whole_run / "metrics.csv").open(encoding="utf-8")))
    assert [row["epoch"] for row in rows] == ["1", "2"] and float(rows[0]["loss"]) > 0
    assert not list(whole_run.glob("*.tmp"))


def test_two_runs_are_identical(whole_run, folders, tmp_path):
    again = train(config(), *folders, tmp_path / "again")
    assert same(last_state(whole_run), last_state(again)) and same(best_weights(whole_run), best_weights(again))
    other = train(config(training={"seed": 1}), *folders, tmp_path / "other")
    assert not same(last_state(whole_run), last_state(other))


class PulledPlug(Exception):
    pass


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_a_resumed_run_equals_an_uninterrupted_one(whole_run, folders, tmp_path, schedule):
    kind = {"name": schedule, "warmup_steps": 2}
    whole = whole_run if schedule == "cosine" else train(config(schedule=kind), *folders, tmp_path / "whole")
    stopped = tmp_path / "stopped"

    calls = []

    def pull_the_plug(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise PulledPlug
        return validate(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("SegTraining.training.module.validate", pull_the_plug)
        with pytest.raises(PulledPlug):
            train(config(schedule=kind), *folders, stopped)
    train(config(schedule=kind), *folders, stopped, resume=True)
    assert same(last_state(whole), last_state(stopped)) and same(best_weights(whole), best_weights(stopped))
    epochs = [row["epoch"] for row in csv.DictReader((stopped / "metrics.csv").open(encoding="utf-8"))]
    assert epochs == ["1", "2"]


def test_a_folder_with_a_run_is_not_overwritten(whole_run, folders):
    with pytest.raises(SpineError, match="--resume"):
        train(config(), *folders, whole_run)


def test_resuming_another_or_no_run_is_refused(whole_run, folders, tmp_path):
    with pytest.raises(SpineError, match="differs"):
        train(config(optimiser={"learning_rate": 0.5}), *folders, whole_run, resume=True)
    with pytest.raises(SpineError, match="no checkpoint"):
        train(config(), *folders, tmp_path / "nothing", resume=True)


def test_early_stopping_without_validation_is_refused(folders, tmp_path):
    training = {"early_stopping_epochs": 2}
    with pytest.raises(SpineError, match="validation cases"):
        train(config(training=training, data={"split": {}}), *folders, tmp_path / "run")


def test_time_ends_training(folders, tmp_path):
    training = {"max_epochs": 500, "max_minutes": 1e-6}
    folder = train(config(training=training), *folders, tmp_path / "run")
    assert len((folder / "metrics.csv").read_text("utf-8").splitlines()) == 2


@pytest.mark.parametrize("broken", [2, 1])
def test_nan_loss_stops_and_keeps_the_best(folders, tmp_path, monkeypatch, capsys, broken):
    class Diverging(SegmentationModule):
        def training_step(self, batch, batch_index):
            loss = super().training_step(batch, batch_index)
            return loss * float("nan") if self.current_epoch + 1 == broken else loss

    monkeypatch.setattr("SegTraining.training.train.SegmentationModule", Diverging)
    settings = write_settings(tmp_path / "x.yaml", training={"max_epochs": 4})
    data, cache = folders
    run = tmp_path / "run"
    assert main(["train", str(settings), "--data", str(data), "--cache", str(cache), "-o", str(run)]) == 2
    assert f"diverged in epoch {broken}" in capsys.readouterr().err
    kept = [run / name for name in ("weights.safetensors", "last.ckpt")]
    assert [path.exists() for path in kept] == [broken > 1] * 2
    if broken > 1:
        assert json.loads((run / "result.json").read_text("utf-8"))["epoch"] == 1
        assert all(
            tensor.isfinite().all() for state in (best_weights(run), last_state(run)) for tensor in state.values()
        )


@pytest.mark.slow
def test_training_learns(folders, tmp_path):
    training = {"max_epochs": 2, "steps_per_epoch": 30, "crop": [64, 64]}
    folder = train(config(plane="axial", training=training), *folders, tmp_path / "run")
    assert json.loads((folder / "result.json").read_text("utf-8"))["validation_dice"] > 0.8
