"""Folders that a killed Slicer has left behind are deleted; whatever else has such a name belongs to the user."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from SpineSegmentationLib.worker import ExchangeFolder as module
from SpineSegmentationLib.worker.ExchangeFolder import MARK, PREFIX, ExchangeFolder, removeStaleFolders

DAY_S = 24 * 3600


@pytest.fixture
def temporary(monkeypatch, tmp_path) -> Path:
    """The folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def add_folder(temporary: Path, name: str, mark: object = None, age_s: float = 3 * DAY_S) -> Path:
    """A folder with a scan and, if `mark` is not None, this mark, which no process has locked."""
    folder = temporary / name
    folder.mkdir()
    (folder / "scan.nrrd").write_bytes(b"voxels")
    if mark is not None:
        (folder / MARK).write_text(mark if isinstance(mark, str) else json.dumps(mark))
    os.utime(folder, (time.time() - age_s,) * 2)
    return folder


def mark_of(name: str) -> dict[str, str]:
    return {"program": "SpineSegmentation", "folder": name}


def test_remove_deletes_the_folder(temporary):
    folder = ExchangeFolder()
    (folder.path / "scan.nrrd").write_bytes(b"voxels")
    folder.remove()
    folder.remove()
    assert not list(temporary.iterdir())


def test_folder_of_a_killed_process_is_deleted(temporary, project):
    code = (
        "import os, sys, tempfile; sys.path.insert(0, sys.argv[2]); tempfile.tempdir = sys.argv[1]; "
        "from SpineSegmentationLib.worker.ExchangeFolder import ExchangeFolder; "
        "folder = ExchangeFolder(); print(folder.path, flush=True); sys.stdin.read(); os._exit(9)"
    )
    command = [sys.executable, "-c", code, str(temporary), str(project / "SpineSegmentation")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        folder = Path(process.stdout.readline().strip())
        removeStaleFolders()
        assert folder.is_dir(), "its process is alive"
        process.stdin.close()
    removeStaleFolders()
    assert not folder.exists()


def test_own_folder_is_kept_however_old(temporary):
    folder = ExchangeFolder()
    os.utime(folder.path, (time.time() - 3 * DAY_S,) * 2)
    removeStaleFolders()
    assert folder.path.is_dir()
    folder.remove()


@pytest.mark.parametrize(
    ("name", "mark"),
    [
        ("SpineSegmentation-main", None),  # an unpacked download
        ("SpineSegmentation-main", mark_of("SpineSegmentation-main")),
        (f"{PREFIX}results", None),
        (f"{PREFIX}results", ""),
        (f"{PREFIX}results", "[1"),
        (f"{PREFIX}results", mark_of(f"{PREFIX}ab12cd")),  # a copy of a folder of ours
        (f"{PREFIX}results", {"program": "another"}),
    ],
)
def test_folder_of_the_user_is_never_deleted(temporary, name, mark):
    folder = add_folder(temporary, name, mark)
    removeStaleFolders()
    assert (folder / "scan.nrrd").is_file()


def test_links_are_not_followed(temporary, tmp_path_factory):
    name = f"{PREFIX}linked"
    elsewhere = add_folder(tmp_path_factory.mktemp("elsewhere"), name, mark_of(name))
    try:
        (temporary / name).symlink_to(elsewhere, target_is_directory=True)
    except OSError:
        pytest.skip("this system does not let us make links")
    removeStaleFolders()
    assert (elsewhere / "scan.nrrd").is_file()


@pytest.mark.parametrize(("age_s", "is_kept"), [(60, True), (2 * DAY_S, False)])
def test_without_locks_the_age_decides(temporary, monkeypatch, age_s, is_kept):
    def refuse(file):
        raise OSError("no locks available")

    monkeypatch.setattr(module, "_lock", refuse)
    name = f"{PREFIX}old"
    folder = add_folder(temporary, name, mark_of(name), age_s)
    removeStaleFolders()
    assert folder.is_dir() == is_kept
