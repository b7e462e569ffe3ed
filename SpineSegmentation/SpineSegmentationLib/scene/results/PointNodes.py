"""Markups that belong to a result: they are moved with it, hidden with it and removed with it."""

import slicer

from ..segmentations.SegmentationScene import removeNode
from .MeasurementTable import segmentationOf
from .SegmentShapes import isUpToDate

_RESULT_ROLE = "SpineSegmentation.pointsOf"
_ATTRIBUTE = "SpineSegmentation.Points"
"""The attribute of such markups: the reference is gone with the result."""


def belongTo(node: "slicer.vtkMRMLMarkupsNode", tableNode: "slicer.vtkMRMLTableNode") -> None:
    """Let markups belong to a result that is known by its table; saved with the scene."""
    node.SetAttribute(_ATTRIBUTE, "yes")
    node.SetNodeReferenceID(_RESULT_ROLE, tableNode.GetID())
    node.SetAndObserveTransformNodeID(segmentationOf(tableNode).GetTransformNodeID())


def pointsOf(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> "list[slicer.vtkMRMLMarkupsNode]":
    """The markups of all results that are known by tables of this segmentation."""
    return [node for node in _allPoints() if segmentationOf(node.GetNodeReference(_RESULT_ROLE)) is segmentationNode]


def keepWithResults() -> None:
    """Remove markups whose result has left the scene, and put the others under the transform of theirs."""
    for node in _allPoints():
        result = node.GetNodeReference(_RESULT_ROLE)
        segmentationNode = segmentationOf(result)
        if segmentationNode is None:
            removeNode(node)
        elif node.GetTransformNodeID() != segmentationNode.GetTransformNodeID() and isUpToDate(result):
            # Of a transform that was hardened the voxels know, and points that were not hardened keep it.
            node.SetAndObserveTransformNodeID(segmentationNode.GetTransformNodeID())


def _allPoints() -> "list[slicer.vtkMRMLMarkupsNode]":
    nodes = slicer.util.getNodesByClass("vtkMRMLMarkupsNode")
    return [node for node in nodes if node.GetAttribute(_ATTRIBUTE)]
