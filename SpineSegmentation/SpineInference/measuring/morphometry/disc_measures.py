"""The discs of a label map, and what is measured of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import SimpleITK as sitk

from ...anatomy import DISC_OFFSET, LEVELS, MOST_NUMBERED, NUMBERED_OFFSET, T13, label_below
from ...processors import in_threads
from ...volume.boxes import widened
from ..matching import Places
from .canal import Canal
from .disc_signal import DiscSignals
from .discs import DiscMask, DiscShape, disc_shape
from .frames import Body, Scan
from .measure import CUT_OFF, INCOMPLETE, NO_FLUID, NO_SCAN, NOT_T2, THICK_SLICES, Measure, line
from .measured_body import MeasuredBody, doubts_about

_HEIGHTS = "anterior_disc_height", "middle_disc_height", "posterior_disc_height"
_NAMED = {segment.label: segment.name for segment in (*LEVELS.values(), T13)}
_WITHOUT_DISC = {LEVELS[name].label for name in ("C1", "S1")}
_HAVE_DISC = {*_NAMED, *range(NUMBERED_OFFSET, NUMBERED_OFFSET + MOST_NUMBERED + 1)} - _WITHOUT_DISC
"""The labels of vertebrae, and one above the first numbered one, under which a disc may lie."""


@dataclass(frozen=True, eq=False)
class MeasuredDisc:
    """A disc `at` a level ("L4-L5"), and the bodies beside it that are known, one or both."""

    at: str
    mask: DiscMask
    shape: DiscShape
    beside: tuple[MeasuredBody, ...]


def find_discs(places: Places, scan: Scan, bodies: Sequence[MeasuredBody], spine: np.ndarray) -> list[MeasuredDisc]:
    """The discs among the `places` of a label map from top to bottom, but for handfuls of voxels and those without any
    body beside them.

    `spine` has in its rows the directions posterior, left and superior (LPS).
    """
    by_label = {body.row.label: body for body in bodies}

    def found(value: int) -> MeasuredDisc | None:
        label = value - DISC_OFFSET
        following = label_below(label, by_label)
        above, below = by_label.get(label), by_label.get(following)
        beside = tuple(body for body in (above, below) if body is not None)
        if not beside:
            return None
        array, box = places[value]
        around = widened(box)
        mask = DiscMask(array[around] == value, tuple(side.start for side in around))
        endplates = [above and above.inferior, below and below.superior]
        corners = [(plate.anterior, plate.posterior) for plate in endplates if plate is not None]
        fronts, backs = ([pair[end] for pair in corners if pair[end] is not None] for end in range(2))
        shape = disc_shape(mask, spine, scan, fronts, backs)
        return None if shape is None else MeasuredDisc(_level(label, following, above, below), mask, shape, beside)

    values = sorted(value for value in places if value - DISC_OFFSET in _HAVE_DISC)
    return [disc for disc in in_threads(found, values) if disc is not None]


def _level(label: int, following: int, above: MeasuredBody | None, below: MeasuredBody | None) -> str:
    names = above.row.level if above else _NAMED.get(label), below.row.level if below else _NAMED.get(following)
    if None not in names:
        return "-".join(names)
    return f"above {names[1]}" if above is None else f"below {names[0]}"


def disc_measures(
    discs: Sequence[MeasuredDisc], grid: Scan, spine: np.ndarray, signals: DiscSignals | None
) -> list[Measure]:
    """Heights, height index, volume and, where `signals` can tell it, the signal of each disc."""

    def of_disc(disc: MeasuredDisc) -> list[Measure]:
        doubts = doubts_about(disc.beside)
        measures = list(_of_shape(disc, grid, spine, doubts))
        if signals is not None and (value := signals.of_disc(disc.mask, disc.shape)) is not None:
            measures.append(Measure("disc", disc.at, "disc_signal", value, marks=doubts))
        return measures

    return list(chain.from_iterable(in_threads(of_disc, discs)))


def _of_shape(disc: MeasuredDisc, grid: Scan, spine: np.ndarray, doubts: tuple[str, ...]) -> Iterator[Measure]:
    cut, shape = disc.mask.cut_along(grid), disc.shape
    # What lies beside the slices of a narrow scan does not matter to heights.
    is_cut = any(axis != grid.axis_along(spine[1]) for axis in cut)
    for name, height, ends in zip(_HEIGHTS, shape.heights, shape.lines, strict=True):
        lacks = (CUT_OFF,) if is_cut else (INCOMPLETE,) if height is None else ()
        if grid.is_coarse_along(spine[2]):
            lacks = (THICK_SLICES,)
        value, lines = (None, ()) if lacks else (height, (line(*ends),))
        yield Measure("disc", disc.at, name, value, marks=lacks + doubts, lines=lines)
    whole = [body for body in disc.beside if body.heights is not None]
    heights = [np.mean(body.heights.values) for body in whole]
    if shape.mean_height is not None and heights and not is_cut:
        index = shape.mean_height / float(np.mean(heights))
        yield Measure("disc", disc.at, "disc_height_index", index, marks=doubts)
    if 1 not in grid.shape:
        volume = None if cut else float(np.count_nonzero(disc.mask.mask) * np.prod(grid.spacing))
        yield Measure("disc", disc.at, "disc_volume", volume, marks=((CUT_OFF,) if cut else ()) + doubts)


def signals_of(
    discs: Sequence[MeasuredDisc], canal: Canal | None, bodies: Sequence[Body], scan: sitk.Image | None
) -> tuple[DiscSignals | None, list[Measure]]:
    """What tells the signal of the discs in a `scan` on the grid of their masks, or else why nothing does."""
    if not discs:
        return None, []
    if canal is None:
        reason = NO_FLUID
    elif scan is None:
        reason = NO_SCAN
    elif (signals := DiscSignals(scan, canal, bodies)).is_t2_weighted:
        return signals, []
    else:
        reason = NOT_T2
    # One row for all: the reason lies in the scan.
    at = discs[0].at if len(discs) == 1 else f"{discs[0].at} to {discs[-1].at}"
    return None, [Measure("disc", at, "disc_signal", None, marks=(reason,))]
