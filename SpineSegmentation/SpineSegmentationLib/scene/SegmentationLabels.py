"""Segmentation and label map nodes -> label map images on the grid of a volume: for the worker, and for files."""

import numpy as np
import SimpleITK as sitk
import slicer
import vtk
from slicer.i18n import tr as _

from SpineInference.errors import SpineError

from .SegmentationScene import removeNode, segmentsOf
from .VolumeExchange import imageWithGeometryOf

LABEL_LIMIT = 65535


def labelsOfReference(
    node: "slicer.vtkMRMLSegmentationNode | slicer.vtkMRMLLabelMapVolumeNode",
    volumeNode: "slicer.vtkMRMLScalarVolumeNode",
) -> tuple[sitk.Image, dict[int, str]]:
    """A reference on the grid of the volume (uint16), and the name of each of its labels.

    Label values are kept if they are distinct, because structures are compared by value; otherwise segments are
    numbered from 1 in their order. A reference on another grid is resampled (nearest neighbour). Raises SpineError
    for a reference without anything inside the volume.
    """
    if node.IsA("vtkMRMLSegmentationNode"):
        labels, names = _labelMapOf(node, volumeNode, _distinctLabelValues(node))
    else:
        labels, names = _labelMapOfLabelNode(node, volumeNode)
    if not np.any(sitk.GetArrayViewFromImage(labels)):
        raise SpineError(
            f'the reference "{node.GetName()}" has nothing inside the volume "{volumeNode.GetName()}": '
            "choose the one that was drawn on it."
        )
    return labels, names


def labelsOfSegmentation(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> tuple[sitk.Image, dict[int, str]]:
    """The segments on the grid of their scan (uint16), and the name of each label. Values as in `labelsOfReference`.

    Raises SpineError if the scan was removed.
    """
    volumeNode = segmentationNode.GetNodeReference(segmentationNode.GetReferenceImageGeometryReferenceRole())
    if volumeNode is None:
        raise SpineError(
            _('the scan of "{name}" is not in the scene any more: load it, then try again.').format(
                name=segmentationNode.GetName()
            )
        )
    return _labelMapOf(segmentationNode, volumeNode, _distinctLabelValues(segmentationNode))


def _distinctLabelValues(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> list[int] | None:
    """The label values of the segments if they are distinct, else None."""
    values = [segment.GetLabelValue() for segment in segmentsOf(segmentationNode)]
    distinct = len(set(values)) == len(values) and all(0 < value <= LABEL_LIMIT for value in values)
    return values if distinct else None


def _labelMapOf(
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    volumeNode: "slicer.vtkMRMLScalarVolumeNode",
    values: list[int] | None = None,
) -> tuple[sitk.Image, dict[int, str]]:
    """The segments with these values, or numbered from 1; where segments overlap, the later one counts."""
    segmentation = segmentationNode.GetSegmentation()
    ids = segmentation.GetSegmentIDs()
    values = values or list(range(1, len(ids) + 1))
    names = {value: segmentation.GetSegment(i).GetName() for i, value in zip(ids, values, strict=True)}
    # Slicer's export numbers the segments from 1, whatever their label values are.
    valueOfNumber = np.array([0, *values], np.uint16)
    return imageWithGeometryOf(volumeNode, valueOfNumber[_exportNumbered(segmentationNode, ids, volumeNode)]), names


def _exportNumbered(
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    ids: tuple[str, ...],
    volumeNode: "slicer.vtkMRMLScalarVolumeNode",
) -> np.ndarray:
    """The number (1, 2, ...) of the segment in each voxel of the volume [k, j, i], 0 outside all."""
    idArray = vtk.vtkStringArray()
    for segmentId in ids:
        idArray.InsertNextValue(segmentId)
    with _TemporaryLabelMap() as labelmapNode:
        logic = slicer.modules.segmentations.logic()
        if ids and not logic.ExportSegmentsToLabelmapNode(segmentationNode, idArray, labelmapNode, volumeNode):
            raise RuntimeError(f"the segments of {segmentationNode.GetName()} cannot be exported")
        image = labelmapNode.GetImageData()
        if image is None or not image.GetNumberOfPoints():
            return np.zeros(slicer.util.arrayFromVolume(volumeNode).shape, np.uint8)
        return slicer.util.arrayFromVolume(labelmapNode).copy()


def _labelMapOfLabelNode(
    labelmapNode: "slicer.vtkMRMLLabelMapVolumeNode", volumeNode: "slicer.vtkMRMLScalarVolumeNode"
) -> tuple[sitk.Image, dict[int, str]]:
    segmentationNode = slicer.vtkMRMLSegmentationNode()
    segmentationNode.SetHideFromEditors(True)
    slicer.mrmlScene.AddNode(segmentationNode)
    try:
        segmentationNode.CreateDefaultDisplayNodes()
        segmentationNode.SetAndObserveTransformNodeID(labelmapNode.GetTransformNodeID())
        slicer.modules.segmentations.logic().ImportLabelmapToSegmentationNode(labelmapNode, segmentationNode)
        return _labelMapOf(segmentationNode, volumeNode, _distinctLabelValues(segmentationNode))
    finally:
        removeNode(segmentationNode)


class _TemporaryLabelMap:
    """A label map node that is removed after the `with` block, with the nodes that Slicer has made for it."""

    def __enter__(self) -> "slicer.vtkMRMLLabelMapVolumeNode":
        self._node = slicer.vtkMRMLLabelMapVolumeNode()
        self._node.SetHideFromEditors(True)
        slicer.mrmlScene.AddNode(self._node)
        return self._node

    def __exit__(self, *_error: object) -> None:
        displayNode = self._node.GetDisplayNode()
        if displayNode:
            slicer.mrmlScene.RemoveNode(displayNode.GetColorNode())
            slicer.mrmlScene.RemoveNode(displayNode)
        slicer.mrmlScene.RemoveNode(self._node)
