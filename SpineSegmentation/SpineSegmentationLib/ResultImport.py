"""The result of a worker, as its "result" event describes it, becomes nodes beside the volume it was made from."""

import csv
from pathlib import Path

import SimpleITK as sitk
import slicer

from SpineInference.levels import Segment

from .MeasurementTable import Cell, addMeasurementTable
from .SegmentationScene import addSegmentation


def importResult(
    event: dict, volumeNode: "slicer.vtkMRMLScalarVolumeNode"
) -> "tuple[slicer.vtkMRMLSegmentationNode, slicer.vtkMRMLTableNode]":
    """The segmentation and the table of measurements of a "result" event (see `SpineInference.worker`).

    Raises SpineError if the result was made from another volume, or the volume is warped.
    """
    segments = [Segment(**{**fields, "colour": tuple(fields["colour"])}) for fields in event["segments"]]
    labels = sitk.ReadImage(event["files"]["labels"])
    rows = _readRows(Path(event["files"]["measurements"]))
    name = volumeNode.GetName()
    segmentationNode = addSegmentation(labels, segments, volumeNode, f"{name} vertebral bodies")
    return segmentationNode, addMeasurementTable(rows, volumeNode, f"{name} measurements")


def _readRows(path: Path) -> list[dict[str, Cell]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [{title: _cell(text) for title, text in row.items()} for row in csv.DictReader(file)]


def _cell(text: str) -> Cell:
    try:
        return float(text) if text else None
    except ValueError:
        return text
