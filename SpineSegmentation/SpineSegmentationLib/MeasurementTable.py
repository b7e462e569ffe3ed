"""The measurements of a result as a table node: one row per vertebra, one column per measurement."""

import math

import slicer
import vtk

from .SegmentationScene import placeBeside

Cell = str | float | int | bool | None


def addMeasurementTable(
    rows: list[dict[str, Cell]], volumeNode: "slicer.vtkMRMLVolumeNode", name: str
) -> "slicer.vtkMRMLTableNode":
    """A new read-only table node; the columns are the keys of the rows, in their order.

    A column in which every value is a number or None becomes a column of numbers (None: NaN), any other one text
    (None: empty, True and False: yes and no). The table is placed beside the volume.
    """
    tableNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
    for title in dict.fromkeys(key for row in rows for key in row):
        tableNode.AddColumn(_column(title, [row.get(title) for row in rows]))
    tableNode.SetUseColumnTitleAsColumnHeader(True)
    tableNode.SetLocked(True)
    placeBeside(tableNode, volumeNode)
    return tableNode


def _column(title: str, values: list[Cell]) -> vtk.vtkAbstractArray:
    numeric = all(
        value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)) for value in values
    )
    column = vtk.vtkDoubleArray() if numeric else vtk.vtkStringArray()
    column.SetName(title)
    for value in values:
        column.InsertNextValue((math.nan if value is None else value) if numeric else _text(value))
    return column


def _text(value: Cell) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
