"""Whether segments are still those that were measured: checksums of their voxels and places, kept with the table.

Measurements would not do: a picture of unknown size has neither volume nor area, and a stroke of the brush may change
neither.
"""

import json
import zlib

import numpy as np
import slicer
import vtk
from scipy import ndimage
from vtk.util.numpy_support import vtk_to_numpy

from ..segmentations.SegmentationScene import segmentsOf
from .MeasurementTable import segmentationOf

Shape = list[list]
"""For each segment of a name a checksum of its voxels, and the corner of its box (RAS, mm)."""

_ATTRIBUTE = "SpineSegmentation.Shapes"
_TOLERANCE_MM = 0.01


def shapesOf(segmentationNode: "slicer.vtkMRMLSegmentationNode | None") -> dict[str, Shape]:
    """The names of all segments that hold something, and their shapes.

    Neither label values nor the part of the grid that Slicer keeps in memory change them, nor do saving and loading.
    """
    known: dict[slicer.vtkOrientedImageData, tuple[np.ndarray, list]] = {}  # many segments share a label map
    shapes: dict[str, Shape] = {}
    for name, labelmap, value in _labelmapsOf(segmentationNode):
        if labelmap not in known:
            array = _voxels(labelmap)
            known[labelmap] = array, ndimage.find_objects(array)
        array, boxes = known[labelmap]
        box = boxes[value - 1] if 0 < value <= len(boxes) else None
        if box is not None:
            mask = array[box] == value
            checksum = f"{mask.shape} {zlib.crc32(np.packbits(mask)):08x}"
            shapes.setdefault(name, []).append([checksum, *_cornerOf(box, labelmap)])
    return {name: sorted(shape) for name, shape in shapes.items()}


def isSameShape(shape: Shape | None, other: Shape | None) -> bool:
    """Whether two shapes have the same voxels at the same place; one that is not known is no other's."""
    if shape is None or other is None or len(shape) != len(other):
        return False
    return all(
        checksum == otherChecksum and np.allclose(corner, otherCorner, rtol=0, atol=_TOLERANCE_MM)
        for (checksum, *corner), (otherChecksum, *otherCorner) in zip(shape, other, strict=True)
    )


def keepShapes(tableNode: "slicer.vtkMRMLTableNode", shapes: dict[str, Shape]) -> None:
    """Keep with a table what `shapesOf` said of the segments that it measures."""
    tableNode.SetAttribute(_ATTRIBUTE, json.dumps(shapes))


def keptShapes(result: "slicer.vtkMRMLNode") -> dict[str, Shape]:
    """What `keepShapes` has kept, also in a scene that was saved and loaded; a segmentation keeps nothing."""
    return json.loads(result.GetAttribute(_ATTRIBUTE) or "{}")


def isUpToDate(tableNode: "slicer.vtkMRMLTableNode") -> bool:
    """Whether the segments have the names and the voxels that were measured."""
    measured, present = keptShapes(tableNode), shapesOf(segmentationOf(tableNode))
    return measured.keys() == present.keys() and all(isSameShape(measured[name], present[name]) for name in measured)


def editStateOf(segmentationNode: "slicer.vtkMRMLSegmentationNode | None") -> tuple[tuple[str, int], ...]:
    """A value that changes whenever a segment is edited, renamed, added or removed. At once, but not saved."""
    return tuple((name, labelmap.GetMTime()) for name, labelmap, _value in _labelmapsOf(segmentationNode))


def _voxels(labelmap: "slicer.vtkOrientedImageData") -> np.ndarray:
    """The voxels [k, j, i]; an empty label map has one that belongs to nobody."""
    scalars = labelmap.GetPointData().GetScalars()
    if scalars is None or not scalars.GetNumberOfTuples():
        return np.zeros((1, 1, 1), np.uint8)
    return vtk_to_numpy(scalars).reshape(labelmap.GetDimensions()[::-1])


def _cornerOf(box: tuple[slice, ...], labelmap: "slicer.vtkOrientedImageData") -> list[float]:
    """Where the first voxel of a box [k, j, i] lies, in the segmentation's own RAS (mm)."""
    toRas, first = vtk.vtkMatrix4x4(), labelmap.GetExtent()[::2]
    labelmap.GetImageToWorldMatrix(toRas)
    index = [part.start + start for part, start in zip(reversed(box), first, strict=True)]
    return list(toRas.MultiplyPoint((*index, 1.0))[:3])


def _labelmapsOf(
    segmentationNode: "slicer.vtkMRMLSegmentationNode | None",
) -> "list[tuple[str, slicer.vtkOrientedImageData, int]]":
    """Of each segment the name, the label map that holds it, and its value there."""
    if segmentationNode is None:
        return []
    kind = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
    segments = segmentsOf(segmentationNode)
    maps = [(each.GetName(), each.GetRepresentation(kind), each.GetLabelValue()) for each in segments]
    return [entry for entry in maps if entry[1] is not None]
