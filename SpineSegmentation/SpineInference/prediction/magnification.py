"""How closely the networks look: small bodies are shown to them larger than they are, on a finer grid.

A network knows vertebrae of the size that most of its training showed, and a body of a few pixels has no border that a
network could draw well. So where the coarse pass of `region` sees small bodies, as in a neck or a child, the scan is
resampled more finely, and the networks are told that its pixels are of the usual size. All that is measured in
millimetres, before and after, stays as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass

import SimpleITK as sitk

from ..models.model_package import ModelPackage
from .region import Region

SMALL = 0.66
"""Bodies from this size on, relative to lumbar ones, are shown as they are: from the middle of the thorax on."""
SHOWN = 0.75
"""As large, relative to lumbar ones, smaller bodies are shown."""
MOST = 2.0
"""Larger than so many times nothing is shown; as many times, where nothing is seen at the usual size."""


@dataclass(frozen=True, eq=False)
class Look:
    """A scan as the networks shall see it: canonical, on the `working` grid, shown `factor` times larger.

    `region` is where the spine was seen in it, None where nothing was or nobody looked. `shading_removed`: see
    `lighting`.
    """

    working: sitk.Image
    shading_removed: float | None = None
    region: Region | None = None
    factor: float = 1.0


def look_closely(
    prepare: Callable[[float], tuple[sitk.Image, float | None]],
    find: Callable[[sitk.Image], Region | None],
    spacing_mm: float,
    again: bool = True,
) -> Look:
    """How closely a scan is looked at, by what `find` sees in it.

    `prepare` gives the scan on a working grid of so many mm, and what shading it has removed. Where nothing is seen, it
    is shown larger, unless not `again`. Where nothing is seen then either, the scan stays as it is.
    """
    usual = Look(*prepare(spacing_mm))
    region = find(usual.working)
    factor = magnification(region)
    if factor == 1 or (region is None and not again):
        return Look(usual.working, usual.shading_removed, region)
    working, shading_removed = prepare(spacing_mm / factor)
    if region is None:
        region = find(magnified(working, factor))
        return usual if region is None else Look(working, shading_removed, region, factor)
    finer = region.on_grid(usual.working.GetSize()[::-1], working.GetSize()[::-1])
    return Look(working, shading_removed, finer, factor)


def magnification(region: Region | None) -> float:
    """How many times larger than they are the networks see the bodies of `region`: from 1 to `MOST`."""
    if region is None:
        return MOST
    return 1.0 if region.body_size >= SMALL else min(MOST, SHOWN / max(region.body_size, SHOWN / MOST))


def larger_for(package: ModelPackage, factor: float) -> float:
    """How many times larger a network sees a scan of which vertebrae are shown `factor` times larger: one that knows
    none of them sees it as it is, as it was taught. The cord of a child is nearly as thick as that of a man."""
    return factor if package.manifest.vertebra_class is not None else 1.0


def magnified(image: sitk.Image, factor: float) -> sitk.Image:
    """`image` as the networks are shown it: the same voxels, `factor` times larger."""
    if factor == 1:
        return image
    result = sitk.Image(image)
    result.SetSpacing([factor * mm for mm in image.GetSpacing()])
    return result
