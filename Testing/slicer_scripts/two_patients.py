"""Two patients in one scene: a result is never seen on another scan than its own, whatever is chosen."""

import slicer
from module_use import open_module, segment
from scans import add_scan
from session import arguments, nodes, panel, run, segmentation_of, shown_scans, visible_segmentations
from windows import grab_window, prepare_window, press_cell


def steps(facts):
    prepare_window()
    ui = yield from open_module()
    first, second = add_scan("First"), add_scan("Second")
    slicer.util.setSliceViewerLayers(background=second, fit=True)
    yield 0.5

    ui.inputSelector.setCurrentNode(first)
    yield 0.5
    assert shown_scans() == {"First"}, "choosing a scan shows it"
    slicer.util.setSliceViewerLayers(background=second, fit=True)
    yield from segment(first)
    of_first = segmentation_of(first)
    assert_seen("First", of_first)

    ui.inputSelector.setCurrentNode(second)
    yield 0.5
    assert_seen("Second", None)
    assert ui.resultTable.rowCount == 0, "no measurements of another patient stand below the chosen scan"
    grab_window("second-patient")
    yield from segment(second)
    of_second = segmentation_of(second)
    assert_seen("Second", of_second)

    ui.inputSelector.setCurrentNode(first)
    yield 0.5
    assert_seen("First", of_first)
    assert ui.resultTable.rowCount == 7
    slicer.util.setSliceViewerLayers(background=second, fit=True)
    of_second.SetDisplayVisibility(True)
    press_cell(ui.resultTable, 2)
    yield 0.5
    assert_seen("First", of_first)
    grab_window("first-patient")

    slicer.util.setSliceViewerLayers(background=first, foreground=second, foregroundOpacity=0.5)
    press_cell(ui.resultTable, 1)
    yield 0.5
    overlay = {node.GetForegroundVolumeID() for node in nodes("vtkMRMLSliceCompositeNode")}
    assert overlay == {second.GetID()}, "the person's overlay is gone"

    ui.tableAndPlotButton.click()
    yield 2
    [view] = slicer.util.findChildren(slicer.app.layoutManager().viewport(), className="qMRMLTableView")
    view.selectRow(3)
    yield 0.5
    assert ui.resultTable.currentRow() == 3, "a click in the full table jumps, too"
    edges = [
        view.columnViewportPosition(column) + view.columnWidth(column) for column in range(view.model().columnCount())
    ]
    facts["columns in sight"] = f"{sum(edge <= view.viewport().width for edge in edges)} of {len(edges)}"
    grab_window("full-table")
    ui.tableAndPlotButton.click()
    yield 1

    # The run ends while another module shows the other patient: its views stay, the result waits for the panel.
    ui.segmentButton.click()
    slicer.util.selectModule("Data")
    of_first.SetDisplayVisibility(False)
    of_second.SetDisplayVisibility(True)
    slicer.util.setSliceViewerLayers(background=second, foreground=None, fit=True)
    yield "the result", lambda: not panel().logic.isRunning
    yield 0.5
    assert_seen("Second", of_second)
    slicer.util.selectModule("SpineSegmentation")
    yield 0.5
    assert shown_scans() == {"First"} and scans_of_visible() == ["First"]


def assert_seen(scan, segmentation):
    expected = [segmentation.GetName()] if segmentation else []
    seen = shown_scans(), [node.GetName() for node in visible_segmentations()]
    assert seen == ({scan}, expected), f"{seen} is seen, and not {scan} with {expected}"


def scans_of_visible():
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    return [node.GetNodeReference(role).GetName() for node in visible_segmentations()]


run(steps, arguments()["report"])
