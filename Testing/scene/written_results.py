"""Results as a worker leaves them, and what is counted in the scene."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scene_cases import SEGMENTS
from small_records import small_record

from SpineInference.anatomy import Segment
from SpineInference.app.record import Record
from SpineInference.app.requests import Request
from SpineInference.files.writing import write_labelmap
from SpineInference.measuring.measurements import as_json, measure

HEIGHTS = {"anterior_height_mm": 24.5, "middle_height_mm": 23.0, "posterior_height_mm": 25.0}


def written_result(folder, labels, segments=SEGMENTS, **fields) -> tuple[Record, Path]:
    """The record of a result with these labels, and the folder of its files."""
    write_labelmap(labels, folder / "scan_labels.nrrd")
    array = sitk.GetArrayFromImage(labels)
    rows = []
    for number, segment in enumerate(segments, start=1):
        z, y, x = np.argwhere(array == segment.label).mean(axis=0)
        left, posterior, superior = labels.TransformContinuousIndexToPhysicalPoint((x, y, z))
        centre = {"centroid_left_mm": left, "centroid_posterior_mm": posterior, "centroid_superior_mm": superior}
        row = {"level": segment.name, "partial": number == 1, "volume_mm3": 41.5, **HEIGHTS, **centre}
        rows.append(row | {"middle_height_mm": None, "reference_label": number, "dice": 0.9})
    defaults = {"measurements": {"vertebrae": rows}, "notes": ["A note."]}
    request = Request("scan.nrrd", str(folder))
    contents = {"labels": "scan_labels.nrrd"}
    return small_record(request, segments, 2.5, contents=contents, **(defaults | fields)), folder


def counts() -> dict[str, int]:
    import slicer

    names = ("Segmentation", "SegmentationDisplay", "Table", "PlotChart", "PlotSeries", "LabelMapVolume")
    return {name: slicer.mrmlScene.GetNumberOfNodesByClass(f"vtkMRML{name}Node") for name in names}


ORGANS = [
    Segment(1, "Lung", (200, 90, 90), "39607008", "Lung", False),
    Segment(2, "Heart", (200, 30, 40), "1", "H", False),
]


def written_structures(folder, labels, found) -> tuple[Record, Path]:
    """A result of a model that looks for `ORGANS`, in a scan of a single slice."""
    write_labelmap(labels, folder / "scan_labels.nrrd")
    measurements = as_json(measure(labels, None, set(), labels, ORGANS))
    contents = {"labels": "scan_labels.nrrd"}
    request = Request("scan.nrrd", str(folder))
    notes = ["A note."]
    return small_record(request, found, 2.5, contents=contents, measurements=measurements, notes=notes), folder


def chosen_node(scene):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "chosen")
    node.CreateDefaultDisplayNodes()
    node.GetSegmentation().AddEmptySegment("drawn", "drawn by hand", (0.1, 0.2, 0.3))
    array = np.zeros((9, 14, 11), np.uint8)
    array[2, 3, 4] = 1
    return node, array
