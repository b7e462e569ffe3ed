"""A result as files for other programs: label map, surfaces, measurements. Files are written whole or not at all."""

import csv
import re
from itertools import count
from pathlib import Path

import slicer
import vtk

from SpineInference.errors import SpineError
from SpineInference.files.atomic import atomic
from SpineInference.files.writing import write_labelmap

from ..segmentations.SegmentationLabels import labelMapOf
from ..segmentations.SegmentationScene import segmentsOf
from ..volumes.VolumeExchange import checkTransform
from .MeasurementTable import Cell, measurementsOf

SURFACE_FORMATS = ("stl", "obj", "ply")


def exportLabelMap(segmentationNode: "slicer.vtkMRMLSegmentationNode", path: str) -> None:
    """Write the segments on the voxels of their scan to `path` (.nii.gz or .nrrd), with their label values.

    An existing file is replaced. Raises SpineError if the scan was removed, segments overlap, or the file
    cannot be written.
    """
    labels, _names = labelMapOf(segmentationNode)
    write_labelmap(labels, path)


def surfaceFiles(segmentationNode: "slicer.vtkMRMLSegmentationNode", folder: str, format_: str = "stl") -> list[Path]:
    """The files that `exportSurfaces` would write, one for each segment; segments of one name get a number."""
    stem, files = _fileName(segmentationNode.GetName()), []
    taken: set[str] = set()  # file systems may not tell upper from lower case
    for segment in segmentsOf(segmentationNode):
        name = f"{stem}_{_fileName(segment.GetName())}"
        numbered = (name if number == 1 else f"{name}_{number}" for number in count(1))
        files.append(next(each for each in numbered if each.casefold() not in taken))
        taken.add(files[-1].casefold())
    return [Path(folder) / f"{name}.{format_}" for name in files]


def exportSurfaces(segmentationNode: "slicer.vtkMRMLSegmentationNode", folder: str, format_: str = "stl") -> list[Path]:
    """Write the surface of each segment in one of `SURFACE_FORMATS`, in world coordinates.

    These are LPS in mm, as most programs expect. Existing files are replaced. Raises SpineError if a file cannot be
    written, or under a transform with which surfaces would have other sizes than the table says.
    """
    files = surfaceFiles(segmentationNode, folder, format_)
    for surface, file in zip(_surfacesOf(segmentationNode), files, strict=True):
        _writeSurface(surface, file)
    return files


def exportSurfacesTogether(segmentationNode: "slicer.vtkMRMLSegmentationNode", path: str) -> None:
    """Write the surfaces of all segments into one file, whose suffix is one of `SURFACE_FORMATS`; else as above."""
    together = vtk.vtkAppendPolyData()
    for surface in _surfacesOf(segmentationNode):
        together.AddInputData(surface)
    together.Update()
    _writeSurface(together.GetOutput(), Path(path))


def _surfacesOf(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> list[vtk.vtkPolyData]:
    """The surfaces of the segments in their order, in LPS of the world (mm). Raises SpineError, see above."""
    checkTransform(segmentationNode)
    segmentationNode.CreateClosedSurfaceRepresentation()
    toWorld, toLps = vtk.vtkGeneralTransform(), vtk.vtkTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(segmentationNode.GetParentTransformNode(), None, toWorld)
    toLps.Scale(-1, -1, 1)  # a rotation by 180 degrees, no mirroring: triangles keep facing outwards
    toWorld.PostMultiply()
    toWorld.Concatenate(toLps)
    surfaces = []
    for segmentId in segmentationNode.GetSegmentation().GetSegmentIDs():
        surface = vtk.vtkPolyData()
        segmentationNode.GetClosedSurfaceRepresentation(segmentId, surface)
        filter_ = vtk.vtkTransformPolyDataFilter()
        filter_.SetInputData(surface)
        filter_.SetTransform(toWorld)
        filter_.Update()
        surfaces.append(filter_.GetOutput())
    return surfaces


def _writeSurface(surface: vtk.vtkPolyData, path: Path) -> None:
    format_ = path.suffix[1:].lower()
    writer = getattr(vtk, f"vtk{format_.upper()}Writer")()
    if format_ != "obj":  # which is text
        writer.SetFileTypeToBinary()
    writer.SetInputData(surface)
    with atomic(path) as temporary:
        writer.SetFileName(str(temporary))
        if not writer.Write() or not temporary.exists():
            raise SpineError(f"{path}: the file cannot be written, is the disk full?")


def exportTable(tableNode: "slicer.vtkMRMLTableNode", path: str) -> None:
    """Write the measurements as comma-separated values: the columns of `spine-segment`, an empty cell for unknown.

    An existing file is replaced. Raises SpineError if it cannot be written.
    """
    rows = measurementsOf(tableNode)
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]) if rows else [])
        table.writeheader()
        table.writerows({name: _cell(name, value) for name, value in row.items()} for row in rows)


def _cell(name: str, value: Cell) -> Cell:
    # A column of numbers in the scene knows no whole ones.
    return "" if value is None else int(value) if name in ("label", "bodies", "doubtful") else value


def _fileName(name: str) -> str:
    """The name without characters that some file system forbids."""
    return re.sub(r'[<>:"/\\|?*\s]+', "_", name).strip("._") or "segment"
