"""Background tasks, as the panel sees them: a real process, one line in, JSON lines out."""

import json

import pytest
from background_process import send
from small_packages import fields, write_package

from SpineInference.models import catalog


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
