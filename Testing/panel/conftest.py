"""Panel tests press the buttons of the module's own panel, in the host."""

import sys
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


@pytest.fixture
def host():
    """An application with an empty scene; see SlicerHost/__init__.py. What slots raised fails the test."""
    if missing := _missing():
        pytest.skip(missing)
    from SlicerHost.host import SlicerHost

    host = SlicerHost()
    yield host
    host.close()
