"""The part of the panel with a result: table, views, editing, remeasuring, restoring, export."""

from collections.abc import Callable

import qt
import slicer
from slicer.i18n import tr as _

from SpineInference.errors import SpineError
from SpineInference.spine.quality import needs_review

from ..scene import ResultExport
from ..scene.MeasurementTable import (
    DICE_CHART_ROLE,
    HEIGHT_CHART_ROLE,
    centreOf,
    editStateOf,
    isUpToDate,
    measurementsOf,
    segmentationOf,
)
from ..scene.ResultNodes import latestResultOf
from ..scene.ResultViews import ResultViews, editInSegmentEditor, jumpTo, showResult
from ..scene.SegmentationReplacement import SegmentationReplacement
from . import Dialogs
from .ChoiceBox import ChoiceBox
from .PanelSection import PanelSection
from .UserMessages import asSentence


class ResultSection(PanelSection):
    """Shows the table that is the parameter `result`, and works on its segmentation."""

    def __init__(self, ui: object, logic: object):
        super().__init__(ui, logic)
        self._views = ResultViews()
        self._shown = None
        self._rows: list[dict] = []
        self._replacement: SegmentationReplacement | None = None
        self._plots = ChoiceBox(ui.plotSelector, lambda _role: self._showViews())
        self._plots.fill([])
        ui.resultTable.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        ui.resultTable.connect("itemSelectionChanged()", self._onRow)
        ui.tableAndPlotButton.connect("toggled(bool)", self._onTableAndPlot)
        ui.editButton.connect("clicked(bool)", self._onEdit)
        ui.measureButton.connect("clicked(bool)", self._onMeasure)
        ui.restoreButton.connect("clicked(bool)", self._onRestore)
        self._menu = self._makeExportMenu()
        ui.exportButton.setMenu(self._menu)

    def offerToRestore(self, replacement: SegmentationReplacement) -> None:
        """Offer to restore the segments that a run has replaced, together with their measurements."""
        self._replacement = replacement

    def forgetReplacement(self) -> None:
        """Offer it no longer: the scene is closed, and another segmentation may get the ID of the replaced one."""
        self._replacement = None

    def update(self, isRunning: bool) -> None:
        tableNode = self.parameters.result
        segmentationNode = self._segmentation()
        self.ui.resultCollapsibleButton.setVisible(segmentationNode is not None)
        self._updateRestoreButton(segmentationNode, isRunning)
        self.ui.measureButton.setEnabled(not isRunning)
        shown = (
            tableNode and tableNode.GetID(),
            segmentationNode and segmentationNode.GetID(),
            editStateOf(segmentationNode),
        )
        if shown != self._shown:
            self._shown = shown
            self._showTable(tableNode, segmentationNode)

    def _segmentation(self) -> "slicer.vtkMRMLSegmentationNode | None":
        return segmentationOf(self.parameters.result) if self.parameters is not None else None

    def _showTable(
        self,
        tableNode: "slicer.vtkMRMLTableNode | None",
        segmentationNode: "slicer.vtkMRMLSegmentationNode | None",
    ) -> None:
        self.ui.show3DButton.setSegmentationNode(segmentationNode)
        self._rows = measurementsOf(tableNode) if segmentationNode is not None else []
        columns = [column for column in _columns() if any(row.get(column[1]) is not None for row in self._rows)]
        self.ui.resultLabel.setText(self._caption(segmentationNode, {name for _title, name, _digits in columns}))
        table = self.ui.resultTable
        table.blockSignals(True)
        table.clear()
        table.setColumnCount(len(columns))
        table.setRowCount(len(self._rows))
        table.setHorizontalHeaderLabels([title for title, *_rest in columns])
        for index, row in enumerate(self._rows):
            for position, (_title, name, digits) in enumerate(columns):
                table.setItem(index, position, _item(row, name, digits))
        table.resizeRowsToContents()
        table.blockSignals(False)
        charts = [(HEIGHT_CHART_ROLE, _("heights")), (DICE_CHART_ROLE, _("Dice per slice"))]
        self._plots.fill(chart for chart in charts if tableNode is not None and tableNode.GetNodeReference(chart[0]))

    def _caption(self, segmentationNode: "slicer.vtkMRMLSegmentationNode | None", columns: set[str]) -> str:
        """The name of the result, and a legend of these columns."""
        if segmentationNode is None:
            return ""
        sentences = [f"{segmentationNode.GetName()}."]
        if "quality" in columns:
            sentences.append(_("Quality: how sure the model is, from 0 to 1."))
        if any(needs_review(row.get("quality")) for row in self._rows):
            sentences.append(_("! look here first."))
        if "anterior_height_mm" in columns:
            sentences.append(_("Heights (anterior, middle, posterior) in mm, tilt in degrees."))
        if "hd95_mm" in columns:
            sentences.append(_("HD95 in mm."))
        if any(row.get("partial") == "yes" for row in self._rows):
            sentences.append(_("* cut off by the border of the scan."))
        sentences.append(self.parameters.result.GetDescription() or "")
        if not isUpToDate(self.parameters.result):
            sentences.append(_("Edited since: press Measure again."))
        return " ".join(filter(None, sentences))

    def _onRow(self) -> None:
        row = self.ui.resultTable.currentRow()
        if 0 <= row < len(self._rows) and self._segmentation() is not None:
            showResult(self.parameters.result)
            centre = centreOf(self._rows[row], self.parameters.result)
            if centre is not None:
                jumpTo(centre)

    def _onEdit(self, _checked: bool = False) -> None:
        showResult(self.parameters.result)
        editInSegmentEditor(self._segmentation())

    def _onTableAndPlot(self, on: bool) -> None:
        if on:
            self._showViews()
        else:
            self._views.hide()

    def _showViews(self) -> None:
        if self.ui.tableAndPlotButton.checked and self._segmentation() is not None:
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

    # --- export ---

    def _makeExportMenu(self) -> "qt.QMenu":
        menu = qt.QMenu(self.ui.exportButton)
        for text, slot in (
            (_("Label map (NIfTI, NRRD) ..."), self._onExportLabelMap),
            (_("Surfaces (STL) ..."), self._onExportSurfaces),
            (_("Measurements (CSV) ..."), self._onExportTable),
        ):
            menu.addAction(text).connect("triggered(bool)", slot)
        return menu

    def _onExportLabelMap(self, _checked: bool = False) -> None:
        node = self._segmentation()
        filter_ = _("Label maps (*.nii.gz *.nrrd)")
        path = Dialogs.askSaveFile(_("Export the label map"), node.GetName(), filter_, (".nii.gz", ".nrrd"))
        if path:
            self._export(lambda: ResultExport.exportLabelMap(node, path), path)

    def _onExportTable(self, _checked: bool = False) -> None:
        node = self.parameters.result
        filter_ = _("Comma-separated values (*.csv)")
        path = Dialogs.askSaveFile(_("Export the measurements"), node.GetName(), filter_, (".csv",))
        if path:
            self._export(lambda: ResultExport.exportTable(node, path), path)

    def _onExportSurfaces(self, _checked: bool = False) -> None:
        node = self._segmentation()
        folder = Dialogs.askFolder(_("Export the surfaces into a folder"))
        if not folder:
            return
        there = [file.name for file in ResultExport.surfaceFiles(node, folder) if file.exists()]
        question = _("These files are there already. Replace them?\n\n{names}").format(names="\n".join(there))
        if not there or Dialogs.confirm(question):
            self._export(lambda: ResultExport.exportSurfaces(node, folder), folder)

    def _export(self, write: Callable[[], object], where: str) -> None:
        try:
            write()
        except SpineError as error:
            self.showStatus(asSentence(error), isError=True)
        else:
            self.showStatus(_("Written: {path}").format(path=where))


def _columns() -> list[tuple[str, str, int]]:
    """Title, name and digits of the columns that fit into the panel; the table view shows all."""
    return [
        (_("Level"), "level", 0),
        (_("Quality"), "quality", 2),
        (_("Dice"), "dice", 2),
        (_("cm³"), "volume_mm3", 1),
        (_("mm²"), "area_mm2", 0),
        (_("Ant."), "anterior_height_mm", 1),
        (_("Mid."), "middle_height_mm", 1),
        (_("Post."), "posterior_height_mm", 1),
        (_("HD95"), "hd95_mm", 1),
        (_("Tilt"), "sagittal_tilt_deg", 0),
    ]


def _item(row: dict, name: str, digits: int) -> "qt.QTableWidgetItem":
    value = row.get(name)
    if isinstance(value, float | int):
        text = f"{value / 1000 if name == 'volume_mm3' else value:z.{digits}f}"
    else:
        text = "" if value is None else str(value)
    if name == "level" and row.get("partial") == "yes":
        text += " *"
    if name == "quality" and needs_review(row.get("quality")):
        text += " !"
    return qt.QTableWidgetItem(text)
