"""Requests are refused before any work; result folders appear whole and never cost a person a file."""

import importlib.util
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from SpineInference.app.requests import Request, check_request, read_request, to_json
from SpineInference.errors import Cancelled, SpineError
from SpineInference.files.result_folder import PROGRAM, check_output, result_folder, sha256
from SpineInference.options import Plane, SegmentationOptions
from SpineInference.specs import PostprocessingSpec
from SpineInference.volume.geometry import PLANES


@pytest.fixture
def request_(tmp_path: Path) -> Request:
    scan = tmp_path / "scan.nii.gz"
    scan.write_bytes(b"only its being there matters")
    return Request(input=str(scan), output=str(tmp_path / "new" / "folder" / "scan"))


def test_json_and_back(request_):
    options = SegmentationOptions(
        planes=("coronal", "axial"),
        plane="axial",
        spacing_mm=(0.7, 0.6),
        fusion="vote",
        device="cuda:1",
        bottom_level="L5",
        bias_correction=False,
        postprocessing=PostprocessingSpec(min_island_mm3=5.0),
        threads=2,
    )
    full = replace(request_, options=options, reference=request_.input, format="nrrd", overview=False, report=True)
    for request in (request_, full):
        line = to_json(request)
        assert "\n" not in line and line.isascii()
        assert read_request(line) == request


@pytest.mark.parametrize(
    ("wanted", "package"),
    [
        ({"format": "dicom-seg"}, "highdicom"),
        ({"structured_report": True}, "highdicom"),
        ({"report": True}, "jinja2"),
        ({"report": True}, "matplotlib"),
    ],
)
def test_what_is_not_installed_is_told_before_work(request_, wanted, package, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find(name))
    check_request(request_)
    with pytest.raises(SpineError, match=f"pip install {package}"):
        check_request(replace(request_, **wanted))


def test_no_name_breaks_the_line(request_, tmp_path):
    for name in ("Rücken 脊椎", "r\udcfccken", 'a"b\n'):
        scan = tmp_path / name
        scan.touch()
        line = to_json(replace(request_, input=str(scan)))
        assert "\n" not in line and line.isascii() and read_request(line).input == str(scan)


def test_only_the_paths_are_needed(request_):
    assert read_request(json.dumps({"input": request_.input, "output": request_.output})) == request_


def test_planes_are_those_of_the_geometry():
    assert get_args(Plane) == PLANES


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"planes": ["sagittal", "oblique"]}, "oblique"),
        ({"planes": []}, "planes"),
        ({"planes": ["axial", "axial"]}, "planes"),
        ({"plane": "oblique"}, "oblique"),
        ({"plane": "axial", "planes": ["coronal"]}, "the slice is axial"),
        ({"spacing_mm": [0.7]}, "spacing_mm"),
        ({"spacing_mm": [0.7, -1]}, "0.02 to 10"),
        ({"fusion": "best"}, "best"),
        ({"precision": "int4"}, "int4"),
        ({"device": "gpu"}, '"gpu" is not a device'),
        ({"device": "cuda:x"}, "not a device"),
        ({"top_level": "C8"}, "C8"),
        ({"bottom_level": "tail"}, "tail"),
        ({"threads": 0}, "threads"),
        ({"threads": 1.5}, "threads"),
        ({"threads": True}, "threads"),
        ({"bias_correction": 1}, "bias_correction"),
        ({"postprocessing": {"smooth": 1}}, "smooth"),
        ({"typo": 1}, "typo"),
    ],
)
def test_impossible_options_in_json_are_refused(request_, changes, says):
    content = json.loads(to_json(request_))
    with pytest.raises(SpineError, match=says) as caught:
        read_request(json.dumps(content | {"options": content["options"] | changes}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ({"planes": ("diagonal",)}, "diagonal"),
        ({"planes": ()}, "not none"),
        ({"fusion": "median"}, "median"),
        ({"precision": "int4"}, "use auto or full"),
        ({"top_level": "X9"}, "X9"),
        ({"device": "abacus"}, "abacus"),
        ({"threads": -1}, "-1"),
    ],
)
def test_impossible_options_cannot_be_made(choices, says):
    with pytest.raises(SpineError, match=says):
        SegmentationOptions(**choices)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": "dcm"}, "dcm"),
        ({"overview": "yes"}, "overview"),
        ({"input": "nowhere.nii.gz"}, "nowhere.nii.gz does not exist"),
        ({"reference": "nowhere.nii.gz"}, "reference mask nowhere.nii.gz does not exist"),
        ({"input": None}, "input"),
        ({"typo": 1}, "typo"),
        ({"own_folder": "/"}, "does not hold input and output"),
    ],
)
def test_impossible_requests_are_refused(request_, changes, says):
    with pytest.raises(SpineError, match=says) as caught:
        read_request(json.dumps(json.loads(to_json(request_)) | changes))
    assert "\n" not in str(caught.value)


