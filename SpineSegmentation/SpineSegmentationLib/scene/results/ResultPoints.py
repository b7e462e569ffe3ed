"""Points of a result for other modules: centres of bodies, posterior tips of discs and the line of the canal."""

from collections.abc import Iterable

import slicer
from slicer.i18n import tr as _

from SpineInference.anatomy import Segment
from SpineInference.errors import SpineError
from SpineInference.measuring.morphometry.canal import canal_centreline
from SpineInference.measuring.morphometry.disc_points import disc_points

from ..segmentations.SegmentationLabels import labelsOfSegmentation
from ..segmentations.SegmentationScene import removeNode
from ..volumes.VolumeExchange import moved
from .MeasurementTable import centreOf, measurementsOf, pointInWorld, segmentationOf, toWorldOfMeasuring
from .PointNodes import belongTo, pointsOf
from .ResultNodes import structuresOf
from .SegmentShapes import isUpToDate
from .SpineMeasures import measuresOf, placeText

_COLOURS = {"centres": (1.0, 0.85, 0.2), "discs": (0.3, 0.85, 1.0), "canal": (0.35, 0.9, 0.45)}

Place = tuple[float, float, float]


def addPoints(result: "slicer.vtkMRMLNode") -> "list[slicer.vtkMRMLMarkupsNode]":
    """Locked markups at the places of a result, in place of those that its segmentation has; returns them.

    Points for centres and tips, an open curve for the canal; none for what the result does not have. They stand in the
    folder of the result's table, under the transform of its segmentation. Raises SpineError for segments that were
    edited since they were measured, or without any such place.
    """
    if not result.IsA("vtkMRMLTableNode") or not isUpToDate(result):
        raise SpineError(_("the segments were edited since they were measured: press Measure again first."))
    segmentationNode = segmentationOf(result)
    labels, names = labelsOfSegmentation(segmentationNode)
    labels, structures = moved(labels, toWorldOfMeasuring(result)), structuresOf(result)
    segments = [Segment(value, name, (0, 0, 0), "", "", name not in structures) for value, name in names.items()]
    rows = [row for row in measurementsOf(result) if row["level"] not in structures]
    centres = {row["level"]: centreOf(row, result) for row in rows}
    tips = {
        placeText(each.at): pointInWorld(each.tip, result) for each in disc_points(labels, segments, measuresOf(result))
    }
    line = [pointInWorld(point, result) for point in canal_centreline(labels)]
    centres = {name: point for name, point in centres.items() if point is not None}
    if not centres and not tips and not line:
        raise SpineError(_("the result has neither bodies nor discs nor a canal: there are no points to add."))
    for node in pointsOf(segmentationNode):
        removeNode(node)
    scan = segmentationNode.GetName()
    made = []
    if centres:
        made.append(_add("Fiducial", _("{result}: centres").format(result=scan), centres.items(), "centres", result))
    if tips:
        title = _("{result}: posterior tips of discs").format(result=scan)
        made.append(_add("Fiducial", title, tips.items(), "discs", result))
    if line:
        title = _("{result}: line of the canal").format(result=scan)
        made.append(_add("Curve", title, (("", point) for point in line), "canal", result))
    return made


def _add(
    kind: str, name: str, points: Iterable[tuple[str, Place]], colour: str, result: "slicer.vtkMRMLTableNode"
) -> "slicer.vtkMRMLMarkupsNode":
    node = slicer.mrmlScene.AddNewNodeByClass(f"vtkMRMLMarkups{kind}Node", slicer.mrmlScene.GenerateUniqueName(name))
    belongTo(node, result)
    node.CreateDefaultDisplayNodes()
    for label, point in points:
        index = node.AddControlPointWorld(*point)
        node.SetNthControlPointLabel(index, label)
        node.SetNthControlPointLocked(index, True)
    node.SetLocked(True)
    display = node.GetDisplayNode()
    display.SetColor(*_COLOURS[colour])
    display.SetSelectedColor(*_COLOURS[colour])
    display.SetPropertiesLabelVisibility(False)
    display.SetPointLabelsVisibility(kind == "Fiducial")
    display.SetGlyphScale(1.5 if kind == "Fiducial" else 0.8)
    display.SetTextScale(2.5)
    _moveBeside(node, result)
    return node


def _moveBeside(node: "slicer.vtkMRMLNode", tableNode: "slicer.vtkMRMLTableNode") -> None:
    """Move a node into the folder of the subject hierarchy that a table is in."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    nodeItem, tableItem = (hierarchy.GetItemByDataNode(each) if hierarchy else 0 for each in (node, tableNode))
    if nodeItem and tableItem:
        hierarchy.SetItemParent(nodeItem, hierarchy.GetItemParent(tableItem))
