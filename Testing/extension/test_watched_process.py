"""What `run_in_slicer.py` relies on: a program is followed to its end, and whatever it leaves behind is seen."""

import sys
import textwrap
import time

import psutil
import pytest
from watched_process import run_watched


def is_gone(pid: int) -> bool:
    time.sleep(0.2)
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr("watched_process.EXIT_GRACE_S", 1.0)

    def run(code: str, time_limit_s: float = 30, **options):
        command = [sys.executable, "-c", textwrap.dedent(code)]
        return run_watched(command, tmp_path / "log", tmp_path, time_limit_s, **options)

    return run


CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
print(child.pid, flush=True)
time.sleep(1)
"""


def test_exit_code_and_output_are_reported(run):
    finished = run("import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(3)")
    assert (finished.exit_code, finished.output.split()) == (3, ["out", "err"])
    assert finished.surviving_processes == [] and finished.remaining_files == []


def test_surviving_child_is_reported_and_ended(run):
    finished = run(CHILD)
    assert finished.exit_code == 0
    assert finished.surviving_processes and all("time.sleep(300)" in line for line in finished.surviving_processes)
    assert is_gone(int(finished.output))


def test_time_limit_ends_the_whole_process_tree(run):
    started = time.monotonic()
    finished = run(CHILD + "time.sleep(300)", time_limit_s=2)
    assert finished.exit_code is None and finished.surviving_processes == []
    assert time.monotonic() - started < 20
    assert is_gone(int(finished.output))


def test_kill_at_kills_the_named_process(run, tmp_path):
    marker = tmp_path / "now"
    code = f"import os, time; open({str(marker)!r}, 'w').write(str(os.getpid())); time.sleep(300)"
    finished = run(code, kill_at=marker)
    assert finished.exit_code not in (None, 0)


def test_left_temporary_files_are_reported(run):
    finished = run("import tempfile; tempfile.mkdtemp(prefix='SpineSegmentation-x'); tempfile.mkdtemp(prefix='other')")
    [name] = finished.remaining_files
    assert name.startswith("SpineSegmentation-x")
