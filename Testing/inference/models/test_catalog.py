"""The catalog: finding, listing, importing, verifying, removing and downloading models."""

import hashlib
import json

import pytest
from small_packages import fields, write_package
from web_server import serving

from SpineInference.errors import Cancelled, SpineError
from SpineInference.models import catalog
from SpineInference.models.model_package import pack
from SpineInference.monitor import Monitor

PLANES = ("sagittal", "coronal", "axial")


def entry(name: str, packages: list) -> dict:
    text = dict.fromkeys(("title", "description", "anatomy", "modality", "licence"), f"about {name}")
    return {"name": name, "packages": packages} | text


def write_catalog(folder, *entries):
    folder.mkdir(exist_ok=True)
    (folder / "catalog.json").write_text(json.dumps({"sets": entries}))


@pytest.fixture
def user(tmp_path, monkeypatch):
    """The user's folder of imported models, empty."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "SpineSegmentation" / "Models"


@pytest.fixture
def models(tmp_path, user, monkeypatch):
    """The program's catalog folder: the set "bodies" of three planes."""
    folder = tmp_path / "Models"
    for plane in PLANES:
        write_package(folder / f"bodies-{plane}", fields(f"bodies-{plane}", plane))
    write_catalog(folder, entry("bodies", [f"bodies-{plane}" for plane in PLANES]))
    monkeypatch.setenv("SPINE_MODELS", str(folder))
    return folder


@pytest.fixture
def new_zip(tmp_path):
    write_package(tmp_path / "made" / "new", fields("new-sagittal"))
    pack(tmp_path / "made" / "new", tmp_path / "some file.zip")
    return tmp_path / "some file.zip"


# ---- finding


def test_a_set_opens_by_name(models):
    found = catalog.open_set("bodies")
    assert (found.name, found.title) == ("bodies", "about bodies")
    assert [package.manifest.plane for package in found.packages] == list(PLANES)


@pytest.mark.parametrize("where", ["bodies-axial", "{models}/bodies-axial", "{zip}"])
def test_a_package_opens_by_name_folder_and_zip(models, tmp_path, where):
    pack(models / "bodies-axial", tmp_path / "x.zip")
    found = catalog.open_set(where.format(models=models, zip=tmp_path / "x.zip"))
    assert found.name == "bodies-axial"
    assert [package.manifest.plane for package in found.packages] == ["axial"]


def test_a_zip_of_several_packages_is_a_set(models, tmp_path):
    (models / "catalog.json").unlink()
    pack(models, tmp_path / "three.zip")
    found = catalog.open_set(tmp_path / "three.zip")
    assert found.name == "three"
    assert {package.manifest.plane for package in found.packages} == set(PLANES)


def test_an_explicit_catalog_folder_wins(models, tmp_path):
    write_catalog(tmp_path / "other", entry("others", ["bodies-axial"]))
    assert [info.name for info in catalog.list_sets(tmp_path / "other")] == ["others"]


def test_an_unknown_name_lists_the_known_ones(models):
    with pytest.raises(SpineError, match=r'no model "body": known are .*bodies'):
        catalog.open_set("body")


def test_packages_with_different_labels_are_no_set(models):
    labels = [fields()["labels"][0] | {"name": "disc"}]
    write_package(models / "bodies-axial", fields("bodies-axial", "axial", labels=labels))
    with pytest.raises(SpineError, match='"bodies-axial" of the model "bodies" find different labels'):
        catalog.open_set("bodies")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"sets": [{"name": "x"}]}', r'"title" is missing in sets\[0\]'),
        ('{"sets": [], "schema_version": 9, "more": 1}', "newer version"),
        (json.dumps({"sets": [entry("x", ["../evil"])]}), "plain names"),
        (json.dumps({"sets": [entry("x", [])]}), "must list packages"),
    ],
)
def test_wrong_catalogs(models, text, message):
    (models / "catalog.json").write_text(text)
    with pytest.raises(SpineError, match=message):
        catalog.list_sets()


def test_verify_names_every_damaged_package(models):
    assert catalog.verify("bodies") == []
    for plane in ("axial", "coronal"):
        (models / f"bodies-{plane}" / "model.onnx").write_bytes(b"damaged")
    problems = catalog.verify("bodies")
    assert ["bodies-coronal" in problems[0], "bodies-axial" in problems[1]] == [True, True]


# ---- importing


def test_an_imported_model_is_listed_opened_and_removed(models, user, new_zip):
    imported = catalog.import_model(new_zip)
    new_zip.unlink()
    assert imported.packages[0].path == user / "new-sagittal"
    assert [(info.name, info.origin) for info in catalog.list_sets() if info.origin == "imported"] == [
        ("new-sagittal", "imported")
    ]
    assert catalog.open_set("new-sagittal") == imported
    assert catalog.verify("new-sagittal") == []
    catalog.remove("new-sagittal")
    assert not list(user.iterdir())


def test_an_imported_set_keeps_its_packages(models, user, tmp_path):
    for plane in PLANES:
        write_package(tmp_path / "mine" / plane, fields(f"mine-{plane}", plane))
    pack(tmp_path / "mine", tmp_path / "mine.zip")
    catalog.import_model(tmp_path / "mine.zip")
    assert {package.manifest.plane for package in catalog.open_set("mine").packages} == set(PLANES)
    assert catalog.open_set("mine-axial").packages[0].path == user / "mine" / "mine-axial"


