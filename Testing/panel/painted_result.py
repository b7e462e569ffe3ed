"""The panel with a result, which no network had to be run for."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from painted_scan import addScan
from small_records import small_record

from SpineInference.anatomy import LEVELS, Naming
from SpineInference.app.requests import Request
from SpineInference.files.writing import write_labelmap
from SpineInference.measuring.measurements import as_json, measure
from SpineInference.measuring.slice_agreement import dice_per_slice


def with_result(host: Any, folder: Path, naming: Naming | None = None) -> Any:
    """The panel with a result of two vertebrae, L4 and L5, that was compared with a reference: itself."""
    panel = host.openModule("SpineSegmentation")
    volumeNode = addScan()
    panel._parameterNode.inputVolume = volumeNode
    from SpineSegmentationLib.scene.ResultImport import importResult
    from SpineSegmentationLib.scene.VolumeExchange import imageWithGeometryOf

    array = np.zeros((96, 40, 40), np.uint8)
    array[10:30, 10:30, 8:28], array[40:62, 10:30, 8:28] = 23, 24
    labels = imageWithGeometryOf(volumeNode, array)
    segments = [LEVELS["L4"], LEVELS["L5"]]
    write_labelmap(labels, folder / "labels.nrrd")
    measurements = measure(labels, segments, {23}, labels, quality=[0.93, 0.61])
    record = small_record(
        Request("scan.nrrd", str(folder)),
        segments,
        measurements=as_json(replace(measurements, naming=naming)),
        dice_per_slice=dice_per_slice(labels, labels),
        contents={"labels": "labels.nrrd"},
    )
    panel._parameterNode.result = importResult(record, folder, volumeNode).tableNode
    host.process()
    return panel


def erase(panel: Any, segment: str, slices: slice) -> None:
    """Erase what a segment of the result has in these slices of its scan, as the Segment Editor does."""
    import slicer

    node, volumeNode = panel._parameterNode.result.GetNodeReference("segmentation"), panel._parameterNode.inputVolume
    segmentId = node.GetSegmentation().GetSegmentIdBySegmentName(segment)
    array = slicer.util.arrayFromSegmentBinaryLabelmap(node, segmentId, volumeNode)
    array[slices] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, segmentId, volumeNode)
