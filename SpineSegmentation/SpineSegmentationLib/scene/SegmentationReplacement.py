"""A result replaces the segments of a segmentation that is there already, and can be taken back.

Slicer's own undo is switched off for segmentations, and the one of the Segment Editor knows only its own strokes.
"""

import slicer

from .SegmentationScene import removeNode

_SURFACE = slicer.vtkSegmentationConverter.GetClosedSurfaceRepresentationName()


class SegmentationReplacement:
    """The segments that a node had before, kept until the next replacement. `isUndone`: they are in the node again."""

    def __init__(self, segmentationNode: "slicer.vtkMRMLSegmentationNode", newNode: "slicer.vtkMRMLSegmentationNode"):
        """Give `segmentationNode` the segments and the geometry of `newNode`, which is removed from the scene."""
        self.isUndone = False
        self._nodeId = segmentationNode.GetID()
        self._other = _State(segmentationNode)
        _State(newNode).apply(segmentationNode)
        removeNode(newNode)

    @property
    def node(self) -> "slicer.vtkMRMLSegmentationNode | None":
        """The segmentation, or None if it is no longer in the scene."""
        return slicer.mrmlScene.GetNodeByID(self._nodeId)

    def swap(self) -> None:
        """Bring the previous segments back, or after that the new ones: nothing is ever lost."""
        current = _State(self.node)
        self._other.apply(self.node)
        self._other = current
        self.isUndone = not self.isUndone


class _State:
    """What a replacement changes of a segmentation node: its segments, which of them are hidden, and where they lie."""

    def __init__(self, node: "slicer.vtkMRMLSegmentationNode"):
        self._segmentation = slicer.vtkSegmentation()
        self._segmentation.DeepCopy(node.GetSegmentation())
        if self._segmentation.GetSourceRepresentationName() != _SURFACE:
            self._segmentation.RemoveRepresentation(_SURFACE)  # made anew if surfaces are shown by then
        ids, displayNode = self._segmentation.GetSegmentIDs(), node.GetDisplayNode()
        self._hidden = {each for each in ids if displayNode and not displayNode.GetSegmentVisibility(each)}
        self._transformId = node.GetTransformNodeID()
        self._volumeId = node.GetNodeReferenceID(node.GetReferenceImageGeometryReferenceRole())

    def apply(self, node: "slicer.vtkMRMLSegmentationNode") -> None:
        showsSurfaces = node.GetSegmentation().ContainsRepresentation(_SURFACE)
        modified = node.StartModify()
        node.CreateDefaultDisplayNodes()
        node.GetSegmentation().DeepCopy(self._segmentation)
        node.SetAndObserveTransformNodeID(self._transformId)
        node.SetNodeReferenceID(node.GetReferenceImageGeometryReferenceRole(), self._volumeId)
        node.EndModify(modified)
        if showsSurfaces:
            node.CreateClosedSurfaceRepresentation()
        # The list of segments in the bar of a slice view hides some of those that come in the place of others.
        for segmentId in self._segmentation.GetSegmentIDs():
            node.GetDisplayNode().SetSegmentVisibility(segmentId, segmentId not in self._hidden)
