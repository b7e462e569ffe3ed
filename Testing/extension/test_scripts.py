"""Scripts that a person starts, and no other test imports: they begin, with whatever they import."""

import subprocess
import sys

import pytest

SCRIPTS = (
    "Testing/benchmarks/inference.py",
    "Testing/benchmarks/nnunet.py",
    "Testing/benchmarks/training.py",
    "Testing/benchmarks/thick_slices.py",
    "Testing/benchmarks/coil_shading.py",
    "Testing/demo/demo.py",
    "Testing/run_in_slicer.py",
)


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_tells_its_usage(project, script):
    done = subprocess.run([sys.executable, script, "--help"], cwd=project, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "usage:" in done.stdout, done.stderr


@pytest.mark.parametrize("script", ["failure_pictures", "icons", "sample_scan"])
def test_source_of_pictures_can_be_imported(project, script):
    code = f"import sys; sys.path.insert(0, 'Resources/Sources'); import {script}"
    done = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
