"""Label map -> segmentation node: one layer, label values kept, with names, colours and SNOMED CT codes."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk
import slicer
from vtk.util.numpy_support import numpy_to_vtk

from SpineInference.anatomy import Segment
from SpineInference.errors import SpineError
from SpineInference.files.terminology import terminology_entry
from SpineInference.volume.boxes import bounding_box

from ..volumes.VolumeExchange import checkTransform, hasGridOf, volumeIjkToRas

TERMINOLOGY_FILE = Path(__file__).resolve().parents[3] / "Resources" / "SpineSegmentation.term.json"

LABEL_TAG = "SpineSegmentation.LabelValue"
"""The tag of a segment for the value that it had when it was made: Slicer gives one that overlaps another value."""

_THIN = 0.4


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

    It is not shown before `CreateDefaultDisplayNodes` is called: whatever is done to it before then costs no drawing.
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
    # All of it before the node is in the scene, where each step would be told to everybody who watches.
    segmentationNode = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentationNode")
    segmentationNode.UnRegister(None)
    segmentationNode.SetName(name)
    for segment in _slicerSegments(array, segments, volumeIjkToRas(volumeNode)):
        segmentationNode.GetSegmentation().AddSegment(segment)
    slicer.mrmlScene.AddNode(segmentationNode)
    try:
        segmentationNode.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
        segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
        moveToStudyOf(segmentationNode, volumeNode)
    except Exception:
        removeNode(segmentationNode)
        raise
    return segmentationNode


def letSeeThrough(segmentationNode: "slicer.vtkMRMLSegmentationNode", names: set[str]) -> None:
    """Draw the segments of these names thinner than others: they lie around or in front of what is to be seen."""
    segmentation, display = segmentationNode.GetSegmentation(), segmentationNode.GetDisplayNode()
    for segmentId in segmentation.GetSegmentIDs():
        if segmentation.GetSegment(segmentId).GetName() in names:
            display.SetSegmentOpacity3D(segmentId, _THIN)
            display.SetSegmentOpacity2DFill(segmentId, _THIN)


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


def _slicerSegments(array: np.ndarray, segments: list[Segment], ijkToRas: np.ndarray) -> "list[slicer.vtkSegment]":
    """A segment for each value of a label map [k, j, i], in the order of `segments`; all share one image, and so one
    layer."""
    box = bounding_box(array)
    if box is None:
        return []
    ijkToRas = ijkToRas.copy()
    ijkToRas[:3, 3] += ijkToRas[:3, :3] @ [part.start for part in reversed(box)]
    image = _orientedImage(array[box], ijkToRas)
    values = set(np.flatnonzero(np.bincount(array[box].ravel())).tolist()) - {0}
    if unknown := values - {segment.label for segment in segments}:
        raise SpineError(f"the label map holds a value without a segment ({min(unknown)}).")
    return [_slicerSegment(segment, image) for segment in segments if segment.label in values]


def _orientedImage(array: np.ndarray, ijkToRas: np.ndarray) -> "slicer.vtkOrientedImageData":
    """An image of Slicer's segmentations with a copy of the voxels [k, j, i] of an array."""
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(array.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(array).ravel(), deep=True))
    image.SetImageToWorldMatrix(slicer.util.vtkMatrixFromArray(ijkToRas))
    return image


def _slicerSegment(segment: Segment, image: "slicer.vtkOrientedImageData") -> "slicer.vtkSegment":
    """A segment with the name, colour and code of one of ours: the voxels of its label value in an image."""
    slicerSegment = slicer.vtkSegment()
    slicerSegment.SetName(segment.name)
    slicerSegment.SetNameAutoGenerated(False)
    slicerSegment.SetColorAutoGenerated(False)
    slicerSegment.SetColor(*(channel / 255 for channel in segment.colour))
    slicerSegment.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), terminology_entry(segment))
    slicerSegment.SetTag(LABEL_TAG, str(segment.label))
    slicerSegment.SetLabelValue(segment.label)
    kind = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
    slicerSegment.AddRepresentation(kind, image)
    return slicerSegment


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
