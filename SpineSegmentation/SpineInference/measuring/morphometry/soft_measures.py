"""What is measured of the discs and of the spinal canal, beside the bodies."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np
import SimpleITK as sitk

from ...anatomy import DISC_OFFSET, LEVELS, NUMBERED_OFFSET, numbered
from ..matching import find_labels, layers_of
from ..measurements import VertebraMeasurement
from .canal import Canal, Section, find_canal
from .disc_signal import DiscSignals
from .discs import DiscMask, DiscShape, disc_shape
from .frames import Body, Scan
from .landmarks import Heights, PlacedEndplate
from .measure import CUT_OFF, DOUBTFUL_BODY, INCOMPLETE, NO_FLUID, NOT_T2, Measure, line

_HEIGHTS = "anterior_disc_height", "middle_disc_height", "posterior_disc_height"
_LAST_LUMBAR, _SIXTH_LUMBAR, _SACRUM = (LEVELS[name].label for name in ("L5", "L6", "S1"))


class MeasuredBody(Protocol):
    """What has been measured of a body."""

    row: VertebraMeasurement

    @property
    def superior(self) -> PlacedEndplate | None: ...
    @property
    def inferior(self) -> PlacedEndplate | None: ...
    @property
    def heights(self) -> Heights | None: ...
    @property
    def is_doubtful(self) -> bool: ...


def soft_measures(
    labels: sitk.Image,
    bodies: Sequence[Body],
    measured: Sequence[MeasuredBody],
    neighbours: Sequence[tuple[MeasuredBody, MeasuredBody]],
    spine: np.ndarray,
    scan: sitk.Image | None,
) -> list[Measure]:
    """The measures of the discs, then those of the canal at bodies and discs, both from top to bottom.

    `measured` are the `bodies` from top to bottom, and `neighbours` those of them with nothing but a disc in between;
    `spine` has in its rows the directions posterior, left and superior (LPS). `scan` is the picture on the grid of
    `labels`, for what depends on its brightness.
    """
    canal = find_canal(labels, spine)
    measures = _of_discs(labels, bodies, measured, neighbours, spine, canal, scan)
    return measures if canal is None else measures + _of_canal(canal, measured, neighbours)


def _of_discs(
    labels: sitk.Image,
    bodies: Sequence[Body],
    measured: Sequence[MeasuredBody],
    neighbours: Sequence[tuple[MeasuredBody, MeasuredBody]],
    spine: np.ndarray,
    canal: Canal | None,
    scan: sitk.Image | None,
) -> list[Measure]:
    grid, measures, ends = Scan.of(labels), [], []
    signals = None if scan is None or canal is None else DiscSignals(scan, canal, bodies)
    can_tell_signal = signals is not None and signals.is_t2_weighted
    for label, disc in _disc_masks(labels):
        above = next((body for body in measured if body.row.label == label), None)
        below = next((lower for upper, lower in neighbours if upper is above), None)
        if above is None:
            below = next((body for body in measured if body.row.label == _next(label, measured)), None)
        names = _name(label) if above is None else above.row.level, _name(_next(label, measured))
        at = f"{names[0]}-{names[1] if below is None else below.row.level}"
        beside = [body for body in (above, below) if body is not None]
        endplates = [above and above.inferior, below and below.superior]
        corners = [(plate.anterior, plate.posterior) for plate in endplates if plate is not None]
        fronts, backs = ([end for end in side if end is not None] for side in zip(*corners, strict=True)) if corners else ([], [])
        shape = disc_shape(disc, spine, grid, fronts, backs)
        if shape is None:
            continue
        ends += names
        doubts = (DOUBTFUL_BODY,) if any(body.is_doubtful for body in beside) else ()
        measures += _of_shape(at, disc, shape, grid, spine, beside, doubts)
        if can_tell_signal and (value := signals.of_disc(disc, shape)) is not None:
            measures.append(Measure("disc", at, "disc_signal", value, marks=doubts))
    if measures and scan is not None and not can_tell_signal:
        mark = NO_FLUID if canal is None else NOT_T2
        measures.append(Measure("disc", f"{ends[0]}-{ends[-1]}", "disc_signal", None, marks=(mark,)))
    return measures


def _of_shape(
    at: str,
    disc: DiscMask,
    shape: DiscShape,
    grid: Scan,
    spine: np.ndarray,
    beside: Sequence[MeasuredBody],
    doubts: tuple[str, ...],
) -> Iterator[Measure]:
    cut = disc.cut_along(grid)
    # What is beside the slices of a narrow scan does not matter to heights.
    is_cut = any(axis != grid.axis_along(spine[1]) for axis in cut)
    for name, height, ends in zip(_HEIGHTS, shape.heights, shape.lines, strict=True):
        lacks = (CUT_OFF,) if is_cut else (INCOMPLETE,) if height is None else ()
        value, lines = (height, (line(*ends),)) if not lacks else (None, ())
        yield Measure("disc", at, name, value, marks=lacks + doubts, lines=lines)
    heights = [np.mean(body.heights.values) for body in beside if body.heights is not None]
    if shape.mean_height is not None and heights and not is_cut:
        index = shape.mean_height / float(np.mean(heights))
        yield Measure("disc", at, "disc_height_index", index, marks=doubts)
    if 1 not in grid.shape:
        volume = None if cut else float(np.count_nonzero(disc.mask) * np.prod(grid.spacing))
        yield Measure("disc", at, "disc_volume", volume, marks=((CUT_OFF,) if cut else ()) + doubts)


def _of_canal(
    canal: Canal, measured: Sequence[MeasuredBody], neighbours: Sequence[tuple[MeasuredBody, MeasuredBody]]
) -> list[Measure]:
    below = dict((id(upper), lower) for upper, lower in neighbours)
    places = []
    for body in measured:
        places.append((body.row.level, [body], _behind([body.superior, body.inferior])))
        if (lower := below.get(id(body))) is not None:
            at = f"{body.row.level}-{lower.row.level}"
            places.append((at, [body, lower], _behind([body.inferior, lower.superior])))
    measures = []
    for at, beside, behind in places:
        centre = np.mean([body.row.centroid_lps_mm for body in beside], axis=0)
        section = canal.section_at(centre if behind is None else behind)
        if section is not None:
            doubts = (DOUBTFUL_BODY,) if any(body.is_doubtful for body in beside) else ()
            measures += _of_section(at, section, canal, doubts)
    diameters = [each for each in measures if each.name == "canal_diameter" and each.value is not None]
    if len(diameters) > 1:
        narrowest = min(diameters, key=lambda each: each.value)
        at = f"{places[0][0]}-{places[-1][0]}"
        measures.append(
            Measure("canal", at, "narrowest_level", narrowest.at, marks=narrowest.marks, lines=narrowest.lines)
        )
    return measures


def _of_section(at: str, section: Section, canal: Canal, doubts: tuple[str, ...]) -> Iterator[Measure]:
    def marks(value: float | None) -> tuple[str, ...]:
        return ((CUT_OFF,) if value is None else ()) + doubts

    diameter, area = section.diameter_mm, section.area_mm2
    lines = () if diameter is None else (line(section.front, section.back),)
    yield Measure("canal", at, "canal_diameter", diameter, marks=marks(diameter), lines=lines)
    if canal.scan.sees(canal.axes[1]):
        yield Measure("canal", at, "canal_area", area, marks=marks(area))


def _behind(endplates: Sequence[PlacedEndplate | None]) -> np.ndarray | None:
    """The middle between the posterior corners of two endplates: the back of a body or of a disc."""
    if any(endplate is None or endplate.posterior is None for endplate in endplates):
        return None
    return np.mean([endplate.posterior for endplate in endplates], axis=0)


def _disc_masks(labels: sitk.Image) -> list[tuple[int, DiscMask]]:
    """The label of the vertebra above, and the disc; from top to bottom."""
    found = []
    for value, (array, box) in sorted(find_labels(layers_of(labels)).items()):
        if value > DISC_OFFSET:
            around = tuple(slice(max(0, side.start - 1), side.stop + 1) for side in box)
            found.append((value - DISC_OFFSET, DiscMask(array[around] == value, tuple(side.start for side in around))))
    return found


def _next(label: int, measured: Sequence[MeasuredBody]) -> int:
    """The label of the vertebra below: under L5 is S1 where there is no L6."""
    has_sixth = any(body.row.label == _SIXTH_LUMBAR for body in measured)
    return _SACRUM if label == _LAST_LUMBAR and not has_sixth else label + 1


def _name(label: int) -> str:
    names = {segment.label: name for name, segment in LEVELS.items()}
    return names.get(label) or numbered(label - NUMBERED_OFFSET).name
