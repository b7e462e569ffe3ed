"""Which segments a person has looked at and found right: a tag of the segment, saved with the scene."""

import slicer
import vtk

from .SegmentationScene import segmentsOf

_TAG = "SpineSegmentation.Checked"


def checkedNames(segmentationNode: "slicer.vtkMRMLSegmentationNode | None") -> set[str]:
    """The names of the segments that are marked as checked."""
    segments = [] if segmentationNode is None else segmentsOf(segmentationNode)
    return {segment.GetName() for segment in segments if segment.GetTag(_TAG, vtk.reference(""))}


def setChecked(segmentationNode: "slicer.vtkMRMLSegmentationNode", name: str, isChecked: bool) -> None:
    """Mark the segments of this name as checked, or take the mark away."""
    for segment in segmentsOf(segmentationNode):
        if segment.GetName() == name and isChecked:
            segment.SetTag(_TAG, "yes")
        elif segment.GetName() == name:
            segment.RemoveTag(_TAG)
