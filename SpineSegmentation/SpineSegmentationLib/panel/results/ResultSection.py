"""The part of the panel with a result: chooser, table, views, editing, remeasuring, restoring, export."""

import qt
import slicer
from slicer.i18n import tr as _

from ...scene.results.MeasurementTable import (
    CANAL_CHART_ROLE,
    DICE_CHART_ROLE,
    DISC_CHART_ROLE,
    HEIGHT_CHART_ROLE,
    centreOf,
    measurementsOf,
    segmentationOf,
)
from ...scene.results.ResultNodes import isCorrected, latestResultOf, runOf
from ...scene.results.ResultViews import ResultViews, centre3D, editInSegmentEditor, jumpTo, showResult
from ...scene.results.SegmentationReplacement import SegmentationReplacement
from ...scene.results.SegmentShapes import editStateOf, isUpToDate
from ...worker.CaseSaving import checkTrainingCase
from ..ChoiceBox import ChoiceBox
from ..PanelSection import PanelSection
from ..UserMessages import asSentence
from .ExportMenu import ExportMenu
from .ResultChooser import ResultChooser
from .ResultTable import ResultTable, rowsOfPanel
from .Review import Review
from .TrainingCaseDialog import TrainingCaseDialog

_SHOW_3D = "SpineSegmentation/Show3D"
_SURFACE = slicer.vtkSegmentationConverter.GetClosedSurfaceRepresentationName()


