"""From what a header says about its axes to a checked grid, with a sentence about whatever had to be assumed."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import SpineError, about
from ..volume.geometry import Grid, check_grid

_MM = {
    "m": 1000.0,
    "cm": 10.0,
    "mm": 1.0,
    "um": 1e-3,
    "µm": 1e-3,
    "μm": 1e-3,  # the Greek letter
    "nm": 1e-6,
    "in": 25.4,
}
_MM |= {
    name + plural: _MM[unit]
    for unit, names in {
        "m": ("meter", "metre"),
        "cm": ("centimeter", "centimetre"),
        "mm": ("millimeter", "millimetre"),
        "um": ("micrometer", "micrometre", "micron"),
        "in": ("inch",),
    }.items()
    for name in names
    for plural in ("", "s")
}


def no_place(path: Path) -> str:
    """The note about a volume whose header gives no orientation."""
    return (
        f"{path.name}: the header does not say how the scan lies, so its axes are taken to run to the left, to the "
        "back and up."
    )


def no_origin(path: Path) -> str:
    """The note about a volume whose header gives no position."""
    return f"{path.name}: the header does not say where the scan lies, so its first voxel is taken as the origin."


def no_spacing(path: Path) -> SpineError:
    return SpineError(f"{path}: the header does not say how large its voxels are: add the spacing in mm.")


def mm_per(unit: str, path: Path) -> float:
    """How many mm a unit of length is; nothing said is mm. Raises SpineError for an unknown one."""
    if unit.strip().lower() in ("", "?", "???", "none"):
        return 1.0
    if unit.strip().lower() not in _MM:
        raise SpineError(f"{path}: its lengths are in {unit[:40]!r}, which is no unit of length known here: use mm.")
    return _MM[unit.strip().lower()]


def converted(unit: str, path: Path) -> str:
    """The note about lengths that were not in mm."""
    return f"{path.name}: its lengths, which are in {unit}, were converted to mm."


def grid_of(size: Sequence[int], steps: np.ndarray, origin: np.ndarray, path: Path) -> Grid:
    """The checked grid of `size` voxels whose neighbours along axis n are `steps[:, n]` apart, in LPS mm.

    An axis with a single voxel may have no step (zero or NaN): it is taken as 1 mm across the other two. Raises
    SpineError, beginning with `path`.
    """
    steps = np.array(steps, float)
    for axis in range(3):
        if size[axis] == 1 and not np.linalg.norm(steps[:, axis]) > 0:
            normal = np.cross(steps[:, (axis + 1) % 3], steps[:, (axis + 2) % 3])
            steps[:, axis] = normal / (np.linalg.norm(normal) or np.nan)
    spacing = np.linalg.norm(steps, axis=0)
    direction = steps / spacing
    grid = Grid(tuple(size), tuple(spacing.tolist()), tuple(origin.tolist()), tuple(direction.ravel().tolist()))
    with about(path):
        check_grid(grid)
    return grid


def check_size(size: Sequence[int], path: Path) -> None:
    """Raise SpineError unless there are two or three axes with a sensible number of voxels."""
    shown = " x ".join(map(str, size))
    if not size or not all(0 < count < 2**31 for count in size):
        raise SpineError(f"{path}: the header gives an image of {shown or 'no'} voxels, export it again.")
    if len(size) == 1:
        raise SpineError(f"{path}: the image has a single row of {shown} voxels, export a volume.")
    if len(size) not in (2, 3):
        raise SpineError(f"{path}: the image has {len(size)} dimensions ({shown}), export one volume of it.")


def check_spacing(spacing: Sequence[float], size: Sequence[int], path: Path) -> None:
    """Raise SpineError for what is no length of a voxel; that across a single slice may be unknown."""
    lengths = zip(spacing, size, strict=True)
    if not all(math.isfinite(mm) and (mm > 0 or (mm == 0 and count == 1)) for mm, count in lengths):
        shown = " x ".join(f"{mm:.4g}" for mm in spacing)
        raise SpineError(f"{path}: the voxel spacing {shown} mm is not positive: correct the header of the scan.")


def check_components(count: int, path: Path) -> None:
    """Raise SpineError unless there is one value in each voxel."""
    if count != 1:
        raise SpineError(
            f"{path}: the image has {count} values in each voxel (colours or vectors), export a scalar volume."
        )
