"""A pipeline that only notes its requests, and a small model and scan for the real one."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from command_line import FakeRun
from small_packages import fields, write_package


@pytest.fixture
def run() -> FakeRun:
    return FakeRun()


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "out"


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A network that calls everything bright a vertebra."""
    return write_package(tmp_path_factory.mktemp("models") / "bright", fields("bright-sagittal", "sagittal"))


@pytest.fixture
def spine(tmp_path: Path) -> Path:
    """Three bright blocks one above the other in grey tissue, in a folder with a name that is not ASCII."""
    array = np.full((80, 48, 40), 100.0)
    for number in range(3):
        array[4 + 26 * number : 22 + 26 * number, 12:36, 8:32] = 300
    array += np.random.default_rng(0).normal(0, 5, array.shape)
    array[:, :4] = 0  # air
    scan, mask = sitk.GetImageFromArray(array.astype(np.int16)), sitk.GetImageFromArray((array > 200).astype(np.uint8))
    folder = tmp_path / "Wirbelsäule 脊椎"
    folder.mkdir()
    for image, name in ((scan, "scan ö.nii.gz"), (mask, "mask.nrrd")):
        image.SetDirection((1, 0, 0, 0, 1, 0, 0, 0, -1))
        sitk.WriteImage(image, folder / name)
    return folder / "scan ö.nii.gz"
