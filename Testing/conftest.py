"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def spine_data() -> Path:
    """The folder of real scans, see Testing/README.md; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("SPINE_DATA", PROJECT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the real scans are not in {folder}: set SPINE_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def project() -> Path:
    """The root of the source tree."""
    return PROJECT
