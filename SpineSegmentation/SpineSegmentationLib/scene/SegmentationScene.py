"""Label map -> segmentation node: one layer, label values kept, with names, colours and SNOMED CT codes."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk
import slicer

from SpineInference.anatomy import Segment
from SpineInference.errors import SpineError
from SpineInference.files.terminology import terminology_entry
from SpineInference.volume.boxes import bounding_box

from .VolumeExchange import checkTransform, hasGridOf, volumeIjkToRas

TERMINOLOGY_FILE = Path(__file__).resolve().parents[2] / "Resources" / "SpineSegmentation.term.json"

LABEL_TAG = "SpineSegmentation.LabelValue"
"""The tag of a segment for the value that it had when it was made: Slicer gives one that overlaps another value."""


def loadTerminology() -> str:
    """Load the codes of single vertebrae into Slicer's Terminologies module; returns the name of the context.

    Repeating it is harmless. Raises RuntimeError if the file is missing or damaged.
    """
    contextName = slicer.modules.terminologies.logic().LoadTerminologyFromFile(str(TERMINOLOGY_FILE))
    if not contextName:
        raise RuntimeError(f"the terminology {TERMINOLOGY_FILE} cannot be loaded")
    return contextName


def addSegmentation(
    labels: sitk.Image, segments: list[Segment], volumeNode: "slicer.vtkMRMLScalarVolumeNode", name: str
) -> "slicer.vtkMRMLSegmentationNode":
    """A new segmentation node from a label map (uint8) of a volume, under the volume's transform and study.

    The volume becomes its source volume and reference geometry. Segments keep their label values. Raises SpineError
    if the label map is on another grid, holds a value that no segment has, or the volume's transform is not rigid.
    """
    checkTransform(volumeNode)
    if not hasGridOf(labels, volumeNode):
        raise SpineError(
            f'the label map does not lie on the voxels of the volume "{volumeNode.GetName()}": '
            "use the label map that was made from this volume."
        )
    array = sitk.GetArrayViewFromImage(labels).astype(np.uint8, casting="safe")
    byLabel = {segment.label: segment for segment in segments}
    segmentationNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    try:
        segmentationNode.CreateDefaultDisplayNodes()
        segmentationNode.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
        segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
        _importLabelmap(array, volumeNode, segmentationNode)
        for segment in segmentsOf(segmentationNode):
            _describe(segment, byLabel)
        moveToStudyOf(segmentationNode, volumeNode)
    except Exception:
        removeNode(segmentationNode)
        raise
    return segmentationNode


def segmentsOf(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> "list[slicer.vtkSegment]":
    """The segments in their order."""
    segmentation = segmentationNode.GetSegmentation()
    return [segmentation.GetNthSegment(i) for i in range(segmentation.GetNumberOfSegments())]


def removeNode(node: "slicer.vtkMRMLNode") -> None:
    """Remove a node from the scene together with its display nodes, which would stay otherwise.

    The node goes first: Slicer crashes when a segmentation changes whose display node is gone from a 3D view.
    """
    displayNodes = []
    if node.IsA("vtkMRMLDisplayableNode"):
        displayNodes = [node.GetNthDisplayNode(index) for index in range(node.GetNumberOfDisplayNodes())]
    for each in (node, *displayNodes):
        if slicer.mrmlScene.IsNodePresent(each):  # some are removed with their node
            slicer.mrmlScene.RemoveNode(each)


def _importLabelmap(
    array: np.ndarray,
    volumeNode: "slicer.vtkMRMLScalarVolumeNode",
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
) -> None:
    """Fill the segmentation from an array [k, j, i] of the volume's grid, in one call and so in one layer."""
    box = bounding_box(array)
    if box is None:
        return
    # Crop to the labels: the import visits every voxel once for each segment.
    ijkToRas = volumeIjkToRas(volumeNode)
    ijkToRas[:3, 3] += ijkToRas[:3, :3] @ [part.start for part in reversed(box)]
    labelmapNode = slicer.vtkMRMLLabelMapVolumeNode()
    labelmapNode.SetName(f"{segmentationNode.GetName()} labels")
    labelmapNode.SetHideFromEditors(True)  # before AddNode: otherwise it gets a subject hierarchy item
    slicer.mrmlScene.AddNode(labelmapNode)
    try:
        # Both nodes lie under the volume's transform, so that the import cancels it out.
        labelmapNode.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
        labelmapNode.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(ijkToRas))
        slicer.util.updateVolumeFromArray(labelmapNode, np.ascontiguousarray(array[box]))
        imported = slicer.modules.segmentations.logic().ImportLabelmapToSegmentationNode(labelmapNode, segmentationNode)
        if not imported:
            raise RuntimeError(f"the label map cannot be imported into {segmentationNode.GetName()}")
    finally:
        slicer.mrmlScene.RemoveNode(labelmapNode)


def _describe(slicerSegment: "slicer.vtkSegment", byLabel: dict[int, Segment]) -> None:
    """Name, colour and code of an imported segment, found by its label value."""
    value = slicerSegment.GetLabelValue()
    if value not in byLabel:
        raise SpineError(f"the label map holds a value without a segment ({value}).")
    segment = byLabel[value]
    slicerSegment.SetName(segment.name)
    slicerSegment.SetNameAutoGenerated(False)
    slicerSegment.SetColorAutoGenerated(False)
    slicerSegment.SetColor(*(channel / 255 for channel in segment.colour))
    slicerSegment.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), terminology_entry(segment))
    slicerSegment.SetTag(LABEL_TAG, str(value))


def moveToStudyOf(node: "slicer.vtkMRMLNode", volumeNode: "slicer.vtkMRMLVolumeNode") -> None:
    """Move a node into the study of the volume in the subject hierarchy, as DICOM export needs it."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    nodeItem, volumeItem = (hierarchy.GetItemByDataNode(n) if hierarchy else 0 for n in (node, volumeNode))
    if nodeItem and volumeItem:  # items are made by plugins of the application, which slicer-core lacks
        hierarchy.SetItemParent(nodeItem, hierarchy.GetItemParent(volumeItem))


def moveToNewFolder(nodes: "list[slicer.vtkMRMLNode]", volumeNode: "slicer.vtkMRMLVolumeNode", name: str) -> None:
    """Move nodes into a new folder of the subject hierarchy, in the study of the volume."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    volumeItem = hierarchy.GetItemByDataNode(volumeNode) if hierarchy else 0
    if not volumeItem:
        return
    folder = hierarchy.CreateFolderItem(hierarchy.GetItemParent(volumeItem), name)
    for node in nodes:
        if item := hierarchy.GetItemByDataNode(node):
            hierarchy.SetItemParent(item, folder)
