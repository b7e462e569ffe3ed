"""Scene tests run on slicer-core: the real MRML scene, without the application."""

import sys
from pathlib import Path

import pytest

TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTING), str(TESTING / "demo"), str(TESTING.parent / "SpineSegmentation")]


@pytest.fixture
def scene():
    """A new, empty scene as `slicer.mrmlScene`, cleared at the end."""
    pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")
    from SlicerHost.core import startScene

    scene = startScene()
    yield scene
    scene.Clear(True)
