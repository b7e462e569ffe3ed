"""The measures of the spine in the panel: a row a level, lines in the views, points, text in the clipboard, a file."""

import csv
import os

import numpy as np
import slicer
import vtk
from module_use import choose_level, open_module, segment
from scans import add_scan
from session import arguments, nodes, panel, run, segmentation_of
from windows import grab_window, prepare_window, press_cell


def steps(facts):
    prepare_window()
    ui = yield from open_module()
    scan = add_scan()
    choose_level("L1")
    yield from segment(scan)
    from SpineSegmentationLib.scene.results.SpineMeasures import measuresOf

    measures = measuresOf(panel()._parameterNode.result)
    levels = list(dict.fromkeys(each.at for each in measures if each.kind == "level"))
    table = ui.measuresTable
    shown = [table.item(row, 0).text().removesuffix(" !") for row in range(table.rowCount)]
    assert ui.measuresCollapsibleButton.visible and len(levels) >= 2
    assert shown[: len(levels)] == levels, (shown, levels)
    facts["rows"] = ", ".join(shown)
    assert not _lines(), "nothing is drawn before a click"

    ui.measuresCollapsibleButton.collapsed = False
    yield 0.5
    for level in levels:
        expected = {line for each in measures if each.at == level for line in each.lines}
        if not expected:
            continue
        press_cell(table, levels.index(level))
        yield 0.5
        drawn = _lines()
        assert all(node.GetLocked() and not node.GetSaveWithScene() for node in drawn), level
        assert _ends(drawn) == sorted(_rounded(line) for line in expected), (level, _ends(drawn))
        assert level in ui.statusLabel.text, ui.statusLabel.text
        facts[f"lines of {level}"] = len(drawn)
    assert any("lines of" in name for name in facts), "no level has a line"
    grab_window("spine-measures")
    _check_slices_show(drawn)

    ui.pointsButton.click()
    facts["points"] = ui.statusLabel.text
    added = [node for node in nodes("vtkMRMLMarkupsNode") if node not in drawn]
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    beside = [panel()._parameterNode.result, *added]
    folders = {hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) for node in beside}
    assert added and len(folders) == 1 and hierarchy.IsItemLevel(folders.pop(), "Folder"), facts["points"]

    ui.tableAndPlotButton.setChecked(True)
    yield 1
    names = slicer.app.layoutManager().plotWidget(0).plotView().chart().GetAxis(vtk.vtkAxis.BOTTOM).GetTickLabels()
    facts["below the chart"] = ", ".join(names.GetValue(index) for index in range(names.GetNumberOfValues()))
    assert facts["below the chart"].startswith("L1, L2, L3"), "Slicer would number the levels"

    ui.copyMeasuresButton.click()
    text = slicer.app.clipboard().text()
    assert "not for clinical use" in text and all(f"{level}: " in text for level in levels), text
    from SpineSegmentationLib.panel import Dialogs

    path = os.path.join(arguments()["folder"], "measures.csv")
    Dialogs.askSaveFile = lambda *_: path
    ui.saveMeasuresButton.click()
    assert ui.statusLabel.text == f"Written: {path}", ui.statusLabel.text
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["at"], row["measure"]) for row in rows] == [(each.at, each.name) for each in measures]
    facts["rows of the CSV"] = len(rows)

    ui.inputSelector.setCurrentNode(add_scan("Another"))
    yield 1
    assert not _lines() and not ui.measuresCollapsibleButton.visible, "lines are not seen on another scan"
    assert not any(node.GetDisplayVisibility() for node in added), "points are not seen on another scan"
    slicer.mrmlScene.RemoveNode(segmentation_of(scan))
    yield "the points to go, too", lambda: not nodes("vtkMRMLMarkupsNode")


def _lines() -> list:
    return nodes("vtkMRMLMarkupsLineNode")


def _rounded(line) -> tuple:
    """A line of LPS points as RAS, in tenths of a mm, so that two ways to the same number are equal."""
    return tuple((round(-x, 1) + 0.0, round(-y, 1) + 0.0, round(z, 1) + 0.0) for x, y, z in line)


def _ends(lines) -> list:
    """The ends of lines as `_rounded` puts them."""
    found = []
    for node in lines:
        ends = [[0.0] * 3, [0.0] * 3]
        for index, end in enumerate(ends):
            node.GetNthControlPointPositionWorld(index, end)
        found.append(tuple(tuple(round(x, 1) + 0.0 for x in end) for end in ends))
    return sorted(found)


def _check_slices_show(lines) -> None:
    """The slice views have gone to the lines."""
    ends = np.array(_ends(lines)).reshape(-1, 3)
    for name, axis in (("Yellow", 0), ("Red", 2)):
        at = slicer.app.layoutManager().sliceWidget(name).mrmlSliceNode().GetSliceToRAS().GetElement(axis, 3)
        assert abs(at - ends[:, axis].mean()) < 2, (name, at, ends[:, axis])


run(steps, arguments()["report"])
