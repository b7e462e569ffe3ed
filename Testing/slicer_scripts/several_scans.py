"""Several scans, one after the other: progress over all, an overview that leads to each result, and Cancel in between.

One scan is full of NaN: it is told, and stops no other one.
"""

import os

import numpy as np
import qt
import slicer
from module_use import choose_level, open_module
from scans import add_scan
from session import (
    StallProbe,
    arguments,
    nodes,
    panel,
    run,
    segmentation_of,
    shown_scans,
    visible_segmentations,
)
from windows import grab_panel, grab_window, prepare_window, press_cell


def steps(facts):
    prepare_window()
    ui = yield from open_module()
    first, second = add_scan("First"), add_scan("Second")
    slicer.util.addVolumeFromArray(np.full((9, 20, 30), np.nan, np.float32), name="Broken")
    third = add_scan("Third")
    ui.inputSelector.setCurrentNode(second)
    choose_level("L1")
    ui.scansCollapsibleButton.collapsed = False
    yield 1
    assert checked(ui) == ["First", "Second", "Broken", "Third"]
    assert "L1" in ui.scansHintLabel.text
    grab_panel(panel(), "several-scans-before")

    probe = StallProbe()
    ui.segmentScansButton.click()
    yield "the second scan", lambda: ui.statusLabel.text.startswith("Scan 2 of 4, Second")
    assert ui.progressBar.value >= 250 and ui.segmentButton.text == "Cancel"
    grab_window("several-scans-running")
    yield "the end", lambda: not panel().logic.isRunning
    facts["longest stall"] = f"{probe.longest_ms:.0f} ms"
    yield 1
    facts["said"] = ui.statusLabel.text
    assert cells(ui, 0) == ["First", "Second", "Broken", "Third"] and cells(ui, 1) == ["5", "5", "", "5"]
    assert ui.statusLabel.text.startswith('3 of 4 scans are segmented.\n"Broken": ')
    assert_seen("Second", segmentation_of(second))
    assert ui.resultTable.item(0, 0).text().startswith("L1")
    yield "what is left to be done", lambda: checked(ui) == ["Broken"]
    grab_window("several-scans")
    grab_panel(panel(), "several-scans-panel")

    press_cell(ui.overviewTable, 3)
    yield 0.5
    assert_seen("Third", segmentation_of(third))

    of_first = segmentation_of(first)
    slicer.mrmlScene.RemoveNode(of_first)
    slicer.mrmlScene.RemoveNode(segmentation_of(third))
    yield "what is left to be done", lambda: checked(ui) == ["First", "Broken", "Third"]
    ui.segmentScansButton.click()
    yield "the third scan", lambda: ui.statusLabel.text.startswith("Scan 3 of 3")
    ui.segmentButton.click()
    yield "its end", lambda: not panel().logic.isRunning
    yield 0.5
    assert cells(ui, 1)[0] == "5" and ui.statusLabel.text.startswith("1 of 3 scans are segmented.")
    yield "what is left to be done", lambda: checked(ui) == ["Broken", "Third"]

    path = os.path.join(arguments()["folder"], "scene.mrb")
    if os.path.exists(path):
        os.remove(path)
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear(0)
    yield 0.5
    assert not ui.overviewTable.isVisible()
    assert slicer.util.loadScene(path)
    yield 1
    assert cells(ui, 0) == ["First", "Broken", "Third"]
    press_cell(ui.overviewTable, 0)
    yield 0.5
    [volumeNode] = [node for node in nodes("vtkMRMLScalarVolumeNode") if node.GetName() == "First"]
    assert_seen("First", segmentation_of(volumeNode))


def checked(ui) -> list:
    items = [ui.scansList.item(index) for index in range(ui.scansList.count)]
    return [item.text() for item in items if item.checkState() == qt.Qt.Checked]


def cells(ui, column: int) -> list:
    return [ui.overviewTable.item(row, column).text() for row in range(ui.overviewTable.rowCount)]


def assert_seen(scan, segmentation):
    seen = shown_scans(), [node.GetName() for node in visible_segmentations()]
    assert seen == ({scan}, [segmentation.GetName()]), f"{seen} is seen, and not {scan}"


run(steps, arguments()["report"])
