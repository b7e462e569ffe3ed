"""What the tests of reading share: files that are compared and damaged byte by byte."""

import struct
from pathlib import Path

import numpy as np
import SimpleITK as sitk

VOLUME_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")


# Permuted and flipped, so that a reader that drops the direction is found out.
DIRECTION = (0, 0, -1, 1, 0, 0, 0, -1, 0)
PIXDIM, DIM, SFORM = 76, 40, 252  # byte offsets in a NIfTI-1 header


def assert_same(read: sitk.Image, expected: sitk.Image) -> None:
    assert np.array_equal(sitk.GetArrayViewFromImage(read), sitk.GetArrayViewFromImage(expected))
    for name in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(read, name)(), getattr(expected, name)(), atol=1e-5)


def patch(path: Path, offset: int, layout: str, *values: float) -> None:
    content = bytearray(path.read_bytes())
    struct.pack_into("<" + layout, content, offset, *values)
    path.write_bytes(content)
