"""The part of the panel with the measures of the spine."""

import slicer
from slicer.i18n import tr as _

from SpineInference.errors import SpineError
from SpineInference.measuring.morphometry.measure import Measure
from SpineInference.measuring.morphometry.tables import as_text, value_text, write_csv

from ...scene.results.MeasurementTable import segmentationOf
from ...scene.results.PointNodes import keepWithResults
from ...scene.results.ResultPoints import addPoints
from ...scene.results.ResultViews import jumpTo, showResult
from ...scene.results.SpineMeasures import measuresOf, placeText, removeLines, showLines
from .. import Dialogs
from ..PanelSection import PanelSection
from ..UserMessages import asSentence
from .MeasureRows import discColumns, discRows, levelColumns, levelRows
from .MeasuresTable import MeasuresTable


class MeasuresSection(PanelSection):
    """Shows the measures of the result that is the parameter `result`, and draws those of a row that is clicked."""

    def __init__(self, ui: object, logic: object):
        super().__init__(ui, logic)
        self._shown: tuple | None = None
        self._measures: list[Measure] = []
        self._levels = MeasuresTable(ui.measuresTable, levelColumns())
        self._discs = MeasuresTable(ui.discsTable, discColumns())
        ui.measuresTable.connect("itemSelectionChanged()", lambda: self._onRow(self._levels, self._discs))
        ui.discsTable.connect("itemSelectionChanged()", lambda: self._onRow(self._discs, self._levels))
        ui.pointsButton.connect("clicked(bool)", self._onPoints)
        ui.copyMeasuresButton.connect("clicked(bool)", self._onCopy)
        ui.saveMeasuresButton.connect("clicked(bool)", self._onSave)

    def update(self, isRunning: bool) -> None:
        keepWithResults()
        result = self.parameters.result
        measures = measuresOf(result)
        shown = (result and result.GetID(), tuple(measures))
        if shown != self._shown:
            if self._shown is not None:
                removeLines()
            self._shown, self._measures = shown, measures
            self._levels.show(*levelRows(measures))
            self._discs.show(*discRows(measures))
        self.ui.measuresCollapsibleButton.setVisible(bool(self._levels.rows or self._discs.rows))
        self.ui.pointsButton.setEnabled(segmentationOf(result) is not None)

    def _onRow(self, table: MeasuresTable, other: MeasuresTable) -> None:
        row = table.current()
        if not row or self.parameters is None:
            return
        other.deselect()
        result = self.parameters.result
        middle = showLines(row, result)
        if middle is not None:
            told = [f"{each.definition.title} {value_text(each)}" for each in row if each.lines]
            self.showStatus(placeText(f"{row[0].at}: {', '.join(told)}."))
            showResult(result)
            jumpTo(middle)

    def _onPoints(self, _checked: bool = False) -> None:
        try:
            nodes = addPoints(self.parameters.result)
        except SpineError as error:
            self.showStatus(asSentence(error), True)
        else:
            names = ", ".join(node.GetName().rpartition(": ")[2] for node in nodes)
            self.showStatus(_("Added to the scene: {names}.").format(names=names))

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
