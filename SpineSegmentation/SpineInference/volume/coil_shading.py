"""The brightness that falls off with the distance from a surface coil: how steep it is, and a scan without it.

A coil behind the patient receives the back up to twenty times louder than the front. From back to front the logarithm
of that fall-off is smooth and nearly the same everywhere, so a cubic of the depth describes it: four numbers, which
cannot follow single organs as a blurred copy of the scan would. N4 (see `bias_field`) finds finer gradients, but
sharpens a histogram that so steep a fall-off has smeared out, and leaves most of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.polynomial import legendre

from .bias_field import shrink_factors

WORKING_VOXEL_MM = 8.0
"""Means over about so much are enough, and are less noisy than voxels."""

DEGREE = 3
ROUNDS = 3
"""Each round fits again to what is tissue by the fit of the round before."""

DARKEST_TISSUE = 0.01
"""Of the brightest: less says nothing about the coil, not even where it is deaf."""
ABOVE_AIR = 4.0
"""Tissue is brighter than air by this factor; a tenth of the working voxels are taken to be air, ..."""
BRIGHTEST_AIR = 0.1
"""... but what is brighter than this share of the brightest is none."""
DARK_TISSUE = 0.2
"""Of the bright tissue, once it is evened out: darker are bone, gas and vessels, which say nothing either."""
FEWEST_TISSUE = 0.05
"""Share of tissue from which a coronal layer counts. Beyond the outermost that do the fall-off is not continued."""


@dataclass(frozen=True)
class CoilShading:
    """How bright the coronal layers of a canonical volume are, from front to back, as logarithms `[P]`.

    `zero`: the intensity that is no signal.
    """

    log_brightness: np.ndarray
    zero: float

    @property
    def ratio(self) -> float:
        """How many times brighter the brightest layer is than the darkest, at least 1."""
        return float(np.exp(np.ptp(self.log_brightness)))

    def removed_from(self, array: np.ndarray, layers: Sequence[int] | None = None) -> np.ndarray:
        """`array` `[any, P, any]`, some slices of the volume, without the shading: float32, without signal 0.

        `layers`: which coronal layers of the volume `array` holds; all of them by default.
        """
        log_brightness = self.log_brightness if layers is None else self.log_brightness[layers]
        even = np.subtract(array, np.float32(self.zero), dtype=np.float32)
        np.maximum(even, 0, out=even)
        even /= np.exp(log_brightness).astype(np.float32)[:, None]
        return even


def estimate_shading(image: sitk.Image) -> CoilShading:
    """The fall-off in a 3D canonical `image` of any scalar type; even (all 0) where too little tissue is seen."""
    if image.GetPixelID() != sitk.sitkFloat32:
        image = sitk.Cast(image, sitk.sitkFloat32)
    working = sitk.BinShrink(image, shrink_factors(image, WORKING_VOXEL_MM))
    array = sitk.GetArrayFromImage(working)
    zero = float(np.percentile(array, 0.5))
    array -= zero
    depth, layers = image.GetSize()[1], array.shape[1]
    brightest = np.percentile(array, 99)
    air = min(ABOVE_AIR * np.percentile(array, 10), BRIGHTEST_AIR * brightest)
    signal = _inner(array > max(DARKEST_TISSUE * brightest, air))
    logarithm = np.log(np.where(signal, array, 1))
    tissue, fitted = signal, np.zeros(layers)
    for _ in range(ROUNDS):
        counting = np.flatnonzero(tissue.mean(axis=(0, 2)) >= FEWEST_TISSUE)
        if len(counting) <= DEGREE + 1:
            return CoilShading(np.zeros(depth), zero)
        first, last = counting[0], counting[-1]
        tissue[:, :first] = tissue[:, last + 1 :] = False
        voxels = tissue.sum(axis=(0, 2))
        mean = np.where(tissue, logarithm, 0).sum(axis=(0, 2)) / np.maximum(voxels, 1)
        place = np.clip(2 * (np.arange(layers) - first) / (last - first) - 1, -1, 1)
        fitted = legendre.legval(place, legendre.legfit(place, mean, DEGREE, w=np.sqrt(voxels)))
        even = logarithm - fitted[:, None]
        tissue = signal & (even > np.log(DARK_TISSUE) + np.percentile(even[tissue], 95))
    centres = (np.arange(layers) + 0.5) * shrink_factors(image, WORKING_VOXEL_MM)[1] - 0.5
    return CoilShading(np.interp(np.arange(depth), centres, fitted - fitted.mean()), zero)


def _inner(signal: np.ndarray) -> np.ndarray:
    """`signal` `[I, P, L]` without the first and the last voxel of each line along P, which may be half air."""
    count = signal.cumsum(axis=1)
    return signal & (count > 1) & (count < count[:, -1:])


def remove_shading(image: sitk.Image, shading: CoilShading) -> sitk.Image:
    """The canonical `image` without its `shading`: float32, on the same grid, without signal 0."""
    even = sitk.GetImageFromArray(shading.removed_from(sitk.GetArrayViewFromImage(image)))
    even.CopyInformation(image)
    return even
