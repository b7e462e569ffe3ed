"""A segmentation node becomes a label map on the voxels of a volume: for the worker, and for files."""

import numpy as np
import SimpleITK as sitk
import slicer
import vtk
from slicer.i18n import tr as _

from SpineInference.errors import SpineError

from .SegmentationScene import removeNode, segmentsOf
from .VolumeExchange import imageOn

LABEL_LIMIT = 65535


def labelsOfReference(
    node: "slicer.vtkMRMLSegmentationNode | slicer.vtkMRMLLabelMapVolumeNode",
    volumeNode: "slicer.vtkMRMLScalarVolumeNode",
) -> tuple[sitk.Image, dict[int, str]]:
    """A reference to compare with on the voxels of the volume (uint16), and the name of each of its labels.

    Segments, and the labels of a label map volume, keep their label values where these tell them apart, because
    structures are compared by value; otherwise they are numbered in their order. A reference on another grid is
    resampled (nearest neighbour). Raises SpineError for a reference without anything inside the volume.
    """
    if node.IsA("vtkMRMLSegmentationNode"):
        labels, names = _merged(node, volumeNode, _ownValues(node))
    else:
        labels, names = _ofLabelMap(node, volumeNode)
    if not np.any(sitk.GetArrayViewFromImage(labels)):
        raise SpineError(
            f'the reference "{node.GetName()}" has nothing inside the volume "{volumeNode.GetName()}": '
            "choose the one that was drawn on it."
        )
    return labels, names


def labelsOfSegmentation(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> tuple[sitk.Image, dict[int, str]]:
    """The segments on the voxels of their scan (uint16) with their own label values, if these tell them apart, and the
    name of each value.

    Raises SpineError if the scan is gone.
    """
    volumeNode = segmentationNode.GetNodeReference(segmentationNode.GetReferenceImageGeometryReferenceRole())
    if volumeNode is None:
        raise SpineError(
            _('the scan of "{name}" is not in the scene any more: load it, then try again.').format(
                name=segmentationNode.GetName()
            )
        )
    return _merged(segmentationNode, volumeNode, _ownValues(segmentationNode))


def _ownValues(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> list[int] | None:
    """The label values of the segments, if these tell them apart."""
    values = [segment.GetLabelValue() for segment in segmentsOf(segmentationNode)]
    distinct = len(set(values)) == len(values) and all(0 < value <= LABEL_LIMIT for value in values)
    return values if distinct else None


def _merged(
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    volumeNode: "slicer.vtkMRMLScalarVolumeNode",
    values: list[int] | None = None,
) -> tuple[sitk.Image, dict[int, str]]:
    """Every segment's own value of `values`, or its number; where segments overlap, the later one counts."""
    segmentation = segmentationNode.GetSegmentation()
    ids = segmentation.GetSegmentIDs()
    values = values or list(range(1, len(ids) + 1))
    names = {value: segmentation.GetSegment(i).GetName() for i, value in zip(ids, values, strict=True)}
    # The export of all together numbers them in their order, whatever their own values are.
    valueOf = np.array([0, *values], np.uint16)
    return imageOn(volumeNode, valueOf[_numbered(segmentationNode, ids, volumeNode)]), names


def _numbered(
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


def _ofLabelMap(
    labelmapNode: "slicer.vtkMRMLLabelMapVolumeNode", volumeNode: "slicer.vtkMRMLScalarVolumeNode"
) -> tuple[sitk.Image, dict[int, str]]:
    segmentationNode = slicer.vtkMRMLSegmentationNode()
    segmentationNode.SetHideFromEditors(True)
    slicer.mrmlScene.AddNode(segmentationNode)
    try:
        segmentationNode.CreateDefaultDisplayNodes()
        segmentationNode.SetAndObserveTransformNodeID(labelmapNode.GetTransformNodeID())
        slicer.modules.segmentations.logic().ImportLabelmapToSegmentationNode(labelmapNode, segmentationNode)
        return _merged(segmentationNode, volumeNode, _ownValues(segmentationNode))
    finally:
        removeNode(segmentationNode)


class _TemporaryLabelMap:
    """A label map node that is gone at the end of a `with` block, and so is what Slicer has made for it."""

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
