"""The extension as CMake installs it: configured with a stand-in for Slicer's CMake package, and put to work."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from SpineInference.app.record import read_record
from SpineInference.app.requests import Request, to_json
from SpineInference.options import DEFAULT_MODEL, SegmentationOptions

STAND_IN = Path(__file__).resolve().parent / "slicer_package"
SCRIPTED_MODULES = Path("lib/Slicer/qt-scripted-modules")


def cmake(*arguments: str | Path) -> str:
    program = pytest.importorskip("cmake", reason="CMake is not installed: pip install cmake")
    done = subprocess.run(
        [Path(program.CMAKE_BIN_DIR) / "cmake", *arguments], capture_output=True, encoding="utf-8", errors="replace"
    )
    if "CMAKE_CXX_COMPILER" in done.stderr or "CMAKE_MAKE_PROGRAM" in done.stderr:
        pytest.skip("CMake finds no C++ compiler or no make, which every Slicer extension asks for")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def configured(project, tmp_path_factory) -> tuple[Path, str]:
    """The build folder and what CMake said."""
    build = tmp_path_factory.mktemp("build")
    return build, cmake("-S", project, "-B", build, f"-DSlicer_DIR={STAND_IN}", "-DBUILD_TESTING=ON")


@pytest.fixture(scope="module")
def installed(configured, tmp_path_factory) -> Path:
    """Slicer's folder of scripted modules after the installation, in a path with blanks and umlauts."""
    prefix = tmp_path_factory.mktemp("installed") / "Slicer für Ärzte"
    cmake("--install", configured[0], "--prefix", prefix)
    return prefix / SCRIPTED_MODULES


def environment() -> dict[str, str]:
    """That of a worker which must find everything in the installed folder."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "SPINE_MODELS")}


def test_the_tests_for_slicer_are_registered(configured):
    said = configured[1]
    assert "Generic tests of SpineSegmentation" in said
    assert re.findall(r"Test in Slicer: (\S+)", said) == ["SpineSegmentation.py", "SlicerPythonTest.py"]


def test_licence_and_citation_are_installed(installed):
    share = installed.parents[2] / "share" / "Slicer" / "SpineSegmentation"
    assert sorted(path.name for path in share.iterdir()) == ["CITATION.cff", "LICENSE"]


def test_nothing_but_the_module_is_installed(project, installed):
    """All of SpineSegmentation/ but what is for who works on it; no tests, no training."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=project / "SpineSegmentation", capture_output=True)
    if listed.returncode:
        pytest.skip("this is no git checkout")
    expected = {name for name in listed.stdout.decode("utf-8").split("\0") if name}
    expected -= {"CMakeLists.txt", "README.md", "SpineInference/models/bundled/README.md"}
    found = {path.relative_to(installed) for path in installed.rglob("*") if path.is_file()}
    assert {path.as_posix() for path in found if path.suffix != ".pyc"} == expected


def test_configured_by_the_cmake_of_slicer_5_10(project):
    """Slicer 5.10 is built with CMake from 3.20.6 on, and so are the extensions for it."""
    text = (project / "CMakeLists.txt").read_text("utf-8")
    lowest = re.search(r"^cmake_minimum_required\(VERSION ([\d.]+)\.\.\.", text, re.M).group(1)
    assert tuple(map(int, lowest.split("."))) <= (3, 20, 6)


def test_installed_runtime_finds_its_models(installed):
    code = "import SpineInference, SpineInference.models.catalog as c; print(SpineInference.__file__); "
    code += f"print(c.catalog_folders(None)[0]); print(c.verify({DEFAULT_MODEL!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=installed, env=environment(), capture_output=True, text=True, check=True
    )
    package, models, problems = done.stdout.splitlines()
    assert Path(package).parents[1].samefile(installed)
    assert Path(models).resolve().is_relative_to(installed.resolve())
    assert problems == "[]"


@pytest.mark.slow
def test_installed_worker_segments_the_sample(installed, tmp_path):
    sample = installed / "Resources" / "SampleData" / "SpinePhantom.nrrd"
    options = SegmentationOptions(planes=("sagittal",), top_level="T11", device="cpu")
    request = Request(str(sample), str(tmp_path / "result"), options, overview=False)
    with subprocess.Popen(
        [sys.executable, "-m", "SpineInference.app.worker"],
        cwd=installed,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as worker:
        worker.stdin.write(to_json(request) + "\n")
        worker.stdin.flush()  # and left open: closing it would be Cancel
        event = json.loads(worker.stdout.readlines()[-1])
    assert event["event"] == "result", event
    record = read_record(event["record"])
    names = [segment.name for segment in record.segments]
    assert names[:6] == ["T11", "T12", "L1", "L2", "L3", "L4"]
    assert (tmp_path / "result" / record.contents["labels"]).is_file()
