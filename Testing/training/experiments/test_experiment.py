"""An experiment runs through whatever happens: killed, started again, with a run that fails, with a changed preset."""

import csv
import io
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import safetensors.torch
import yaml
from tiny_training import make_dataset, settings

from SegTraining.cli import main
from SegTraining.config.console import show_progress
from SegTraining.config.experiment import load_experiment
from SegTraining.experiments.local_executor import run_locally
from SegTraining.experiments.runner import plan, run_experiment
from SegTraining.experiments.task import Task, TaskOutcome, run_task
from SegTraining.training.run_lock import run_lock
from SpineInference.errors import SpineError

FLAT = {"family": "fdn5", "arguments": {}}
RUNS = {"deep": {"network": {"family": "fdn11"}}, "flat": {}}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("data"))


def write(folder: Path, runs: dict[str, dict] = RUNS, evaluate: tuple[str, ...] = ("test",), **training) -> Path:
    content = {
        "name": "trial",
        "configuration": settings(network=FLAT, training={"max_epochs": 1, **training}),
        "axes": {"network": runs},
        "evaluate": list(evaluate),
    }
    path = folder / "trial.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
    return path


def arguments(path: Path, data: Path) -> list[str]:
    folders = {"--data": data, "--cache": path.parent / "cache", "-o": path.parent / "out"}
    return ["experiment", str(path), *(text for key, folder in folders.items() for text in (key, str(folder)))]


def here(tasks, on_outcome) -> None:
    """An executor that is none: everything in this process."""
    for task in tasks:
        on_outcome(run_task(task))


def run(path: Path, data: Path, execute=here, only=("*",)) -> None:
    output = path.parent / "out"
    show_progress()
    run_experiment(plan(load_experiment(path), output, data, path.parent / "cache", only=only), output, execute)


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory) -> tuple[Path, list[str]]:
    """The file of an experiment that was run with everything in it, and what it said; nobody may change it."""
    path = write(tmp_path_factory.mktemp("finished"))
    with redirect_stdout(io.StringIO()) as said:
        run(path, data)
    return path, said.getvalue().splitlines()


@pytest.fixture
def copied(finished, tmp_path) -> Path:
    """The file of a copy of that experiment, which may be changed."""
    shutil.copytree(finished[0].parent, tmp_path / "copied")
    return tmp_path / "copied" / "trial.yaml"


def test_all_runs_are_trained_evaluated_and_reported(finished):
    path, lines = finished
    assert lines[0].startswith("2 runs, 0 of them done")
    assert lines[1].startswith("1 of 2: deep: validation Dice 0.") and "test Dice 0." in lines[1] and "left" in lines[1]
    assert lines[2].startswith("2 of 2: flat: ") and lines[-1].endswith("report.html")
    with (path.parent / "out" / "report-tables" / "scores.csv").open(newline="", encoding="utf-8") as file:
        assert [(row["Run"], row["Cases of"]) for row in csv.DictReader(file)] == [("deep", "test"), ("flat", "test")]
    assert (path.parent / "out" / "runs" / "deep" / "evaluation" / "test" / "network-sagittal.npz").exists()


def test_what_is_done_is_not_done_again(copied, data, capsys):
    run(copied, data, execute=lambda tasks, on_outcome: pytest.fail("done already"))
    assert main([*arguments(copied, data), "--list"]) == 0
    assert capsys.readouterr().out.splitlines()[-3:-1] == ["deep  done", "flat  done"]


def test_a_missing_evaluation_is_made_without_training(copied, data):
    folder = copied.parent / "out" / "runs" / "flat"
    (folder / "evaluation" / "test" / "summary.json").unlink()
    before = (folder / "weights.safetensors").stat().st_mtime_ns
    run(copied, data)
    assert (folder / "evaluation" / "test" / "summary.json").exists()
    assert (folder / "weights.safetensors").stat().st_mtime_ns == before


