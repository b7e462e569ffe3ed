"""How many processors a process counts and uses: what it was given, not what the computer has."""

import json
import os
import platform
import subprocess
import sys
import threading
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from small_packages import write_package

from SpineInference import processors
from SpineInference.errors import Cancelled

V1 = {"cpu.cfs_quota_us": "300000\n", "cpu.cfs_period_us": "100000\n"}


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, None),
        ({f"cpu/{name}": content for name, content in V1.items()}, 3.0),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu.max": "something else"}, None),
        ({}, None),
    ],
)
def test_container_quota(tmp_path, files, quota):
    assert processors._container_quota(written(tmp_path, files), tmp_path / "none") == quota


@pytest.mark.parametrize(
    ("own", "files", "quota"),
    [
        ("0::/job.slice/step\n", {"job.slice/cpu.max": "200000 100000", "job.slice/step/cpu.max": "max 100000"}, 2.0),
        ("0::/a/b\n", {"cpu.max": "400000 100000", "a/b/cpu.max": "50000 100000"}, 0.5),
        ("4:memory:/a\n3:cpuacct,cpu:/a\n0::/\n", {f"cpu/a/{name}": content for name, content in V1.items()}, 3.0),
        ("4:memory:/a\n", {f"cpu/a/{name}": content for name, content in V1.items()}, None),
        ("0::/of/the/host\n", {"cpu.max": "100000 100000"}, 1.0),
        ("nonsense\n\n", {}, None),
    ],
)
def test_strictest_group_above_counts(tmp_path, own, files, quota):
    written(tmp_path, {"own": own})
    assert processors._container_quota(written(tmp_path / "mount", files), tmp_path / "own") == quota


@pytest.mark.parametrize(("quota", "cores", "expected"), [(2.5, 8, 3), (0.2, 8, 1), (16.0, 4, 4), (None, 4, 4)])
def test_smaller_of_affinity_and_quota_counts(monkeypatch, quota, cores, expected):
    monkeypatch.setattr(processors, "_container_quota", lambda mount, own: quota)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)), raising=False)
    assert processors.available_processors() == expected


RUN = """
import json, os, sys
from pathlib import Path
from SpineInference import processors

model, scan, groups, affinity = sys.argv[1:]
processors._CGROUPS = Path(groups)
if affinity:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
else:
    os.sched_getaffinity = lambda pid: set(range(8))  # an affinity that is no limit
processors.prepare_process()
import SimpleITK as sitk
from SpineInference.models.catalog import open_set
from SpineInference.pipeline import segment

sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(8)
result = segment(sitk.ReadImage(scan), open_set(model))
itk = [sitk.ProcessObject.GetGlobalDefaultNumberOfThreads(), sitk.MedianImageFilter().GetNumberOfThreads()]
print(json.dumps({"itk": itk, "engine": result.engine, "threads": len(os.listdir("/proc/self/task"))}))
"""


def ran_with(tmp_path: Path, cpu_max: str, affinity: bool) -> dict:
    """What a process without options has used, under that quota or the affinity of one processor."""
    write_package(tmp_path / "model")
    voxels = np.random.default_rng(0).integers(0, 99, (24, 24, 24), np.int16)
    sitk.WriteImage(sitk.GetImageFromArray(voxels), tmp_path / "scan.nrrd")
    groups = written(tmp_path / "groups", {"cpu.max": cpu_max})
    order = [sys.executable, "-c", RUN, tmp_path / "model", tmp_path / "scan.nrrd", groups, "yes" if affinity else ""]
    done = subprocess.run([str(part) for part in order], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
@pytest.mark.parametrize(("cpu_max", "affinity"), [("100000 100000", False), ("max 100000", True)])
def test_every_stage_keeps_to_what_was_granted(tmp_path, cpu_max, affinity):
    used = ran_with(tmp_path, cpu_max, affinity)
    assert used["itk"] == [1, 1] and "1 threads" in used["engine"]
    assert used["threads"] <= 6, "one that computes, and those that wait"


HEAPS = """
import ctypes, sys, threading
from SpineInference.processors import prepare_process

if sys.argv[1]:
    prepare_process()
libc, together = ctypes.CDLL(None), threading.Barrier(4)

def work():
    block = bytearray(100_000)
    together.wait()

threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc.malloc_stats()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have one heap")
def test_threads_share_one_heap():
    def heaps(prepared: str) -> int:
        order = [sys.executable, "-c", HEAPS, prepared]
        return subprocess.run(order, capture_output=True, text=True, check=True).stderr.count("Arena ")

    assert heaps("") > 1, "nothing is left to be done"
    assert heaps("yes") == 1


@pytest.mark.parametrize("threads", [1, 3])
def test_work_is_shared_in_order_and_errors_come_through(threads):
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    together = threading.Barrier(threads)
    try:
        processors.use_processors(threads)
        assert processors.in_threads(lambda a, b: together.wait(10) * 0 + a - b, range(6), repeat(1)) == [
            -1,
            0,
            1,
            2,
            3,
            4,
        ]
        with pytest.raises(ZeroDivisionError):
            processors.in_threads(lambda a: 1 / a, [1, 0])
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def test_the_next_item_is_made_while_one_is_used():
    made = []

    def items():
        for number in range(4):
            made.append(threading.Event())
            yield number
            made[number].set()

    ahead = processors.one_ahead(items())
    assert next(ahead) == 0
    assert made[0].wait(10), "the next one was not begun"
    assert list(ahead) == [1, 2, 3]


def test_who_stops_early_leaves_nothing_running():
    def items():
        yield from range(9)

    before = threading.active_count()
    ahead = processors.one_ahead(items())
    next(ahead)
    ahead.close()
    assert threading.active_count() == before


def test_an_error_of_what_makes_the_items_is_raised_where_they_are_used():
    def items():
        yield 1
        raise Cancelled

    ahead = processors.one_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(Cancelled):
        next(ahead)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
def test_several_processors_are_used(tmp_path):
    used = ran_with(tmp_path, "300000 100000", affinity=False)
    assert used["itk"] == [3, 3] and "3 threads" in used["engine"]
