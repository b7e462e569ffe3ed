"""The measures of a result in the groups of a structured report: what belongs to one place and shares its marks."""

from dataclasses import dataclass, field

from ..anatomy import Segment
from ..measuring.measurements import StructureMeasurement, VertebraMeasurement
from ..measuring.morphometry.measure import CUT_OFF, DOUBTFUL_BODY
from ..pipeline import Result
from ..spine.quality import needs_review
from .sr_codes import (
    AREA,
    EXPECTED_DICE,
    NOT_MEASURED,
    RESERVATION,
    VOLUME,
    Coded,
    measure_code,
    place_codes,
    unit_code,
    word_code,
)


@dataclass(frozen=True)
class Number:
    """A measured `value` in `unit` with its standard `error` in the same unit, None where it is not known."""

    concept: Coded
    value: float
    unit: Coded
    error: float | None = None


@dataclass(frozen=True)
class Group:
    """What was measured at one place with the same reservations.

    `segment`: its number in the segmentation (from 1), with what it is in `finding`; None where a measure belongs to no
    segment, but to `sites`. `words` are pairs of a concept and its value.
    """

    title: str
    segment: int | None
    finding: Coded | None
    sites: list[Coded]
    numbers: list[Number] = field(default_factory=list)
    words: list[tuple[Coded, Coded]] = field(default_factory=list)


def groups_of(result: Result) -> list[Group]:
    """A group for each segment, level and curve, in the order of the tables; several where measures of one place have
    different marks. A mark is the word RESERVATION, what has no value the word NOT_MEASURED."""
    groups = _Groups(result.segments)
    for row in result.measurements.rows:
        marks = _marks_of(row)
        numbers = [(VOLUME, row.volume_mm3, unit_code("mm3"), 1), (AREA, row.area_mm2, unit_code("mm2"), 1)]
        if isinstance(row, VertebraMeasurement):
            numbers.append((EXPECTED_DICE, row.quality, unit_code(""), 3))
        found = [Number(code, round(value, digits), unit) for code, value, unit, digits in numbers if value is not None]
        if found and row.centroid_lps_mm is not None:
            groups.at(row.level, marks).numbers.extend(found)
    for measure in result.morphometry:
        group = groups.at(measure.at, measure.marks)
        code = measure_code(measure.name)
        if measure.value is None:
            group.words.append((NOT_MEASURED, code))
        elif isinstance(measure.value, str):
            group.words.append((code, word_code(measure.value)))
        else:
            digits = measure.digits + 1
            error = None if measure.error is None else round(measure.error, digits)
            unit = unit_code(measure.definition.unit)
            group.numbers.append(Number(code, round(measure.value, digits), unit, error))
    return groups.found


class _Groups:
    def __init__(self, segments: list[Segment]):
        self._segments = {segment.name: (number, segment) for number, segment in enumerate(segments, start=1)}
        self._by_key: dict[tuple[str, tuple[str, ...]], Group] = {}

    @property
    def found(self) -> list[Group]:
        return list(self._by_key.values())

    def at(self, place: str, marks: tuple[str, ...]) -> Group:
        key = place, marks
        if key not in self._by_key:
            self._by_key[key] = self._new(place)
            self._by_key[key].words.extend((RESERVATION, word_code(mark)) for mark in marks)
        return self._by_key[key]

    def _new(self, place: str) -> Group:
        if place not in self._segments:
            return Group(place, None, None, place_codes(place))
        number, segment = self._segments[place]
        return Group(place, number, (segment.code, "SCT", segment.meaning), [])


def _marks_of(row: VertebraMeasurement | StructureMeasurement) -> tuple[str, ...]:
    if not isinstance(row, VertebraMeasurement):
        return ()
    return (CUT_OFF,) * row.partial + (DOUBTFUL_BODY,) * needs_review(row.quality)
