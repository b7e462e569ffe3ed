"""Models in the panel: imported, downloaded, removed, each in another process and with a sentence if it fails."""

import hashlib
import http.server
import json
import shutil
import subprocess
import threading
from pathlib import Path

import pytest


@pytest.fixture
def panel(host, small_models):
    return host.openModule("SpineSegmentation")


@pytest.fixture
def archive(small_models, tmp_path) -> str:
    """A model package as a file."""
    from small_packages import fields, write_package

    write_package(tmp_path / "other", fields("other-sagittal", title="Another model"))
    return shutil.make_archive(str(tmp_path / "other"), "zip", tmp_path / "other")


@pytest.fixture
def server(archive, tmp_path, monkeypatch):
    """A catalog with a set that has to be downloaded from a server on this computer; `/slow` never ends."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            content = Path(archive).read_bytes()
            self.send_response(200 if self.path != "/missing" else 404)
            self.end_headers()
            if self.path == "/slow":
                self.wfile.write(content[:100])
                self.wfile.flush()
                stop.wait(30)
            else:
                self.wfile.write(content)

        def log_message(self, *arguments): ...

    stop = threading.Event()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    content = Path(archive).read_bytes()
    sets = []
    for path in ("good", "slow", "missing"):
        package = {
            "name": "other-sagittal",
            "url": f"http://127.0.0.1:{server.server_port}/{path}",
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": len(content),
        }
        texts = dict.fromkeys(("description", "anatomy", "licence"), "text") | {"modality": "MR"}
        sets.append({"name": path, "title": f"The {path} one", "packages": [package], **texts})
    catalog = tmp_path / "catalog"
    catalog.mkdir()
    (catalog / "catalog.json").write_text(json.dumps({"schema_version": 1, "sets": sets}))
    monkeypatch.setenv("SPINE_MODELS", str(catalog))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield server
    stop.set()
    server.shutdown()


def wait(host, panel):
    host.process(until=lambda: not panel.ui.modelProgressBar.visible, timeout=60)


def names(panel) -> list[str]:
    return [panel.ui.modelSelector.itemText(index) for index in range(panel.ui.modelSelector.count)]


def test_import_and_remove_a_model(host, panel, archive):
    host.dialogs.answer(archive)
    panel.ui.importModelButton.click()
    wait(host, panel)
    assert panel._parameterNode.model == "other-sagittal"
    assert "Another model" in names(panel)
    assert panel.ui.modelSelector.toolTip.endswith("<p>MR · spine · sagittal · 1 MB</p>")
    assert panel.ui.removeModelButton.enabled
    host.dialogs.answer("OK")
    panel.ui.removeModelButton.click()
    assert 'Delete the model "Another model"' in host.dialogs.texts[-1]
    assert "Another model" not in names(panel)
    assert panel._parameterNode.model == "vertebral-bodies-mr"
    assert not panel.ui.removeModelButton.enabled
    panel._parameterNode.model = "other-sagittal"  # as in a scene that was saved before
    assert "not on this computer" in panel.ui.modelMessageLabel.text


def test_import_of_a_broken_file_shows_an_error(host, panel, tmp_path):
    (tmp_path / "broken.zip").write_bytes(b"no zip")
    host.dialogs.answer(str(tmp_path / "broken.zip"))
    panel.ui.importModelButton.click()
    wait(host, panel)
    assert "broken.zip" in panel.ui.modelMessageLabel.text
    assert not host.dialogs.shown[1:]
    host.select("")
    host.select("SpineSegmentation")
    assert not panel.ui.modelMessageLabel.visible, "it sticks"
    host.dialogs.answer("")
    panel.ui.importModelButton.click()
    assert not panel.ui.modelProgressBar.visible


def test_model_is_downloaded_only_on_request(host, server):
    panel = host.openModule("SpineSegmentation")
    assert "The good one (to be downloaded)" in names(panel)
    panel._parameterNode.model = "good"
    assert panel.ui.downloadButton.visible
    assert "Not on this computer yet" in panel.ui.modelDetailsBrowser.toPlainText()
    panel.ui.downloadButton.click()
    assert panel.ui.downloadButton.text == "Cancel"
    wait(host, panel)
    assert "The good one" in names(panel)
    assert not panel.ui.downloadButton.visible
    assert panel.ui.removeModelButton.enabled


def test_cancelled_download_leaves_nothing(host, server, tmp_path):
    panel = host.openModule("SpineSegmentation")
    panel._parameterNode.model = "slow"
    panel.ui.downloadButton.click()
    host.process(until=lambda: panel.ui.modelProgressBar.maximum > 0, timeout=60)
    panel.ui.downloadButton.click()
    wait(host, panel)
    assert panel.ui.modelMessageLabel.text == "Cancelled."
    assert [path.name for path in (tmp_path / "user" / "SpineSegmentation" / "Models").iterdir()] == ["bright"]


def test_failed_download_shows_the_reason(host, server):
    panel = host.openModule("SpineSegmentation")
    panel._parameterNode.model = "missing"
    panel.ui.downloadButton.click()
    wait(host, panel)
    assert "does not exist any more (404)" in panel.ui.modelMessageLabel.text
    assert panel.ui.downloadButton.visible


def test_open_model_folder(host, panel, tmp_path):
    panel.ui.openFolderButton.click()
    [shown] = host.dialogs.shown
    assert shown.kind == "url" and str(tmp_path / "user") in shown.text


class TestPackages:
    """What Slicer lacks is listed with its size, asked for once, and installed without changing anything else."""

    @pytest.fixture
    def lacking(self, host, panel, monkeypatch):
        from synthetic_scan import addScan

        from SpineSegmentationLib.worker import Dependencies

        monkeypatch.setattr(Dependencies.Requirement, "isInstalled", lambda self: False)
        panel._parameterNode.inputVolume = addScan()
        return panel

    def test_declined_installation_segments_nothing(self, host, lacking):
        host.dialogs.answer("Cancel")
        lacking.ui.segmentButton.click()
        assert "openvino, about 60 MB (where it cannot be installed: onnxruntime, about 20 MB)" in host.dialogs.texts[0]
        assert not host.installations.requested and not lacking.logic.isRunning
        assert "nothing was segmented" in lacking.ui.statusLabel.text.lower()

    @pytest.mark.parametrize("hasPackaging", [True, False])
    def test_agreeing_installs_missing_and_pins_the_rest(self, host, lacking, monkeypatch, hasPackaging):
        from SpineSegmentationLib.worker import Dependencies

        pinned = []
        inner = Dependencies._pipInstall

        def look(requirements, constraints):
            pinned.extend(Path(constraints).read_text("utf-8").split())
            inner(requirements, constraints)

        monkeypatch.setattr(Dependencies, "_pipInstall", look)
        host.installations.install(hasPackaging)
        host.dialogs.answer("OK")
        lacking.ui.segmentButton.click()
        [(how, what, _keywords)] = host.installations.requested
        assert how == ("pip_ensure" if hasPackaging else "pip_install")
        assert what[0] == "openvino>=2025.2"
        assert any(line.startswith("numpy==") for line in pinned)
        assert not any(line.startswith("openvino==") for line in pinned)
        assert len(host.dialogs.shown) == 1
        lacking.logic.close()

    def test_small_engine_where_the_fast_one_cannot_be_installed(self, host, lacking, monkeypatch):
        from SpineSegmentationLib.worker import Dependencies

        inner = Dependencies._pipInstall

        def noWheel(requirements, constraints):
            inner(requirements, constraints)
            if "openvino>=2025.2" in requirements:
                raise subprocess.CalledProcessError(1, "pip")

        monkeypatch.setattr(Dependencies, "_pipInstall", noWheel)
        host.dialogs.answer("OK")
        lacking.ui.segmentButton.click()
        assert [what[0] for _how, what, _keywords in host.installations.requested] == [
            "openvino>=2025.2",
            "onnxruntime>=1.20",
        ]
        lacking.logic.close()

    def test_who_has_the_small_engine_is_not_asked(self, host, panel, monkeypatch):
        from SpineSegmentationLib.worker import Dependencies

        installed = {"onnxruntime": "1.23.2", "numpy": "2.4.6"}

        def version(name):
            if name not in installed:
                raise Dependencies.PackageNotFoundError(name)
            return installed[name]

        monkeypatch.setattr(Dependencies, "version", version)
        assert Dependencies.missingRequirements(needsGpu=False) == []
        installed["onnxruntime"] = "1.10"
        assert [each.name for each in Dependencies.missingRequirements(needsGpu=False)] == ["openvino"]

    def test_failed_installation_shows_one_sentence(self, host, lacking):
        host.installations.error = subprocess.CalledProcessError(1, "pip")
        host.dialogs.answer("OK")
        lacking.ui.segmentButton.click()
        assert "could not be installed" in lacking.ui.statusLabel.text
        assert not lacking.logic.isRunning

    def test_requested_gpu_needs_pytorch_extension(self, host, lacking, monkeypatch):
        import importlib.util

        find = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else find(name))
        lacking._parameterNode.device = "cuda"
        lacking.ui.segmentButton.click()
        assert "extension PyTorch" in lacking.ui.statusLabel.text
        host.installations.addPyTorchExtension(torch=None)
        lacking.ui.segmentButton.click()
        assert [how for how, *_ in host.installations.requested] == ["installTorch"]
        assert "PyTorch was not installed" in lacking.ui.statusLabel.text

    def test_automatic_device_installs_nothing_for_a_gpu(self, host, lacking, monkeypatch):
        import importlib.util

        from SpineSegmentationLib.worker import Dependencies

        for hasTorch, device in ((True, "cpu"), (False, "auto")):
            monkeypatch.setattr(importlib.util, "find_spec", lambda name, there=hasTorch: object() if there else None)
            assert Dependencies.availableDevice("auto") == device
            assert Dependencies.availableDevice("cuda:0") == "cuda:0"


def test_damaged_model_shows_an_error(host, panel, small_models, tmp_path):
    from synthetic_scan import addScan

    panel._parameterNode.inputVolume = addScan()
    (tmp_path / "user" / "SpineSegmentation" / "Models" / "bright" / "axial" / "manifest.json").write_text("{")
    panel.model.refresh()
    panel._parameterNode.model = small_models
    assert "not valid JSON" in panel.ui.modelMessageLabel.text
    panel.ui.segmentButton.click()
    assert "not valid JSON" in panel.ui.statusLabel.text
    assert not panel.logic.isRunning


def test_fine_tuned_set_is_imported_from_its_folder(host, panel, tmp_path):
    """As segtraining leaves it: a package for each plane, and the network that recognises levels."""
    from SpineInference.models.catalog import open_set
    from SpineInference.models.catalog_file import BUNDLED

    packages = ("vertebral-bodies-mr-sagittal", "vertebral-bodies-mr-axial", "vertebral-levels-mr")
    for name in packages:
        shutil.copytree(BUNDLED / name, tmp_path / "our-scanner" / name)
    host.dialogs.answer(str(tmp_path / "our-scanner"))
    panel.ui.importFolderButton.click()
    wait(host, panel)
    assert panel._parameterNode.model == "our-scanner" and "our-scanner" in names(panel)
    assert "sagittal, axial" in panel.ui.modelSelector.toolTip
    assert open_set("our-scanner").levels is not None
    host.dialogs.answer("")
    panel.ui.importFolderButton.click()
    assert not panel.ui.modelProgressBar.visible
