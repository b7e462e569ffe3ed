"""Volume node (RAS) <-> SimpleITK image (LPS): the same voxels at the same place."""

import numpy as np
import SimpleITK as sitk
import slicer
import vtk

from SpineInference.errors import SpineError
from SpineInference.formats.pictures import PICTURE_SUFFIXES
from SpineInference.volume.geometry import check_geometry
from SpineInference.volume.slice_placement import PIXEL_SIZE, POSITION, mark_unknown

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])
_GRID_TOLERANCE_MM = 1e-2
"""The largest distance between corners of equal grids: NIfTI keeps coordinates in single precision."""


_RIGID = 1e-3
"""By how much lengths may change under a transform that is taken for a rigid one."""


def ijkToRas(image: sitk.Image) -> np.ndarray:
    """The 4 x 4 matrix from voxel indices to RAS (mm) of a 3D image."""
    matrix = np.eye(4)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    matrix[:3, :3] = _LPS_TO_RAS @ direction * np.array(image.GetSpacing())
    matrix[:3, 3] = _LPS_TO_RAS @ np.array(image.GetOrigin())
    return matrix


def volumeIjkToRas(volumeNode: "slicer.vtkMRMLVolumeNode") -> np.ndarray:
    """The 4 x 4 matrix from voxel indices to the volume's own RAS (mm), before any parent transform."""
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def addVolume(image: sitk.Image, name: str) -> "slicer.vtkMRMLScalarVolumeNode":
    """A new volume node with the voxels and geometry of a 3D scalar image."""
    volumeNode = slicer.util.addVolumeFromArray(
        sitk.GetArrayFromImage(image), ijkToRAS=ijkToRas(image), name=name, nodeClassName="vtkMRMLScalarVolumeNode"
    )
    volumeNode.CreateDefaultDisplayNodes()
    volumeNode.GetDisplayNode().SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
    return volumeNode


def imageFromVolume(volumeNode: "slicer.vtkMRMLScalarVolumeNode") -> sitk.Image:
    """The voxels and the geometry of a volume node as an image, without the node's parent transform.

    Raises SpineError for a volume that `checkVolume` refuses, or with axes that are sheared by more than 1e-3.
    """
    checkVolume(volumeNode)
    image = imageWithGeometryOf(volumeNode, slicer.util.arrayFromVolume(volumeNode))
    check_geometry(image)
    if isPicture(volumeNode):
        mark_unknown(image, PIXEL_SIZE, POSITION)
    return image


def isPicture(volumeNode: "slicer.vtkMRMLVolumeNode") -> bool:
    """Whether a volume of one slice was loaded from a picture: what its geometry says, nobody has measured."""
    storageNode = volumeNode.GetStorageNode()
    name = (storageNode.GetFileName() or "") if storageNode is not None else ""
    return name.lower().endswith(PICTURE_SUFFIXES) and 1 in volumeNode.GetImageData().GetDimensions()


def imageWithGeometryOf(volumeNode: "slicer.vtkMRMLVolumeNode", array: np.ndarray) -> sitk.Image:
    """An image of `array` [k, j, i] with the geometry of a volume of that shape."""
    matrix = volumeIjkToRas(volumeNode)
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((_LPS_TO_RAS @ matrix[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin((_LPS_TO_RAS @ matrix[:3, 3]).tolist())
    return image


def toWorldOf(node: "slicer.vtkMRMLTransformableNode") -> np.ndarray:
    """The 4 x 4 matrix of all linear transforms above a node, from its own RAS to that of the world."""
    matrix = vtk.vtkMatrix4x4()
    transformNode = node.GetParentTransformNode()
    if transformNode is not None:
        transformNode.GetMatrixTransformToWorld(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def moved(image: sitk.Image, matrix: np.ndarray) -> sitk.Image:
    """The same voxels in a place moved by a rigid `matrix` in RAS: what lies above a volume becomes part of its place,
    so that sagittal, superior and the like are what they are in the views."""
    turn, shift = _LPS_TO_RAS @ matrix[:3, :3] @ _LPS_TO_RAS, _LPS_TO_RAS @ matrix[:3, 3]
    result = sitk.Image(image)
    result.SetDirection((turn @ np.array(image.GetDirection()).reshape(3, 3)).ravel().tolist())
    result.SetOrigin((turn @ np.array(image.GetOrigin()) + shift).tolist())
    return result


def checkVolume(volumeNode: "slicer.vtkMRMLScalarVolumeNode") -> None:
    """Raise SpineError for a volume that is no scan: empty, labels, colours, or not rigidly transformed. Fast."""
    name = volumeNode.GetName()
    if volumeNode.GetImageData() is None or not volumeNode.GetImageData().GetNumberOfPoints():
        raise SpineError(f'the volume "{name}" has no voxels: choose another volume.')
    if volumeNode.IsA("vtkMRMLLabelMapVolumeNode"):
        raise SpineError(f'the volume "{name}" is a label map, not a scan: choose the scan that it was drawn on.')
    if volumeNode.GetImageData().GetNumberOfScalarComponents() > 1:
        raise SpineError(
            f'the volume "{name}" has several values in each voxel (colours or directions): convert it to a scalar '
            "volume, or choose another one."
        )
    checkTransform(volumeNode)


def checkTransform(node: "slicer.vtkMRMLTransformableNode") -> None:
    """Raise SpineError unless what lies above a volume or segmentation only moves and turns it.

    Otherwise lengths in voxels would not be lengths in space, and a surface would have another volume than the table.
    """
    transformNode = node.GetParentTransformNode()
    if transformNode is None:
        return
    if not transformNode.IsTransformToWorldLinear():
        kind = "non-linear"
    elif not _isRigid(toWorldOf(node)[:3, :3]):
        kind = "scaling, shearing or mirroring"
    else:
        return
    raise SpineError(
        f'"{node.GetName()}" lies under the {kind} transform "{transformNode.GetName()}": harden the transform, or '
        "take it out of it."
    )


def _isRigid(turn: np.ndarray) -> bool:
    return np.allclose(turn.T @ turn, np.eye(3), rtol=0, atol=_RIGID) and np.linalg.det(turn) > 0


def checkValues(volumeNode: "slicer.vtkMRMLScalarVolumeNode") -> None:
    """Raise SpineError for a volume that shows nothing: every voxel the same, or some that are no numbers.

    Looks at every voxel.
    """
    array = slicer.util.arrayFromVolume(volumeNode)
    low, high = array.min(), array.max()  # both are NaN as soon as one voxel is
    if not (np.isfinite(low) and np.isfinite(high)):
        raise SpineError(
            f'the volume "{volumeNode.GetName()}" holds values that are not numbers (NaN or infinite): export it '
            "again, or choose another one."
        )
    if low == high:
        raise SpineError(
            f'the volume "{volumeNode.GetName()}" shows nothing, every voxel has the same value ({low:g}): choose '
            "another one."
        )


def hasGridOf(image: sitk.Image, volumeNode: "slicer.vtkMRMLVolumeNode") -> bool:
    """Whether the voxels of an image are those of a volume node, in size and place."""
    imageData = volumeNode.GetImageData()
    if imageData is None or tuple(imageData.GetDimensions()) != image.GetSize():
        return False
    corners = np.array(np.meshgrid(*((0, size) for size in image.GetSize()), [1])).reshape(4, -1)
    return float(np.abs((ijkToRas(image) - volumeIjkToRas(volumeNode)) @ corners).max()) <= _GRID_TOLERANCE_MM
