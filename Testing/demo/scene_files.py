"""Saves a scene the way Slicer does: one .mrb with everything, and the nodes a person would want as files."""

from pathlib import Path

import slicer


def save_node(node: "slicer.vtkMRMLStorableNode", path: Path) -> None:
    """Write one node with the storage of its kind (segmentation: .seg.nrrd, table: .csv)."""
    node.AddDefaultStorageNode()
    node.GetStorageNode().SetFileName(str(path))
    if not node.GetStorageNode().WriteData(node):
        raise OSError(f"{path} cannot be written")


def save_scene(path: Path) -> None:
    """Write `slicer.mrmlScene` with all its data as a .mrb."""
    path.unlink(missing_ok=True)  # Slicer asks before it replaces a file; without the application it refuses
    if not slicer.mrmlScene.WriteToMRB(str(path)):
        raise OSError(f"{path} cannot be written")
