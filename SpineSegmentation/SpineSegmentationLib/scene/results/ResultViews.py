"""A result in Slicer's views: the layout with table and chart, and the jump to a vertebra."""

from collections.abc import Callable
from functools import partial

import numpy as np
import qt
import slicer
import vtk

from .MeasurementTable import scanOf
from .ResultNodes import showOnly
from .ResultPlots import nameLevels

_LAYOUT = 5547  # not the number of any of Slicer's layouts

_PIXELS = 1000  # more than available: a splitter scales sizes down in proportion

_WIDE_VALUE = "-123.45"
_CELL_MARGIN = 14
"""Pixels that a header needs beside its text."""

_SLICE = """<item><view class="vtkMRMLSliceNode" singletontag="{name}">
  <property name="orientation" action="default">{orientation}</property>
  <property name="viewlabel" action="default">{label}</property>
  <property name="viewcolor" action="default">{colour}</property></view></item>"""

_VIEWS = """
<layout type="vertical" split="true">
 <item><layout type="horizontal" split="true">{slices}</layout></item>
 <item><layout type="horizontal" split="true">
  <item><view class="vtkMRMLViewNode" singletontag="1">
   <property name="viewlabel" action="default">1</property></view></item>
  <item><view class="vtkMRMLPlotViewNode" singletontag="PlotView1">
   <property name="viewlabel" action="default">P</property></view></item>
 </layout></item>
 <item><view class="vtkMRMLTableViewNode" singletontag="TableView1">
  <property name="viewlabel" action="default">T</property></view></item>
</layout>"""


class ResultViews:
    """The layout with slice views, 3D view, table and chart; remembers the previous one.

    `onRow(number)` is called for a row of the table that the user selects, counted from 0.

    Without a main window there are no views, and nothing happens.
    """

    def __init__(self, onRow: Callable[[int], None]):
        self._onRow = onRow
        self._previousLayout: int | None = None
        self._tables: list[tuple[slicer.qMRMLTableView, Callable[[], None]]] = []
        self._plots: dict[slicer.vtkMRMLPlotViewNode, int] = {}
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self._arrange)

    @property
    def isShown(self) -> bool:
        """Whether the layout of this class is the present one."""
        return slicer.app.layoutManager() is not None and slicer.app.layoutManager().layout == _LAYOUT

    def show(self, tableNode: "slicer.vtkMRMLTableNode", chartNode: "slicer.vtkMRMLPlotChartNode | None") -> None:
        """Show a table and a chart in the layout."""
        manager = slicer.app.layoutManager()
        if manager is None:
            return
        if not self.isShown:
            self._previousLayout = manager.layout
            layoutNode = manager.layoutLogic().GetLayoutNode()
            if not layoutNode.IsLayoutDescription(_LAYOUT):
                layoutNode.AddLayoutDescription(_LAYOUT, _description())
            manager.setLayout(_LAYOUT)
        self._timer.start(0)  # after the views have been laid out
        application = slicer.app.applicationLogic()
        selectionNode = application.GetSelectionNode()
        selectionNode.SetActiveTableID(tableNode.GetID())
        application.PropagateTableSelection()
        if chartNode is not None:
            selectionNode.SetActivePlotChartID(chartNode.GetID())
            application.PropagatePlotChartSelection()
        self._preparePlots()
        self._prepareTables()

    def hide(self) -> None:
        """Return to the previous layout."""
        if self.isShown and self._previousLayout is not None:
            slicer.app.layoutManager().setLayout(self._previousLayout)

    def close(self) -> None:
        """Let go of the views, which live on when the panel is reloaded."""
        self._timer.stop()  # laying out may take longer than the panel lives
        for table, slot in self._tables:
            table.disconnect("selectionChanged()", slot)
        for node, tag in self._plots.items():
            node.RemoveObserver(tag)
        self._tables, self._plots = [], {}

    def _arrange(self) -> None:
        """Sizes of the views, which Slicer ignores in a layout's description, and a table that can be read and clicked.

        The slices get half of the height, 3D view and chart a quarter, and the table, in the full width, another one.
        """
        if not self.isShown:
            return
        for splitter in slicer.util.findChildren(slicer.app.layoutManager().viewport(), className="QSplitter"):
            isVertical = splitter.orientation == qt.Qt.Vertical
            splitter.setSizes([2 * _PIXELS, _PIXELS, _PIXELS] if isVertical else [_PIXELS] * splitter.count())
        self._prepareTables()

    def _preparePlots(self) -> None:
        """Name the levels of a chart, and forget the names where the user chooses a chart of somebody else."""
        for node in slicer.util.getNodesByClass("vtkMRMLPlotViewNode"):
            if node not in self._plots:
                self._plots[node] = node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_event: nameLevels())
        nameLevels()

    def _prepareTables(self) -> None:
        for table in slicer.util.findChildren(slicer.app.layoutManager().viewport(), className="qMRMLTableView"):
            if table not in [known for known, _slot in self._tables]:
                slot = partial(self._onSelection, table)
                self._tables.append((table, slot))
                table.setSelectionBehavior(qt.QAbstractItemView.SelectRows)
                table.connect("selectionChanged()", slot)
            table.horizontalHeader().setDefaultAlignment(qt.Qt.AlignCenter | qt.Qt.TextWordWrap)
            table.horizontalHeader().setFixedHeight(2 * table.fontMetrics().lineSpacing() + _CELL_MARGIN)
            table.horizontalHeader().setHighlightSections(False)  # in bold the titles need more room
            for column in range(table.model().columnCount()):
                title = str(table.model().headerData(column, qt.Qt.Horizontal))
                widths = map(table.fontMetrics().horizontalAdvance, [*_inTwoLines(title), _WIDE_VALUE])
                table.setColumnWidth(column, max(widths) + _CELL_MARGIN)
            table.resizeColumnToContents(0)
            table.resizeRowsToContents()

    def _onSelection(self, table: "slicer.qMRMLTableView") -> None:
        rows = {index.row() for index in table.selectionModel().selectedRows()}
        if self.isShown and len(rows) == 1:
            self._onRow(rows.pop())


