"""What must not harm a run: the plug pulled at any moment, a full disk, a second process, too large a batch."""

import errno
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from tiny_training import best_weights, config, last_state, same, write_settings

from SegTraining.cli import main
from SegTraining.config.config import load_config
from SegTraining.data.prepare import prepare
from SegTraining.training.module import SegmentationModule
from SegTraining.training.out_of_memory import is_out_of_memory
from SegTraining.training.run_lock import run_lock
from SegTraining.training.train import train
from SpineInference.errors import SpineError


@pytest.mark.slow
def test_killed_run_is_resumed_bit_for_bit(folders, tmp_path):
    data, cache = folders
    path = write_settings(tmp_path / "tiny.yaml", training={"steps_per_epoch": 25, "max_epochs": 3})
    whole = train(load_config(path), data, cache, tmp_path / "whole")
    killed = tmp_path / "killed"
    arguments = ["train", str(path), "--data", str(data), "--cache", str(cache), "-o", str(killed)]
    process = subprocess.Popen([sys.executable, "-m", "SegTraining.cli", *arguments], stdout=subprocess.PIPE, text=True)
    next(line for line in process.stdout if line.startswith("epoch 1"))
    while not (killed / "last.ckpt").exists():
        time.sleep(0.01)
    time.sleep(0.2)
    process.kill()
    process.wait()
    assert (killed / "metrics.csv").read_text("utf-8").count("\n") <= 3, "the run was over before it was killed"
    assert main([*arguments, "--resume"]) == 0
    assert same(last_state(whole), last_state(killed))
    assert same(*(best_weights(run) for run in (whole, killed)))


def test_run_without_checkpoint_is_begun_again(whole_run, folders, tmp_path, monkeypatch):
    def pull_the_plug(*arguments):
        raise KeyError("the plug")

    with monkeypatch.context() as patch:
        patch.setattr(SegmentationModule, "training_step", pull_the_plug)
        with pytest.raises(KeyError):
            train(config(), *folders, tmp_path / "run")
    train(config(), *folders, tmp_path / "run", resume=True)
    assert same(last_state(tmp_path / "run"), last_state(whole_run))


def test_ctrl_c_ends_with_130_and_says_how_to_resume(whole_run, folders, tmp_path, monkeypatch, capsys):
    data, cache = folders
    path, run = write_settings(tmp_path / "tiny.yaml"), tmp_path / "run"
    arguments = ["train", str(path), "--data", str(data), "--cache", str(cache), "-o", str(run)]

    def interrupted_in_the_second_epoch(module, *batch):
        if module.current_epoch == 1:
            raise KeyboardInterrupt
        return step(module, *batch)

    step = SegmentationModule.training_step
    with monkeypatch.context() as patch:
        patch.setattr(SegmentationModule, "training_step", interrupted_in_the_second_epoch)
        assert main(arguments) == 130
    assert f'--resume goes on with "{run}"' in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert main([*arguments, "--resume"]) == 0
    assert same(last_state(run), last_state(whole_run))


def test_run_lock_is_free_when_its_process_dies(tmp_path):
    code = "import sys, time; from pathlib import Path; from SegTraining.training.run_lock import run_lock\n"
    code += "with run_lock(Path(sys.argv[1])): print('locked', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "locked\n"
    with pytest.raises(SpineError, match=rf"in use by another process \(process {process.pid} on "), run_lock(tmp_path):
        pass
    process.kill()
    process.wait()
    with run_lock(tmp_path):
        pass


def full_disk(*arguments, **options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_run_goes_on_after_a_full_disk(whole_run, folders, tmp_path):
    run = tmp_path / "run"
    done = []

    def full_at_the_second_epoch(content, file):
        file.write(b"the first bytes still fit")
        if done:
            full_disk()
        done.append(content)
        file.seek(0)
        save(content, file)

    save = torch.save
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("SegTraining.training.run_folder.torch.save", full_at_the_second_epoch)
        with pytest.raises(SpineError, match="No space left"):
            train(config(), *folders, run)
    assert torch.load(run / "last.ckpt", weights_only=True)["epoch"] == 0
    assert not [path for path in run.iterdir() if path.name.startswith(".writing")]
    train(config(), *folders, run, resume=True)
    assert same(last_state(whole_run), last_state(run))


def test_full_disk_leaves_no_half_prepared_case(folders, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("SegTraining.data.prepare.write_record", full_disk)
        with pytest.raises(SpineError, match=r"No space left.*make room"):
            prepare(config(), folders[0], tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert len(prepare(config(), folders[0], tmp_path / "cache")["training"]) == 2


@pytest.mark.parametrize("damage", ["another network", "cut off"])
def test_a_checkpoint_that_does_not_fit_is_told(folders, tmp_path, damage):
    run = train(config(training={"max_epochs": 1}), *folders, tmp_path / "run")
    if damage == "another network":
        other = train(config(network={"family": "fdn5", "arguments": {}}), *folders, tmp_path / "other")
        os.replace(other / "last.ckpt", run / "last.ckpt")
    else:
        (run / "last.ckpt").write_bytes((run / "last.ckpt").read_bytes()[:5000])
    with pytest.raises(SpineError, match=damage if damage == "another network" else "cannot be read"):
        train(config(), *folders, run, resume=True)


def test_out_of_memory_names_the_batch_that_fits(folders, tmp_path, monkeypatch):
    forward = torch.nn.Conv2d.forward

    def with_room_for_three(convolution, image):
        if len(image) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return forward(convolution, image)

    monkeypatch.setattr(torch.nn.Conv2d, "forward", with_room_for_three)
    with pytest.raises(SpineError, match=r"A batch of 8 .*batch_size to 2 \(with training.accumulate 4"):
        train(config(training={"batch_size": 8}), *folders, tmp_path / "run")


def test_other_errors_are_no_lack_of_memory():
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    assert not is_out_of_memory(RuntimeError("Given groups=1, weight of size [4, 3, 3, 3]"))


@pytest.mark.parametrize(
    ("training", "optimiser"),
    [
        ({"accumulate": 2, "clip_norm": 0.1}, {"name": "sgd", "momentum": 0.0}),
        ({"precision": "bf16-mixed"}, {"name": "rmsprop"}),
        ({"augment_on_device": True}, {"name": "adam"}),
    ],
)
def test_two_runs_are_identical_whatever_the_recipe(folders, tmp_path, training, optimiser):
    setting = config(training={"max_epochs": 1, **training}, optimiser=optimiser)
    first, second = (train(setting, *folders, tmp_path / name) for name in ("first", "second"))
    assert same(last_state(first), last_state(second))
    losses = json.loads((first / "result.json").read_text("utf-8"))
    assert losses["epoch"] == 1