class ResultSection(PanelSection):
    """Shows the result that is the parameter `result`, and works on its segmentation.

    `models` is the part of the panel that knows the titles of models.
    """

    def __init__(self, ui: object, logic: object, models: object):
        super().__init__(ui, logic)
        self._views = ResultViews(self._onRowOfView)
        self._shown = None
        self._seenIn3D: str | None = None
        self._surfaceTimer = qt.QTimer(ui.resultWidget)  # ends with the panel
        self._surfaceTimer.setSingleShot(True)
        self._surfaceTimer.connect("timeout()", self._keepSurfaces)
        self._replacement: SegmentationReplacement | None = None
        self._caseDialog: TrainingCaseDialog | None = None
        self._table = ResultTable(ui.resultTable)
        self._review = Review(ui, self._table, self._segmentation)
        self._chooser = ResultChooser(ui.resultSelector, models.titleOf, lambda node: self.set("result", node))
        self._plots = ChoiceBox(ui.plotSelector, lambda _role: self._showViews())
        self._plots.fill([])
        self._menu = ExportMenu(ui.exportButton, lambda: self.parameters.result, self.showStatus)
        ui.resultTable.connect("itemSelectionChanged()", self._onRow)
        ui.tableAndPlotButton.connect("toggled(bool)", self._onTableAndPlot)
        ui.show3DButton.connect("clicked(bool)", self._onShow3D)
        ui.editButton.connect("clicked(bool)", self._onEdit)
        ui.measureButton.connect("clicked(bool)", self._onMeasure)
        ui.saveCaseButton.connect("clicked(bool)", self._onSaveCase)
        ui.restoreButton.connect("clicked(bool)", self._onRestore)

    def offerToRestore(self, replacement: SegmentationReplacement) -> None:
        """Offer to restore the segments that a run has replaced, together with their measurements."""
        self._replacement = replacement

    def forgetReplacement(self) -> None:
        """Offer it no longer: the scene is closed, and another segmentation may get the ID of the replaced one."""
        self._replacement = None

    def close(self) -> None:
        """Let go of the views: the panel is going away."""
        self._views.close()
        if self._caseDialog is not None:
            self._caseDialog.close()

    def update(self, isRunning: bool) -> None:
        result = self.parameters.result
        segmentationNode = self._segmentation()
        isChoice = self._chooser.update(result if segmentationNode is not None else None)
        for widget in (self.ui.resultChooserLabel, self.ui.resultSelector):
            widget.setVisible(isChoice)
        self.ui.resultSelector.setEnabled(not isRunning)
        self.ui.resultWidget.setVisible(segmentationNode is not None or isChoice)
        for widget in self._widgetsOfResult():
            widget.setVisible(segmentationNode is not None)
        self._updateRestoreButton(segmentationNode, isRunning)
        self.ui.measureButton.setEnabled(not isRunning)
        self.ui.saveCaseButton.setEnabled(not isRunning)
        shown = (
            result and result.GetID(),
            segmentationNode and segmentationNode.GetID(),
            editStateOf(segmentationNode),
        )
        if shown != self._shown:
            self._shown = shown
            self._showResult(result, segmentationNode)
        for widget in (self.ui.resultTable, *self._review.widgets):
            widget.setVisible(bool(self._table.rows))
        self._review.update()
        self._surfaceTimer.start(0)  # on its own: it takes as long as the rest
        self.ui.resultLabel.setVisible(bool(self.ui.resultLabel.text))

    def _segmentation(self) -> "slicer.vtkMRMLSegmentationNode | None":
        return segmentationOf(self.parameters.result) if self.parameters is not None else None

    def _widgetsOfResult(self) -> "list[qt.QWidget]":
        ui = self.ui
        buttons = (ui.show3DButton, ui.editButton, ui.measureButton, ui.exportButton, ui.saveCaseButton)
        return [*buttons, ui.plotLabel, ui.plotSelector, ui.tableAndPlotButton]

    def _showResult(
        self,
        result: "slicer.vtkMRMLNode | None",
        segmentationNode: "slicer.vtkMRMLSegmentationNode | None",
    ) -> None:
        self.ui.show3DButton.setSegmentationNode(segmentationNode)
        self._table.show(rowsOfPanel(result) if segmentationNode is not None else [])
        self.ui.resultLabel.setText("" if segmentationNode is None else self._caption(result))
        charts = [
            (HEIGHT_CHART_ROLE, _("heights")),
            (DISC_CHART_ROLE, _("heights of discs")),
            (CANAL_CHART_ROLE, _("canal")),
            (DICE_CHART_ROLE, _("Dice per slice")),
        ]
        self._plots.fill(chart for chart in charts if result is not None and result.GetNodeReference(chart[0]))
        for widget in (self.ui.plotSelector, self.ui.tableAndPlotButton):
            widget.setEnabled(bool(self._table.rows))

    def _caption(self, result: "slicer.vtkMRMLNode") -> str:
        """What has to be known about a result, a line for each."""
        if not self._table.rows:
            return _("Not measured: press Measure again.")
        lines = [] if isUpToDate(result) else [_("Edited since: press Measure again.")]
        lines += [asSentence(note) for note in runOf(result).notes]
        if self._table.rows[0].get("level_source") == "numbered":
            lines.append(_("The scan does not show the levels for certain: choose the topmost vertebra to name them."))
        lines.append(result.GetDescription() or "")
        return "\n".join(filter(None, lines))

    # --- views ---

    def _onRowOfView(self, index: int) -> None:
        """The user has selected a row of the table view, which has more of them than the panel."""
        rows = measurementsOf(self.parameters.result) if self.parameters is not None else []
        if index >= len(rows):
            return
        if rows[index] in self._table.rows:
            self._table.select(self._table.rows.index(rows[index]))
        else:
            self._showPlaceOf(rows[index])

    def _onRow(self) -> None:
        self._review.update()
        self._showPlaceOf(self._table.current())

    def _showPlaceOf(self, row: dict | None) -> None:
        if row is not None and self._segmentation() is not None:
            showResult(self.parameters.result)
            centre = centreOf(row, self.parameters.result)
            if centre is not None:
                jumpTo(centre)

    def _onShow3D(self, on: bool) -> None:
        """The user's wish holds for the following results, too."""
        qt.QSettings().setValue(_SHOW_3D, on)
        self._seenIn3D = None
        self._keepSurfaces()

    def _keepSurfaces(self) -> None:
        """Make the surfaces that the user wishes to see: of a result, and of segments that a script has edited.

        The 3D views turn to another result, and stay as they are when it is edited.
        """
        segmentationNode = self._segmentation()
        isWished = slicer.util.settingsValue(_SHOW_3D, False, converter=slicer.util.toBool)
        if segmentationNode is not None and isWished:
            if not segmentationNode.GetSegmentation().ContainsRepresentation(_SURFACE):
                segmentationNode.CreateClosedSurfaceRepresentation()
            if segmentationNode.GetID() != self._seenIn3D:
                centre3D(segmentationNode)
        self._seenIn3D = segmentationNode and segmentationNode.GetID()

    def _onEdit(self, _checked: bool = False) -> None:
        showResult(self.parameters.result)
        editInSegmentEditor(self._segmentation())

    def _onTableAndPlot(self, on: bool) -> None:
        if on:
            self._showViews()
        else:
            self._views.hide()

    def _showViews(self) -> None:
        if self.ui.tableAndPlotButton.checked and self._table.rows:
            chart = self.parameters.result.GetNodeReference(self._plots.value or HEIGHT_CHART_ROLE)
            self._views.show(self.parameters.result, chart)

    # --- measuring what was corrected ---

    def _onMeasure(self, _checked: bool = False) -> None:
        parameters = self.parameters
        self.showDetails("")
        self.ui.progressBar.setValue(0)
        self.showStatus(_("Measuring ..."))
        try:
            self.logic.measure(parameters.result, parameters.referenceSegmentation, wait=False, onEnd=self._onMeasured)
        except Exception as error:
            self._onMeasured(None, error)

    def _onMeasured(self, tableNode: "slicer.vtkMRMLTableNode | None", error: Exception | None) -> None:
        if error is not None:
            self.showError(error)
        else:
            self.logic.getParameterNode().result = tableNode  # self.parameters is None while another module is shown
            self.showStatus(_("Measured again."))
        self.logic.changed()
        if tableNode is not None and self.parameters is not None:
            self._showViews()

    # --- saving what was corrected for training ---

    def _onSaveCase(self, _checked: bool = False) -> None:
        if self._caseDialog is None:
            self._caseDialog = TrainingCaseDialog(self._checkCase, self._saveCase)
        if isCorrected(self._segmentation()):
            hint = _("The scan and the corrected segments are saved, and nothing else of the patient.")
        else:
            hint = _("Nothing was corrected yet. Save this only if all of it is right: errors are learned, too.")
        self._caseDialog.show(hint)

    def _checkCase(self, folder: str, name: str) -> None:
        checkTrainingCase(self.parameters and self.parameters.result, folder, name)

    def _saveCase(self, folder: str, name: str) -> None:
        self.showDetails("")
        self.ui.progressBar.setValue(0)
        self.showStatus(_("Saving ..."))
        try:
            result = self.parameters and self.parameters.result
            self.logic.saveTrainingCase(result, folder, name, wait=False, onEnd=self._onCaseSaved)
        except Exception as error:
            self._onCaseSaved(None, error)

    def _onCaseSaved(self, path: str | None, error: Exception | None) -> None:
        if error is not None:
            self.showError(error)
        else:
            self.showStatus(_("Saved as a training case: {path}").format(path=path))
        self.logic.changed()

    # --- restoring replaced segments ---

    def _updateRestoreButton(self, segmentationNode: "slicer.vtkMRMLSegmentationNode | None", isRunning: bool) -> None:
        replacement = self._replacement
        offered = replacement is not None and segmentationNode is not None and replacement.node is segmentationNode
        self.ui.restoreButton.setVisible(offered)
        self.ui.restoreButton.setEnabled(not isRunning)
        if offered:
            self.ui.restoreButton.setText(
                _("Bring the new segments back") if replacement.isUndone else _("Bring the previous segments back")
            )

    def _onRestore(self, _checked: bool = False) -> None:
        self._replacement.swap()
        text = _("The previous segments are back.") if self._replacement.isUndone else _("The new segments are back.")
        self.parameters.result = latestResultOf(self._replacement.node) or self._replacement.node
        self.showStatus(text)
        self.logic.changed()
