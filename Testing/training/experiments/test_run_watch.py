"""How far the runs of an experiment are is told by what they write, wherever they run."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from SegTraining.evaluation.output import write_csv
from SegTraining.experiments.run_watch import RunWatch


def write(folder: Path, epochs: int) -> None:
    folder.mkdir(exist_ok=True)
    rows = [
        {"epoch": n, "loss": f"{1 / n:.3f}", "validation_dice": "0.5" if n > 1 else ""} for n in range(1, epochs + 1)
    ]
    write_csv(rows, folder / "metrics.csv")
    os.utime(folder / "metrics.csv", ns=(epochs, epochs))  # files written in the same tick differ


@pytest.fixture
def told(caplog) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO, logger="SegTraining")
    return lambda: sorted(caplog.messages)


def test_each_run_that_has_come_further_is_told_of(tmp_path, told):
    write(tmp_path / "begun", 2)
    watch = RunWatch({tmp_path / "begun": 9, tmp_path / "new": 5}, tell_seconds=0)
    watch.look()
    assert not told()
    write(tmp_path / "new", 1)
    write(tmp_path / "begun", 3)
    watch.look()
    watch.look()
    assert told() == [
        "begun: epoch 3 of at most 9, loss 0.333, validation Dice 0.5",
        "new: epoch 1 of at most 5, loss 1.000",
    ]


def test_a_fast_run_is_told_of_now_and_then(tmp_path, told):
    watch = RunWatch({tmp_path / "fast": 9}, tell_seconds=3600)
    for epoch in (1, 2, 3):
        write(tmp_path / "fast", epoch)
        watch.look()
    assert len(told()) == 1


def test_a_half_written_file_disturbs_nothing(tmp_path, told):
    watch = RunWatch({tmp_path: 9}, tell_seconds=0)
    (tmp_path / "metrics.csv").write_text("epoch,loss,validation_dice\n", "utf-8")
    watch.look()
    with RunWatch({tmp_path: 9}, look_seconds=0.001):
        pass
    assert not told()
