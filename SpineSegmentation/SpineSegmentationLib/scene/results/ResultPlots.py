"""Charts of a result as Slicer's own plot nodes: bodies, discs and canal along the spine, and agreement from slice to
slice."""

import math
import re
from collections.abc import Sequence

import slicer
import vtk
from slicer.i18n import tr as _

from SpineInference.measuring.morphometry.measure import Measure

from .MeasurementTable import CANAL_CHART_ROLE, DICE_CHART_ROLE, DISC_CHART_ROLE, HEIGHT_CHART_ROLE

_COLOURS = [(0.84, 0.37, 0.0), (0.0, 0.45, 0.70), (0.0, 0.62, 0.45)]
"""Vermilion, blue, green: distinguishable with any colour vision deficiency."""
_PARTS = "anterior", "middle", "posterior"
_LEVELS_ATTRIBUTE = "SpineSegmentation.Levels"
"""The attribute of a chart for the names below its axis, one a line; saved with the scene."""
_MOST_NAMES = 10
"""As many names have room below a chart in its layout."""


def addHeightChart(tableNode: "slicer.vtkMRMLTableNode", bodies: int) -> "list[slicer.vtkMRMLNode]":
    """The anterior, middle and posterior heights over the levels, which are the first rows of the table, as many as
    there are `bodies`; returns the new nodes."""
    chartNode = _addChart(tableNode, HEIGHT_CHART_ROLE, _("Heights of the vertebral bodies"), _("Height (mm)"))
    chartNode.SetXAxisTitle(_("Level"))
    columns = [f"{part}_height_mm" for part in _PARTS]
    seriesNodes = _addLines(chartNode, tableNode, dict(zip(columns, _partTitles(), strict=True)))
    levels = tableNode.GetTable().GetColumnByName("level")
    _setLevels(chartNode, [re.sub(r"^\w+ (?=\d+$)", "", levels.GetValue(row)) for row in range(bodies)])
    return [chartNode, *seriesNodes]


def addDiscChart(measures: Sequence[Measure], tableNode: "slicer.vtkMRMLTableNode") -> "list[slicer.vtkMRMLNode]":
    """The three heights over the discs; returns the new nodes, none where no disc was measured."""
    columns = [f"{part}_disc_height" for part in _PARTS]
    titles = dict(zip(columns, _partTitles(), strict=True))
    return _addMeasureChart(measures, tableNode, DISC_CHART_ROLE, _("Heights of the discs"), _("Height (mm)"), titles)


def addCanalChart(measures: Sequence[Measure], tableNode: "slicer.vtkMRMLTableNode") -> "list[slicer.vtkMRMLNode]":
    """The diameters of canal and cord over bodies and discs; returns the new nodes, none where none was measured."""
    titles = {"canal_diameter": _("Canal"), "cord_diameter": _("Cord")}
    measured = {each.name for each in measures if each.value is not None}
    titles = {name: title for name, title in titles.items() if name in measured}
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
    _setLevels(chartNode, [_short(place) for place in places])
    return [chartNode, dataNode, *seriesNodes]


def _short(place: str) -> str:
    """The name of a disc as narrow as the axis needs it: "L4/5", "L5/S1"; "3/4" of numbered vertebrae. A body between
    two discs goes without."""
    above, _dash, below = place.partition("-")
    kind = above.rstrip("0123456789")
    isNumbered = kind.endswith(" ")
    return f"{above.removeprefix(kind) if isNumbered else above}/{below.removeprefix(kind)}" if below else ""


def _setLevels(chartNode: "slicer.vtkMRMLPlotChartNode", levels: list[str]) -> None:
    """Let a chart be as wide as there are levels, and remember their names."""
    chartNode.SetAttribute(_LEVELS_ATTRIBUTE, "\n".join(levels))
    _leaveRoomForLegend(chartNode, len(levels) - 1)


def nameLevels() -> None:
    """Write the names of levels below the charts of this module that are shown: Slicer would number them.

    It is to be called whenever another chart may be shown, because a view keeps the names.
    """
    manager = slicer.app.layoutManager()
    for index in range(manager.plotViewCount if manager is not None else 0):
        widget = manager.plotWidget(index)
        view, chartNode = widget.plotView(), widget.mrmlPlotViewNode().GetPlotChartNode()
        levels = chartNode.GetAttribute(_LEVELS_ATTRIBUTE) if chartNode is not None else None
        chart = view.chart()
        chart.GetAxis(vtk.vtkAxis.BOTTOM).SetCustomTickPositions(*ticksOf(levels))
        chart.GetScene().SetDirty(True)
        view.update()


def ticksOf(levels: str | None) -> tuple[vtk.vtkDoubleArray | None, vtk.vtkStringArray | None]:
    """Positions and names for an axis, of as many levels as have room; neither where there are no `levels`, a line for
    each."""
    if levels is None:
        return None, None
    named = [(position, name) for position, name in enumerate(levels.split("\n")) if name]
    named = named[:: math.ceil(len(named) / _MOST_NAMES) or 1]
    names = vtk.vtkStringArray()
    for _position, name in named:
        names.InsertNextValue(name)
    return _numbers("positions", [position for position, _name in named]), names


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