def test_importing_again_changes_nothing_and_another_model_is_refused(models, user, new_zip, tmp_path):
    catalog.import_model(new_zip)
    before = {file: file.stat().st_mtime_ns for file in user.rglob("*")}
    catalog.import_model(new_zip)
    assert {file: file.stat().st_mtime_ns for file in user.rglob("*")} == before
    write_package(tmp_path / "other", fields("new-sagittal", licence="another"))
    with pytest.raises(SpineError, match='another model "new-sagittal" already'):
        catalog.import_model(tmp_path / "other")
    assert catalog.open_set("new-sagittal").packages[0].manifest.licence == "Apache-2.0"


@pytest.mark.parametrize("name", ["bodies", "bodies-axial"])
def test_bundled_models_are_neither_replaced_nor_removed(models, user, tmp_path, name):
    write_package(tmp_path / "intruder", fields(name))
    with pytest.raises(SpineError, match="of its own, which is not replaced"):
        catalog.import_model(tmp_path / "intruder")
    with pytest.raises(SpineError, match="it belongs to the program"):
        catalog.remove(name)
    assert not user.exists()


@pytest.mark.parametrize("name", ["nothing", "../Models", "", "."])
def test_removing_what_is_not_there(models, user, name):
    user.mkdir(parents=True)
    with pytest.raises(SpineError, match="there is none of that name"):
        catalog.remove(name)
    assert models.is_dir() and user.is_dir()


def test_an_unsound_model_leaves_nothing_behind(models, user, tmp_path):
    folder = write_package(tmp_path / "bad")
    (folder / "model.onnx").write_bytes(b"changed")
    with pytest.raises(SpineError, match="SHA-256"):
        catalog.import_model(folder)
    assert not user.exists()


def test_a_damaged_import_does_not_hide_the_others(models, user, new_zip):
    catalog.import_model(new_zip)
    (user / "new-sagittal" / "manifest.json").write_text("{")
    infos = {info.name: info for info in catalog.list_sets()}
    assert set(infos) >= {"bodies", "new-sagittal"}
    assert "not valid JSON" in infos["new-sagittal"].description


# ---- downloading


@pytest.fixture
def server(tmp_path):
    """The address of a web server on this computer, and the folder that it shows."""
    folder = tmp_path / "web"
    folder.mkdir()
    with serving(folder) as address:
        yield address, folder


@pytest.fixture
def remote(models, server, tmp_path, monkeypatch):
    """Offers the zip of "far-axial" on the server; returns what the catalog says of it, and a way to say else."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    url, folder = server
    write_package(tmp_path / "made" / "far", fields("far-axial", "axial"))
    pack(tmp_path / "made" / "far", folder / "far.zip")
    content = (folder / "far.zip").read_bytes()
    item = {"name": "far-axial", "url": f"{url}/far.zip", "size": len(content)}
    item["sha256"] = hashlib.sha256(content).hexdigest()

    def offer(**changes):
        write_catalog(models, entry("far", ["bodies-sagittal", item | changes]))

    offer()
    return offer


def test_a_set_is_downloaded_only_when_asked_for(remote, user):
    with pytest.raises(SpineError, match="not on this computer"):
        catalog.open_set("far")
    missing = {info.name: info.missing_bytes for info in catalog.list_sets()}["far"]
    assert missing > 0 and not user.exists()
    steps = []
    found = catalog.download("far", Monitor(on_progress=lambda p: steps.append((p.stage, p.done, p.total))))
    assert [package.manifest.name for package in found.packages] == ["bodies-sagittal", "far-axial"]
    assert steps[-1] == ("download", missing, missing)
    assert [path.name for path in user.iterdir()] == ["far-axial"]
    assert {info.name: info.missing_bytes for info in catalog.list_sets()}["far"] == 0
    assert "far-axial" not in {info.name for info in catalog.list_sets()}, "it belongs to the set"
    catalog.remove("far")
    with pytest.raises(SpineError, match="not on this computer"):
        catalog.open_set("far")


def test_a_computer_without_internet_imports_the_file(remote, server):
    catalog.import_model(server[1] / "far.zip")
    assert len(catalog.open_set("far").packages) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "0" * 64}, "size or SHA-256 differs"),
        ({"size": 10}, "size or SHA-256 differs"),
        ({"size": 10**9}, "size or SHA-256 differs"),
        ({"name": "other"}, 'holds "far-axial", not "other"'),
        ({"url": "file:///etc/hostname"}, "is not a web address"),
        ({"url": "http://127.0.0.1:9/far.zip"}, "check the internet connection and the proxy"),
        ({"url": "http://no-such-host.invalid/far.zip"}, "check the internet connection and the proxy"),
    ],
)
def test_a_failed_download_leaves_nothing(remote, user, change, message):
    remote(**change)
    with pytest.raises(SpineError, match=message):
        catalog.download("far")
    assert not list(user.iterdir())


def test_a_file_that_is_gone(remote, server, user):
    (server[1] / "far.zip").unlink()
    with pytest.raises(SpineError, match="does not exist any more"):
        catalog.download("far")
    assert not list(user.iterdir())


def test_a_cancelled_download_leaves_nothing(remote, user):
    with pytest.raises(Cancelled):
        catalog.download("far", Monitor(should_stop=lambda: True))
    assert not list(user.iterdir())
