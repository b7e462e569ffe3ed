"""Segmentation and label map nodes -> label map images on the grid of a volume: for the worker, and for files."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import slicer
import vtk
from slicer.i18n import tr as _

from SpineInference.anatomy import LEVELS
from SpineInference.errors import SpineError
from SpineInference.files.slicer_segmentation import describe_layers, from_layers

from ..volumes.VolumeExchange import imageWithGeometryOf
from .SegmentationScene import LABEL_TAG, removeNode, segmentsOf

LABEL_LIMIT = 65535


def labelsOfReference(
    node: "slicer.vtkMRMLSegmentationNode | slicer.vtkMRMLLabelMapVolumeNode",
    volumeNode: "slicer.vtkMRMLScalarVolumeNode",
) -> tuple[sitk.Image, dict[int, str]]:
    """A reference on the grid of the volume (uint16), and the name of each of its labels.

    Label values are kept if they are distinct, because structures are compared by value; see `_labelValues`. Where
    segments overlap, the image has several components, each with some segments whole. A reference on another grid is
    resampled (nearest neighbour). Raises SpineError for a reference without anything inside the volume.
    """
    if node.IsA("vtkMRMLSegmentationNode"):
        labels, names = _labelMapOf(node, volumeNode)
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
    return _labelMapOf(segmentationNode, volumeNode)


def labelMapOf(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> tuple[sitk.Image, dict[int, str]]:
    """As `labelsOfSegmentation`, in one label map. Raises SpineError where segments overlap, too."""
    labels, names = labelsOfSegmentation(segmentationNode)
    if labels.GetNumberOfComponentsPerPixel() > 1:
        raise SpineError(
            f'segments of "{segmentationNode.GetName()}" overlap, which a label map cannot show: save the segmentation '
            "as .seg.nrrd, or draw them apart."
        )
    return labels, names


def writeLabels(labels: sitk.Image, path: Path) -> str:
    """Write labels for a worker, also where they overlap; returns the path."""
    overlap = labels.GetNumberOfComponentsPerPixel() > 1
    sitk.WriteImage(describe_layers(labels) if overlap else labels, str(path), useCompression=False)
    return str(path)


def _labelValues(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> list[int]:
    """A value for each segment, all different: that of the result it comes from, or its own.

    Where its own are not distinct, segments of no result get the value of the level that they are called, or else the
    next number that is free.
    """
    segments = segmentsOf(segmentationNode)
    tags = [_tagOf(segment) for segment in segments]
    values = [tag or segment.GetLabelValue() for tag, segment in zip(tags, segments, strict=True)]
    if len(set(values)) == len(values) and all(0 < value <= LABEL_LIMIT for value in values):
        return values
    chosen: dict[int, int] = {}  # by the index of the segment; a copied segment has the tag of the first one
    for index, tag in enumerate(tags):
        if tag and tag not in chosen.values():
            chosen[index] = tag
    for index, segment in enumerate(segments):
        level = LEVELS.get(segment.GetName())
        if index not in chosen and level and level.label not in chosen.values():
            chosen[index] = level.label
    free = (value for value in count(1) if value not in chosen.values())
    return [
        chosen[index] if index in chosen else chosen.setdefault(index, next(free)) for index in range(len(segments))
    ]


def _tagOf(segment: "slicer.vtkSegment") -> int:
    """The value of the result that a segment comes from; 0 for one of no result."""
    tag = vtk.mutable("")
    text = str(tag) if segment.GetTag(LABEL_TAG, tag) else ""
    return int(text) if text.isdecimal() and 0 < int(text) <= LABEL_LIMIT else 0


def _labelMapOf(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", volumeNode: "slicer.vtkMRMLScalarVolumeNode"
) -> tuple[sitk.Image, dict[int, str]]:
    """The segments with their `_labelValues`, and their names; several components where segments overlap."""
    segmentation = segmentationNode.GetSegmentation()
    ids, values = segmentation.GetSegmentIDs(), _labelValues(segmentationNode)
    valueOf = dict(zip(ids, values, strict=True))
    names = {value: segmentation.GetSegment(i).GetName() for i, value in valueOf.items()}
    # Segments of one layer cannot overlap.
    layers = [segmentation.GetSegmentIDsForLayer(layer) for layer in range(segmentation.GetNumberOfLayers())]
    if sorted(each for layer in layers for each in layer) != sorted(ids):  # drawn as something else than label maps
        layers = [[each] for each in ids]
    arrays = []
    for layer in layers or [()]:
        # Slicer's export numbers the segments from 1, whatever their label values are.
        valueOfNumber = np.array([0, *(valueOf[each] for each in layer)], np.uint16)
        arrays.append(valueOfNumber[_exportNumbered(segmentationNode, layer, volumeNode)])
    return from_layers(arrays, imageWithGeometryOf(volumeNode, arrays[0])), names


def _exportNumbered(
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    ids: Sequence[str],
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
        return _labelMapOf(segmentationNode, volumeNode)
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
