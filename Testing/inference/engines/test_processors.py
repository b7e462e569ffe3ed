"""How many processors a process counts: what it was given, not what the computer has."""

import os

import pytest

from SpineInference import processors


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3.0),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu.max": "something else"}, None),
        ({}, None),
    ],
)
def test_container_quota(tmp_path, files, quota):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert processors._container_quota(tmp_path) == quota


@pytest.mark.parametrize(("quota", "cores", "expected"), [(2.5, 8, 3), (0.2, 8, 1), (16.0, 4, 4), (None, 4, 4)])
def test_smaller_of_affinity_and_quota_counts(monkeypatch, quota, cores, expected):
    monkeypatch.setattr(processors, "_container_quota", lambda root: quota)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)), raising=False)
    assert processors.available_processors() == expected
