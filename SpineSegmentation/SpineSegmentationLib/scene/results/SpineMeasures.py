"""The measures of the spine that belong to a result, and their lines as locked markups in the views."""

import json
import re
from collections.abc import Sequence

import slicer

from SpineInference.measuring.morphometry.measure import Line, Measure
from SpineInference.measuring.morphometry.tables import from_json, value_text

from .MeasurementTable import pointInWorld

_MEASURES_ATTRIBUTE = "SpineSegmentation.Morphometry"
_LINE_ATTRIBUTE = "SpineSegmentation.MeasureLine"
_COLOUR = (1.0, 0.85, 0.2)
_THICKNESS_MM = 1.2
_IN_SLICE_MM = 0.5
"""Slicer draws a line in a slice that it comes as near to, and a text whose line ends as near."""
_LEFT, _POSTERIOR = 0, 1
"""Axes of LPS."""


def setMeasures(tableNode: "slicer.vtkMRMLTableNode", content: "dict | None") -> None:
    """Keep the measures of a result, as `morphometry.tables.as_json` puts them, with its table and the scene."""
    tableNode.SetAttribute(_MEASURES_ATTRIBUTE, json.dumps(content) if content else None)


def measuresOf(result: "slicer.vtkMRMLNode | None") -> list[Measure]:
    """The measures of a result; none of one that an earlier version has saved."""
    kept = result.GetAttribute(_MEASURES_ATTRIBUTE) if result is not None else None
    return from_json(json.loads(kept)) if kept else []


def placeText(text: str) -> str:
    """A text with short names of levels: "Vertebra 1-2" instead of "Vertebra 1-Vertebra 2"."""
    return re.sub(r"\b(\w+ )(\d+)-\1(\d+)", r"\1\2-\3", text)


def showLines(measures: Sequence[Measure], tableNode: "slicer.vtkMRMLTableNode") -> "tuple[float, ...] | None":
    """Draw the lines along which `measures` were taken in place of those drawn before; returns where to look at them
    (RAS, mm): in their middle, in the slices that most of them lie in.

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
    if not names or any(None in both for both in ends.values()):
        return None
    aside = [line for line in names if _runsAside(line)]
    along = sorted((line for line in names if line not in aside), key=_rearmost, reverse=True)
    place = [
        sum(values) / (2 * len(names)) for values in zip(*(point for line in names for point in line), strict=True)
    ]
    told: dict[Line, str] = {}
    for axis, group in ((_POSTERIOR, aside), (_LEFT, along)):
        if group:
            place[axis], line = _sliceThrough(group, axis)
            told[line] = "\n".join(", ".join(names[each]) for each in names if each in group and names[each])
    for line, texts in names.items():
        _addLine(ends[line], ", ".join(texts), told.get(line, ""))
    return pointInWorld(place, tableNode)


def _runsAside(line: Line) -> bool:
    left, posterior, superior = (abs(end - start) for start, end in zip(*line, strict=True))
    return left > max(posterior, superior)


def _rearmost(line: Line) -> float:
    return max(posterior for _left, posterior, _superior in line)


def _sliceThrough(lines: Sequence[Line], axis: int) -> tuple[float, Line]:
    """Where the slice across an axis lies that shows most of the `lines`, and the first of them that ends in it."""

    def shown(at: float) -> int:
        spans = [sorted(point[axis] for point in line) for line in lines]
        return sum(low - _IN_SLICE_MM <= at <= high + _IN_SLICE_MM for low, high in spans)

    at = max((point[axis] for line in lines for point in line), key=shown)
    return at, next(line for line in lines if any(abs(point[axis] - at) < _IN_SLICE_MM for point in line))


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
