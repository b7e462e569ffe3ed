"""The workflow file: it is valid, runs what a developer runs, and calls scripts with options that they have."""

import re
import subprocess
import sys
import tomllib

import pytest

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed: pip install PyYAML")


@pytest.fixture(scope="module")
def jobs(project) -> dict:
    workflow = yaml.safe_load((project / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    return workflow["jobs"]


def commands(job: dict) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"])


def test_the_tests_run_on_three_systems_and_the_oldest_python(project, jobs):
    matrix = jobs["test"]["strategy"]["matrix"]
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "windows", "macos"}
    oldest = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    assert f">={min(matrix['python'])}" == oldest
    assert all(isinstance(version, str) for version in matrix["python"])  # 3.10 as a number is 3.1


def test_it_runs_what_make_test_runs(project, jobs):
    makefile = (project / "Makefile").read_text("utf-8")
    installation = '--editable ".[plot,gpu,training,cluster,scene]" --group test'
    for part in ("ruff format --check .", "ruff check .", "pytest", installation):
        assert part in makefile and part in commands(jobs["test"])


def test_slicer_is_tested_with_options_that_exist(project, jobs):
    [call] = re.findall(r"python (Testing/run_in_slicer\.py .*)", commands(jobs["slicer"]))
    script, *arguments = call.split()
    usage = subprocess.run([sys.executable, project / script, "--help"], capture_output=True, text=True).stdout
    options = [argument for argument in arguments if argument.startswith("--")]
    assert {"--slicer", "--screenshots", "--logs"} == set(options)
    assert all(option in usage for option in options)
    kept = jobs["slicer"]["steps"][-1]
    assert kept["if"] == "always()" and kept["with"]["path"].split() == ["screenshots", "logs"]
    assert (project / re.search(r"--requirement (\S+)", commands(jobs["slicer"])).group(1)).is_file()


def test_actions_of_others_are_pinned_to_a_commit(jobs):
    used = [step["uses"] for job in jobs.values() for step in job["steps"] if "uses" in step]
    assert used and all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action) for action in used)


def test_no_job_can_hang_for_hours(jobs):
    assert all(job["timeout-minutes"] <= 90 for job in jobs.values())
