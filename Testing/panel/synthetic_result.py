"""The panel with a result, for which no network was run."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from small_records import small_record
from synthetic_scan import addScan

from SpineInference.anatomy import (
    CANAL_CODE,
    CANAL_LABEL,
    DISC_CODE,
    DISC_OFFSET,
    LEVELS,
    Naming,
    Segment,
    numbered,
)
from SpineInference.app.record import Record
from SpineInference.app.requests import Request
from SpineInference.files.writing import write_labelmap
from SpineInference.measuring.measurements import as_json, measure
from SpineInference.measuring.slice_agreement import dice_per_slice

DISC = Segment(DISC_OFFSET + LEVELS["L4"].label, "Disc L4-L5", (90, 160, 200), *DISC_CODE, False)
CANAL = Segment(CANAL_LABEL, "Spinal canal", (240, 220, 90), *CANAL_CODE, False)
_PLACES = {DISC: (slice(30, 40), slice(10, 30), slice(8, 28)), CANAL: (slice(5, 70), slice(31, 37), slice(10, 26))}


def with_result(host: Any, folder: Path, naming: Naming | None = None, structures: Sequence[Segment] = ()) -> Any:
    """The panel with a result of two vertebrae that was compared with a reference: itself.

    They are L4 and L5, unless `naming` says that they are numbered. `structures`: `DISC`, `CANAL`; the canal is bright.
    """
    panel = host.openModule("SpineSegmentation")
    panel._parameterNode.inputVolume = volumeNode = addScan()
    import slicer

    from SpineSegmentationLib.scene.results.ResultImport import importResult

    isNumbered = naming is not None and naming.source == "numbered"
    segments = [numbered(1), numbered(2)] if isNumbered else [LEVELS["L4"], LEVELS["L5"]]
    if CANAL in structures:
        slicer.util.arrayFromVolume(volumeNode)[_PLACES[CANAL]] = 2000
    record = _written_result(folder, volumeNode, segments, naming, structures)
    panel._parameterNode.result = importResult(record, folder, volumeNode).tableNode
    host.process()
    return panel


def _written_result(
    folder: Path, volumeNode: Any, segments: list[Segment], naming: Naming | None, structures: Sequence[Segment]
) -> Record:
    """The record of a result with two cuboids and `structures`, whose label map is in `folder`."""
    from SpineSegmentationLib.scene.volumes.VolumeExchange import imageWithGeometryOf

    upper, lower = (segment.label for segment in segments)
    array = np.zeros((96, 40, 40), np.uint8)
    array[10:30, 10:30, 8:28], array[40:62, 10:30, 8:28] = upper, lower
    for structure in structures:
        array[_PLACES[structure]] = structure.label
    labels = imageWithGeometryOf(volumeNode, array)
    write_labelmap(labels, folder / "labels.nrrd")
    notes = [f"Levels from {naming.anchor}, confidence {naming.confidence}."] if naming and naming.anchor else []
    measurements = measure(labels, segments, {upper}, labels, structures, quality=[0.93, 0.61])
    return small_record(
        Request("scan.nrrd", str(folder)),
        [*segments, *structures],
        measurements=as_json(replace(measurements, naming=naming)),
        dice_per_slice=dice_per_slice(labels, labels),
        contents={"labels": "labels.nrrd"},
        notes=notes,
        model_checksums={"model": "abc"},
    )


def erase(panel: Any, segment: str, slices: slice) -> None:
    """Erase what a segment of the result has in these slices of its scan, as the Segment Editor does."""
    import slicer

    node, volumeNode = panel._parameterNode.result.GetNodeReference("segmentation"), panel._parameterNode.inputVolume
    segmentId = node.GetSegmentation().GetSegmentIdBySegmentName(segment)
    array = slicer.util.arrayFromSegmentBinaryLabelmap(node, segmentId, volumeNode)
    array[slices] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, segmentId, volumeNode)
