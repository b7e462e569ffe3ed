"""What is measured of the spinal canal, at the height of each body and each disc."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .canal import Canal, Section
from .disc_measures import MeasuredDisc
from .landmarks import PlacedEndplate
from .measure import CUT_OFF, Measure, line
from .measured_body import MeasuredBody, doubts_about


@dataclass(frozen=True, eq=False)
class _Place:
    """Where to cut the canal: beside `behind` (LPS), None where the scan does not tell it."""

    at: str
    behind: np.ndarray | None
    beside: tuple[MeasuredBody, ...]


def canal_measures(
    canal: Canal,
    bodies: Sequence[MeasuredBody],
    neighbours: Sequence[tuple[MeasuredBody, MeasuredBody]],
    discs: Sequence[MeasuredDisc],
) -> list[Measure]:
    """Diameter and area at each of the `bodies` and each level, from top to bottom, and which is the narrowest.

    `neighbours` are bodies with nothing but a disc in between. Where the canal is not seen nothing is measured.
    """
    measures: list[Measure] = []
    places = list(_places(bodies, neighbours, discs))
    sections = iter(canal.sections_at([place.behind for place in places if place.behind is not None]))
    for place in places:
        measures += _at(place, None if place.behind is None else next(sections), canal)
    diameters = [each for each in measures if each.name == "canal_diameter" and each.value is not None]
    if len(diameters) > 1:
        narrowest = min(diameters, key=lambda each: each.value)
        at = f"{diameters[0].at} to {diameters[-1].at}"
        told = Measure("canal", at, "narrowest_level", narrowest.at, marks=narrowest.marks, lines=narrowest.lines)
        measures.append(told)
    return measures


def _places(
    bodies: Sequence[MeasuredBody],
    neighbours: Sequence[tuple[MeasuredBody, MeasuredBody]],
    discs: Sequence[MeasuredDisc],
) -> Iterator[_Place]:
    centres = {disc.at: disc.shape.centre for disc in discs}
    for body, following in pairwise([*bodies, None]):
        yield _Place(body.row.level, _behind(body.superior, body.inferior, _centre(body)), (body,))
        if any(above is body and below is following for above, below in neighbours):
            at, both = f"{body.row.level}-{following.row.level}", (body, following)
            centre = centres.get(at, _centre(*both))
            yield _Place(at, _behind(body.inferior, following.superior, centre), both)


def _centre(*bodies: MeasuredBody) -> np.ndarray | None:
    """The middle of whole bodies; of one that is cut off nobody knows it."""
    whole = not any(body.row.partial for body in bodies)
    return np.mean([body.row.centroid_lps_mm for body in bodies], axis=0) if whole else None


def _behind(
    upper: PlacedEndplate | None, lower: PlacedEndplate | None, otherwise: np.ndarray | None
) -> np.ndarray | None:
    """The middle between the posterior corners of two endplates: the back of a body or of a disc."""
    corners = [endplate and endplate.posterior for endplate in (upper, lower)]
    return otherwise if any(corner is None for corner in corners) else np.mean(corners, axis=0)


def _at(place: _Place, sections: tuple[Section, Section | None] | None, canal: Canal) -> Iterator[Measure]:
    doubts = doubts_about(place.beside)
    if place.behind is None:
        yield Measure("canal", place.at, "canal_diameter", None, marks=(CUT_OFF, *doubts))
        return
    if sections is None:
        return
    for what, section in zip(("canal", "cord"), sections, strict=True):
        if section is not None:
            yield from _of_section(what, place.at, section, canal, doubts)
    whole, cord = sections
    if cord is not None and cord.diameter_mm is not None and whole.diameter_mm is not None:
        occupied = 100 * cord.diameter_mm / whole.diameter_mm
        yield Measure("canal", place.at, "cord_occupation", occupied, marks=doubts)


def _of_section(what: str, at: str, section: Section, canal: Canal, doubts: tuple[str, ...]) -> Iterator[Measure]:
    diameter, area = section.diameter_mm, section.area_mm2
    lines = () if diameter is None else (line(section.front, section.back),)
    marks = ((CUT_OFF,) if diameter is None else ()) + doubts
    yield Measure("canal", at, f"{what}_diameter", diameter, marks=marks, lines=lines)
    if canal.scan.sees(canal.axes[1]):
        yield Measure("canal", at, f"{what}_area", area, marks=((CUT_OFF,) if area is None else ()) + doubts)
