"""The measures of the spine in the panel's table: levels with their discs, then curves and deformed bodies."""

import qt
from slicer.i18n import tr as _

from SpineInference.measuring.morphometry.measure import Measure
from SpineInference.measuring.morphometry.tables import value_text

_MOST_ROWS_AT_ONCE = 10
_OF_LEVELS = "level", "disc", "canal"
"""Kinds of measures that share the row of a level."""
_IN_SENTENCES = "deformity", "genant_grade", "narrowest_level", "disc_signal"


class MeasuresTable:
    """Shows a row for each level, curve and deformed body; `rows` are the measures of each.

    The row of a level also has the disc's middle height and the canal's diameter, where the result has discs or canal.
    """

    def __init__(self, table: "qt.QTableWidget"):
        self._table = table
        self.rows: list[list[Measure]] = []
        self._columns: list[tuple[str, str, str]] = []
        # Even columns: the sentences of curves, which span them, must not widen one.
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.Stretch)
        table.setWordWrap(False)

    def show(self, measures: list[Measure]) -> None:
        """Show these measures; the selection is lost, and nobody is told of it."""
        table = self._table
        self._columns = columns = [each for each in _columns() if _isShown(each[1], measures)]
        groups = [
            [each for each in measures if each.kind in kinds and each.at == place]
            for kinds in (_OF_LEVELS, ("curve",), ("body",))
            for place in dict.fromkeys(each.at for each in measures if each.kind in kinds)
        ]
        self.rows = [group for group in groups if self._isOfLevel(group) or _isSentence(group)]
        table.blockSignals(True)
        table.clear()
        table.clearSpans()
        table.setColumnCount(len(columns))
        table.setRowCount(len(self.rows))
        for position, (title, _name, explanation) in enumerate(columns):
            header = qt.QTableWidgetItem(title)
            header.setToolTip(explanation)
            table.setHorizontalHeaderItem(position, header)
        for index, group in enumerate(self.rows):
            self._fillRow(index, group)
        table.resizeRowsToContents()
        table.blockSignals(False)
        self._fitHeight()

    def current(self) -> list[Measure]:
        """The measures of the row that the user has selected."""
        index = self._table.currentRow()
        return self.rows[index] if 0 <= index < len(self.rows) else []

    def _fillRow(self, index: int, group: list[Measure]) -> None:
        table, columns = self._table, self._columns
        if self._isOfLevel(group):
            names = [name for _title, name, _explanation in columns[1:]]
            values = {measure.name: measure for measure in group}
            texts = [_number(values.get(name)) for name in names]
            # A narrow scan cuts off every disc and the canal, which does not concern what is shown here.
            group = [each for each in group if each.kind == "level" or each.name in names]
        else:
            told = [each for each in group if each.kind == "curve" or each.name in _IN_SENTENCES]
            texts = [", ".join(f"{each.definition.title} {value_text(each)}" for each in told)]
            table.setSpan(index, 1, 1, len(columns) - 1)
        marks = "; ".join(sorted({mark for measure in group for mark in measure.marks}))
        for position, text in enumerate([f"{group[0].at} !" if marks else group[0].at, *texts]):
            item = qt.QTableWidgetItem(text)
            item.setToolTip(marks)
            table.setItem(index, position, item)

    def _isOfLevel(self, group: list[Measure]) -> bool:
        """Whether its numbers stand in columns. The canal beside bodies is in the file only."""
        names = [name for _title, name, _explanation in self._columns]
        return any(each.kind in ("level", "disc") and each.name in names for each in group)

    def _fitHeight(self) -> None:
        """As high as its rows, so that the panel scrolls and not the table inside it; longer ones scroll themselves."""
        table = self._table
        rows = sum(table.rowHeight(index) for index in range(min(len(self.rows), _MOST_ROWS_AT_ONCE)))
        needed = table.horizontalHeader().sizeHint.height() + rows + 2 * table.frameWidth
        table.setMinimumHeight(needed)
        table.setMaximumHeight(needed)


def _columns() -> list[tuple[str, str, str]]:
    """Title, name of the measure and explanation."""
    return [
        (_("Level"), "", _("! look at the endplates first: the tip says why. Click a row to draw its lines.")),
        (_("Slip mm"), "slip", _("Of the upper body on the lower one; positive: forwards.")),
        (_("%"), "slip_percent", _("The slip in parts of the endplate below.")),
        (_("Disc °"), "disc_angle", _("Between the endplates beside the disc; positive: lordosis.")),
        (_("Segment °"), "segmental_angle", _("Between the outer endplates of both bodies; positive: lordosis.")),
        (_("Height mm"), "middle_disc_height", _("Of the disc in its middle.")),
        (_("Canal mm"), "canal_diameter", _("From the front to the back of the spinal canal at the disc.")),
    ]


def _isShown(name: str, measures: list[Measure]) -> bool:
    return name not in ("middle_disc_height", "canal_diameter") or any(each.name == name for each in measures)


def _isSentence(group: list[Measure]) -> bool:
    """Whether it is a curve, a deformed body, or what is told of all levels together."""
    isOfAll = group[0].name in ("narrowest_level", "disc_signal")
    return group[0].kind == "curve" or isOfAll or _isDeformed(group)


def _isDeformed(group: list[Measure]) -> bool:
    return any(measure.name == "genant_grade" and measure.value for measure in group)


def _number(measure: Measure | None) -> str:
    return "" if measure is None else value_text(measure).split(" ")[0].rstrip("°")
