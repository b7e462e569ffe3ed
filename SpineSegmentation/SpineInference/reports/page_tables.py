"""The measures as tables of a page: a row for each place, a column for each measure, a sign for each mark."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..measuring.morphometry.measure import DEFINITIONS, Measure
from ..measuring.morphometry.tables import value_text

_SHORT = {
    "anterior_height": "Anterior",
    "middle_height": "Middle",
    "posterior_height": "Posterior",
    "wedge_ratio": "Ant. / post.",
    "biconcave_ratio": "Mid. / post.",
    "crush_ratio": "Height / neighbours",
    "genant_grade": "Genant",
    "meyerding_grade": "Meyerding",
    "anterior_disc_height": "Anterior",
    "middle_disc_height": "Middle",
    "posterior_disc_height": "Posterior",
    "disc_height_index": "Height / bodies",
    "disc_volume": "Volume",
    "disc_signal": "Signal / fluid",
    "canal_diameter": "Canal",
    "canal_area": "Canal",
    "cord_diameter": "Cord",
    "cord_area": "Cord",
    "cord_occupation": "Cord / canal",
}
_UNITS = {"deg": "°", "mm2": "mm²", "mm3": "cm³"}
_SIGNS = "*†‡§¶#"
"""A letter behind a degree would be another unit."""


@dataclass(frozen=True)
class Cell:
    """A text with the signs of its marks; `is_notable` where it is a grade or lies outside the range that its source
    calls normal."""

    text: str
    marks: str = ""
    is_notable: bool = False


@dataclass(frozen=True)
class Table:
    """`columns` are pairs of a heading and its unit; `rows` have a name and a cell for each column."""

    title: str
    columns: list[tuple[str, str]]
    rows: list[tuple[str, list[Cell]]]


class Marks:
    """The signs of marks, in the order in which they were first met."""

    def __init__(self) -> None:
        self.signs: dict[str, str] = {}

    def of(self, marks: Sequence[str]) -> str:
        """The signs of `marks`."""
        for mark in marks:
            self.signs.setdefault(mark, _SIGNS[len(self.signs) % len(_SIGNS)] * (1 + len(self.signs) // len(_SIGNS)))
        return "".join(sign for mark, sign in self.signs.items() if mark in marks)


def table_of(title: str, measures: Sequence[Measure], marks: Marks, places: Sequence[str] = ()) -> Table:
    """The table of `measures`, with rows for `places` and for whatever else was measured."""
    here = [measure for measure in measures if not _is_of_all(measure)]
    # A narrow scan cuts off the canal at all levels.
    told = {measure.name for measure in here if measure.value is not None or measure.kind != "canal"}
    names = [name for name in DEFINITIONS if name in told]
    found = {(measure.at, measure.name): measure for measure in here}
    rows = [
        (_short(at), [_cell(found.get((at, name)), marks) for name in names])
        for at in dict.fromkeys([*places, *(measure.at for measure in here)])
    ]
    return Table(title, [(_SHORT.get(name, DEFINITIONS[name].title), _unit(name)) for name in names], rows)


def curve_table(measures: Sequence[Measure], marks: Marks) -> Table | None:
    """What belongs to no single place: a row for each, with its value, error and normal range."""
    rows = []
    for measure in measures:
        if not _is_of_all(measure):
            continue
        definition = measure.definition
        error = "" if measure.error is None else f"± {measure.error:.{measure.digits}f}"
        normal = Cell(_range(definition.normal))
        name = f"{definition.title} {_short(measure.at)}"
        rows.append((name, [_cell(measure, marks, with_unit=True), Cell(error), normal]))
    columns = [("Value", ""), ("Standard error", ""), ("Normal (source)", "")]
    return Table("The spine as a whole", columns, rows) if rows else None


def notable(measures: Sequence[Measure]) -> list[str]:
    """In words: what is a grade, or outside the range that its source calls normal, with its marks."""
    found = []
    for measure in measures:
        if _is_notable(measure):
            title = measure.definition.title.removesuffix(" (suggested)")
            found.append(f"{measure.at}: {title} {value_text(measure)}" + " (unsure)" * bool(measure.marks))
    return found


def _is_of_all(measure: Measure) -> bool:
    """Whether a measure belongs to several levels together."""
    return measure.kind == "curve" or " to " in measure.at


def _cell(measure: Measure | None, marks: Marks, with_unit: bool = False) -> Cell:
    if measure is None:
        return Cell("")
    text = value_text(measure)
    if isinstance(measure.value, float) and not with_unit:
        is_volume = measure.definition.unit == "mm3"
        text = f"{measure.value / 1000:.1f}" if is_volume else text.split(" ")[0].rstrip("°")
    return Cell("–" if measure.value is None else text, marks.of(measure.marks), _is_notable(measure))


def _is_notable(measure: Measure) -> bool:
    value, definition = measure.value, measure.definition
    if value is None or isinstance(value, str):
        return False
    low, high = definition.normal or (None, None)
    outside = (low is not None and value < low) or (high is not None and value > high)
    return outside or (definition.unit == "grade" and value > 0)


def _range(normal: tuple[float | None, float | None] | None) -> str:
    if normal is None:
        return ""
    low, high = ("" if end is None else f"{end:g}" for end in normal)
    return f"{low} to {high}" if low and high else f"below {high}" if high else f"above {low}"


def _unit(name: str) -> str:
    unit = DEFINITIONS[name].unit
    return "" if unit in ("ratio", "grade") else _UNITS.get(unit, unit)


def _short(at: str) -> str:
    return at.replace("Vertebra ", "")
