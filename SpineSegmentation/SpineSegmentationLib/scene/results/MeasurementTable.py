"""The measurements of a result as a table node: one row per vertebra or structure, one column per measurement.

Columns are named as in the worker's CSV file; their titles are for people. Node references lead from the table to its
segmentation and charts, also in a scene that was saved and loaded.
"""

import math
from collections.abc import Sequence

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from SpineInference.placement import SlicePlacement
from SpineInference.schema import as_json, parse_json

Cell = str | float | int | bool | None

SEGMENTATION_ROLE = "segmentation"
HEIGHT_CHART_ROLE = "heightChart"
DISC_CHART_ROLE = "discChart"
CANAL_CHART_ROLE = "canalChart"
DICE_CHART_ROLE = "diceChart"
CHART_ROLES = HEIGHT_CHART_ROLE, DISC_CHART_ROLE, CANAL_CHART_ROLE, DICE_CHART_ROLE
_TO_WORLD = "SpineSegmentation.ToWorld"
"""The attribute for the transforms of the time of measuring, saved with the scene; without it there were none."""
REMEASURED_ATTRIBUTE = "SpineSegmentation.MeasuredAgain"
"""The attribute of tables of a corrected result, saved with the scene."""

PLACEMENT_ATTRIBUTE = "SpineSegmentation.Placement"


def addMeasurementTable(
    rows: list[dict[str, Cell]],
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    name: str,
    toWorld: np.ndarray | None = None,
) -> "slicer.vtkMRMLTableNode":
    """A new read-only table node; the columns are the keys of the rows, in their order.

    A column of whole numbers stays one; any other one in which every value is a number or None becomes a column of
    real numbers (None: NaN), and the rest text (None: empty, True and False: yes and no). `toWorld` (4 x 4, RAS): where
    the transforms above the segmentation had moved it when it was measured; the centres of the rows lie there.
    """
    tableNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
    setRows(tableNode, rows)
    tableNode.SetNodeReferenceID(SEGMENTATION_ROLE, segmentationNode.GetID())
    tableNode.SetLocked(True)
    if toWorld is not None:
        tableNode.SetAttribute(_TO_WORLD, " ".join(repr(float(number)) for number in toWorld.ravel()))
    return tableNode


def setRows(tableNode: "slicer.vtkMRMLTableNode", rows: list[dict[str, Cell]]) -> None:
    """Replace the content of a table by these rows, as `addMeasurementTable` says."""
    tableNode.RemoveAllColumns()
    titles = columnTitles()
    for column in dict.fromkeys(key for row in rows for key in row):
        tableNode.AddColumn(_column(column, [row.get(column) for row in rows]))
        tableNode.SetColumnTitle(column, titles.get(column, column))
    tableNode.SetUseColumnTitleAsColumnHeader(True)


def measurementsOf(tableNode: "slicer.vtkMRMLTableNode") -> list[dict[str, Cell]]:
    """The rows of a table node that `addMeasurementTable` has made; texts stay texts, NaN becomes None.

    A result without a table, known by its segmentation, has no rows.
    """
    if not tableNode.IsA("vtkMRMLTableNode"):
        return []
    table = tableNode.GetTable()
    columns = [table.GetColumn(index) for index in range(table.GetNumberOfColumns())]
    return [{column.GetName(): _cellValue(column, row) for column in columns} for row in range(table.GetNumberOfRows())]


def segmentationOf(result: "slicer.vtkMRMLNode | None") -> "slicer.vtkMRMLSegmentationNode | None":
    """The segmentation that a table measures, None if it was removed; a segmentation is its own."""
    if result is None or result.IsA("vtkMRMLSegmentationNode"):
        return result
    return result.GetNodeReference(SEGMENTATION_ROLE)


def scanOf(result: "slicer.vtkMRMLNode | None") -> "slicer.vtkMRMLVolumeNode | None":
    """The scan that was segmented; None if it, or the segmentation, was removed."""
    node = segmentationOf(result)
    return node and node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())


def setPlacement(result: "slicer.vtkMRMLNode", placement: SlicePlacement | None) -> None:
    """Keep with a table or a segmentation how its single slice lies; None where the scan's own geometry says so."""
    result.SetAttribute(PLACEMENT_ATTRIBUTE, placement and as_json(placement))


