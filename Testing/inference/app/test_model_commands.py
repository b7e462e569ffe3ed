"""Models on the command line: verified, published as a zip, downloaded from there, and used."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from small_packages import fields, write_package
from web_server import serving

from SegTraining import cli as segtraining
from SpineInference.app import cli
from SpineInference.models import catalog_file


@pytest.fixture
def models(tmp_path, monkeypatch) -> Path:
    """The only catalog folder: empty, as is the folder of imported models."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("SPINE_MODELS", str(tmp_path / "Models"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(catalog_file, "BUNDLED", tmp_path / "nothing bundled")
    (tmp_path / "Models").mkdir()
    return tmp_path / "Models"


@pytest.fixture
def user(models, tmp_path) -> Path:
    return tmp_path / "data" / "SpineSegmentation" / "Models"


def write_catalog(folder: Path, *entries: dict) -> None:
    (folder / "catalog.json").write_text(json.dumps({"sets": entries}))


def publish(package: Path, zip_path: Path, capsys) -> dict:
    """The entry that `segtraining package --zip` prints."""
    assert segtraining.main(["package", str(package), "--zip", str(zip_path)]) == 0
    said = capsys.readouterr().out
    return json.loads(said[said.index("{") :])


def test_published_downloaded_verified_used(models, user, tmp_path, capsys):
    package = write_package(tmp_path / "made", fields("bright-sagittal"))
    (tmp_path / "web").mkdir()
    entry = publish(package, tmp_path / "web" / "bright.zip", capsys)
    scan = np.random.default_rng(1).integers(1, 20, (20, 40, 20), np.int16)
    scan[5:15, 10:30, 5:15] += 100
    sitk.WriteImage(sitk.GetImageFromArray(scan), tmp_path / "scan.nrrd")
    with serving(tmp_path / "web") as address:
        [remote] = entry["packages"]
        remote["url"] = remote["url"].replace("https://YOUR-SERVER", address)
        write_catalog(models, entry)
        segment = [str(tmp_path / "scan.nrrd"), "-o", str(tmp_path / "out"), "--model", "bright-sagittal"]
        assert cli.main(segment) == 2
        assert "download it first" in capsys.readouterr().err
        assert cli.main(["--download-model", "bright-sagittal"]) == 0
    assert (user / "bright-sagittal" / "model.onnx").is_file()
    capsys.readouterr()
    assert cli.main(["--verify-models"]) == 0
    assert capsys.readouterr().out == "bright-sagittal: sound\n"
    assert cli.main([*segment, "--no-overview"]) == 0
    assert sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / "out" / "scan" / "scan_labels.nii.gz")).any()


def test_a_server_with_another_file(models, user, tmp_path, capsys):
    (tmp_path / "web").mkdir()
    entry = publish(write_package(tmp_path / "made"), tmp_path / "web" / "small.zip", capsys)
    with (tmp_path / "web" / "small.zip").open("r+b") as file:
        file.write(b"changed")
    with serving(tmp_path / "web") as address:
        entry["packages"][0]["url"] = f"{address}/small.zip"
        write_catalog(models, entry)
        assert cli.main(["--download-model", entry["name"], "-q"]) == 2
    assert "SHA-256 differs" in capsys.readouterr().err
    assert not (user / entry["name"]).exists()


def test_what_is_packed_already_is_not_made_again(tmp_path, capsys):
    package = write_package(tmp_path / "made")
    assert segtraining.main(["package", str(package)]) == 2
    assert "only --zip FILE" in capsys.readouterr().err


def test_verify_damaged_models(models, user, capsys):
    texts = dict.fromkeys(("title", "description", "anatomy", "modality", "licence"), "text")
    write_package(models / "a-sagittal", fields("a-sagittal"))
    write_package(models / "b-sagittal", fields("b-sagittal"))
    remote = {"name": "far", "url": "https://nowhere.invalid/far.zip", "sha256": "0" * 64, "size": 9}
    packages = {"a": "a-sagittal", "b": "b-sagittal", "c": remote}
    write_catalog(models, *({"name": name, "packages": [each]} | texts for name, each in packages.items()))
    write_package(user / "mine", fields("mine"))
    assert cli.main(["--verify-models"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == ["a: sound", "b: sound", "c: not on this computer", "mine: sound"]

    (models / "b-sagittal" / "model.onnx").write_bytes(b"damaged")
    (user / "mine" / "manifest.json").write_text("{")
    assert cli.main(["--verify-models"]) == 2
    said = capsys.readouterr()
    assert said.out.splitlines() == ["a: sound", "c: not on this computer"]
    first, second = said.err.splitlines()
    assert first.startswith("b: model.onnx of the model package") and "SHA-256 differs" in first
    assert second.startswith("mine: the manifest of")