def test_a_run_that_fails_is_told_and_the_others_go_on(data, tmp_path, capsys):
    broken = {"network": {"family": "unet", "arguments": {"encoder": "no-such-encoder"}}}
    path = write(tmp_path, {"broken": broken, **RUNS}, evaluate=())
    with pytest.raises(SpineError, match=r"1 of 2 runs have failed \(broken\)"):
        run(path, data, only=("broken", "flat"))
    first, second = capsys.readouterr().out.splitlines()[1:3]
    assert first.startswith("1 of 2: broken: FAILED: ") and "no-such-encoder" in first
    assert second.startswith("2 of 2: flat: validation Dice")
    assert "no-such-encoder" in (tmp_path / "out" / "runs" / "broken" / "log.txt").read_text("utf-8")


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(data, tmp_path, monkeypatch, capsys):
    def interrupt(task):
        raise KeyboardInterrupt

    monkeypatch.setattr("SegTraining.experiments.local_executor._in_child", interrupt)
    assert main(arguments(write(tmp_path), data)) == 130
    assert "the same command goes on" in capsys.readouterr().err


def test_a_changed_configuration_is_refused(copied, data):
    with pytest.raises(SpineError, match=r"training\.batch_size was 4, now it is 2"):
        run(write(copied.parent, batch_size=2), data)


def test_runs_can_be_added_later(copied, data):
    path = write(copied.parent, {**RUNS, "new": {}})
    planned = plan(load_experiment(path), path.parent / "out", data, path.parent / "cache")
    assert [(each.run.name, each.state) for each in planned] == [("deep", "done"), ("flat", "done"), ("new", "new")]


def test_unusable_data_is_told_before_anything_runs(data, tmp_path):
    path = write(tmp_path, {"all": {"data": {"split": {"validation": ["c"], "test": []}}}})
    with pytest.raises(SpineError, match='The run "all" has no test cases'):
        run(path, data)
    with pytest.raises(SpineError, match="No run of trial is called some"):
        run(path, data, only=("some",))
    assert not (tmp_path / "out" / "runs").exists()


def test_two_processes_do_not_run_the_same_experiment(data, tmp_path):
    path = write(tmp_path)
    with run_lock(tmp_path / "out"), pytest.raises(SpineError, match="in use by another process"):
        run(path, data)


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.slow
def test_killed_experiment_goes_on_bit_for_bit(data, tmp_path):
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    runs = {"flat": {"training": {"max_epochs": 1, "steps_per_epoch": 2}}, "deep": RUNS["deep"]}
    long = {"max_epochs": 3, "steps_per_epoch": 10}
    whole, killed = (write(tmp_path / name, runs, evaluate=(), **long) for name in ("whole", "killed"))
    run(whole, data, only=("deep",))
    process = subprocess.Popen(
        [sys.executable, "-m", "SegTraining.cli", *arguments(killed, data)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert next(line for line in process.stdout if line.startswith("1 of 2")).startswith("1 of 2: flat: validation")
    folder = tmp_path / "killed" / "out" / "runs" / "deep"
    while not (folder / "last.ckpt").exists():
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder / "trained").exists(), "the run was over before it was killed"
    wait_until_free(folder)
    assert main(arguments(killed, data)) == 0
    first, second = (
        safetensors.torch.load_file(path.parent / "out" / "runs" / "deep" / "weights.safetensors")
        for path in (whole, killed)
    )
    assert all(first[name].equal(second[name]) for name in first)
    assert (tmp_path / "killed" / "out" / "report.html").exists()


def wait_until_free(folder: Path) -> None:
    """The process of a run ends by itself, soon after the one that started it."""
    for _ in range(100):
        try:
            with run_lock(folder):
                return
        except SpineError:
            time.sleep(0.1)
    pytest.fail("the killed run goes on")


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.slow
def test_a_crash_is_told_and_the_next_task_is_run(tmp_path):
    tasks = [Task(name, tmp_path / f"{name}.yaml", tmp_path / name, tmp_path, tmp_path) for name in ("one", "two")]
    outcomes: list[TaskOutcome] = []
    crashing = threading.Thread(target=crash_first_child)
    crashing.start()
    run_locally(tasks, outcomes.append)
    crashing.join()
    assert "ended with code -11" in outcomes[0].error and "no configuration" in outcomes[1].error


def crash_first_child() -> None:
    while not (children := multiprocessing.active_children()):
        time.sleep(0.001)
    os.kill(children[0].pid, signal.SIGSEGV)
