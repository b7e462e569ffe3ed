"""The measures of a result in the groups of a structured report: what belongs to one place and shares its marks."""

from dataclasses import dataclass, field

from ..anatomy import CANAL_LABEL, DISC_OFFSET, Segment
from ..measuring.measurements import StructureMeasurement, VertebraMeasurement
from ..measuring.morphometry.measure import CUT_OFF, DOUBTFUL_BODY, Measure
from ..result import Result
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
    has_volume = {measure.at for measure in result.morphometry if measure.name == "disc_volume"}
    for row in result.measurements.rows:
        if row.centroid_lps_mm is None or (row.label > DISC_OFFSET and row.level.removeprefix("Disc ") in has_volume):
            continue
        group = groups.of_segment(row.label, _marks_of(row))
        if row.volume_mm3 is not None:
            group.numbers.append(Number(VOLUME, round(row.volume_mm3, 1), unit_code("mm3")))
        if row.area_mm2 is not None:
            group.numbers.append(Number(AREA, round(row.area_mm2, 1), unit_code("mm2")))
        if isinstance(row, VertebraMeasurement) and row.quality is not None:
            group.numbers.append(Number(EXPECTED_DICE, row.quality, unit_code("")))
    for measure in result.morphometry:
        group = groups.of_measure(measure)
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
        self._segments = {segment.label: (number, segment) for number, segment in enumerate(segments, start=1)}
        self._labels = {segment.name: segment.label for segment in segments}
        self._by_key: dict[tuple[str, tuple[str, ...]], Group] = {}

    @property
    def found(self) -> list[Group]:
        return list(self._by_key.values())

    def of_segment(self, label: int, marks: tuple[str, ...], place: str = "") -> Group:
        """At a segment as a whole, or at a `place` of it."""
        number, segment = self._segments[label]
        finding = segment.code, "SCT", segment.meaning
        title = f"{segment.name}, {place}" if place else segment.name
        return self._group(Group(title, number, finding, place_codes(place) if place else []), marks)

    def of_measure(self, measure: Measure) -> Group:
        """At the segment that a measure is of, or else at its places."""
        at, labels = measure.at, self._labels
        if measure.kind == "canal" and CANAL_LABEL in self._segments:
            return self.of_segment(CANAL_LABEL, measure.marks, at)
        name = {"body": at, "disc": f"Disc {at.replace('Vertebra ', '')}"}.get(measure.kind)
        if name in labels:
            return self.of_segment(labels[name], measure.marks)
        return self._group(Group(at, None, None, place_codes(at)), measure.marks)

    def _group(self, group: Group, marks: tuple[str, ...]) -> Group:
        if (group.title, marks) not in self._by_key:
            group.words.extend((RESERVATION, word_code(mark)) for mark in marks)
        return self._by_key.setdefault((group.title, marks), group)


def _marks_of(row: VertebraMeasurement | StructureMeasurement) -> tuple[str, ...]:
    if not isinstance(row, VertebraMeasurement):
        return ()
    return (CUT_OFF,) * row.partial + (DOUBTFUL_BODY,) * needs_review(row.quality)
