"""Charts of a result as Slicer's own plot nodes: heights from level to level, and agreement from slice to slice."""

import slicer
import vtk
from slicer.i18n import tr as _

from .MeasurementTable import DICE_CHART_ROLE, HEIGHT_CHART_ROLE

_COLOURS = [(0.84, 0.37, 0.0), (0.0, 0.45, 0.70), (0.0, 0.62, 0.45)]
"""Vermilion, blue, green: distinguishable with any colour vision deficiency."""


def addHeightChart(tableNode: "slicer.vtkMRMLTableNode") -> "list[slicer.vtkMRMLNode]":
    """The anterior, middle and posterior heights over the levels; returns the new nodes."""
    chartNode = _addChart(tableNode, HEIGHT_CHART_ROLE, _("Heights of the vertebral bodies"), _("Height (mm)"))
    chartNode.SetXAxisTitle(_("Level"))
    parts = [
        (_("Anterior"), "anterior_height_mm"),
        (_("Middle"), "middle_height_mm"),
        (_("Posterior"), "posterior_height_mm"),
    ]
    seriesNodes = []
    for (name, column), colour in zip(parts, _COLOURS, strict=True):
        seriesNode = _addSeries(chartNode, tableNode, name, colour, column)
        seriesNode.SetPlotType(seriesNode.PlotTypeLine)
        seriesNode.SetLabelColumnName("level")
        seriesNode.SetMarkerStyle(seriesNode.MarkerStyleCircle)
        seriesNodes.append(seriesNode)
    _leaveRoomForLegend(chartNode, tableNode.GetNumberOfRows() - 1)
    return [chartNode, *seriesNodes]


def addDiceChart(
    slices: dict[str, dict[str, list]], tableNode: "slicer.vtkMRMLTableNode"
) -> "list[slicer.vtkMRMLNode]":
    """The Dice of `SpineInference.measuring.slice_agreement`, a line per plane; returns the new nodes."""
    chartNode = _addChart(tableNode, DICE_CHART_ROLE, _("Agreement with the reference"), _("Dice"))
    chartNode.SetXAxisTitle(_("Slice, from the right, the front or the top"))
    chartNode.SetYAxisRangeAuto(False)
    chartNode.SetYAxisRange(0, 1)
    names = {"sagittal": _("Sagittal"), "coronal": _("Coronal"), "axial": _("Axial")}
    nodes = [chartNode]
    for (plane, values), colour in zip(slices.items(), _COLOURS, strict=True):
        sliceTable = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", f"{chartNode.GetName()}, {names[plane]}")
        for column in ("slice", "dice"):
            sliceTable.AddColumn(_numbers(column, values[column]))
        sliceTable.SetLocked(True)
        seriesNode = _addSeries(chartNode, sliceTable, names[plane], colour, "dice")
        seriesNode.SetPlotType(seriesNode.PlotTypeScatter)
        seriesNode.SetXColumnName("slice")
        seriesNode.SetMarkerStyle(seriesNode.MarkerStyleNone)
        nodes += [sliceTable, seriesNode]
    _leaveRoomForLegend(chartNode, max(max(values["slice"], default=0) for values in slices.values()))
    return nodes


def _addChart(
    tableNode: "slicer.vtkMRMLTableNode", role: str, title: str, yTitle: str
) -> "slicer.vtkMRMLPlotChartNode":
    chartNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode", f"{tableNode.GetName()}: {title}")
    chartNode.SetTitle(title)
    chartNode.SetTitleFontSize(14)  # the plot has a third of the width that Slicer's default is made for
    chartNode.SetLegendFontSize(12)
    chartNode.SetYAxisTitle(yTitle)
    tableNode.SetNodeReferenceID(role, chartNode.GetID())
    return chartNode


def _leaveRoomForLegend(chartNode: "slicer.vtkMRMLPlotChartNode", last: float) -> None:
    """Let the axis go on to the right of the `last` value: the legend lies there, and its place cannot be chosen."""
    chartNode.SetXAxisRangeAuto(False)
    chartNode.SetXAxisRange(-0.02 * max(last, 1), 1.5 * max(last, 1))


def _addSeries(
    chartNode: "slicer.vtkMRMLPlotChartNode",
    tableNode: "slicer.vtkMRMLTableNode",
    name: str,
    colour: tuple[float, float, float],
    yColumn: str,
) -> "slicer.vtkMRMLPlotSeriesNode":
    seriesNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", name)
    seriesNode.SetAndObserveTableNodeID(tableNode.GetID())
    seriesNode.SetYColumnName(yColumn)
    seriesNode.SetColor(*colour)
    chartNode.AddAndObservePlotSeriesNodeID(seriesNode.GetID())
    return seriesNode


def _numbers(name: str, values: list[float]) -> vtk.vtkDoubleArray:
    column = vtk.vtkDoubleArray()
    column.SetName(name)
    for value in values:
        column.InsertNextValue(value)
    return column
