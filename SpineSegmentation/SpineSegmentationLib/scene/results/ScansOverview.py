"""The table over several scans: a row for each scan, which leads to its result. Saved with the scene."""

import slicer

from SpineInference.spine.quality import needs_review

from .MeasurementTable import Cell, measurementsOf, setRows
from .ResultNodes import structuresOf


def addOverview(name: str) -> "slicer.vtkMRMLTableNode":
    """A new table without rows."""
    tableNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", slicer.mrmlScene.GenerateUniqueName(name))
    tableNode.SetLocked(True)
    return tableNode


def addRow(
    tableNode: "slicer.vtkMRMLTableNode",
    scan: str,
    volumeNode: "slicer.vtkMRMLScalarVolumeNode | None",
    result: "slicer.vtkMRMLTableNode | None",
    seconds: float | None,
    problem: str = "",
) -> None:
    """Add a scan with the table of its result, or with the `problem` why there is none."""
    row = {"scan": scan} | _summary(result) | {"seconds": seconds and round(seconds, 1), "problem": problem}
    rows = [*measurementsOf(tableNode), row]
    setRows(tableNode, rows)
    for role, node in (("scan", volumeNode), ("result", result)):
        if node is not None:
            tableNode.SetNodeReferenceID(f"{role}{len(rows) - 1}", node.GetID())


def resultOfRow(tableNode: "slicer.vtkMRMLTableNode", index: int) -> "slicer.vtkMRMLTableNode | None":
    """The result of a row; None if there is none, or it was removed."""
    return tableNode.GetNodeReference(f"result{index}")


def scanOfRow(tableNode: "slicer.vtkMRMLTableNode", index: int) -> "slicer.vtkMRMLScalarVolumeNode | None":
    """The scan of a row, None if it was removed."""
    return tableNode.GetNodeReference(f"scan{index}")


def _summary(result: "slicer.vtkMRMLTableNode | None") -> dict[str, Cell]:
    """Of all vertebral bodies of a result together. Without scale, or of a single slice, there is no volume."""
    if result is None:
        return dict.fromkeys(("bodies", "doubtful", "lowest_quality", "volume_mm3"))
    structures = structuresOf(result)
    bodies = [row for row in measurementsOf(result) if row["level"] not in structures]
    qualities = [row["quality"] for row in bodies if row.get("quality") is not None]
    volumes = [row["volume_mm3"] for row in bodies if row.get("volume_mm3") is not None]
    return {
        "bodies": len(bodies),
        "doubtful": sum(map(needs_review, qualities)),
        "lowest_quality": min(qualities, default=None),
        "volume_mm3": round(sum(volumes), 1) if volumes else None,
    }
