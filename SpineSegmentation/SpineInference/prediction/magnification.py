"""How closely the networks look: small bodies are shown to them larger than they are, on a finer grid.

A network knows vertebrae of the size that most of its training showed, and a body of a few pixels has no border that a
network could draw well. So where the coarse pass of `region` sees small bodies, as in a neck or a child, the scan is
resampled more finely, and the networks are told that its pixels are of the usual size. All that is measured in
millimetres, before and after, stays as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import SimpleITK as sitk

from ..models.model_package import ModelPackage
from .lighting import Lit
from .region import Region

SMALL = 0.66
"""Bodies from this size on, relative to lumbar ones, are shown as they are: from the middle of the thorax on."""
SHOWN = 0.75
"""As large, relative to lumbar ones, smaller bodies are shown."""
MOST = 2.0
"""Larger than so many times nothing is shown; as many times, where nothing is seen at the usual size."""


@dataclass(frozen=True, eq=False)
class Look:
    """A scan as the networks shall see it: canonical, on the working grid, shown `factor` times larger.

    `region` is where the spine was seen in it, None where nothing was or nobody looked.
    """

    lit: Lit
    region: Region | None = None
    factor: float = 1.0


def look_closely(
    prepare: Callable[[float], Lit],
    find: Callable[[Lit], Region | None],
    spacing_mm: float,
    again: bool = True,
) -> Look:
    """How closely a scan is looked at, by what `find` sees in it.

    `prepare` gives the scan on a working grid of so many mm. Where nothing is seen, it is shown larger, unless not
    `again`. Where nothing is seen then either, the scan stays as it is.
    """
    usual = prepare(spacing_mm)
    region = find(usual)
    factor = magnification(region)
    if factor == 1 or (region is None and not again):
        return Look(usual, region)
    finer = prepare(spacing_mm / factor)
    if region is None:
        region = find(replace(finer, image=magnified(finer.image, factor)))
        if region is None:
            return Look(usual)
    else:
        region = region.on_grid(usual.image.GetSize()[::-1], finer.image.GetSize()[::-1])
    return Look(finer, region, factor)


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
