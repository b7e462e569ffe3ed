"""Transforms above a volume: turned, stretched, mirrored and sheared."""

import numpy as np

QUARTER = [[0, -1, 0, 30], [1, 0, 0, -12], [0, 0, 1, 7], [0, 0, 0, 1]]
SCALE, MIRROR, SHEAR = np.diag([1, 1, 2, 1]), np.diag([-1, 1, 1, 1]), np.eye(4) + np.eye(4, k=1) * 0.2


def put_under(node, matrix):
    import slicer

    transformNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "above")
    transformNode.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.array(matrix, float)))
    node.SetAndObserveTransformNodeID(transformNode.GetID())
    return transformNode
