"""Remeasures a result after it was corrected: its present segments become a table of their own."""

from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import SimpleITK as sitk
import slicer
from slicer.i18n import tr as _

from SpineInference.errors import SpineError

from ..scene.results.MeasurementTable import (
    CHART_ROLES,
    REMEASURED_ATTRIBUTE,
    Cell,
    isMeasuredAgain,
    measurementsOf,
    placementOf,
    scanOf,
    segmentationOf,
)
from ..scene.results.ResultImport import addMeasurements
from ..scene.results.ResultNodes import markAs, structuresOf
from ..scene.results.SegmentShapes import Shape, isSameShape, keepShapes, keptShapes, shapesOf
from ..scene.segmentations.SegmentationLabels import labelsOfReference, labelsOfSegmentation, writeLabels
from ..scene.segmentations.SegmentationScene import removeNode
from ..scene.volumes.VolumeExchange import checkTransform, imageFromVolume, moved, toWorldOf
from .BackgroundTask import BackgroundTask
from .ExchangeFolder import ExchangeFolder
from .WorkerProtocol import SceneClosed


class Remeasurement:
    """Remeasures one result. Ends in exactly one call `onEnd(tableNode, error)`, where one of both is None.

    The table of the segmentation run stays; that of an earlier remeasurement is replaced. Errors change nothing. Ends
    itself when the scene is closed (SceneClosed).
    """

    def __init__(self, onEnd: Callable[["slicer.vtkMRMLTableNode | None", Exception | None], None]):
        self._onEnd = onEnd
        self._task = BackgroundTask(self._onTaskEnd)
        self._folder: ExchangeFolder | None = None
        self._tableNode: slicer.vtkMRMLTableNode | None = None
        self._segmentationNode: slicer.vtkMRMLSegmentationNode | None = None
        self._shapes: dict[str, Shape] = {}
        self._referenceNames: dict[int, str] = {}
        self._toWorld = np.eye(4)
        self._isSceneClosed = False
        self._observer = 0

    def start(
        self,
        tableNode: "slicer.vtkMRMLTableNode",
        referenceNode: "slicer.vtkMRMLSegmentationNode | slicer.vtkMRMLLabelMapVolumeNode | None" = None,
    ) -> None:
        """Measure the segmentation of a result's table, and compare it with a reference.

        `tableNode` is the segmentation itself where the table was removed.
        Raises SpineError where the scan is gone or the reference cannot be used; then nothing has been started.
        """
        self._tableNode, self._segmentationNode = tableNode, segmentationOf(tableNode)
        if self._segmentationNode is None:
            raise SpineError(_("the segmentation is not in the scene any more: segment the scan again."))
        if referenceNode is self._segmentationNode:
            raise SpineError(
                _('"{name}" cannot be compared with itself: choose another reference, or none.').format(
                    name=referenceNode.GetName()
                )
            )
        labels, names = labelsOfSegmentation(self._segmentationNode)
        self._shapes = shapesOf(self._segmentationNode)
        volumeNode = scanOf(tableNode)
        for node in (volumeNode, self._segmentationNode):
            checkTransform(node)
        self._toWorld = toWorldOf(volumeNode)
        structures = structuresOf(tableNode)
        segments = {
            "bodies": [(value, name) for value, name in names.items() if name not in structures],
            "structures": [(value, name) for value, name in names.items() if name in structures],
        }
        placement = placementOf(tableNode)
        segments["placement"] = placement and asdict(placement)
        self._folder = ExchangeFolder()
        segments["own_folder"] = str(self._folder.path)  # of a Slicer that crashes, the worker removes it
        try:
            segments["labels"] = self._write(labels, "labels.nrrd")
            if referenceNode is not None:
                reference, self._referenceNames = labelsOfReference(referenceNode, volumeNode)
                segments["reference"] = self._write(reference, "reference.nrrd")
            segments["scan"] = str(self._folder.path / "scan.nrrd")
            scan = moved(imageFromVolume(volumeNode), self._toWorld)
            sitk.WriteImage(scan, segments["scan"], useCompression=False)
        except Exception:
            self._folder.remove()
            raise
        self._observer = slicer.mrmlScene.AddObserver(slicer.mrmlScene.StartCloseEvent, self._onSceneClosed)
        self._task.start("measure", segments=segments)

    def cancel(self) -> None:
        """Stop; `onEnd` follows with Cancelled."""
        self._task.cancel()

    def close(self) -> None:
        """Stop without calling `onEnd`, and wait until the process has ended."""
        slicer.mrmlScene.RemoveObserver(self._observer)
        self._task.close()
        self._folder.remove()

    def wait(self) -> None:
        """Block until the end: for scripts."""
        self._task.wait()

    def _write(self, labels: sitk.Image, name: str) -> str:
        return writeLabels(moved(labels, self._toWorld), self._folder.path / name)

    def _onSceneClosed(self, *_event: object) -> None:
        self._isSceneClosed = True
        self.cancel()

    def _onTaskEnd(self, answer: dict | None, error: Exception | None) -> None:
        slicer.mrmlScene.RemoveObserver(self._observer)
        self._folder.remove()
        try:
            if self._isSceneClosed:
                raise SceneClosed
            if error is not None:
                raise error
            newTableNode = self._importResult(answer)
        except Exception as problem:
            self._onEnd(None, problem)
            return
        self._onEnd(newTableNode, None)
        if isMeasuredAgain(self._tableNode):  # the new table is shown in its place
            _removeMeasurements(self._tableNode)

    def _importResult(self, answer: dict) -> "slicer.vtkMRMLTableNode":
        # Nodes of another scene may have the same IDs: compare the nodes themselves.
        nodes = (self._tableNode, self._segmentationNode, scanOf(self._tableNode))
        if not all(node is not None and slicer.mrmlScene.IsNodePresent(node) for node in nodes):
            raise SpineError(_("the result was removed from the scene while it was measured."))
        measurements = answer["measurements"]
        before = _withShapes(measurementsOf(self._tableNode), keptShapes(self._tableNode))
        rows = _withShapes(measurements["vertebrae"], self._shapes)
        measurements["vertebrae"] = [_withKnownValues(row, before) for row in rows]
        slices, title = answer["dice_per_slice"], "measurements, corrected"
        measured = (measurements, slices, answer["morphometry"])
        newTableNode = addMeasurements(*measured, *nodes[1:], title, self._referenceNames, self._toWorld)[0]
        newTableNode.SetAttribute(REMEASURED_ATTRIBUTE, "yes")
        keepShapes(newTableNode, self._shapes)
        markAs(newTableNode, self._segmentationNode)
        return newTableNode


