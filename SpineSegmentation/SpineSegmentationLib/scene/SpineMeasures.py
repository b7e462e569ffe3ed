"""The measures of the spine that belong to a result, and their lines as locked markups in the views."""

import json
from collections.abc import Sequence

import slicer

from SpineInference.measuring.morphometry.measure import Line, Measure
from SpineInference.measuring.morphometry.tables import from_json, value_text

from .MeasurementTable import pointInWorld

_MEASURES_ATTRIBUTE = "SpineSegmentation.Morphometry"
_LINE_ATTRIBUTE = "SpineSegmentation.MeasureLine"
_COLOUR = (1.0, 0.85, 0.2)
_THICKNESS_MM = 1.2


def setMeasures(tableNode: "slicer.vtkMRMLTableNode", content: "dict | None") -> None:
    """Keep the measures of a result, as `morphometry.tables.as_json` puts them, with its table and the scene."""
    tableNode.SetAttribute(_MEASURES_ATTRIBUTE, json.dumps(content) if content else None)


def measuresOf(result: "slicer.vtkMRMLNode | None") -> list[Measure]:
    """The measures of a result; none of one that an earlier version has saved."""
    kept = result.GetAttribute(_MEASURES_ATTRIBUTE) if result is not None else None
    return from_json(json.loads(kept)) if kept else []


def showLines(measures: Sequence[Measure], tableNode: "slicer.vtkMRMLTableNode") -> "tuple[float, ...] | None":
    """Draw the lines along which `measures` were taken in place of those drawn before; returns their middle (RAS, mm).

    They are locked and, because they belong to a click, not saved with the scene. Each line is drawn once, and named
    after all that was measured along it. What the lines say stands at one of them, so that no text covers another: of
    those from side to side at the first, and of the others at the rearmost, behind all that is measured.
    """
    removeLines()
    names: dict[Line, list[str]] = {}
    for measure in measures:
        for number, line in enumerate(measure.lines):
            names.setdefault(line, [])
            if number == 0 and measure.value is not None:
                names[line].append(f"{measure.definition.title} {value_text(measure)}")
    ends = {line: [pointInWorld(point, tableNode) for point in line] for line in names}
    points = [point for both in ends.values() for point in both]
    if not points or None in points:
        return None
    aside = [line for line in names if _runsAside(line)]
    along = sorted((line for line in names if line not in aside), key=_rearmost, reverse=True)
    told = {
        group[0]: "\n".join(", ".join(texts) for line, texts in names.items() if line in group and texts)
        for group in (aside, along)
        if group
    }
    for line, texts in names.items():
        _addLine(ends[line], ", ".join(texts), told.get(line, ""))
    return tuple(sum(values) / len(points) for values in zip(*points, strict=True))


def _runsAside(line: Line) -> bool:
    left, posterior, superior = (abs(end - start) for start, end in zip(*line, strict=True))
    return left > max(posterior, superior)


def _rearmost(line: Line) -> float:
    return max(posterior for _left, posterior, _superior in line)


def removeLines() -> None:
    """Take away the lines of the last click."""
    for node in slicer.util.getNodesByClass("vtkMRMLMarkupsLineNode"):
        if node.GetAttribute(_LINE_ATTRIBUTE):
            display = node.GetDisplayNode()
            slicer.mrmlScene.RemoveNode(node)
            if display is not None and slicer.mrmlScene.IsNodePresent(display):
                slicer.mrmlScene.RemoveNode(display)


def _addLine(ends: "list[tuple[float, ...]]", name: str, text: str) -> None:
    """A line of this name; the `text` is drawn beside it."""
    node = slicer.vtkMRMLMarkupsLineNode()
    node.SetName(text or name or " ")  # Slicer draws the name
    node.SetAttribute(_LINE_ATTRIBUTE, "yes")
    node.SetSaveWithScene(False)
    node.SetHideFromEditors(True)
    slicer.mrmlScene.AddNode(node)
    node.CreateDefaultDisplayNodes()
    for index, end in enumerate(ends):
        node.AddControlPointWorld(*end)
        node.SetNthControlPointLabel(index, "")
    node.SetLocked(True)
    for name in [node.GetNthMeasurement(index).GetName() for index in range(node.GetNumberOfMeasurements())]:
        node.GetMeasurement(name).SetEnabled(False)  # the length of the line is not always what was measured
    display = node.GetDisplayNode()
    display.SetSaveWithScene(False)
    display.SetColor(*_COLOUR)
    display.SetSelectedColor(*_COLOUR)
    display.SetPropertiesLabelVisibility(bool(text))
    display.SetPointLabelsVisibility(False)
    display.SetOccludedVisibility(True)
    display.SetGlyphScale(0.8)
    display.SetTextScale(2.5)
    display.SetCurveLineSizeMode(display.UseLineDiameter)
    display.SetLineDiameter(_THICKNESS_MM)
    display.SetSliceProjection(True)  # the slice that is shown seldom lies exactly in the middle of a body
    display.SetSliceProjectionUseFiducialColor(True)
    display.SetSliceProjectionOpacity(1.0)
    display.SetSliceProjectionOutlinedBehindSlicePlane(False)
