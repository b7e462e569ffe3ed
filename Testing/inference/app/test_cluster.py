"""Work on a cluster: the same results as without, whatever dies in between, and nothing left behind."""

import csv
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
import SimpleITK as sitk
from cluster_work import die, kill_node_once, tell_process
from ray_nodes import RayNodes, two_nodes
from small_packages import fields, write_package

from SpineInference.app import cli
from SpineInference.app.cluster import Needs, connected
from SpineInference.errors import SpineError
from SpineInference.monitor import Monitor

ONE = Needs(cpus=1, memory_gb=0.5)


DONE = ["scan 0", "scan 1", "scan 4", "scan_2"]
"""The results of the archive."""


@pytest.fixture(scope="module")
def nodes():
    nodes = RayNodes()
    yield nodes
    nodes.shutdown()


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """Five scans of three bright blocks in grey tissue and a network that finds what is bright.

    One of the scans is broken, and the name of another one is not UTF-8.
    """
    folder = tmp_path_factory.mktemp("archive")
    write_package(folder / "bright", fields("bright-sagittal", "sagittal"))
    (folder / "scans").mkdir()
    for number in range(5):
        array = np.full((80, 48, 40), 100.0)
        for block in range(3):
            array[4 + 26 * block : 22 + 26 * block, 12:36, 8:32] = 300
        array += np.random.default_rng(number).normal(0, 5, array.shape)
        array[:, :4] = 0  # air
        image = sitk.GetImageFromArray(array.astype(np.int16))
        image.SetDirection((1, 0, 0, 0, 1, 0, 0, 0, -1))
        sitk.WriteImage(image, folder / "scans" / f"scan {number}.nii.gz")
    (folder / "scans" / "scan 3.nii.gz").write_bytes(b"this is no image" * 100)
    (folder / "scans" / "scan 2.nii.gz").rename(folder / "scans" / "scan\udcff2.nii.gz")
    return folder


def arguments(archive: Path, out: Path) -> list[str]:
    options = ["--model", archive / "bright", "--device", "cpu", "--threads", 1, "--no-overview"]
    return [str(part) for part in (archive / "scans", "-o", out, *options)]


def result_of(folder: Path) -> tuple:
    """What a scan has led to, but for times."""
    labels = sitk.ReadImage(folder / f"{folder.name}_labels.nii.gz")
    with (folder / f"{folder.name}_measurements.csv").open(encoding="utf-8") as file:
        return sitk.GetArrayFromImage(labels).tobytes(), labels.GetDirection(), list(csv.reader(file))


def without_times(lines: str) -> list[str]:
    return sorted(re.sub(r" in \d+ s -> .*", "", line) for line in lines.splitlines())


def sentences(lines: str) -> list[str]:
    """Notes and errors, without the stages of the work."""
    return sorted(line for line in lines.splitlines() if line.endswith("."))