def test_a_series_may_be_chosen_in_a_folder(request_, tmp_path):
    check_request(replace(request_, input=f"{tmp_path}#2"))


def test_checking_leaves_nothing_behind(request_, tmp_path):
    check_request(request_)
    assert [path.name for path in tmp_path.iterdir()] == ["scan.nii.gz"]


@pytest.mark.parametrize("output", ["scan.nii.gz", "scan.nii.gz/inside", "n" * 250, "a\0b"])
def test_output_that_cannot_be_written(request_, tmp_path, output):
    with pytest.raises(SpineError, match="choose another"):
        check_request(replace(request_, output=str(tmp_path / output)))
    assert [path.name for path in tmp_path.iterdir()] == ["scan.nii.gz"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the administrator may write anywhere")
def test_output_without_permission(request_, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(SpineError, match="Permission denied"):
        check_request(replace(request_, output=str(locked / "scan")))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the administrator may write anywhere")
def test_the_result_of_another_user_stays(request_, tmp_path):
    """It could be moved away from its place, but not removed: a hidden folder with a patient's scan would be left."""
    target = tmp_path / "out"
    write_result(target, "earlier")
    target.chmod(0o500)
    with pytest.raises(SpineError, match=r"Permission denied.*choose another"):
        check_request(replace(request_, output=str(target)))
    target.chmod(0o700)
    assert content(target)["labels.txt"] == "earlier" and {path.name for path in tmp_path.iterdir()} == {
        "scan.nii.gz",
        "out",
    }


def write_result(target: Path, text: str) -> None:
    """A small result as `results.write_result` makes it."""
    with result_folder(target) as folder:
        (folder / "labels.txt").write_text(text)
        record = {"program": PROGRAM, "files": {"labels.txt": sha256(folder / "labels.txt")}}
        (folder / "x_result.json").write_text(json.dumps(record))


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_result_appears_at_once_and_whole(tmp_path):
    target = tmp_path / "new" / "Müller ö" / "scan"
    with result_folder(target) as folder:
        (folder / "labels.txt").write_text("1")
        assert not (tmp_path / "new").exists()
        assert folder.name.startswith(".") and folder.parent == tmp_path
    assert content(target) == {"labels.txt": "1"}
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


@pytest.mark.parametrize("error", [SpineError("no"), Cancelled(), KeyboardInterrupt(), OSError(28, "No space left")])
def test_a_failure_leaves_the_earlier_result(tmp_path, error):
    target = tmp_path / "scan"
    write_result(target, "earlier")
    before = content(target)
    expected = SpineError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected), result_folder(target) as folder:
        (folder / "labels.txt").write_text("half")
        raise error
    assert content(target) == before
    assert [path.name for path in tmp_path.iterdir()] == ["scan"]


def test_an_earlier_result_is_replaced_as_a_whole(tmp_path):
    target = tmp_path / "scan"
    write_result(target, "earlier")
    (target / ".DS_Store").write_text("left by the system")
    with result_folder(target) as folder:
        (folder / "other.txt").write_text("new")
    assert content(target) == {"other.txt": "new"}
    assert [path.name for path in tmp_path.iterdir()] == ["scan"]


def test_an_empty_folder_becomes_the_result(tmp_path):
    (tmp_path / "scan").mkdir()
    write_result(tmp_path / "scan", "new")
    assert content(tmp_path / "scan")["labels.txt"] == "new"


@pytest.mark.parametrize(
    "make_precious",
    [
        lambda folder: (folder / "notes.txt").write_text("a person's"),
        lambda folder: (folder / "labels.txt").write_text("corrected by hand"),
        lambda folder: (folder / "deeper").mkdir(),
        lambda folder: (folder / "x_result.json").write_text('{"program": "another", "files": {}}'),
        lambda folder: (folder / "x_result.json").write_text("no record any more"),
        lambda folder: (folder / "x_result.json").unlink(),
    ],
)
def test_what_a_person_made_is_never_replaced(tmp_path, make_precious):
    target = tmp_path / "scan"
    write_result(target, "earlier")
    make_precious(target)
    before = sorted(path.name for path in target.iterdir())
    with pytest.raises(SpineError, match="move them away or choose another folder"):
        check_output(target)
    # Also when it was made while the scan was being segmented.
    with pytest.raises(SpineError, match="move them away"), result_folder(target) as folder:
        (folder / "labels.txt").write_text("new")
    assert sorted(path.name for path in target.iterdir()) == before
    assert (target / "labels.txt").read_text() != "new"
    assert [path.name for path in tmp_path.iterdir()] == ["scan"]
