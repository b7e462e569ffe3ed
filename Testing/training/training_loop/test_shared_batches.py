"""One run spread over two processes gives what one process gives."""

import csv
import json
from pathlib import Path

import pytest
import safetensors.torch
import torch
from tiny_training import make_dataset, settings

from SegTraining.config.config import Config
from SegTraining.config.console import show_progress
from SegTraining.training.train import train


def result(devices: int, folders: tuple[Path, Path], run_folder: Path) -> tuple[dict, list[float], dict]:
    """Weights, losses and result of a tiny run without batch normalisation, which on a CPU is each process's own."""
    # Adam would make whole steps out of the smallest gradients, and of their rounding errors.
    optimiser = {"name": "sgd", "learning_rate": 1e-2}
    content = settings(training={"devices": devices, "max_minutes": 60}, optimiser=optimiser)
    content["network"] = {"family": "fdn5"}
    folder = train(Config.model_validate(content), *folders, run_folder)
    rows = list(csv.DictReader((folder / "metrics.csv").open(encoding="utf-8")))
    found = json.loads((folder / "result.json").read_text("utf-8"))
    return safetensors.torch.load_file(folder / "weights.safetensors"), [float(row["loss"]) for row in rows], found


@pytest.mark.slow
def test_two_processes_give_the_result_of_one(tmp_path, capfd):
    show_progress()
    folders = make_dataset(tmp_path / "data"), tmp_path / "cache"
    one, two = (result(devices, folders, tmp_path / f"run-{devices}") for devices in (1, 2))
    assert all(torch.allclose(one[0][name], two[0][name], atol=1e-6) for name in one[0])
    assert one[1] == pytest.approx(two[1], abs=1e-5)
    assert one[2]["dice"] == pytest.approx(two[2]["dice"], abs=1e-4)
    assert capfd.readouterr().out.count("epoch 2: loss") == 2, "each run says it once, also from other processes"