def shownScan() -> "slicer.vtkMRMLVolumeNode | None":
    """The background of the slice views, where all have the same one; else None."""
    shown = {node.GetBackgroundVolumeID() for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")}
    return slicer.mrmlScene.GetNodeByID(shown.pop()) if len(shown) == 1 and None not in shown else None


def showScan(volumeNode: "slicer.vtkMRMLVolumeNode", result: "slicer.vtkMRMLNode | None") -> None:
    """Show a scan in all views, with the segmentation of this result of it; those of other results are hidden.

    Where all slice views show the scan already, be it as an overlay, they stay as they are.
    """
    if not isShown(volumeNode):
        # What lay over the other scan does not belong to this one.
        slicer.util.setSliceViewerLayers(background=volumeNode, foreground=None, label=None, fit=True)
    showOnly(result)


def showResult(result: "slicer.vtkMRMLNode") -> None:
    """Show a result on its scan. Where the scan was removed, only other results are hidden."""
    volumeNode = scanOf(result)
    if volumeNode is not None:
        showScan(volumeNode, result)
    else:
        showOnly(result)


def isShown(volumeNode: "slicer.vtkMRMLVolumeNode") -> bool:
    """Whether all slice views show a scan, be it as an overlay; also where there are no views."""
    views = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    return all(_shows(view, volumeNode.GetID()) for view in views)


def _shows(view: "slicer.vtkMRMLSliceCompositeNode", volumeId: str) -> bool:
    isOverlay = view.GetForegroundVolumeID() == volumeId and view.GetForegroundOpacity() > 0
    return isOverlay or view.GetBackgroundVolumeID() == volumeId


def jumpTo(point: tuple[float, float, float]) -> None:
    """Centre all slice views at a point of the world (RAS, mm)."""
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *point, slicer.vtkMRMLSliceNode.CenteredJumpSlice)


def centre3D(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> None:
    """Let all 3D views look at a segmentation, from behind and whole.

    Slicer's own centre is that of everything in the scene, hidden results of other scans too.
    """
    bounds = [0.0] * 6
    segmentationNode.GetRASBounds(bounds)
    low, high = np.array(bounds[::2]), np.array(bounds[1::2])
    slicer.util.resetThreeDViews()
    for cameraNode in slicer.util.getNodesByClass("vtkMRMLCameraNode"):
        centre, radius = (low + high) / 2, np.linalg.norm(high - low) / 2
        away = np.subtract(cameraNode.GetPosition(), cameraNode.GetFocalPoint())
        distance = radius / np.sin(np.radians(cameraNode.GetViewAngle()) / 2)
        cameraNode.SetFocalPoint(*centre)
        cameraNode.SetPosition(*(centre + distance * away / np.linalg.norm(away)))
        cameraNode.SetParallelScale(radius)
        cameraNode.ResetClippingRange()


def editInSegmentEditor(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> None:
    """Open the Segment Editor with a segmentation and the scan it was made from."""
    slicer.util.selectModule("SegmentEditor")
    editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
    editor.setSegmentationNode(segmentationNode)
    volumeNode = segmentationNode.GetNodeReference(segmentationNode.GetReferenceImageGeometryReferenceRole())
    if volumeNode is not None:
        editor.setSourceVolumeNode(volumeNode)


def _inTwoLines(title: str) -> tuple[str, str]:
    """A title broken where its longer line is shortest."""
    words = title.split()
    lines = [(" ".join(words[:end]), " ".join(words[end:])) for end in range(1, len(words) + 1)]
    return min(lines, key=lambda pair: max(map(len, pair)), default=("", ""))


def _description() -> str:
    views = [
        ("Red", "Axial", "R", "#F34A33"),
        ("Yellow", "Sagittal", "Y", "#EDD54C"),
        ("Green", "Coronal", "G", "#6EB04B"),
    ]
    slices = "".join(
        _SLICE.format(name=name, orientation=orientation, label=label, colour=colour)
        for name, orientation, label, colour in views
    )
    return _VIEWS.format(slices=slices)
