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
    monkeypatch.setattr("watched_process.PATIENCE_S", 1.0)

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
    ended = run("import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(3)")
    assert (ended.exit_code, ended.output.split()) == (3, ["out", "err"])
    assert ended.left_behind == [] and ended.left_files == []


def test_a_process_that_outlives_the_program_is_named_and_ended(run):
    ended = run(CHILD)
    assert ended.exit_code == 0
    assert ended.left_behind and all("time.sleep(300)" in line for line in ended.left_behind)
    assert is_gone(int(ended.output))


def test_a_program_that_does_not_end_is_ended_with_its_children(run):
    started = time.monotonic()
    ended = run(CHILD + "time.sleep(300)", time_limit_s=2)
    assert ended.exit_code is None and ended.left_behind == []
    assert time.monotonic() - started < 20
    assert is_gone(int(ended.output))


def test_the_process_named_in_the_file_is_killed(run, tmp_path):
    marker = tmp_path / "now"
    code = f"import os, time; open({str(marker)!r}, 'w').write(str(os.getpid())); time.sleep(300)"
    ended = run(code, kill_at=marker)
    assert ended.exit_code not in (None, 0)


def test_temporary_files_of_the_project_are_seen(run):
    ended = run("import tempfile; tempfile.mkdtemp(prefix='SpineSegmentation-x'); tempfile.mkdtemp(prefix='other')")
    [name] = ended.left_files
    assert name.startswith("SpineSegmentation-x")
