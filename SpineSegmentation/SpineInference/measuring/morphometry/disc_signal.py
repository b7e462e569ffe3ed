"""The signal of a disc against that of the fluid in the canal beside it, which falls as a disc degenerates.

T2-weighted scans only (Luoma et al. 2001, Salamat et al. 2016). The fluid is the reference because it lies in the same
slices, at the same height, and is the same in everybody. A coil at the back that is brighter there lowers the ratio.
"""

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

from ...processors import in_threads
from .canal import Canal
from .discs import DiscMask, DiscShape
from .frames import Body, Scan

_FLUID = 80
"""The fluid is this percentile of the canal: cord and roots in it are darker, and the largest values are noise."""
_NEAR_MM = 20.0
"""The fluid as far as this along the canal counts."""
_ENOUGH_VOXELS = 50_000
"""As many of the canal tell its brightness along it."""
_NUCLEUS = 0.5
"""The middle half of depth, width and height, which is the nucleus."""
_T2_CONTRAST = 1.5
"""So many times brighter than the marrow of the bodies is fluid at least where a scan is T2-weighted."""


class DiscSignals:
    """Tells the relative signal of discs in a `scan` on the grid of their masks."""

    def __init__(self, scan: sitk.Image, canal: Canal, bodies: Sequence[Body]):
        self._grid = Scan.of(scan)
        self._array = sitk.GetArrayViewFromImage(scan)
        every = max(1, len(canal.points) // _ENOUGH_VOXELS)
        self._fluid = self._cut(canal.mask, canal.first)[canal.mask][::every]
        self._position = canal.position_of(canal.points[::every])
        self._canal = canal
        marrow = in_threads(lambda body: np.median(self._cut(body.mask, body.first)[body.mask]), bodies)
        self._marrow = float(np.median(marrow))

    @property
    def is_t2_weighted(self) -> bool:
        """Whether fluid is much brighter than the bodies."""
        fluid = float(np.percentile(self._fluid, _FLUID))
        return self._marrow > 0 and fluid >= _T2_CONTRAST * self._marrow

    def of_disc(self, disc: DiscMask, shape: DiscShape) -> float | None:
        """The median of the nucleus as a fraction of the fluid; None without any fluid at its height."""
        position = self._canal.position_of(shape.centre[None])[0]
        near = self._fluid[np.abs(self._position - position) <= _NEAR_MM]
        height = shape.mean_height
        if not len(near) or height is None:
            return None
        offsets = np.abs(np.einsum("vx,ax->va", disc.points(self._grid) - shape.centre, shape.axes))
        half = _NUCLEUS / 2 * np.array([shape.depth, shape.width, height])
        # A slice may be thicker than the nucleus, and the voxels nearest to the middle are then all there is of it.
        ratio = (offsets / np.maximum(half, offsets.min(axis=0) + 1e-6)).max(axis=1)
        inner = ratio <= max(1.0, float(ratio.min()))
        values = self._cut(disc.mask, disc.first)[disc.mask][inner]
        return float(np.median(values) / np.percentile(near, _FLUID))

    def _cut(self, mask: np.ndarray, first: tuple[int, ...]) -> np.ndarray:
        return self._array[tuple(slice(start, start + length) for start, length in zip(first, mask.shape, strict=True))]