def of_session(home: Path) -> Iterator[list[str]]:
    """The processes that have this home."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("HOME") == str(home):
                yield process.cmdline()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


# --- The engine


@two_nodes
def test_workers_are_kept_and_get_what_was_declared(nodes, tmp_path):
    items = {f"{number}": tmp_path / f"{number}" for number in range(4)}
    notes: list[str] = []
    monitor = Monitor(on_note=notes.append)
    with connected(nodes.address) as cluster:
        kept = list(cluster.map_unordered(tell_process, items, ONE, monitor, "items"))
        fresh = list(cluster.map_unordered(tell_process, items, ONE, monitor, "items", keep_workers=False))
    assert sorted(each.name for each in kept) == sorted(each.name for each in fresh) == list(items)
    assert all(each.notes == (f"noted {items[each.name]}",) for each in kept)
    assert all(each.outcome()[1] == {"CPU": 1.0, "memory": 2.0**29} for each in kept + fresh)
    assert len({each.outcome()[0] for each in kept}) <= 2
    assert len({each.outcome()[0] for each in fresh}) == 4
    assert not notes


@two_nodes
def test_work_of_a_dead_node_is_done_exactly_once(nodes, tmp_path):
    items = {name: tmp_path / name for name in ("a", "victim", "b", "c", "d", "e")}
    notes: list[str] = []
    with connected(nodes.address) as cluster:
        finished = list(cluster.map_unordered(kill_node_once, items, ONE, Monitor(on_note=notes.append), "items"))
    nodes.replace_dead()
    assert Counter(each.name for each in finished) == dict.fromkeys(items, 1)
    assert {each.name: each.outcome() for each in finished} == dict.fromkeys(items, "x") | {"victim": "xx"}
    assert notes == ["victim: its worker died, it is tried again."]


@two_nodes
def test_killer_of_workers_is_given_up_alone(nodes, capfd):
    items = {name: name for name in ("deadly", "a", "b")}
    with connected(nodes.address) as cluster:
        finished = {each.name: each for each in cluster.map_unordered(die, items, ONE, Monitor(), "items")}
    assert finished["a"].outcome() == "a" and finished["b"].outcome() == "b"
    with pytest.raises(SpineError, match="3 workers died with it"):
        finished["deadly"].outcome()
    assert capfd.readouterr().out == ""


@two_nodes
def test_what_no_node_has_is_refused(nodes):
    for needs in (Needs(2, 1.0), Needs(1, 500.0), Needs(1, 1.0, gpus=1)):
        with connected(nodes.address) as cluster, pytest.raises(SpineError, match="no node of the Ray cluster"):
            next(cluster.map_unordered(die, {"a": "a"}, needs, Monitor(), "items"))


def test_without_ray_one_sentence_says_how_to_get_it(archive, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert cli.main([*arguments(archive, tmp_path / "out"), "--cluster", "local"]) == 2
    assert 'pip install "ray[client]"' in capsys.readouterr().err
    assert not names_in(tmp_path)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nonsense"])
def test_where_no_cluster_answers_is_told_at_once(archive, tmp_path, capfd, address):
    started = time.monotonic()
    assert cli.main([*arguments(archive, tmp_path / "out"), "--cluster", address, "-q"]) == 2
    shown = capfd.readouterr().err.splitlines()
    assert len(shown) == 1 and f'the Ray cluster "{address}" cannot be used' in shown[0]
    assert time.monotonic() - started < 20 and not names_in(tmp_path)


# --- The command line


@pytest.mark.slow
def test_cluster_gives_the_results_of_one_computer(archive, tmp_path):
    """The same lines, notes, exit code and results; no process, no folder, no file in the home."""
    home = tmp_path / "home"
    home.mkdir()
    folders = set(Path("/tmp").glob("spine-ray-*"))
    ended = {}
    for name, more in (("alone", []), ("cluster", ["--cluster", "local"])):
        command = [sys.executable, "-m", "SpineInference.app.cli", *arguments(archive, tmp_path / name), *more]
        ended[name] = subprocess.run(
            command, capture_output=True, text=True, timeout=300, env=os.environ | {"HOME": str(home)}
        )
    assert ended["alone"].returncode == ended["cluster"].returncode == 2, ended["cluster"].stderr
    assert without_times(ended["cluster"].stdout) == without_times(ended["alone"].stdout)
    assert sentences(ended["cluster"].stderr) == sentences(ended["alone"].stderr)
    assert names_in(tmp_path / "cluster") == names_in(tmp_path / "alone") == DONE
    for name in names_in(tmp_path / "alone"):
        assert result_of(tmp_path / "cluster" / name) == result_of(tmp_path / "alone" / name)
    assert not names_in(home)
    assert not list(of_session(home))
    deadline = time.monotonic() + 60
    while set(Path("/tmp").glob("spine-ray-*")) - folders:  # they may be those of somebody else who is at work
        assert time.monotonic() < deadline, "the folder of the session is still there"
        time.sleep(0.1)


@two_nodes
def test_a_node_that_dies_costs_no_result(nodes, archive, tmp_path, capfd):
    out = tmp_path / "out"

    def kill_one() -> None:
        while not names_in(out):
            time.sleep(0.01)
        nodes.cut_power(nodes.stopped_at_work())

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    code = cli.main([*arguments(archive, out), "--cluster", nodes.address])
    killer.join()
    nodes.replace_dead()
    shown = capfd.readouterr()
    assert code == 2 and shown.err.count("its worker died, it is tried again") == 1, shown.err
    lines = without_times(shown.out)
    scans = [f"{name}: 3 vertebral bodies (Vertebra 1 to Vertebra 3)" for name in DONE]
    assert lines == ["4 of 5 scans done.", *scans]
    # Hidden: what the dead worker may have been writing.
    results = [name for name in names_in(out) if not name.startswith(".")]
    assert results == DONE
    assert all(len(names_in(out / name)) == 4 for name in results)


@two_nodes
def test_ctrl_c_ends_the_cluster_and_leaves_nothing(nodes, tmp_path):
    items = {f"{number}": tmp_path / f"{number}" for number in range(4)}
    script = f"""
import sys
from pathlib import Path, PosixPath
from cluster_work import until_stopped
from SpineInference.app.cluster import Needs, connected
from SpineInference.app.display import Display
from SpineInference.errors import Cancelled

display = Display()
try:
    with display.stoppable(), display.scan("cluster") as monitor, connected({nodes.address!r}) as cluster:
        list(cluster.map_unordered(until_stopped, {items!r}, Needs(1, 0.5), monitor, "items"))
except Cancelled:
    sys.exit(130)
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE, text=True)
    while len(names_in(tmp_path)) < 2:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 130
    assert "Traceback" not in process.stderr.read()
    assert len(names_in(tmp_path)) == 2
    deadline = time.monotonic() + 10
    while nodes.workers:
        assert time.monotonic() < deadline, "workers are still there"
        time.sleep(0.1)
