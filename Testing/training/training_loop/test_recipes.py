"""What the settings of a training run do: each has the effect that its name promises."""

import csv
import json
from pathlib import Path

import pytest
import torch
from tiny_training import settings

from SegTraining.config.config import Config
from SegTraining.config.training import Optimiser
from SegTraining.training.module import SegmentationModule, _optimiser
from SegTraining.training.train import train

STILL = {
    "network": {"family": "fdn5", "arguments": {}},
    "optimiser": {"name": "sgd", "learning_rate": 1e-6, "momentum": 0, "weight_decay": 0},
}
"""No batch statistics, and an optimiser that changes next to nothing: the validation Dice stays what it is."""


def run(folders: tuple[Path, Path], folder: Path, **changes) -> tuple[list[dict[str, str]], dict[str, torch.Tensor]]:
    """The lines of metrics.csv and the last state of a run without a moving average worth the name."""
    train(Config.model_validate(settings(**changes)), *folders, folder)
    state = torch.load(folder / "last.ckpt", weights_only=True)["state_dict"]
    return list(csv.DictReader((folder / "metrics.csv").open(encoding="utf-8"))), state


def test_training_ends_when_nothing_improves(folders, tmp_path):
    training = {"max_epochs": 50, "early_stopping_epochs": 2, "steps_per_epoch": 1}
    optimiser = {**STILL["optimiser"], "learning_rate": 1e-9}
    rows, _ = run(folders, tmp_path / "run", training=training, **{**STILL, "optimiser": optimiser})
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]


def test_the_learning_rate_falls_on_a_plateau(folders, tmp_path):
    training = {"max_epochs": 6, "steps_per_epoch": 1}
    schedule = {"name": "plateau", "patience": 1, "factor": 0.5}
    rows, _ = run(folders, tmp_path / "run", training=training, schedule=schedule, **STILL)
    assert [float(row["learning_rate"]) for row in rows] == [1e-6, 1e-6, 1e-6, 5e-7, 5e-7, 2.5e-7]


def test_epochs_without_validation_claim_no_dice(folders, tmp_path):
    training = {"max_epochs": 4, "steps_per_epoch": 1, "early_stopping_epochs": 3}
    changes = {"validation": {"every_epochs": 2}, "schedule": {"name": "plateau"}}
    rows, _ = run(folders, tmp_path / "run", training=training, **changes)
    assert [bool(row["validation_dice"]) for row in rows] == [False, True, False, True]
    assert [bool(row["dice c"]) for row in rows] == [False, True, False, True]
    result = json.loads((tmp_path / "run" / "result.json").read_text("utf-8"))
    assert result["epoch"] in (2, 4)


@pytest.mark.parametrize(("name", "last"), [("cosine", 0.0), ("poly", 0.0), ("constant", 0.01)])
def test_schedules_begin_and_end_as_they_should(folders, tmp_path, name, last):
    training = {"max_epochs": 3, "steps_per_epoch": 6}
    rows, _ = run(folders, tmp_path / "run", training=training, schedule={"name": name, "warmup_steps": 0})
    rates = [float(row["learning_rate"]) for row in rows]
    assert rates[0] > 0.0066 and rates[-1] == pytest.approx(last, abs=0.002) and rates == sorted(rates, reverse=True)


def test_validation_loss_is_the_training_loss(folders, tmp_path):
    training, weights = {"max_epochs": 1, "steps_per_epoch": 1}, {"dice": 0, "cross_entropy": 1}
    once, _ = run(folders, tmp_path / "once", training=training, loss=weights, **STILL)
    twice, _ = run(folders, tmp_path / "twice", training=training, loss={"dice": 0, "cross_entropy": 2}, **STILL)
    first, second = (float(rows[0]["validation_loss"]) for rows in (once, twice))
    assert second == pytest.approx(2 * first, abs=2e-5) and 0.1 < first < 10


def test_validation_also_on_noisy_copies(folders, tmp_path):
    training = {"max_epochs": 2, "steps_per_epoch": 30, "crop": [64, 64]}
    rows, _ = run(folders, tmp_path / "run", training=training, plane="axial", validation={"noisy_copies": 0.5})
    clean, noisy = (float(rows[-1][f"dice {name}"]) for name in ("c", "c-noisy"))
    assert clean > 0.95 and noisy < 0.85
    assert float(rows[-1]["validation_dice"]) == pytest.approx((clean + noisy) / 2, abs=1e-4)


def test_accumulated_steps_change_the_weights_once(folders, tmp_path):
    _, state = run(folders, tmp_path / "run", training={"steps_per_epoch": 4, "accumulate": 4})
    assert state["average.updates"] == 2


def test_clipped_gradients_keep_the_steps_short(folders, tmp_path):
    plain = {"name": "sgd", "learning_rate": 1.0, "momentum": 0, "weight_decay": 0}
    ends = []
    for steps in (1, 2):
        training = {"clip_norm": 1e-3, "max_epochs": 1, "steps_per_epoch": steps}
        fixed = {"name": "constant", "warmup_steps": 0}
        _, state = run(folders, tmp_path / f"run-{steps}", training=training, optimiser=plain, schedule=fixed)
        trained = [name for name in state if name.startswith("network.") and not name.endswith(BUFFERS)]
        ends.append(torch.cat([state[name].flatten() for name in trained]))
    assert torch.linalg.vector_norm(ends[1] - ends[0]).item() == pytest.approx(1e-3, rel=0.01)


@pytest.mark.parametrize(("threads", "expected"), [(None, 3), (2, 2)])
def test_threads_are_chosen_when_an_epoch_begins(monkeypatch, threads, expected):
    before = torch.get_num_threads()
    monkeypatch.setattr("SegTraining.training.threads.available_processors", lambda: 3)
    monkeypatch.setattr("SegTraining.training.threads.idle_processors", lambda: 8)
    try:
        torch.set_num_threads(4)
        config = Config.model_validate(settings(training={"threads": threads, "deterministic": False}))
        SegmentationModule(config, torch.nn.Conv2d(1, 1, 1), []).on_train_epoch_start()
        assert torch.get_num_threads() == expected
    finally:
        torch.set_num_threads(before)


BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


@pytest.mark.filterwarnings("ignore:You passed .*16-mixed")  # which a CPU computes as bf16-mixed
@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_half_precision_keeps_full_weights(folders, tmp_path, precision):
    rows, state = run(folders, tmp_path / "run", training={"precision": precision, "max_epochs": 1})
    assert state["network.segmentation_head.0.weight"].dtype == torch.float32 and float(rows[0]["loss"]) < 3


def test_momentum_is_plain_unless_nesterov_is_asked_for():
    network = torch.nn.Linear(1, 1)
    for asked in (False, True):
        (group,) = _optimiser(network, Optimiser(name="sgd", nesterov=asked)).param_groups
        assert group["momentum"] == 0.9 and group["nesterov"] is asked
    with pytest.raises(ValueError, match="nesterov is for sgd"):
        Optimiser(name="adam", nesterov=True)
