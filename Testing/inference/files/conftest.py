"""A small volume, as an image and as a NIfTI file."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from small_volumes import DIRECTION


@pytest.fixture
def volume() -> sitk.Image:
    values = np.random.default_rng(1).integers(-1000, 1000, (6, 7, 8)).astype(np.int16)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((0.5, 0.75, 4.0))
    image.SetOrigin((10, -20, 30))
    image.SetDirection(DIRECTION)
    return image


@pytest.fixture
def nifti(volume, tmp_path) -> Path:
    path = tmp_path / "scan.nii"
    sitk.WriteImage(volume, str(path))
    return path
