"""How closely the networks look: small bodies are shown to them larger than they are, on a finer grid.

A network knows vertebrae of the size that most of its training showed, and a body of a few pixels has no border that a
network could draw well. So where the coarse pass of `region` sees small bodies, as in a neck or a child, the scan is
resampled more finely, and the networks are told that its pixels are of the usual size. All that is measured in
millimetres, before and after, stays as it is.
"""

import SimpleITK as sitk

from .region import Region

SMALL = 0.66
"""Bodies from this size on, relative to lumbar ones, are shown as they are: from the middle of the thorax on."""
SHOWN = 0.75
"""As large, relative to lumbar ones, smaller bodies are shown."""
MOST = 2.0
"""Larger than so many times nothing is shown; as many times, where nothing is seen at the usual size."""


def magnification(region: Region | None) -> float:
    """How many times larger than they are the networks see the bodies of `region`: from 1 to `MOST`."""
    if region is None:
        return MOST
    return 1.0 if region.body_size >= SMALL else min(MOST, SHOWN / max(region.body_size, SHOWN / MOST))


def magnified(image: sitk.Image, factor: float) -> sitk.Image:
    """`image` as the networks are shown it: the same voxels, `factor` times larger."""
    if factor == 1:
        return image
    result = sitk.Image(image)
    result.SetSpacing([factor * mm for mm in image.GetSpacing()])
    return result
