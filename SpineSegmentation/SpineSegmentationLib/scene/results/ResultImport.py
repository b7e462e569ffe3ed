"""The result of a worker, as its record describes it, becomes nodes beside the volume it was made from."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk
import slicer
from slicer.i18n import tr as _

from SpineInference.anatomy import CANAL_CODE, Segment
from SpineInference.app.record import Record
from SpineInference.schema import load_json

from ..segmentations.SegmentationScene import addSegmentation, letSeeThrough, moveToNewFolder, removeNode
from ..volumes.VolumeExchange import isPicture, moved
from ..volumes.VolumeInfo import planeOfSingleSlice
from .MeasurementTable import addMeasurementTable, setPlacement
from .ResultNodes import markResult
from .ResultPlots import addCanalChart, addDiceChart, addDiscChart, addHeightChart
from .SegmentationReplacement import SegmentationReplacement
from .SegmentShapes import keepShapes, shapesOf
from .SpineMeasures import measuresOf, setMeasures


class SegmentationResult(NamedTuple):
    """The result of segmenting a volume. Both nodes are None if nothing was found; then `notes` say why that may be.

    `notes` are messages for the user, `seconds` is the time of the worker, `device` where the networks ran, and why.
    `replacement` can restore the segments of an overwritten segmentation; None for a new one. `segments` are what was
    found. `isSpine`: vertebrae were found, or the model finds nothing else. `singleSlice`: the plane of a scan of one
    slice, else empty.
    """

    segmentationNode: "slicer.vtkMRMLSegmentationNode | None"
    tableNode: "slicer.vtkMRMLTableNode | None"
    notes: list[str]
    seconds: float
    device: str
    replacement: SegmentationReplacement | None = None
    segments: tuple[Segment, ...] = ()
    isSpine: bool = True
    singleSlice: str = ""


def importResult(
    record: Record,
    folder: Path,
    volumeNode: "slicer.vtkMRMLScalarVolumeNode",
    outputNode: "slicer.vtkMRMLSegmentationNode | None" = None,
    referenceNames: dict[int, str] | None = None,
    toWorld: np.ndarray | None = None,
) -> SegmentationResult:
    """The segmentation, the table of measurements and the charts of a result whose files lie in `folder`.

    The segmentation is new, or replaces the segments of `outputNode`; this happens last, when nothing can fail any
    more. `referenceNames` maps the labels of the reference to names. `toWorld` (4 x 4, RAS) is where the transforms
    above the volume had moved it when it was segmented. Raises SpineError if the result lies on another
    grid than the volume, or the volume has a transform that is not rigid; then the scene is unchanged.
    """
    why = [record.device.reason, record.device.engine] if record.device.engine else [record.device.reason]
    device = f"{record.device.name} ({'; '.join(why)})"
    measurements = record.measurements
    bodies, structures = measurements["vertebrae"], measurements.get("structures", [])
    isSpine = bool(bodies) or not structures
    if not record.segments:
        plane = "" if isPicture(volumeNode) else planeOfSingleSlice(volumeNode)  # a picture's notes say more
        return SegmentationResult(
            None, None, record.notes, record.total_seconds, device, isSpine=isSpine, singleSlice=plane
        )
    toWorld = np.eye(4) if toWorld is None else toWorld
    labels = moved(sitk.ReadImage(str(folder / record.contents["labels"])), np.linalg.inv(toWorld))
    name, scene = volumeNode.GetName(), slicer.mrmlScene
    title = f"{name} segmentation" if structures else f"{name} vertebral bodies"

    made = []
    try:
        made.append(addSegmentation(labels, record.segments, volumeNode, scene.GenerateUniqueName(title)))
        segmentationNode = outputNode or made[0]
        made += addMeasurements(
            measurements,
            record.dice_per_slice,
            _morphometry(record, folder),
            segmentationNode,
            volumeNode,
            "measurements",
            referenceNames,
            toWorld,
        )
        tableNode = made[1]
        keepShapes(tableNode, shapesOf(made[0]))
        for node in (made[0], tableNode):
            setPlacement(node, record.placement)
        _describeShading(tableNode, record.shading_removed)
        markResult([made[0], tableNode], record)
        replacement = SegmentationReplacement(outputNode, made[0]) if outputNode else None
        segmentationNode.CreateDefaultDisplayNodes()
        letSeeThrough(segmentationNode, {each.name for each in record.segments if each.code == CANAL_CODE[0]})
    except Exception:
        for node in made:
            removeNode(node)
        raise
    known = (record.notes, record.total_seconds, device, replacement, tuple(record.segments), isSpine)
    return SegmentationResult(segmentationNode, tableNode, *known)


def addMeasurements(
    measurements: dict,
    dicePerSlice: dict | None,
    morphometry: dict | None,
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    volumeNode: "slicer.vtkMRMLVolumeNode",
    title: str,
    referenceNames: dict[int, str] | None = None,
    toWorld: np.ndarray | None = None,
) -> "list[slicer.vtkMRMLNode]":
    """A table of `measurements`, as `SpineInference.measuring.measurements.as_json` puts them, with the measures of the
    spine, as `morphometry.tables.as_json` does, and its charts.

    They go into a folder of the volume's study. Returns all new nodes, the table first; after an error there are none.
    """
    bodies = measurements["vertebrae"]
    rows = [_namedReference(row, referenceNames or {}) for row in (*bodies, *measurements.get("structures", []))]
    name = slicer.mrmlScene.GenerateUniqueName(f"{volumeNode.GetName()} {title}")
    made = [addMeasurementTable(rows, segmentationNode, name, toWorld)]
    try:
        tableNode = made[0]
        tableNode.SetDescription(_comparison(measurements.get("reference")))
        setMeasures(tableNode, morphometry)
        heights = [value for row in bodies for name, value in row.items() if name.endswith("_height_mm")]
        if any(value is not None for value in heights):  # of a picture without scale there are none
            made += addHeightChart(tableNode, len(bodies))
        measures = measuresOf(tableNode)
        made += addDiscChart(measures, tableNode)
        made += addCanalChart(measures, tableNode)
        if dicePerSlice:
            made += addDiceChart(dicePerSlice, tableNode)
        moveToNewFolder(made, volumeNode, tableNode.GetName())
    except Exception:
        for node in made:
            removeNode(node)
        raise
    return made


def _morphometry(record: Record, folder: Path) -> dict | None:
    """The measures of the spine of a result whose files lie in `folder`; an earlier version has none."""
    if "morphometry_json" not in record.contents:
        return None
    path = folder / record.contents["morphometry_json"]
    return load_json(path.read_bytes(), str(path))


def _comparison(summary: dict | None) -> str:
    """The agreement of all bodies together with the reference, as the description of the table."""
    if summary is None or summary["dice"] is None:
        return ""
    if summary["hd95_mm"] is None:
        return _("All together: Dice {dice}; missed {missed}, false {false}.").format(
            dice=f"{summary['dice']:.3f}", missed=summary["n_missed"], false=summary["n_false"]
        )
    return _(
        "All together: Dice {dice}, HD95 {hd95} mm, mean surface distance {assd} mm; missed {missed}, false {false}."
    ).format(
        dice=f"{summary['dice']:.3f}",
        hd95=f"{summary['hd95_mm']:.1f}",
        assd=f"{summary['assd_mm']:.2f}",
        missed=summary["n_missed"],
        false=summary["n_false"],
    )


def _describeShading(tableNode: "slicer.vtkMRMLTableNode", ratio: float | None) -> None:
    """Add to the description of the table that the scan was evened out, if it was."""
    if ratio is None:
        return
    text = _("Uneven brightness (about {ratio} to 1) was corrected before segmenting.").format(ratio=round(ratio))
    tableNode.SetDescription(f"{tableNode.GetDescription() or ''} {text}".strip())


def _namedReference(row: dict, referenceNames: dict[int, str]) -> dict:
    """The row with the name of the reference segment instead of its number."""
    label = row.get("reference_label")
    return row | {"reference_label": referenceNames.get(label, label)} if label is not None else row
