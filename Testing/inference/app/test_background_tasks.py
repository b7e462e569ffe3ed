"""Background tasks, as the panel sees them: a real process, one line in, JSON lines out."""

import hashlib
import json
import os

import numpy as np
import pytest
import SimpleITK as sitk
from background_process import send, start
from small_packages import fields, write_package
from web_server import serving

from SpineInference.app import background_tasks
from SpineInference.models import catalog
from SpineInference.monitor import Monitor

CONTENT = b"voxels" * 1000


def test_a_package_is_imported(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user"))
    write_package(tmp_path / "package", fields("mine"))
    answer = send(json.dumps({"kind": "import", "model": str(tmp_path / "package")}))
    assert answer == {"event": "result", "name": "mine"}
    [(manifest, size)] = catalog.manifests_of("mine")
    assert manifest.name == "mine" and size > 500
    assert catalog.downloaded_names() == []


def test_devices_are_listed_with_reasons():
    answer = send(json.dumps({"kind": "devices"}))
    assert answer["automatic"]["reason"]
    assert [device["wish"] for device in answer["others"]][-1] == "cpu"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"kind": "download", "model": "unheard-of"}', 'no model "unheard-of"'),
        ('{"kind": "tidy"}', "the background task is not valid"),
        ("{", "not valid JSON"),
    ],
)
def test_what_cannot_be_done_gets_a_sentence(line, says):
    answer = send(line)
    assert says in answer["message"] and answer["details"] is None


@pytest.fixture
def fetch(tmp_path):
    """Fetches the file `scan.bin` of a server on this computer into the folder `cache`; changes the task first."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "scan.bin").write_bytes(CONTENT)
    with serving(tmp_path / "web") as address:

        def fetch(**changes) -> dict:
            known = {"sha256": hashlib.sha256(CONTENT).hexdigest(), "size": len(CONTENT), "instead": "stay offline"}
            target = str(tmp_path / "cache" / "scan.bin")
            file = {"url": f"{address}/scan.bin", "target": target} | known | changes
            return send(json.dumps({"kind": "fetch", "file": file}))

        yield fetch


def test_a_file_is_fetched(fetch, tmp_path):
    answer = fetch()
    assert answer == {"event": "result", "path": str(tmp_path / "cache" / "scan.bin")}
    assert (tmp_path / "cache" / "scan.bin").read_bytes() == CONTENT
    assert fetch()["event"] == "result"  # in place of the first one


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sha256": "0" * 64}, "SHA-256 differs"),
        ({"size": 10}, "size or SHA-256 differs"),
        ({"url": "http://127.0.0.1:9/scan.bin"}, "check the internet connection"),
        ({"url": "file:///etc/hostname"}, "is not a web address"),
    ],
)
def test_a_fetch_that_fails_leaves_nothing(fetch, tmp_path, changes, says):
    answer = fetch(**changes)
    assert says in answer["message"] and "\n" not in answer["message"] and answer["details"] is None
    assert "model" not in answer["message"]
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.skipif(os.name == "nt", reason="a pipe in the file system keeps the task busy")
def test_a_crash_while_measuring_leaves_nothing(tmp_path):
    own = tmp_path / "exchange"
    own.mkdir()
    os.mkfifo(own / "labels.nrrd")  # whoever reads it waits for ever
    segments = {"labels": str(own / "labels.nrrd"), "bodies": [[1, "L4"]], "structures": [], "own_folder": str(own)}
    with start() as process:
        process.stdin.write(json.dumps({"kind": "measure", "segments": segments}) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["stage"] == "measuring"
        process.stdin.close()
        process.wait(10)
    assert not own.exists()


def test_only_a_folder_of_its_own_is_removed(tmp_path):
    segments = {"labels": str(tmp_path / "labels.nrrd"), "bodies": [], "structures": [], "own_folder": "/"}
    answer = send(json.dumps({"kind": "measure", "segments": segments}))
    assert "does not hold labels, reference and scan" in answer["message"]


def test_measuring_keeps_to_the_processors_it_may_use(tmp_path, monkeypatch):
    """By itself ITK takes those of the whole computer, whatever a container grants."""
    labels = np.zeros((40, 40, 40), np.uint8)
    labels[5:30, 8:32, 8:32] = 1
    sitk.WriteImage(sitk.GetImageFromArray(labels), tmp_path / "labels.nrrd")
    segments = {"labels": str(tmp_path / "labels.nrrd"), "bodies": [[1, "L4"]], "structures": []}
    monkeypatch.setattr("SpineInference.processors.available_processors", lambda: 3)
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(7)
    try:
        background_tasks.run(json.dumps({"kind": "measure", "segments": segments}).encode(), Monitor())
        assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == 3
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
