"""Scans with label maps in every geometry, and what is read of a segmentation node."""

import numpy as np
import SimpleITK as sitk

from SpineInference.anatomy import LEVELS, numbered

SEGMENTS = [LEVELS["L4"], LEVELS["L5"], numbered(3)]
IDENTITY = np.eye(3)


def turned(degrees: float) -> np.ndarray:
    angle, axis = np.deg2rad(degrees), np.array([1.0, 2.0, 2.0]) / 3
    cross = np.cross(np.eye(3), axis)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


GEOMETRIES = {
    "plain": (IDENTITY, (1.0, 1.0, 1.0)),
    "flipped": (np.diag([-1.0, 1.0, -1.0]), (1.0, 1.0, 1.0)),
    "mirrored": (np.diag([1.0, 1.0, -1.0]), (1.0, 1.0, 1.0)),
    "permuted": (IDENTITY[[2, 0, 1]], (0.5, 2.0, 1.0)),
    "oblique 12": (turned(12), (1.0, 1.0, 1.0)),
    "oblique 40, permuted, anisotropic": (turned(40) @ IDENTITY[[1, 2, 0]], (0.35, 0.35, 4.0)),
}


def as_image(array: np.ndarray, direction: np.ndarray, spacing: tuple[float, ...]) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetDirection(np.ascontiguousarray(direction).ravel().tolist())
    image.SetSpacing(spacing)
    image.SetOrigin((-31.5, 12.25, 100.125))
    return image


def make_case(geometry: str = "plain") -> tuple[sitk.Image, sitk.Image]:
    """A scan and a label map on it: three blobs that touch, and one that touches the border."""
    rng = np.random.default_rng(1)
    scan = rng.integers(-50, 900, (9, 14, 11)).astype(np.int16)
    labels = np.zeros(scan.shape, np.uint8)
    labels[0:3, 2:9, 3:8], labels[3:6, 2:9, 3:8], labels[6:9, 5:14, 2:5] = (segment.label for segment in SEGMENTS)
    labels[rng.random(labels.shape) < 0.2] = 0
    return as_image(scan, *GEOMETRIES[geometry]), as_image(labels, *GEOMETRIES[geometry])


def by_name(segmentationNode) -> dict[str, str]:
    segmentation = segmentationNode.GetSegmentation()
    return {segmentation.GetSegment(i).GetName(): i for i in segmentation.GetSegmentIDs()}


def voxels(segmentationNode, name: str, volumeNode) -> np.ndarray:
    import slicer

    return slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, by_name(segmentationNode)[name], volumeNode)


def own_points(segmentationNode, name: str) -> np.ndarray:
    """The centres (RAS, before any parent transform) of a segment's voxels, in the order of its array [k, j, i]."""
    import slicer
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    segment = segmentationNode.GetSegmentation().GetSegment(by_name(segmentationNode)[name])
    image = segment.GetRepresentation(slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName())
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    extent = np.array(image.GetExtent())
    values = vtk_to_numpy(image.GetPointData().GetScalars())
    values = values.reshape((extent[1::2] - extent[::2] + 1)[::-1])
    indices = np.argwhere(values == segment.GetLabelValue())[:, ::-1] + extent[::2]
    return (slicer.util.arrayFromVTKMatrix(matrix) @ np.c_[indices, np.ones(len(indices))].T)[:3].T


def linear_transform(scene, matrix: np.ndarray):
    import slicer

    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    return node