def placementOf(result: "slicer.vtkMRMLNode") -> SlicePlacement | None:
    """What `setPlacement` has kept, also in a scene that was saved and loaded."""
    kept = result.GetAttribute(PLACEMENT_ATTRIBUTE)
    return parse_json(kept, SlicePlacement, "the placement of the slice") if kept else None


def isMeasuredAgain(tableNode: "slicer.vtkMRMLTableNode") -> bool:
    """Whether a table is one of a corrected result, and not that of the segmentation run."""
    return bool(tableNode.GetAttribute(REMEASURED_ATTRIBUTE))


def centreOf(row: dict[str, Cell], tableNode: "slicer.vtkMRMLTableNode") -> tuple[float, float, float] | None:
    """The centre of a vertebral body in the world (RAS, mm), below all parent transforms; None if it is not known."""
    lps = [row.get(f"centroid_{direction}_mm") for direction in ("left", "posterior", "superior")]
    return None if None in lps else pointInWorld(lps, tableNode)


def pointInWorld(lps: Sequence[float], tableNode: "slicer.vtkMRMLTableNode") -> tuple[float, float, float] | None:
    """Where a point that was measured (LPS, mm) is in the world (RAS, mm); None where the segmentation is gone."""
    segmentationNode = segmentationOf(tableNode)
    if segmentationNode is None:
        return None
    world = [0.0, 0.0, 0.0]
    own = np.linalg.inv(toWorldOfMeasuring(tableNode)) @ [-lps[0], -lps[1], lps[2], 1.0]
    segmentationNode.TransformPointToWorld(own[:3].tolist(), world)  # it may have been moved since
    return tuple(world)


def toWorldOfMeasuring(tableNode: "slicer.vtkMRMLTableNode") -> np.ndarray:
    """Where transforms had moved the segmentation (4 x 4, RAS) when it was measured."""
    measuredAt = tableNode.GetAttribute(_TO_WORLD)
    return np.array(measuredAt.split(), float).reshape(4, 4) if measuredAt else np.eye(4)


def _column(name: str, values: list[Cell]) -> vtk.vtkAbstractArray:
    kinds = {type(value) for value in values}
    numeric = kinds <= {int, float, type(None)}
    column = vtk.vtkIntArray() if kinds == {int} else vtk.vtkDoubleArray() if numeric else vtk.vtkStringArray()
    column.SetName(name)
    for value in values:
        column.InsertNextValue((math.nan if value is None else value) if numeric else _text(value))
    return column


def _text(value: Cell) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _cellValue(column: vtk.vtkAbstractArray, row: int) -> Cell:
    value = column.GetValue(row)
    return None if isinstance(value, float) and math.isnan(value) else value


def columnTitles() -> dict[str, str]:
    """The titles of all columns for people, by their names."""
    return {
        "level": _("Level"),
        "label": _("Label value"),
        "partial": _("Cut off by the border"),
        "quality": _("Quality (0 to 1)"),
        "volume_mm3": _("Volume (mm³)"),
        "area_mm2": _("Area (mm²)"),
        "anterior_height_mm": _("Anterior height (mm)"),
        "middle_height_mm": _("Middle height (mm)"),
        "posterior_height_mm": _("Posterior height (mm)"),
        "depth_mm": _("Depth (mm)"),
        "width_mm": _("Width (mm)"),
        "sagittal_tilt_deg": _("Sagittal tilt (°)"),
        "coronal_tilt_deg": _("Coronal tilt (°)"),
        "centroid_left_mm": _("Centre, left (mm)"),
        "centroid_posterior_mm": _("Centre, posterior (mm)"),
        "centroid_superior_mm": _("Centre, superior (mm)"),
        "level_source": _("Level is"),
        "level_confidence": _("Confidence of the level"),
        "reference_label": _("Reference segment"),
        "dice": _("Dice"),
        "hd95_mm": _("HD95 (mm)"),
        "assd_mm": _("Mean surface distance (mm)"),
        "scan": _("Scan"),
        "bodies": _("Vertebral bodies"),
        "doubtful": _("Doubtful bodies"),
        "lowest_quality": _("Lowest quality (0 to 1)"),
        "seconds": _("Time (s)"),
        "problem": _("Problem"),
    }
