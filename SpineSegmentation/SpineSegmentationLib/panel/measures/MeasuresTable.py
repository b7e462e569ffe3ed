"""The measures of the spine in the panel's table: levels first, then curves and deformed bodies."""

import qt
from slicer.i18n import tr as _

from SpineInference.measuring.morphometry.measure import Measure
from SpineInference.measuring.morphometry.tables import value_text

_MOST_ROWS_AT_ONCE = 10


class MeasuresTable:
    """Shows a row for each level, curve and deformed body; `rows` are the measures of each."""

    def __init__(self, table: "qt.QTableWidget"):
        self._table = table
        self.rows: list[list[Measure]] = []
        # Even columns: the sentences of curves, which span them, must not widen one.
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.Stretch)
        table.setWordWrap(False)

    def show(self, measures: list[Measure]) -> None:
        """Show these measures; the selection is lost, and nobody is told of it."""
        table, columns = self._table, _columns()
        places = dict.fromkeys((each.kind, each.at) for each in measures)
        groups = [[each for each in measures if (each.kind, each.at) == place] for place in places]
        levels = [group for group in groups if group[0].kind == "level"]
        curves = [group for group in groups if group[0].kind == "curve"]
        self.rows = [*levels, *curves, *(group for group in groups if _isDeformed(group))]
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
        table, columns = self._table, _columns()
        marks = "; ".join(sorted({mark for measure in group for mark in measure.marks}))
        if group[0].kind == "level":
            values = {measure.name: measure for measure in group}
            texts = [_number(values.get(name)) for _title, name, _explanation in columns[1:]]
        else:
            told = [each for each in group if each.kind == "curve" or each.name in ("deformity", "genant_grade")]
            texts = [", ".join(f"{each.definition.title} {value_text(each)}" for each in told)]
            table.setSpan(index, 1, 1, len(columns) - 1)
        for position, text in enumerate([f"{group[0].at} !" if marks else group[0].at, *texts]):
            item = qt.QTableWidgetItem(text)
            item.setToolTip(marks)
            table.setItem(index, position, item)

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
    ]


def _isDeformed(group: list[Measure]) -> bool:
    return any(measure.name == "genant_grade" and measure.value for measure in group)


def _number(measure: Measure | None) -> str:
    return "" if measure is None else value_text(measure).split(" ")[0].rstrip("°")
