"""Panel tests press the buttons of the module's own panel, in the host."""

import gc
import sys
import tempfile
from pathlib import Path

import pytest

TESTING = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTING))


def _missing() -> str:
    """Why the host cannot run on this machine, or ""."""
    try:
        import PySide6.QtUiTools  # noqa: F401 (a shared library may be missing, which only importing shows)
        import slicer  # noqa: F401
    except ImportError as error:
        return f"panel tests need slicer-core, PySide6 and the system's libraries for it: {error}"
    return ""


@pytest.fixture(scope="session", autouse=True)
def frozen_imports():
    """Every host collects garbage when it is closed: without all that is imported already, in a fifth of the time."""
    if not _missing():
        gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def host():
    """An application with an empty scene; see SlicerHost/__init__.py. What slots raised fails the test."""
    if missing := _missing():
        pytest.skip(missing)
    from SlicerHost.host import SlicerHost

    host = SlicerHost()
    yield host
    host.close()


@pytest.fixture
def small_models(monkeypatch, tmp_path) -> str:
    """The name of an imported model that calls everything bright a vertebral body: two planes, and fast."""
    sys.path.insert(0, str(TESTING / "inference"))
    from small_packages import fields, write_package

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user"))
    folder = tmp_path / "user" / "SpineSegmentation" / "Models" / "bright"
    for plane in ("sagittal", "axial"):
        write_package(folder / plane, fields(f"bright-{plane}", plane))
    return "bright"


@pytest.fixture
def temporary(monkeypatch, tmp_path) -> Path:
    """Where temporary files of the product are made during the test."""
    folder = tmp_path / "temporary files"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def panel(host, small_models, temporary):
    """The panel with a synthetic scan and the small model chosen, on the CPU."""
    from synthetic_scan import addScan

    panel = host.openModule("SpineSegmentation")
    panel._parameterNode.inputVolume = addScan()
    panel._parameterNode.model = small_models
    panel._parameterNode.device = "cpu"
    host.process()
    return panel


@pytest.fixture
def logic(host, small_models, temporary):
    """The logic of the module without its panel; its worker ends with the test."""
    host.loadModule("SpineSegmentation")
    from SpineSegmentation import SpineSegmentationLogic

    logic = SpineSegmentationLogic()
    yield logic
    logic.close()
