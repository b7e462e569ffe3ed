"""A single slice: an edit of its result is noticed at once, and it is measured again; nothing else asks for it."""

import os

import numpy as np
import slicer
from module_use import open_module, segment
from scans import add_scan
from session import arguments, nodes, panel, run
from windows import grab_window, prepare_window

NOTE = "Edited since"


def steps(facts):
    prepare_window()
    ui = yield from open_module()
    volumeNode = middle_slice(add_scan("Whole"))
    yield from segment(volumeNode)
    facts["said"] = ui.statusLabel.text
    [node] = nodes("vtkMRMLSegmentationNode")
    titles = [ui.resultTable.horizontalHeaderItem(column).text() for column in range(ui.resultTable.columnCount)]
    assert "cm³" not in titles and NOTE not in ui.resultLabel.text
    name = ui.resultTable.item(1, 0).text().rstrip(" *")

    # Looking, renaming to the same name, a scene that is saved and loaded, and another module change nothing.
    slicer.util.selectModule("SegmentEditor")
    yield 1
    slicer.util.selectModule("SpineSegmentation")
    yield 1
    assert NOTE not in ui.resultLabel.text
    path = os.path.join(arguments()["folder"], "slice.mrb")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear()
    yield 1
    assert slicer.util.loadScene(path)
    yield 1.5
    assert ui.resultTable.rowCount > 1 and NOTE not in ui.resultLabel.text, ui.resultLabel.text
    assert all_rows_fit(ui.resultTable), "the table of a loaded scene is cut off"
    [node] = nodes("vtkMRMLSegmentationNode")

    segmentId = node.GetSegmentation().GetSegmentIdBySegmentName(name)
    array = slicer.util.arrayFromSegmentBinaryLabelmap(node, segmentId)
    before = int(array.sum())
    filled = np.argwhere(array)
    array[tuple(filled[len(filled) // 2])] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, segmentId)
    yield "the note", lambda: NOTE in ui.resultLabel.text
    yield 0.5
    assert all_rows_fit(ui.resultTable)
    grab_window("single-slice-edited")
    ui.measureButton.click()
    yield "the new measurements", lambda: not panel().logic.isRunning
    yield 0.5
    assert ui.statusLabel.text == "Measured again." and NOTE not in ui.resultLabel.text
    facts["pixels"] = f"{before}, one of them erased"
    qualities = {
        ui.resultTable.item(row, 0).text().rstrip(" *"): ui.resultTable.item(row, titles.index("Quality")).text()
        for row in range(ui.resultTable.rowCount)
    }
    assert qualities.pop(name) == "" and any(qualities.values()), (
        f"the quality of the edited body alone is gone: {qualities}"
    )


def all_rows_fit(table) -> bool:
    """Whether the table is as high as its header and its rows."""
    rows = sum(table.rowHeight(row) for row in range(table.rowCount))
    return table.viewport().height >= rows


def middle_slice(volumeNode):
    """The sagittal slice in the middle of a scan as a volume of its own; the scan is removed."""
    array = slicer.util.arrayFromVolume(volumeNode)
    thin = array[:, :, array.shape[2] // 2 : array.shape[2] // 2 + 1].copy()
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    slicer.mrmlScene.RemoveNode(volumeNode)
    return slicer.util.addVolumeFromArray(thin, ijkToRAS=slicer.util.arrayFromVTKMatrix(matrix), name="One slice")


run(steps, arguments()["report"])
