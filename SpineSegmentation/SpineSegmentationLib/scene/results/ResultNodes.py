"""The results of this module that are in the scene, each known by the table of its measurements.

A segmentation and its tables carry the mark of the run that made them, saved with the scene. A result whose table was
removed is known by its segmentation. A table whose segments were replaced is no result: it measures what is not there.
"""

import json
from datetime import datetime
from typing import NamedTuple

import slicer

from SpineInference.app.record import Record

from .MeasurementTable import (
    PLACEMENT_ATTRIBUTE,
    isMeasuredAgain,
    measurementsOf,
    scanOf,
    segmentationOf,
)
from .PointNodes import pointsOf
from .SegmentShapes import isUpToDate

_ATTRIBUTES = tuple(f"SpineSegmentation.{name}" for name in ("Run", "Model", "Notes", "Structures", "Checksums"))
"""The mark. The first one is when the run ended, as an ISO time with microseconds: no two runs end at one moment."""


class Run(NamedTuple):
    """What a result says about its run: the local time of its end, the name of the model's set, notes for the user,
    the names of the segments that were no vertebrae, and the SHA-256 of the networks by their names.

    All are empty in a scene that an earlier version has saved.
    """

    time: datetime | None
    model: str
    notes: tuple[str, ...]
    structures: tuple[str, ...]
    checksums: dict[str, str]


def markResult(nodes: "list[slicer.vtkMRMLNode]", record: Record) -> None:
    """Mark the nodes of a new result, its segmentation and its table, with what its record says."""
    values = (
        datetime.now().isoformat(timespec="microseconds"),
        record.request.options.model,
        "\n".join(record.notes),
        "\n".join(segment.name for segment in record.segments if not segment.is_vertebra),
        json.dumps(record.model_checksums),
    )
    for node in nodes:
        for name, value in zip(_ATTRIBUTES, values, strict=True):
            node.SetAttribute(name, value)


def markAs(node: "slicer.vtkMRMLNode", other: "slicer.vtkMRMLNode") -> None:
    """Give a node the mark of another one: a table measures these segments, or a segmentation takes them over."""
    for name in (*_ATTRIBUTES, PLACEMENT_ATTRIBUTE):
        node.SetAttribute(name, other.GetAttribute(name))


def runOf(node: "slicer.vtkMRMLNode") -> Run:
    """The run that a table, or a segmentation, comes from."""
    time, model, notes, structures, checksums = (node.GetAttribute(name) or "" for name in _ATTRIBUTES)
    moment = datetime.fromisoformat(time) if time else None
    names = tuple(structures.splitlines())
    return Run(moment, model, tuple(notes.splitlines()), names, json.loads(checksums or "{}"))


def structuresOf(result: "slicer.vtkMRMLNode") -> set[str]:
    """The names of the segments that are no vertebrae: every other one, also one that a person has drawn, is one."""
    structures = {row["level"] for row in measurementsOf(result) if not row.get("partial")}
    return structures.union(runOf(segmentationOf(result)).structures)


def isCorrected(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> bool:
    """Whether segments have another name or volume than the run gave them; also where its table was removed."""
    tables = [
        node
        for node in resultsInScene()
        if node.IsA("vtkMRMLTableNode") and segmentationOf(node) is segmentationNode and not isMeasuredAgain(node)
    ]
    return not any(isUpToDate(node) for node in tables)


def resultsInScene() -> "list[slicer.vtkMRMLTableNode | slicer.vtkMRMLSegmentationNode]":
    """All results, the latest last: their tables, and the marked segmentations that no table measures any more."""
    tables = [node for node in slicer.util.getNodesByClass("vtkMRMLTableNode") if _measuresPresentSegments(node)]
    measured = [segmentationOf(node) for node in tables]
    marked = [node for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode") if runOf(node).time]
    results = [*tables, *(node for node in marked if node not in measured)]
    return sorted(results, key=lambda node: runOf(node).time or datetime.min)


def latestResultOf(
    node: "slicer.vtkMRMLVolumeNode | slicer.vtkMRMLSegmentationNode | None",
) -> "slicer.vtkMRMLTableNode | slicer.vtkMRMLSegmentationNode | None":
    """The latest result of a scan, or that of a segmentation; None if there is none."""
    of = segmentationOf if node is not None and node.IsA("vtkMRMLSegmentationNode") else scanOf
    return next((result for result in reversed(resultsInScene()) if node is not None and of(result) is node), None)


def showOnly(result: "slicer.vtkMRMLNode | None") -> None:
    """Show the segmentation of a result in all views, and hide those of all other results, with the points that belong
    to them. None: hide all."""
    shown = segmentationOf(result)
    # A table of replaced segments leads to a segmentation of this module all the same.
    tables = slicer.util.getNodesByClass("vtkMRMLTableNode")
    segmentations = [node for node in map(segmentationOf, (*resultsInScene(), *tables)) if node is not None]
    for node in dict.fromkeys(segmentations):
        if node.GetDisplayNode() and node.GetDisplayVisibility() != (node is shown):
            for each in (node, *pointsOf(node)):
                each.SetDisplayVisibility(node is shown)


def _measuresPresentSegments(tableNode: "slicer.vtkMRMLTableNode") -> bool:
    segmentationNode = segmentationOf(tableNode)
    isOurs = segmentationNode is not None and tableNode.GetColumnIndex("level") >= 0
    return isOurs and runOf(tableNode) == runOf(segmentationNode)
