"""All measures of a result, from its label map and the table of its bodies."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import SimpleITK as sitk

from ...anatomy import LEVELS, NUMBERED_OFFSET, label_below
from ...spine.quality import needs_review
from ..matching import Places, find_labels, layers_of
from ..measurements import VertebraMeasurement
from .alignment import coronal_angle, lordosis, meyerding_grade, slip
from .canal import find_canal
from .canal_measures import canal_measures
from .coronal import largest_curve
from .deformity import Deformity, deformities, is_graded
from .disc_measures import disc_measures, find_discs, signals_of
from .frames import Body, Scan, axes_of_spine, bodies_of
from .landmarks import SACRUM, WITHOUT_HEIGHTS, Heights, Landmarks, PlacedEndplate
from .measure import CUT_OFF, DOUBTFUL_BODY, THICK_SLICES, UNSURE_ENDPLATE, Measure, line

_IMPLAUSIBLE_CRUSH, _IMPLAUSIBLE_WEDGE = 1.25, 1.6
"""Of the height of a body and that which its neighbours promise: no disease makes bodies higher. And of its anterior
and posterior height: a steep L5 has 1.5."""
_HEIGHTS = "anterior_height", "middle_height", "posterior_height"
_CURVES = (
    # name, its first and last endplate ("+" superior, "-" inferior), and whether kyphosis is what is positive
    ("cervical_lordosis", "C2-", "C7-", False),
    ("thoracic_kyphosis", "T5+", "T12-", True),
    ("lumbar_lordosis", "L1+", "S1+", False),
    ("lumbar_lordosis", "L1+", "L5-", False),
)


@dataclass(frozen=True, eq=False)
class _Measured:
    row: VertebraMeasurement
    found: Landmarks | None
    shape: Deformity | None = None

    @property
    def superior(self) -> PlacedEndplate | None:
        return None if self.found is None else self.found.superior

    @property
    def inferior(self) -> PlacedEndplate | None:
        return None if self.found is None else self.found.inferior

    @property
    def heights(self) -> Heights | None:
        return None if self.found is None else self.found.heights

    @property
    def is_doubtful(self) -> bool:
        """Whether the model doubts it, or it is so much higher than its neighbours or so steep a wedge that it may be
        two bodies, or a piece of one."""
        crush, wedge = (None, None) if self.shape is None else (self.shape.crush, self.shape.wedge)
        is_implausible = (crush or 0) > _IMPLAUSIBLE_CRUSH or (wedge or 0) > _IMPLAUSIBLE_WEDGE
        return needs_review(self.row.quality) or is_implausible

    @property
    def is_standard(self) -> bool:
        """Whether it has two endplates, so that it has heights."""
        return self.row.level not in WITHOUT_HEIGHTS


def spine_measures(
    labels: sitk.Image,
    vertebrae: Sequence[VertebraMeasurement],
    has_scale: bool = True,
    picture: sitk.Image | None = None,
) -> list[Measure]:
    """The measures of bodies, then those of levels from top to bottom, of curves, of discs and of the canal.

    `labels` are unsigned integers in any orientation, in several components where segments overlap; `vertebrae` are
    what `measurements.measure` has measured of them. Without a scale there are no millimetres. `picture`, the scan on
    the grid of `labels`, tells the signal of discs; without it a mark says why there is none.
    """
    places = find_labels(layers_of(labels))
    bodies, scan = bodies_of(places, vertebrae), Scan.of(labels, picture, places)
    if not bodies:
        return []
    spine = axes_of_spine(bodies, scan)
    measured = [_Measured(body.row, body.row.landmarks) for body in bodies]
    measured = [replace(body, shape=shape) for body, shape in zip(measured, _shapes(measured), strict=True)]
    measures, soft = [], []
    if scan.sees(spine[0]) and scan.sees(spine[2]):
        pairs = [(a, b) for a, b in pairwise(measured) if _are_neighbours(a.row, b.row)]
        measures += [*_of_bodies(measured), *(measure for pair in pairs for measure in _of_level(*pair, spine))]
        measures += _of_curves(measured, spine)
        if scan.is_coarse_along(spine[2]):
            measures = [replace(each, marks=(THICK_SLICES,)) for each in measures]
        soft = _of_soft_tissue(places, scan, bodies, measured, pairs, spine, picture)
    if scan.sees(spine[1]) and scan.sees(spine[2]):
        measures += _of_coronal_curve(measured, spine)
    return [measure for measure in (*measures, *soft) if has_scale or not measure.definition.unit.startswith("mm")]


def _of_soft_tissue(
    places: Places,
    scan: Scan,
    bodies: Sequence[Body],
    measured: Sequence[_Measured],
    neighbours: Sequence[tuple[_Measured, _Measured]],
    spine: np.ndarray,
    picture: sitk.Image | None,
) -> list[Measure]:
    canal, discs = find_canal(places, scan, spine), find_discs(places, scan, measured, spine)
    signals, reason = signals_of(discs, canal, bodies, picture)
    measures = disc_measures(discs, scan, spine, signals) + reason
    return measures if canal is None else measures + canal_measures(canal, measured, neighbours, discs)


def on_scan(measures: Sequence[Measure], placed: sitk.Image, scan: sitk.Image) -> list[Measure]:
    """`measures` of a single slice where it was `placed`, with their lines in the coordinates of the `scan` itself."""

    def point(at: tuple[float, float, float]) -> tuple[float, float, float]:
        return scan.TransformContinuousIndexToPhysicalPoint(placed.TransformPhysicalPointToContinuousIndex(at))

    return [replace(each, lines=tuple(line(point(a), point(b)) for a, b in each.lines)) for each in measures]


def _are_neighbours(above: VertebraMeasurement, below: VertebraMeasurement) -> bool:
    last_lumbar = above.level == "L5" and below.level == SACRUM  # whatever values a person has given them
    same_kind = (above.label > NUMBERED_OFFSET) == (below.label > NUMBERED_OFFSET)
    return last_lumbar or (same_kind and below.label == label_below(above.label, {below.label}))


def _marks(bodies: Sequence[_Measured], endplates: Sequence[PlacedEndplate | None]) -> tuple[str, ...]:
    marks = []
    if any(endplate is None for endplate in endplates):
        marks.append(CUT_OFF)
    if any(body.is_doubtful for body in bodies):
        marks.append(DOUBTFUL_BODY)
    if any(endplate is not None and not endplate.is_sure for endplate in endplates):
        marks.append(UNSURE_ENDPLATE)
    return tuple(marks)


def _shapes(measured: Sequence[_Measured]) -> list[Deformity | None]:
    values = [body.heights and body.heights.values for body in measured]
    # Bodies of the neck are low, and no neighbours to compare with.
    comparable = [own if is_graded(body.row.level) else None for body, own in zip(measured, values, strict=True)]
    return [
        shape or (own and Deformity(own[0] / own[2], own[1] / own[2], None))
        for shape, own in zip(deformities(comparable), values, strict=True)
    ]


def _of_bodies(measured: Sequence[_Measured]) -> list[Measure]:
    measures = []
    for body in measured:
        found, shape = body.heights, body.shape
        if not body.is_standard:
            continue
        level = body.row.level
        marks = _marks([body], [body.superior, body.inferior])
        if found is None or shape is None:
            measures += [Measure("body", level, name, None, marks=marks or (CUT_OFF,)) for name in _HEIGHTS]
            continue
        for name, value, error, (top, bottom) in zip(_HEIGHTS, found.values, found.errors, found.lines, strict=True):
            measures.append(Measure("body", level, name, value, error, marks, (line(top, bottom),)))
        measures.append(Measure("body", level, "wedge_ratio", shape.wedge, marks=marks))
        measures.append(Measure("body", level, "biconcave_ratio", shape.biconcave, marks=marks))
        if shape.crush is not None:
            measures.append(Measure("body", level, "crush_ratio", shape.crush, marks=marks))
        if is_graded(level):
            measures.append(Measure("body", level, "deformity", shape.kind, marks=marks))
            measures.append(Measure("body", level, "genant_grade", shape.grade, marks=marks))
    return measures


def _of_level(above: _Measured, below: _Measured, spine: np.ndarray) -> list[Measure]:
    at = f"{above.row.level}-{below.row.level}"
    both = [above, below]
    disc = [above.inferior, below.superior]
    marks = _marks(both, disc)
    measures = []
    moved = None if None in disc else slip(*disc, spine)
    if moved is None:
        measures.append(Measure("level", at, "slip_percent", None, marks=marks or (CUT_OFF,)))
    else:
        corners = (line(disc[1].anterior, disc[1].posterior), line(disc[1].posterior, disc[0].posterior))
        measures.append(Measure("level", at, "slip", moved[0], marks=marks, lines=corners))
        measures.append(Measure("level", at, "slip_percent", moved[1], marks=marks, lines=corners))
        measures.append(Measure("level", at, "meyerding_grade", meyerding_grade(moved[1]), marks=marks))
    measures.append(_angle("level", at, "disc_angle", both, disc, spine))
    if above.is_standard and below.is_standard:
        measures.append(_angle("level", at, "segmental_angle", both, [above.superior, below.inferior], spine))
    return measures


def _angle(
    kind: str,
    at: str,
    name: str,
    bodies: Sequence[_Measured],
    endplates: Sequence[PlacedEndplate | None],
    spine: np.ndarray,
    sign: int = 1,
) -> Measure:
    upper, lower = endplates
    marks = _marks(bodies, endplates)
    if upper is None or lower is None:
        return Measure(kind, at, name, None, marks=marks)
    error = float(np.hypot(upper.errors_deg[0], lower.errors_deg[0]))
    lines = tuple(line(e.anterior, e.posterior) for e in (upper, lower) if e.length is not None)
    return Measure(kind, at, name, sign * lordosis(upper, lower, spine), error, marks, lines)


def _of_curves(measured: Sequence[_Measured], spine: np.ndarray) -> list[Measure]:
    by_level = {body.row.level: body for body in measured if body.row.level in LEVELS}
    measures = []
    for name, first, last, kyphosis in _CURVES:
        ends = [by_level.get(end[:-1]) for end in (first, last)]
        if None in ends:
            continue
        endplates = [
            body.superior if end.endswith("+") else body.inferior for body, end in zip(ends, (first, last), strict=True)
        ]
        at = f"{first[:-1]}-{last[:-1]}"
        measures.append(_angle("curve", at, name, ends, endplates, spine, -1 if kyphosis else 1))
    return measures


def _of_coronal_curve(measured: Sequence[_Measured], spine: np.ndarray) -> list[Measure]:
    angles = [
        [None if endplate is None else coronal_angle(endplate, spine) for endplate in endplates]
        for endplates in ([b.superior for b in measured], [b.inferior for b in measured])
    ]
    centres = np.array([body.row.centroid_lps_mm for body in measured]) @ spine[1:].T
    curve = largest_curve(*angles, centres)
    if curve is None:
        return []
    upper, lower, apex = measured[curve.upper], measured[curve.lower], measured[curve.apex]
    at = f"{upper.row.level}-{lower.row.level}"
    marks = _marks([upper, lower], [upper.superior, lower.inferior])
    error = float(np.hypot(upper.superior.errors_deg[1], lower.inferior.errors_deg[1]))
    side = "left" if curve.convex_to_left else "right"
    # The middle of what the scan shows of a body says nothing of where that stands.
    is_whole = not any(body.row.partial for body in measured[curve.upper : curve.lower + 1])
    standing = f"{apex.row.level}, convex to the {side}" if is_whole else None
    # The lines run from side to side, half as far again as an endplate is deep.
    ends = [(e.middle, 20.0 * np.cross(e.normal, spine[0])) for e in (upper.superior, lower.inferior)]
    lines = tuple(line(middle - across, middle + across) for middle, across in ends)
    return [
        Measure("curve", at, "coronal_cobb", curve.angle, error, marks, lines),
        Measure("curve", at, "coronal_apex", standing, marks=marks if is_whole else (CUT_OFF, *marks)),
    ]
