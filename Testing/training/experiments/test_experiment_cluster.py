"""An experiment in a cluster gives what it gives on one computer, whatever dies in between."""

import csv
import re
import sys
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import create_autospec

import psutil
import pytest
import safetensors.torch
import yaml
from ray_nodes import RayNodes, two_nodes
from tiny_training import make_dataset, settings

from SegTraining.cli import main
from SegTraining.config.config import parse_config
from SegTraining.data.prepare import Job, prepare
from SegTraining.experiments import ray_executor
from SegTraining.experiments.task import TRAINED, Task, TaskOutcome, run_task
from SpineInference.app.cluster import LOCAL, Cluster, Finished, connected
from SpineInference.errors import SpineError

LONG = {"training": {"max_epochs": 3, "steps_per_epoch": 15}}


def here(tasks, on_outcome) -> None:
    """An executor that is none: everything in this process."""
    for task in tasks:
        on_outcome(run_task(task))


def arguments(folder: Path, runs: dict[str, dict], *more: str) -> list[str]:
    """The command for an experiment in `folder` on generated data."""
    network = {"family": "fdn5", "arguments": {}}
    content = {
        "name": "trial",
        "configuration": settings(network=network, training={"max_epochs": 1}),
        "axes": {"run": runs},
        "resources": {"memory_gb": 2},
    }
    folder.mkdir()
    (folder / "trial.yaml").write_text(yaml.safe_dump(content), "utf-8")
    places = {"--data": make_dataset(folder / "data"), "--cache": folder / "cache", "-o": folder / "out"}
    options = [str(part) for place in places.items() for part in place]
    return ["experiment", str(folder / "trial.yaml"), *options, *more]


def cut_power(nodes: RayNodes, run: Path) -> None:
    """End the node at which `run` is made, between its first checkpoint and its end."""
    while not (run / "last.ckpt").exists():
        time.sleep(0.01)
    worker = psutil.Process(int(re.search(r"process (\d+)", (run / "log.txt").read_text("utf-8"))[1]))
    worker.suspend()
    assert not (run / TRAINED).exists(), "the run was over before its node died"
    nodes.cut_power(worker)


@two_nodes
@pytest.mark.slow
def test_a_dead_node_costs_no_run_and_changes_none(tmp_path, monkeypatch, capfd):
    runs = {"long": LONG, "short": {}}
    monkeypatch.setattr("SegTraining.experiments.local_executor.run_locally", here)
    assert main(arguments(tmp_path / "alone", runs, "--only", "long")) == 0
    nodes = RayNodes()
    try:
        out = tmp_path / "cluster" / "out"
        killer = threading.Thread(target=cut_power, args=(nodes, out / "runs" / "long"), daemon=True)
        killer.start()
        capfd.readouterr()
        code = main(arguments(tmp_path / "cluster", runs, "--cluster", nodes.address))
        killer.join()
    finally:
        nodes.shutdown()
    lines = capfd.readouterr().out.splitlines()
    assert code == 0, lines
    assert lines.count("long: its worker died, it is tried again.") == 1
    told = [line.split(": ")[1] for line in lines if re.match(r"\d of 2: ", line)]
    assert told == ["short", "long"]
    assert (out / "runs" / "long" / "log.txt").read_text("utf-8").count("--- ") == 2
    alone, cluster = (
        safetensors.torch.load_file(tmp_path / place / "out" / "runs" / "long" / "weights.safetensors")
        for place in ("alone", "cluster")
    )
    assert all(alone[tensor].equal(cluster[tensor]) for tensor in alone)
    with (out / "report-tables" / "scores.csv").open(newline="", encoding="utf-8") as file:
        assert sorted(row["Run"] for row in csv.DictReader(file)) == sorted(runs)


def test_unreachable_cluster_is_told(tmp_path, capfd):
    assert main(arguments(tmp_path / "trial", {"short": {}}, "--cluster", "127.0.0.1:1")) == 2
    assert 'the Ray cluster "127.0.0.1:1" cannot be used' in capfd.readouterr().err
    assert not (tmp_path / "trial" / "out" / "runs").exists()


def test_a_local_cluster_has_the_processors_granted(monkeypatch):
    """Those of the computer may be many times as many as a container or a batch system lets a process use."""
    given = {}
    ray = SimpleNamespace(init=lambda **options: given.update(options), shutdown=lambda: None)
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr("SpineInference.app.cluster.available_processors", lambda: 3)
    with connected(LOCAL):
        pass
    assert given["num_cpus"] == 3


def test_outcomes_come_back_from_a_cluster(tmp_path, monkeypatch):
    cluster = create_autospec(Cluster, instance=True)
    cluster.most.return_value = 0
    done = [Finished("one", TaskOutcome("one", 1.0)), Finished("two", error=SpineError("no room"))]
    cluster.map_unordered.return_value = iter(done)
    monkeypatch.setattr(ray_executor, "connected", lambda address: nullcontext(cluster))
    tasks = [Task(name, *[tmp_path] * 4, cpus=2, gpus=1) for name in ("one", "two")]
    outcomes: list[TaskOutcome] = []
    ray_executor.run_in_cluster("head:6379")(tasks, outcomes.append)
    assert [(each.name, each.error) for each in outcomes] == [("one", None), ("two", "no room")]
    _, items, needs, *_ = cluster.map_unordered.call_args.args
    assert set(items) == {"one", "two"} and (needs.cpus, needs.gpus) == (2, 0), "no node has a GPU"


def test_a_run_leaves_others_their_processors(tmp_path, monkeypatch):
    threads = []
    monkeypatch.setattr(ray_executor, "run_task", lambda task, number: threads.append(number))
    ray_executor._run(Task("run", tmp_path, tmp_path, tmp_path, tmp_path, cpus=2), monitor=None)
    assert threads == [2]


def test_a_case_prepared_meanwhile_stays(tmp_path, monkeypatch):
    config, data, cache = parse_config(settings(), "trial"), make_dataset(tmp_path / "data"), tmp_path / "cache"
    compute = Job._arrays
    made: list[int] = []

    def overtaken(job: Job, *images) -> tuple:
        monkeypatch.setattr(Job, "_arrays", compute)
        job.run()
        made.append((job.folder / "image.npy").stat().st_ino)
        return compute(job, *images)

    monkeypatch.setattr(Job, "_arrays", overtaken)
    prepare(config, data, cache)
    (folder,) = (path.parent for path in cache.rglob("image.npy") if path.stat().st_ino == made[0])
    assert sorted(path.name for path in folder.parent.iterdir()) == ["a", "b", "c", "d"]
