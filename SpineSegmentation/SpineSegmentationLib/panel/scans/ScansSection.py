"""The part of the panel that segments several scans one after the other, and shows what came of each."""

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from SpineInference.errors import SpineError

from ...scene.results.MeasurementTable import measurementsOf
from ...scene.results.ResultExport import exportTable
from ...scene.results.ResultNodes import latestResultOf
from ...scene.results.ScansOverview import resultOfRow, scanOfRow
from .. import Dialogs
from ..PanelSection import PanelSection
from ..results.ResultTable import ResultTable
from ..run.OptionsSection import NUMBERED, UNKNOWN_LEVEL
from ..UserMessages import asSentence
from .ScanList import ScanList


class ScansSection(PanelSection):
    """The list of scans, the button, and the overview, whose rows lead to the results.

    `segment(volumeNodes, onScan, onEnd)` starts the run with the present settings, as the part of the panel does that
    segments one scan.
    """

    def __init__(self, ui: object, logic: object, segment: Callable[..., None]):
        super().__init__(ui, logic)
        self._segment = segment
        self._blockingReason = ""
        self._shown = None
        self._list = ScanList(ui.scansList)
        self._table = ResultTable(ui.overviewTable, _columns())
        ui.scansCollapsibleButton.connect("contentsCollapsed(bool)", lambda _collapsed: self.logic.changed())
        ui.segmentScansButton.connect("clicked(bool)", self._onButton)
        ui.overviewTable.connect("itemSelectionChanged()", self._onRow)
        ui.exportOverviewButton.connect("clicked(bool)", self._onExport)

    def setBlockingReason(self, reason: str) -> None:
        """Disable the button for this reason; an empty one enables it."""
        self._blockingReason = reason

    def update(self, isRunning: bool) -> None:
        if not self.ui.scansCollapsibleButton.collapsed:
            self._list.update()
        self.ui.scansList.setEnabled(not isRunning)
        self.ui.segmentScansButton.setEnabled(not isRunning and not self._blockingReason)
        level = self.parameters.topLevel
        hint = _("Topmost vertebra, model and advanced choices hold for all of them.")
        if level not in (UNKNOWN_LEVEL, NUMBERED):
            hint = _("In all of them {level} is taken for the topmost vertebra.").format(level=level)
        self.ui.scansHintLabel.setText(hint)
        overview = self.parameters.scansOverview
        state = overview and (overview.GetID(), overview.GetTable().GetMTime())
        if state != self._shown:
            self._shown = state
            self._table.show(measurementsOf(overview) if overview is not None else [])
        for widget in (self.ui.overviewTable, self.ui.exportOverviewButton):
            widget.setVisible(bool(self._table.rows))

    def _onButton(self, _checked: bool = False) -> None:
        volumeNodes = self._list.checked()
        if not volumeNodes:
            self.showStatus(_("Check the scans that are to be segmented."), isError=True)
            return
        self._list.forget()
        self._segment(volumeNodes, self._onScan, self._onEnd)

    def _onScan(self, overview: "slicer.vtkMRMLTableNode") -> None:
        self.logic.getParameterNode().scansOverview = overview

    def _onEnd(self, overview: "slicer.vtkMRMLTableNode") -> None:
        """Say how it went; show the result of the chosen scan, or the first one."""
        parameters, rows = self.logic.getParameterNode(), measurementsOf(overview)
        parameters.scansOverview = overview
        results = [resultOfRow(overview, index) for index in range(len(rows))]
        results = [result for result in results if result is not None]
        own = latestResultOf(parameters.inputVolume)
        if results:
            parameters.result = own if own in results else results[0]
        # Only then: with another scan, what was said before goes away.
        failed = [row for row in rows if row["problem"]]
        done = _("{done} of {total} scans are segmented.").format(done=len(rows) - len(failed), total=len(rows))
        told = [_withName(row) for row in failed]
        self.showStatus("\n".join([done, *told]), isError=bool(failed))
        self.ui.logText.appendPlainText("\n".join([done, *told]))

    def _onRow(self) -> None:
        index = self._table.currentIndex()
        overview = self.parameters and self.parameters.scansOverview
        if index is None or overview is None:
            return
        result, scan = resultOfRow(overview, index), scanOfRow(overview, index)
        if result is not None:
            self.parameters.result = result
        elif scan is not None:
            self.parameters.inputVolume = scan

    def _onExport(self, _checked: bool = False) -> None:
        overview = self.parameters.scansOverview
        filter_ = _("Comma-separated values (*.csv)")
        path = Dialogs.askSaveFile(_("Export the table of all scans"), overview.GetName(), filter_, (".csv",))
        if not path:
            return
        try:
            exportTable(overview, path)
        except SpineError as error:
            self.showStatus(asSentence(error), isError=True)
        else:
            self.showStatus(_("Written: {path}").format(path=path))


def _withName(row: dict) -> str:
    """The problem of a scan, with its name where the sentence does not say it."""
    sentence = asSentence(row["problem"])
    return sentence if f'"{row["scan"]}"' in sentence else f"{row['scan']}: {sentence}"


def _columns() -> list[tuple[str, str, int, str]]:
    """Title, name, digits and explanation."""
    return [
        (_("Scan"), "scan", 0, ""),
        (_("Bodies"), "bodies", 0, ""),
        ("!", "doubtful", 0, _("Look at these first.")),
        (_("Quality"), "lowest_quality", 2, _("How sure the model is of the body that it is least sure of.")),
        (_("cm³"), "volume_mm3", 1, _("Here in cm³, of all vertebral bodies together.")),
        (_("Problem"), "problem", 0, ""),
    ]
