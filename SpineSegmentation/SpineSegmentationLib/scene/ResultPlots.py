"""Charts of a result as Slicer's own plot nodes: bodies, discs and canal along the spine, and agreement from slice to
slice."""

import math
from collections.abc import Sequence

import slicer
import vtk
from slicer.i18n import tr as _

from SpineInference.measuring.morphometry.measure import Measure

from .MeasurementTable import CANAL_CHART_ROLE, DICE_CHART_ROLE, DISC_CHART_ROLE, HEIGHT_CHART_ROLE

_COLOURS = [(0.84, 0.37, 0.0), (0.0, 0.45, 0.70), (0.0, 0.62, 0.45)]
"""Vermilion, blue, green: distinguishable with any colour vision deficiency."""
_PARTS = "anterior", "middle", "posterior"


def addHeightChart(tableNode: "slicer.vtkMRMLTableNode", bodies: int) -> "list[slicer.vtkMRMLNode]":
    """The anterior, middle and posterior heights over the levels, which are the first rows of the table, as many as
    there are `bodies`; returns the new nodes."""
    chartNode = _addChart(tableNode, HEIGHT_CHART_ROLE, _("Heights of the vertebral bodies"), _("Height (mm)"))
    chartNode.SetXAxisTitle(_("Level"))
    columns = [f"{part}_height_mm" for part in _PARTS]
    seriesNodes = _addLines(chartNode, tableNode, dict(zip(columns, _partTitles(), strict=True)))
    _leaveRoomForLegend(chartNode, bodies - 1)
    return [chartNode, *seriesNodes]


def addDiscChart(measures: Sequence[Measure], tableNode: "slicer.vtkMRMLTableNode") -> "list[slicer.vtkMRMLNode]":
    """The three heights over the discs; returns the new nodes, none where no disc was measured."""
    columns = [f"{part}_disc_height" for part in _PARTS]
    titles = dict(zip(columns, _partTitles(), strict=True))
    return _addMeasureChart(measures, tableNode, DISC_CHART_ROLE, _("Heights of the discs"), _("Height (mm)"), titles)


def addCanalChart(measures: Sequence[Measure], tableNode: "slicer.vtkMRMLTableNode") -> "list[slicer.vtkMRMLNode]":
    """The diameter of the canal over bodies and discs; returns the new nodes, none where it was not measured."""
    titles = {"canal_diameter": _("Canal")}
    return _addMeasureChart(
        measures, tableNode, CANAL_CHART_ROLE, _("Diameter of the spinal canal"), _("Diameter (mm)"), titles
    )


def _partTitles() -> list[str]:
    return [_("Anterior"), _("Middle"), _("Posterior")]


def _addMeasureChart(
    measures: Sequence[Measure],
    tableNode: "slicer.vtkMRMLTableNode",
    role: str,
    title: str,
    yTitle: str,
    titles: dict[str, str],
) -> "list[slicer.vtkMRMLNode]":
    """A line for each measure that `titles` names, from place to place, whose numbers get a table of their own."""
    shown = [each for each in measures if each.name in titles]
    if all(each.value is None for each in shown):
        return []
    places = list(dict.fromkeys(each.at for each in shown))
    values = {(each.at, each.name): each.value for each in shown if each.value is not None}
    chartNode = _addChart(tableNode, role, title, yTitle)
    chartNode.SetXAxisTitle(_("Level"))
    dataNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", chartNode.GetName())
    names = vtk.vtkStringArray()
    names.SetName("level")
    for place in places:
        names.InsertNextValue(_short(place))
    dataNode.AddColumn(names)
    for name in titles:
        dataNode.AddColumn(_numbers(name, [values.get((place, name), math.nan) for place in places]))
    dataNode.SetLocked(True)
    seriesNodes = _addLines(chartNode, dataNode, titles)
    _leaveRoomForLegend(chartNode, len(places) - 1)
    return [chartNode, dataNode, *seriesNodes]


def _short(place: str) -> str:
    """The name of a disc as narrow as the axis needs it: "L4/5", "L5/S1"; "3/4" of numbered vertebrae. A body between
    two discs goes without."""
    above, _dash, below = place.partition("-")
    kind = above.rstrip("0123456789")
    isNumbered = kind.endswith(" ")
    return f"{above.removeprefix(kind) if isNumbered else above}/{below.removeprefix(kind)}" if below else ""


def _addLines(
    chartNode: "slicer.vtkMRMLPlotChartNode", tableNode: "slicer.vtkMRMLTableNode", titles: dict[str, str]
) -> "list[slicer.vtkMRMLPlotSeriesNode]":
    """A line for each column of a table that `titles` names, over its column "level"."""
    seriesNodes = []
    for (column, title), colour in zip(titles.items(), _COLOURS, strict=False):
        seriesNode = _addSeries(chartNode, tableNode, title, colour, column)
        seriesNode.SetPlotType(seriesNode.PlotTypeLine)
        seriesNode.SetLabelColumnName("level")
        seriesNode.SetMarkerStyle(seriesNode.MarkerStyleCircle)
        seriesNodes.append(seriesNode)
    return seriesNodes


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
