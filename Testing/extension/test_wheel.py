"""The wheel for other computers: it holds the models, and its commands work in an environment of their own."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
import SimpleITK as sitk

from SpineInference.anatomy import LEVELS
from SpineInference.app.record import read_record

PACKAGES = {"SegTraining": "SegTraining", "SpineInference": "SpineSegmentation/SpineInference"}
NOT_OF_THE_SOURCE = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")


def run(command: Sequence[str | Path], **options) -> str:
    """What a program says; everything of this project comes from where it is installed, not from this checkout."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "SPINE_MODELS")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(project, tmp_path_factory) -> Path:
    """Built without the internet from a copy, because building leaves files in the source."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(project / name, source)
    for folder in PACKAGES.values():
        shutil.copytree(project / folder, source / folder, ignore=NOT_OF_THE_SOURCE)
    out = tmp_path_factory.mktemp("wheel")
    offline = ["--no-deps", "--no-index", "--no-build-isolation"]
    run([sys.executable, "-m", "pip", "wheel", "--quiet", *offline, "--wheel-dir", out, source])
    [built] = out.iterdir()
    return built


@pytest.fixture(scope="module")
def commands(wheel, tmp_path_factory) -> Path:
    """The folder of the commands of an environment with nothing in it but the wheel; the libraries are those here."""
    folder = tmp_path_factory.mktemp("environment") / "env"
    run([sys.executable, "-m", "venv", "--without-pip", folder])
    commands = folder / ("Scripts" if os.name == "nt" else "bin")
    pip = [sys.executable, "-m", "pip", "--quiet", "--python", commands / "python"]
    run([*pip, "install", "--no-deps", "--no-index", wheel])
    site_packages = run([commands / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip()
    # A plain path: what is installed here for editing is not found through it.
    Path(site_packages, "libraries.pth").write_text(sysconfig.get_path("purelib"), "utf-8")
    return commands


def test_wheel_contents(project, wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [metadata_file] = [name for name in names if name.endswith(".dist-info/METADATA")]
        metadata = archive.read(metadata_file).decode("utf-8")
    information = metadata_file.removesuffix("METADATA")
    expected = {
        f"{package}/{path.relative_to(project / folder).as_posix()}"
        for package, folder in PACKAGES.items()
        for path in (project / folder).rglob("*")
        # Of the texts only the cards, whose sums stand in the manifests.
        if path.is_file() and "__pycache__" not in path.parts and (path.suffix != ".md" or path.match("bundled/*/*"))
    }
    assert {name for name in names if not name.startswith(information)} == expected
    assert "SpineInference/models/bundled/catalog.json" in expected
    assert "SegTraining/presets/small/thesis-grid.yaml" in expected
    assert f"{information}licenses/LICENSE" in names
    assert "License-Expression: Apache-2.0" in metadata.splitlines()


def test_wheel_brings_its_models(commands):
    place = run([commands / "python", "-c", "import SpineInference; print(SpineInference.__file__)"])
    assert Path(place).is_relative_to(commands.parent), "the wheel is what is tested"
    assert "vertebral-bodies-mr\n" in run([commands / "spine-segment", "--list-models"])
    assert "vertebral-bodies-mr: sound" in run([commands / "spine-segment", "--verify-models"]).splitlines()
    assert "experiment" in run([commands / "segtraining", "--help"])


def test_installed_wheel_segments(project, commands, tmp_path):
    phantom = sitk.ReadImage(project / "SpineSegmentation" / "Resources" / "SampleData" / "SpinePhantom.nrrd")
    small = phantom[:, :110, 20:44]  # three bodies around the middle of the spine
    sitk.WriteImage(small, tmp_path / "phantom.nrrd")
    choices = ["--planes", "sagittal", "--top-level", "L1", "--device", "cpu", "--no-overview"]
    run([commands / "spine-segment", "phantom.nrrd", "-o", "out", *choices], cwd=tmp_path)
    record = read_record(tmp_path / "out" / "phantom" / "phantom_result.json")
    assert len(record.segments) >= 3
    assert record.segments[0] == LEVELS["L1"]
