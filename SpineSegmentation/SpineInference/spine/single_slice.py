"""Size and upright position of a single slice that does not tell them: those in which the network is surest.

A network answers to vertebrae of about the size and the position that it was taught. So the slice is shown to it in
several sizes and positions, from the most to the least plausible one; another one is taken only where the network is
clearly surer of it. What a person knows is not looked for.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

import numpy as np
import SimpleITK as sitk

from ..engines.engine import Engine
from ..errors import Implausible, SpineError
from ..models.model_package import ModelPackage
from ..monitor import Monitor
from ..options import Plane, SegmentationOptions
from ..placement import SlicePlacement
from ..prediction.slices import predict_plane
from ..volume import postprocessing
from ..volume.geometry import PLANES, plane_grid, resample, spacing_ipl
from ..volume.preprocessing import preprocess
from ..volume.slice_placement import (
    PIXEL_SIZE,
    POSITION,
    is_single_slice,
    placed,
    plane_of,
    spacing_in_plane,
    unknown_of,
)
from .vertebrae import separate

FIELDS_OF_VIEW_MM = (300.0, 200.0, 450.0, 130.0)
"""How long the longer side of a slice may be: steps of a half, within which networks tell vertebrae alike."""
CLEARLY_SURER, MUCH_SURER = 1.2, 1.5
"""How many times as sure the network must be of a less plausible position, and of a less plausible size: it finds the
same bodies in a wide range of sizes, and levels are read off only where the size is about right."""
SURE = 12.0
"""How sure it must be at least of a position that is not upright: for instance of two bodies with an expected Dice of
0.88, or of five with 0.81. From here on no further plane is tried."""
SURE_OF_PLANE = 25.0
"""The same of another plane than the most plausible one: for instance of one body with 0.96. Axial slices of ten scans
reach 30 to 85 as such, and sagittal ones without a body up to 20."""
LEAST_EXPECTED_DICE = 0.8
"""What a network is less sure of than this says nothing about size and position."""


def place_slice(
    scan: sitk.Image,
    packages: Sequence[ModelPackage],
    options: SegmentationOptions,
    engine_for: Callable[[ModelPackage], Engine],
    monitor: Monitor,
) -> SlicePlacement | None:
    """How the single slice `scan` lies; None for a volume, and for a slice whose header says all and nobody else.

    Plane and spacing of the `options` go before the header. What neither says is looked for with the network of the
    plane, and told in a note. Raises SpineError where options for a single slice are given for a volume.
    """
    if not is_single_slice(scan):
        if options.plane or options.spacing_mm:
            size = " x ".join(map(str, scan.GetSize()))
            raise SpineError(f"plane and spacing can be told of a single slice, not of {size} voxels: leave them out.")
        return None
    unknown = unknown_of(scan)
    header = SlicePlacement(plane_of(scan), options.spacing_mm or spacing_in_plane(scan), True)
    header = replace(header, has_scale=options.spacing_mm is not None or PIXEL_SIZE not in unknown)
    lies_as_told = POSITION not in unknown and options.plane in (None, header.plane)
    if header.has_scale and lies_as_told:
        return header if options.spacing_mm else None

    finders = {package.manifest.plane: package for package in packages if _can_find(package)}
    offered = {package.manifest.plane for package in packages}
    planes = [plane for plane in PLANES if plane in offered and plane in (options.planes or PLANES)]
    if lies_as_told or options.plane or not planes:
        planes = [options.plane or header.plane]
    search = _Search(scan, header, lies_as_told, finders, engine_for, monitor)
    placement = search.best(planes)
    monitor.note(_assumed(placement, options, lies_as_told))
    return placement


def _can_find(package: ModelPackage) -> bool:
    # A network tied to a canvas sees the whole picture, whatever its size.
    return package.manifest.vertebra_class is not None and package.manifest.input.canvas is None


Rated = tuple[SlicePlacement, float]
"""A placement, and how sure the network is of what it sees there."""


@dataclass(frozen=True)
class _Search:
    scan: sitk.Image
    header: SlicePlacement
    lies_as_told: bool
    finders: dict[Plane, ModelPackage]
    engine_for: Callable[[ModelPackage], Engine]
    monitor: Monitor

    def best(self, planes: list[Plane]) -> SlicePlacement:
        """The surest placement in the surest of `planes`, which begin with the most plausible one."""
        best = self._best_in(planes[0])
        for plane in planes[1:]:
            if best[1] >= SURE:
                break
            best = _chosen(best, self._best_in(plane), SURE_OF_PLANE)
        return best[0]

    def _best_in(self, plane: Plane) -> Rated:
        sizes = [self.header.spacing_mm] if self.header.has_scale else list(self._sizes())
        first = replace(self.header, plane=plane, quarter_turns=None if self.lies_as_told else 0)
        if plane not in self.finders:
            return first, 0.0
        best = self._surest_size(first, sizes)
        if self.lies_as_told:
            return best
        best = _chosen(best, self._surest_size(replace(first, quarter_turns=1), sizes))
        # Vertebrae are seen upside down and in a mirror too, if not as well, so that this is asked last. Left and right
        # of a patient look alike: only sagittal slices show whether they are mirrored.
        turned = [(half, mirror) for mirror in (False, True) for half in (0, 2) if plane == "sagittal" or not mirror]
        others = [replace(best[0], quarter_turns=best[0].quarter_turns + t, mirrored=m) for t, m in turned[1:]]
        surest = max(((other, self._sureness(other)) for other in others), key=itemgetter(1))
        if best[0].quarter_turns == 0:
            return _chosen(best, surest)
        return max(best, surest, key=itemgetter(1))  # a slice that lies on its side may as well be turned either way

    def _surest_size(self, placement: SlicePlacement, sizes: list[tuple[float, float]]) -> Rated:
        """The placement in its surest size, and how sure the network is of it in any size."""
        best, highest, in_any = replace(placement, spacing_mm=sizes[0]), 0.0, 0.0
        for spacing_mm in sizes:
            sized = replace(placement, spacing_mm=spacing_mm)
            if (sureness := self._sureness(sized)) > MUCH_SURER * highest:
                best, highest = sized, sureness
            in_any = max(in_any, sureness)
        return best, in_any

    def _sizes(self) -> Iterator[tuple[float, float]]:
        rows, columns = self.header.spacing_mm
        height, width = (n for n in reversed(self.scan.GetSize()) if n > 1)
        longest = max(height * rows, width * columns)
        return ((rows * mm / longest, columns * mm / longest) for mm in FIELDS_OF_VIEW_MM)

    def _sureness(self, placement: SlicePlacement) -> float:
        """How sure the network of the plane is of all that it sees: 0 where there is nothing or much doubt.

        The Dice to be expected (see `quality`) of all bodies together; their number counts for less, since a slice that
        shows them badly may show the sacrum or other things like them.
        """
        package = self.finders[placement.plane]
        recipe = package.manifest
        working = preprocess(placed(self.scan, placement), recipe.input.spacing_mm, recipe.input.intensity)
        image = resample(working, plane_grid(working, recipe.plane, recipe.input.spacing_mm))
        slices = predict_plane(
            sitk.GetArrayViewFromImage(image), recipe, self.engine_for(package), self.monitor, stage="placing"
        )
        likely = next(iter(slices))[1][recipe.vertebra_class - 1].reshape(image.GetSize()[::-1])
        inside = likely >= recipe.output.threshold
        expected = 2 * likely[inside].sum() / max(1e-6, np.count_nonzero(inside) + likely.sum())
        if expected < LEAST_EXPECTED_DICE:
            return 0.0
        classes = (inside * recipe.vertebra_class).astype(np.uint8)
        spacing = spacing_ipl(image)
        clean = postprocessing.apply(classes, recipe.postprocessing, spacing, recipe.vertebra_class)
        try:
            bodies = len(separate(clean == recipe.vertebra_class, spacing, likely)[1])
        except Implausible:
            return 0.0
        return math.sqrt(bodies) / (1 - min(expected, 0.999))


def _chosen(plausible: Rated, other: Rated, sure: float = SURE) -> Rated:
    """The plausible placement, unless the network is `sure` of the other one and clearly surer."""
    return other if other[1] >= max(sure, CLEARLY_SURER * plausible[1]) else plausible


def _assumed(placement: SlicePlacement, options: SegmentationOptions, lies_as_told: bool) -> str:
    """What was assumed, as a sentence."""
    parts = []
    if not lies_as_told:
        turned = f"turned by {90 * placement.quarter_turns} degrees clockwise" if placement.quarter_turns else ""
        position = " and ".join(part for part in (turned, "mirrored" if placement.mirrored else "") if part)
        parts.append(f"it was taken for a {placement.plane} slice, {position or 'upright as it is'}")
    if not placement.has_scale:
        parts.append(
            f"its pixels for about {math.sqrt(math.prod(placement.spacing_mm)):.2g} mm, so lengths are left out"
        )
    missing = ["the plane"] * (not lies_as_told and options.plane is None) + ["the spacing"] * (not placement.has_scale)
    return (
        f"The image does not say how it lies in the body: {', and '.join(parts)}"
        f"{'; give ' + ' and '.join(missing) + ' if you know better' if missing else ''}."
    )
