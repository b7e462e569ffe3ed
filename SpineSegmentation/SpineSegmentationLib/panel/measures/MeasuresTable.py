"""Measures of the spine in a table of the panel: a row for each place, then sentences that span the columns."""

from collections.abc import Sequence
from typing import NamedTuple

import qt
from slicer.i18n import tr as _

from SpineInference.measuring.morphometry.measure import Measure
from SpineInference.measuring.morphometry.tables import value_text

from ...scene.results.SpineMeasures import placeText
from ..TableHeight import fitHeight

_CELL_MARGIN = 14
_BOLD = 1.15
"""How much wider bold text is."""
_FEW_COLUMNS = 6
"""Beside more of them numbered vertebrae have room for their numbers only."""
"""Pixels that a cell needs beside its text."""


class Column(NamedTuple):
    """A measure in a column: its title, of two lines at most, its name and what it is.

    One that does not `showLacks` is left out where no value could be measured.
    """

    title: str
    name: str
    explanation: str
    showLacks: bool = True

    def isShown(self, measures: Sequence[Measure]) -> bool:
        """Whether any of these measures belongs into the column."""
        return any(each.name == self.name and (self.showLacks or each.value is not None) for each in measures)


class MeasuresTable:
    """Shows a row for each of some places, and sentences below; `rows` are the measures of each row.

    The first one of the `columns` is the place; of the others those are shown that have something to show.
    """

    def __init__(self, table: "qt.QTableWidget", columns: list[Column]):
        self._table = table
        self._all = columns
        self._columns = columns
        self.rows: list[list[Measure]] = []
        table.setWordWrap(False)

    def show(self, places: list[list[Measure]], sentences: list[list[Measure]]) -> None:
        """Show the measures of each of the `places` and of each sentence; the selection is lost, and nobody is told."""
        table = self._table
        measures = [measure for group in places for measure in group]
        self._columns = [self._all[0], *(each for each in self._all[1:] if each.isShown(measures))]
        self.rows = [*places, *sentences]
        table.blockSignals(True)
        table.clear()
        table.clearSpans()
        table.setColumnCount(len(self._columns))
        table.setRowCount(len(self.rows))
        for position, column in enumerate(self._columns):
            header = qt.QTableWidgetItem(column.title)
            header.setToolTip(column.explanation)
            table.setHorizontalHeaderItem(position, header)
        for index, group in enumerate(self.rows):
            self._fillRow(index, group, index >= len(places))
        self._fitColumns(len(places))
        table.resizeRowsToContents()
        table.blockSignals(False)
        table.setVisible(bool(self.rows))
        fitHeight(table)

    def current(self) -> list[Measure]:
        """The measures of the row that the user has selected."""
        index = self._table.currentRow()
        return self.rows[index] if 0 <= index < len(self.rows) else []

    def deselect(self) -> None:
        """Select nothing, and tell nobody."""
        self._table.blockSignals(True)
        self._table.clearSelection()
        self._table.setCurrentCell(-1, -1)
        self._table.blockSignals(False)

    def _fillRow(self, index: int, group: list[Measure], isSentence: bool) -> None:
        table, at = self._table, placeText(group[0].at)
        if len(self._columns) > _FEW_COLUMNS:
            at = at.replace("Vertebra ", "")
        if isSentence:
            texts = [", ".join(map(_sentence, group))]
            if len(self._columns) > 2:
                table.setSpan(index, 1, 1, len(self._columns) - 1)
        else:
            values = {measure.name: measure for measure in group}
            texts = [_number(values.get(column.name)) for column in self._columns[1:]]
            # A narrow scan cuts off every disc and the canal, which does not concern the rest.
            shown = {column.name: column.showLacks for column in self._columns}
            group = [each for each in group if shown.get(each.name, False) or (each.name in shown and each.value)]
        marks = "; ".join(sorted({mark for measure in group for mark in measure.marks}))
        tip = "\n".join(filter(None, [f"{at}: {texts[0]}" if isSentence else "", marks]))
        for position, text in enumerate([f"{at} !" if marks else at, *texts]):
            item = qt.QTableWidgetItem(text)
            item.setToolTip(tip)
            table.setItem(index, position, item)

    def _fitColumns(self, places: int) -> None:
        """The first column as wide as the names of places, headings of one line as wide as they are when they are bold,
        as when a row is selected; the others even: sentences must not widen one."""
        table = self._table
        names = [self._columns[0].title, *(table.item(index, 0).text() for index in range(places))]
        header = table.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.Stretch)
        advance = table.fontMetrics().horizontalAdvance
        widths = {0: max(map(advance, names))}
        for position, column in enumerate(self._columns[1:], start=1):
            if "\n" not in column.title:
                widths[position] = _BOLD * advance(column.title)
        for position, width in widths.items():
            header.setSectionResizeMode(position, qt.QHeaderView.Fixed)
            table.setColumnWidth(position, round(width) + _CELL_MARGIN)


def _sentence(measure: Measure) -> str:
    if measure.value is not None:
        return f"{measure.definition.title} {placeText(value_text(measure))}"
    reasons = f" ({', '.join(measure.marks)})" if measure.marks else ""
    return _("{title}: not measured{reasons}").format(title=measure.definition.title, reasons=reasons)


def _number(measure: Measure | None) -> str:
    return "" if measure is None else value_text(measure).split(" ")[0].rstrip("°")
