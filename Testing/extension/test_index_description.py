"""What Slicer's ExtensionsIndex checks when the extension is submitted, as far as that works without the internet."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from PIL import Image

# Schema 1.0.2 of the index: these and no others. Without a revision the build of Slicer 5.10 stops.
REQUIRED = {"$schema": str, "category": str, "scm_revision": str, "scm_url": str}
OPTIONAL = {
    "scm_type": str,
    "build_dependencies": list,
    "build_subdirectory": str,
    "dicom_support_rule": str,
    "enabled": bool,
    "tier": int,
}
SIZE_LIMIT_MB = 100


@pytest.fixture(scope="module")
def description_file(project) -> Path:
    [path] = (project / "Resources" / "ExtensionsIndex").glob("*.json")
    return path


@pytest.fixture(scope="module")
def description(description_file) -> dict:
    return json.loads(description_file.read_text("utf-8"))


@pytest.fixture(scope="module")
def settings(project) -> dict[str, str]:
    """The EXTENSION_* values of the top CMakeLists.txt, found by the pattern of the index: one quoted string each."""
    text = (project / "CMakeLists.txt").read_text("utf-8")
    return dict(re.findall(r'set\s*\((EXTENSION_\w+)\s*"([^"]+)"\)', text))


@pytest.fixture(scope="module")
def repository(project) -> str:
    """The address of the repository: CITATION.cff is where it is decided."""
    return re.search(r"^repository-code: (\S+)$", (project / "CITATION.cff").read_text("utf-8"), re.M).group(1)


def test_the_description_keeps_to_the_schema(description, description_file):
    assert description["$schema"].endswith("slicer-extension-catalog-entry-schema-v1.0.2.json#")
    known = REQUIRED | OPTIONAL
    assert set(REQUIRED) <= set(description) <= set(known)
    assert all(isinstance(value, known[key]) for key, value in description.items())
    assert 1 <= description["tier"] <= 5
    assert description["category"] == "Segmentation"
    assert b"\r" not in description_file.read_bytes()


def test_index_entry_and_cmake_agree(project, description, description_file, repository, settings):
    name = re.search(r"project\s*\(\s*([^\s)]+)", (project / "CMakeLists.txt").read_text("utf-8")).group(1)
    assert name == description_file.stem and not name.lower().startswith("slicer")
    assert description["scm_url"] == repository == settings["EXTENSION_HOMEPAGE"]
    assert repository.startswith("https://") and repository.rpartition("/")[2].startswith("Slicer")
    assert description["build_dependencies"] == settings["EXTENSION_DEPENDS"].split()


def test_help_leads_to_files_of_the_repository(project, repository):
    code = (project / "SpineSegmentation" / "SpineSegmentation.py").read_text("utf-8")
    assert f'_REPOSITORY = "{repository}"' in code
    linked = re.findall(r"\{_REPOSITORY\}/blob/main/(\S+)\"", code)
    assert len(linked) == 2 and all((project / name).is_file() for name in linked)


def test_the_pictures_are_files_of_the_repository(project, repository, settings):
    raw = repository.replace("github.com", "raw.githubusercontent.com") + "/main/"
    urls = [settings["EXTENSION_ICONURL"], *settings["EXTENSION_SCREENSHOTURLS"].split(" ")]
    assert len(urls) >= 3
    for url in urls:
        assert url.startswith(raw)
        path = project / url.removeprefix(raw)
        assert path.suffix == ".png" and Image.open(path).format == "PNG"
    assert Image.open(project / urls[0].removeprefix(raw)).size == (128, 128)


def test_description_is_valid_for_cmake(settings):
    text = settings["EXTENSION_DESCRIPTION"]
    assert len(text) > 100 and text.endswith(".")
    assert text.count(". ") <= 1, "the checklist of the index wants one or two sentences"
    assert ";" not in text  # CMake would take it for a list, and the package would lose the rest


def test_licence_is_in_the_root(project):
    assert "Apache License" in (project / "LICENSE").read_text("utf-8")


def test_clone_is_below_the_index_limit(project, description):
    """The index clones one commit: its files, and about as much again, compressed, in .git.

    Where a revision is named it clones all that ever was, and every model that has been replaced. An empty one stands
    for the branch main.
    """
    assert description["scm_revision"] == ""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=project, capture_output=True)
    if listed.returncode:
        pytest.skip("this is no git checkout")
    paths = (project / name for name in listed.stdout.decode("utf-8").split("\0") if name)
    assert 2 * sum(path.stat().st_size for path in paths if path.is_file()) < SIZE_LIMIT_MB * 1e6