def _withKnownValues(row: dict[str, Cell], before: list[dict[str, Cell]]) -> dict[str, Cell]:
    """A row with the source of its level, unless the user has renamed it, and with its quality, unless its voxels have
    changed. `before` are the rows of the earlier table; both come from `_withShapes`."""
    # Renaming keeps the shape; drawing keeps the name, or else the label value, which overlapping segments lose.
    candidates = [old for old in before if isSameShape(row["shape"], old.get("shape"))]
    candidates += [old for key in ("label", "level") for old in before if old.get(key) == row[key]]
    old = next(iter(candidates), {})
    result = {name: row[name] for name in ("level", "label", "partial")}
    if before and "quality" in before[0]:
        result["quality"] = old.get("quality") if isSameShape(row["shape"], old.get("shape")) else None
    result |= {name: value for name, value in row.items() if name != "shape"}
    if before and "level_source" in before[0]:
        isNamedAsBefore = old.get("level") == row["level"]
        result["level_source"] = old["level_source"] if isNamedAsBefore else "given"
        result["level_confidence"] = old["level_confidence"] if isNamedAsBefore else None
    return result


def _withShapes(rows: list[dict[str, Cell]], shapes: dict[str, Shape]) -> list[dict[str, Cell]]:
    """The rows with the "shape" of their segments, None where it is not known."""
    return [row | {"shape": shapes.get(row["level"])} for row in rows]


def _removeMeasurements(tableNode: "slicer.vtkMRMLTableNode") -> None:
    """Remove a table with its charts and, if nothing else was put there, its folder."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(tableNode) if hierarchy else 0
    folder = hierarchy.GetItemParent(item) if item else 0
    nodes = [tableNode]
    for role in CHART_ROLES:
        chartNode = tableNode.GetNodeReference(role)
        if chartNode is not None:
            series = [chartNode.GetNthPlotSeriesNode(index) for index in range(chartNode.GetNumberOfPlotSeriesNodes())]
            tables = [seriesNode.GetTableNode() for seriesNode in series]
            nodes += [chartNode, *series, *(table for table in tables if table is not tableNode)]
    for node in nodes:
        removeNode(node)
    if folder and hierarchy.IsItemLevel(folder, "Folder") and not hierarchy.GetNumberOfItemChildren(folder):
        hierarchy.RemoveItem(folder)
