"""The real 3D Slicer, where there is one; and that the tool which drives it notices what goes wrong."""

import os
import re
import subprocess
import sys

import pytest
import run_in_slicer
from watched_process import Ended


@pytest.mark.slow
@pytest.mark.parametrize("name", run_in_slicer.CHECKS)
def test_in_the_real_slicer(project, tmp_path, name):
    executable = os.environ.get("SLICER_EXECUTABLE")
    if not executable:
        pytest.skip("no real Slicer: set SLICER_EXECUTABLE to the program Slicer")
    command = [sys.executable, project / "Testing" / "run_in_slicer.py", "--slicer", executable, "--logs", tmp_path]
    done = subprocess.run([*command, "--only", name], capture_output=True, encoding="utf-8", errors="replace")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("ended", "failure"),
    [
        (Ended(1, "", 1.0, [], []), "exit code 1"),
        (Ended(None, "", 1.0, [], []), "not finished"),
        (Ended(0, "Traceback (most recent call last):\n", 1.0, [], []), "1 traceback"),
        (Ended(0, "", 1.0, ["python -m SpineInference.app.worker"], []), "left behind: python"),
        (Ended(0, "", 1.0, [], ["SpineSegmentation-x"]), "SpineSegmentation-x"),
    ],
)
def test_what_goes_wrong_is_a_failure(ended, failure):
    [found] = run_in_slicer.judged(ended).failures
    assert failure in found


def test_a_clean_run_is_none():
    assert run_in_slicer.judged(Ended(0, "done\n", 1.0, [], [])).failures == []


def test_a_slicer_that_is_not_there_is_refused(project, tmp_path):
    done = subprocess.run(
        [sys.executable, project / "Testing" / "run_in_slicer.py", "--slicer", tmp_path / "Slicer"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "cannot be run" in done.stderr


def test_the_readme_holds_the_one_example_that_is_run(project):
    text = (project / "README.md").read_text("utf-8")
    assert len(re.findall(run_in_slicer.README_EXAMPLE, text, re.S | re.M)) == 1


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for Slicer is a shell script")
def test_a_self_test_that_runs_nothing_fails(tmp_path):
    fake = tmp_path / "Slicer"
    fake.write_text("#!/bin/sh\necho nothing\n")
    fake.chmod(0o755)
    outcome = run_in_slicer.self_test(run_in_slicer.Slicer(fake, tmp_path, None, []))
    assert outcome.failures == ["no test has run"]
