"""The part of the panel with the measures of the spine: a row for each level, curve and deformed body."""

import qt
import slicer
from slicer.i18n import tr as _

from SpineInference.errors import SpineError
from SpineInference.measuring.morphometry.measure import Measure
from SpineInference.measuring.morphometry.tables import as_text, value_text, write_csv

from ..scene.ResultViews import jumpTo, showResult
from ..scene.SpineMeasures import measuresOf, removeLines, showLines
from . import Dialogs
from .PanelSection import PanelSection
from .UserMessages import asSentence

_MOST_ROWS_AT_ONCE = 10


class MeasuresSection(PanelSection):
    """Shows the measures of the result that is the parameter `result`, and draws those of a row that is clicked."""

    def __init__(self, ui: object, logic: object):
        super().__init__(ui, logic)
        self._shown: tuple | None = None
        self._measures: list[Measure] = []
        self._rows: list[list[Measure]] = []
        # Even columns: the sentences of curves, which span them, must not widen one.
        ui.measuresTable.horizontalHeader().setSectionResizeMode(qt.QHeaderView.Stretch)
        ui.measuresTable.setWordWrap(False)
        ui.measuresTable.connect("itemSelectionChanged()", self._onRow)
        ui.copyMeasuresButton.connect("clicked(bool)", self._onCopy)
        ui.saveMeasuresButton.connect("clicked(bool)", self._onSave)

    def update(self, isRunning: bool) -> None:
        result = self.parameters.result
        measures = measuresOf(result)
        shown = (result and result.GetID(), tuple(measures))
        if shown != self._shown:
            if self._shown is not None:
                removeLines()
            self._shown, self._measures = shown, measures
            self._fill()
        self.ui.measuresCollapsibleButton.setVisible(bool(self._rows))

    def _fill(self) -> None:
        table, columns = self.ui.measuresTable, _columns()
        places = dict.fromkeys((each.kind, each.at) for each in self._measures)
        groups = [[each for each in self._measures if (each.kind, each.at) == place] for place in places]
        levels = [group for group in groups if group[0].kind == "level"]
        others = [group for group in groups if group[0].kind == "curve" or _isDeformed(group)]
        self._rows = [*levels, *others]
        table.blockSignals(True)
        table.clear()
        table.clearSpans()
        table.setColumnCount(len(columns))
        table.setRowCount(len(self._rows))
        for position, (title, _name, explanation) in enumerate(columns):
            header = qt.QTableWidgetItem(title)
            header.setToolTip(explanation)
            table.setHorizontalHeaderItem(position, header)
        for index, group in enumerate(self._rows):
            self._fillRow(index, group)
        table.resizeRowsToContents()
        table.blockSignals(False)
        rows = sum(table.rowHeight(index) for index in range(min(len(self._rows), _MOST_ROWS_AT_ONCE)))
        needed = table.horizontalHeader().sizeHint.height() + rows + 2 * table.frameWidth
        table.setMinimumHeight(needed)
        table.setMaximumHeight(needed)

    def _fillRow(self, index: int, group: list[Measure]) -> None:
        table, columns = self.ui.measuresTable, _columns()
        marks = sorted({mark for measure in group for mark in measure.marks})
        tip = "; ".join(marks)
        item = qt.QTableWidgetItem(f"{group[0].at} !" if marks else group[0].at)
        item.setToolTip(tip)
        table.setItem(index, 0, item)
        if group[0].kind == "level":
            values = {measure.name: measure for measure in group}
            texts = [_number(values.get(name)) for _title, name, _explanation in columns[1:]]
        else:
            told = [each for each in group if each.kind == "curve" or each.name in ("deformity", "genant_grade")]
            texts = [", ".join(f"{each.definition.title} {value_text(each)}" for each in told)]
            table.setSpan(index, 1, 1, len(columns) - 1)
        for position, text in enumerate(texts, start=1):
            item = qt.QTableWidgetItem(text)
            item.setToolTip(tip)
            table.setItem(index, position, item)

    def _onRow(self) -> None:
        index = self.ui.measuresTable.currentRow()
        if not 0 <= index < len(self._rows) or self.parameters is None:
            return
        result = self.parameters.result
        middle = showLines(self._rows[index], result)
        if middle is not None:
            told = [f"{each.definition.title} {value_text(each)}" for each in self._rows[index] if each.lines]
            self.showStatus(f"{self._rows[index][0].at}: {', '.join(told)}.")
            showResult(result)
            jumpTo(middle)

    def _onCopy(self, _checked: bool = False) -> None:
        slicer.app.clipboard().setText(as_text(self._measures))
        self.showStatus(_("The measures are in the clipboard."))

    def _onSave(self, _checked: bool = False) -> None:
        name = f"{self.parameters.result.GetName()} morphometry"
        path = Dialogs.askSaveFile(_("Export the measures"), name, _("Comma-separated values (*.csv)"), (".csv",))
        if not path:
            return
        try:
            write_csv(self._measures, path)
        except SpineError as error:
            self.showStatus(asSentence(error), True)
        else:
            self.showStatus(_("Written: {path}").format(path=path))


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
