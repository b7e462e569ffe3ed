"""The real 3D Slicer, where there is one; and that the tool which drives it notices what goes wrong."""

import os
import re
import subprocess
import sys

import pytest
import run_in_slicer
from watched_process import FinishedProcess


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
    ("finished", "failure"),
    [
        (FinishedProcess(1, "", 1.0, [], []), "exit code 1"),
        (FinishedProcess(None, "", 1.0, [], []), "not finished"),
        (FinishedProcess(0, "Traceback (most recent call last):\n", 1.0, [], []), "1 traceback"),
        (FinishedProcess(0, "", 1.0, ["python -m SpineInference.app.worker"], []), "left behind: python"),
        (FinishedProcess(0, "", 1.0, [], ["SpineSegmentation-x"]), "SpineSegmentation-x"),
    ],
)
def test_failures_are_reported(finished, failure):
    [found] = run_in_slicer.checked(finished).failures
    assert failure in found


def test_clean_run_has_no_failures():
    assert run_in_slicer.checked(FinishedProcess(0, "done\n", 1.0, [], [])).failures == []


def test_missing_slicer_is_refused(project, tmp_path):
    done = subprocess.run(
        [sys.executable, project / "Testing" / "run_in_slicer.py", "--slicer", tmp_path / "Slicer"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "cannot be run" in done.stderr


def test_folder_without_the_module_is_refused(project, tmp_path):
    done = subprocess.run(
        [sys.executable, project / "Testing" / "run_in_slicer.py", "--slicer", sys.executable, "--module", tmp_path],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "no SpineSegmentation.py" in done.stderr


def test_readme_holds_the_example_that_is_run(project):
    text = (project / "README.md").read_text("utf-8")
    assert len(re.findall(run_in_slicer.README_EXAMPLE, text, re.S)) == 1


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for Slicer is a shell script")
def test_self_test_that_runs_nothing_fails(tmp_path):
    fake = tmp_path / "Slicer"
    fake.write_text("#!/bin/sh\necho nothing\n")
    fake.chmod(0o755)
    result = run_in_slicer.self_test(run_in_slicer.Slicer(fake, tmp_path, None, []))
    assert result.failures == ["no test has run"]
