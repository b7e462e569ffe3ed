"""Where a NIfTI header says that voxels lie, and which of its two answers counts.

https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h describes both: the qform is a rotation of voxels of the size
in pixdim, the sform any affine map. As in nibabel the sform counts where it has a code. Programs differ in that, so a
header whose answers differ is told.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from ..errors import SpineError

_RAS_TO_LPS = np.array([[-1.0], [-1.0], [1.0]])
_SAME_PLACE, _SAME_PLACE_MM = 0.2, 0.1
"""Of a voxel, but not less than this many mm: what single precision leaves of one place."""
_SAME_LENGTH = 0.01
_NEARLY_ONE = 1e-3


@dataclass(frozen=True, eq=False)
class Forms:
    """`spacing` and `sign` (qfac) are pixdim's; `quaternion` has b, c, d and the offsets; `sform` is [3, 4], in RAS.

    A form without code is None.
    """

    spacing: tuple[float, float, float]
    sign: float
    quaternion: np.ndarray | None
    sform: np.ndarray | None


def placed(forms: Forms, size: Sequence[int], path: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Steps [3, 3] from voxel to voxel (columns) and origin in LPS, in the units of the header, and notes.

    Without any form the axes are those of LPS. Raises SpineError for numbers that describe no place.
    """
    if forms.sform is None and forms.quaternion is None:
        return np.diag(forms.spacing), np.zeros(3), []
    if forms.sform is None:
        return *_in_lps(_qform(forms, path)), []
    if not np.isfinite(forms.sform).all():
        raise SpineError(f"{path}: the place of its voxels (sform) is not a number, correct the header of the scan.")
    return *_in_lps(forms.sform), _contradictions(forms, (*size, 1)[:3], path)


def _in_lps(affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    affine = affine * _RAS_TO_LPS
    return affine[:, :3], affine[:, 3]


def _contradictions(forms: Forms, size: tuple[int, ...], path: Path) -> list[str]:
    known = [axis for axis in range(3) if size[axis] > 1 and forms.spacing[axis] > 0]
    lengths = np.linalg.norm(forms.sform[:, :3], axis=0)[known]
    pixdim = np.array(forms.spacing)[known]
    if not np.allclose(lengths, pixdim, rtol=_SAME_LENGTH, atol=0):
        voxels = " and ".join(" x ".join(f"{mm:.4g}" for mm in sizes) for sizes in (pixdim, lengths))
        return [f"{path.name}: the header gives two sizes of voxels, {voxels} (pixdim and sform): the sform's is used."]
    if forms.quaternion is None:
        return []
    difference = forms.sform - _qform(forms, path)
    corners = np.array([[*corner, 1] for corner in product(*((0, count - 1) for count in size))])
    apart = np.linalg.norm(corners @ difference.T, axis=1).max()
    if apart <= max(_SAME_PLACE_MM, _SAME_PLACE * min(pixdim, default=0.0)):
        return []
    return [
        f"{path.name}: the header gives two places of the scan, up to {apart:.3g} mm apart (qform and sform): the "
        "sform's is used."
    ]


def _qform(forms: Forms, path: Path) -> np.ndarray:
    b, c, d, *offset = forms.quaternion.tolist()
    length = b * b + c * c + d * d
    if not (np.isfinite(forms.quaternion).all() and length < 1 + _NEARLY_ONE):
        raise SpineError(f"{path}: the place of its voxels (qform) is no rotation, correct the header of the scan.")
    rest = 1 - length
    a = math.sqrt(rest) if rest > 1e-7 else 0.0
    a, b, c, d = np.array([a, b, c, d]) / math.sqrt(a * a + length)
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    spacing = np.array(forms.spacing) * (1, 1, -1 if forms.sign < 0 else 1)
    return np.column_stack([rotation * spacing, offset])
