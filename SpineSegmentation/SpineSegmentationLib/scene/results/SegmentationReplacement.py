"""A result replaces the segments of an existing segmentation, and can be undone.

Slicer's scene undo is switched off for segmentations, and that of the Segment Editor covers only its own effects.
"""

import slicer

from ..segmentations.SegmentationScene import removeNode
from .ResultNodes import markAs

_SURFACE = slicer.vtkSegmentationConverter.GetClosedSurfaceRepresentationName()


class SegmentationReplacement:
    """Keeps the previous segments of a node until the next replacement. `isUndone`: the node has them again."""

    def __init__(self, segmentationNode: "slicer.vtkMRMLSegmentationNode", newNode: "slicer.vtkMRMLSegmentationNode"):
        """Give `segmentationNode` the segments and the geometry of `newNode`, which is removed from the scene."""
        self.isUndone = False
        self._nodeId = segmentationNode.GetID()
        self._other = _SegmentationState(segmentationNode)
        _SegmentationState(newNode).apply(segmentationNode)
        removeNode(newNode)

    @property
    def node(self) -> "slicer.vtkMRMLSegmentationNode | None":
        """The segmentation, or None if it is no longer in the scene."""
        return slicer.mrmlScene.GetNodeByID(self._nodeId)

    def swap(self) -> None:
        """Exchange the present segments and the kept ones: undo, then redo."""
        current = _SegmentationState(self.node)
        self._other.apply(self.node)
        self._other = current
        self.isUndone = not self.isUndone


class _SegmentationState:
    """What a replacement changes of a node: segments, which of them are hidden, parent transform, source volume, and
    the mark of the run that they come from."""

    def __init__(self, node: "slicer.vtkMRMLSegmentationNode"):
        self._segmentation = slicer.vtkSegmentation()
        self._segmentation.DeepCopy(node.GetSegmentation())
        if self._segmentation.GetSourceRepresentationName() != _SURFACE:
            self._segmentation.RemoveRepresentation(_SURFACE)  # made again if surfaces are shown by then
        ids, displayNode = self._segmentation.GetSegmentIDs(), node.GetDisplayNode()
        self._hidden = {each for each in ids if displayNode and not displayNode.GetSegmentVisibility(each)}
        self._transformId = node.GetTransformNodeID()
        self._volumeId = node.GetNodeReferenceID(node.GetReferenceImageGeometryReferenceRole())
        self._mark = slicer.vtkMRMLSegmentationNode()  # in no scene: it only keeps the mark
        markAs(self._mark, node)

    def apply(self, node: "slicer.vtkMRMLSegmentationNode") -> None:
        showsSurfaces = node.GetSegmentation().ContainsRepresentation(_SURFACE)
        modified = node.StartModify()
        node.CreateDefaultDisplayNodes()
        node.GetSegmentation().DeepCopy(self._segmentation)
        node.SetAndObserveTransformNodeID(self._transformId)
        node.SetNodeReferenceID(node.GetReferenceImageGeometryReferenceRole(), self._volumeId)
        markAs(node, self._mark)
        node.EndModify(modified)
        if showsSurfaces:
            node.CreateClosedSurfaceRepresentation()
        # Slicer's segment list in the bar of a slice view may hide segments that replace others.
        for segmentId in self._segmentation.GetSegmentIDs():
            node.GetDisplayNode().SetSegmentVisibility(segmentId, segmentId not in self._hidden)
