"""The frames of a sequence as volumes of the scene: only such can be looked at, segmented and corrected."""

import slicer


def sequencesOfScans() -> "list[slicer.vtkMRMLSequenceNode]":
    """The sequences of the scene whose frames are scalar volumes."""
    nodes = slicer.util.getNodesByClass("vtkMRMLSequenceNode")
    return [node for node in nodes if node.GetNumberOfDataNodes() and _isScan(node.GetNthDataNode(0))]


def addFrames(sequenceNode: "slicer.vtkMRMLSequenceNode") -> "list[slicer.vtkMRMLScalarVolumeNode]":
    """A new volume for each frame, called after the sequence and the frame's index."""
    volumeNodes = []
    for number in range(sequenceNode.GetNumberOfDataNodes()):
        frame = sequenceNode.GetNthDataNode(number)
        name = f"{sequenceNode.GetName()} {sequenceNode.GetNthIndexValue(number)}"
        volumeNode = slicer.mrmlScene.AddNewNodeByClass(frame.GetClassName(), slicer.mrmlScene.GenerateUniqueName(name))
        volumeNode.CopyContent(frame)
        volumeNode.CreateDefaultDisplayNodes()
        volumeNodes.append(volumeNode)
    return volumeNodes


def _isScan(node: "slicer.vtkMRMLNode") -> bool:
    return node.IsA("vtkMRMLScalarVolumeNode") and not node.IsA("vtkMRMLLabelMapVolumeNode")
