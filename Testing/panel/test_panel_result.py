"""What can be done with a result in the panel: look at a vertebra, at table and charts, edit, export."""

import numpy as np
import pytest
import SimpleITK as sitk
from synthetic_result import erase, with_result
from synthetic_scan import addScan


@pytest.fixture
def panel(host, small_models, tmp_path):
    return with_result(host, tmp_path)


def test_table_shows_the_measurements(panel):
    table = panel.ui.resultTable
    titles = [table.horizontalHeaderItem(column).text() for column in range(table.columnCount)]
    assert titles == ["Level", "Quality", "Dice", "cm³", "Ant.", "Mid.", "Post.", "HD95", "Tilt"]
    rows = [[table.item(row, column).text() for column in range(9)] for row in range(table.rowCount)]
    assert [row[:4] for row in rows] == [["L4 *", "0.93", "1.00", "8.0"], ["L5", "0.61 !", "1.00", "8.8"]]
    assert {row[-1] for row in rows} == {"0"}, "no -0"
    tips = [table.horizontalHeaderItem(column).toolTip() for column in range(2)]
    assert "cut off by the border" in tips[0] and "! look here first" in tips[1]
    assert "All together: Dice 1.000, HD95 0.0 mm" in panel.ui.resultLabel.text


def test_another_scan_takes_the_result_along(host, panel):
    scan, result = panel._parameterNode.inputVolume, panel._parameterNode.result
    panel._parameterNode.inputVolume = addScan("another")
    host.process()
    assert panel._parameterNode.result is None and panel.ui.resultTable.rowCount == 0
    panel._parameterNode.inputVolume = scan
    host.process()
    assert panel._parameterNode.result is result and panel.ui.resultTable.rowCount == 2


def offered(panel) -> list[str]:
    selector = panel.ui.resultSelector
    return [selector.itemText(index) for index in range(selector.count)] if selector.visible else []


def test_earlier_results_can_be_chosen(host, panel, tmp_path):
    import slicer

    assert offered(panel) == [], "nothing to choose from a single result"
    first = panel._parameterNode.result
    second = with_result(host, tmp_path)._parameterNode.result
    names = offered(panel)
    assert len(names) == 2 and all("Vertebral bodies, discs and canal in MR" in name for name in names)
    panel.ui.resultSelector.currentIndex = 1
    host.process()
    assert panel._parameterNode.result is first and panel._parameterNode.inputVolume.GetName() == "scan"
    slicer.mrmlScene.RemoveNode(second)
    panel.updatePanel()
    assert [name.endswith("not measured") for name in offered(panel)] == [True, False]
    panel.ui.resultSelector.currentIndex = 0
    host.process()
    assert panel.ui.resultLabel.text == "Not measured: press Measure again."
    panel.ui.measureButton.click()
    host.process(until=lambda: not panel.logic.isRunning, timeout=60)
    assert panel.ui.resultTable.rowCount == 2
    host.saveScene(tmp_path / "scene.mrb")
    before = offered(panel)
    host.closeScene()
    assert offered(panel) == []
    host.loadScene(tmp_path / "scene.mrb")
    assert offered(panel) == before


def test_edited_result_asks_to_measure_again(host, panel):
    assert "Edited since" not in panel.ui.resultLabel.text
    erase(panel, "L4", slice(12, 13))
    panel.enter()  # as when the user comes back from the Segment Editor
    assert panel.ui.resultLabel.text.startswith("Edited since: press Measure again.")
    assert panel.ui.resultTable.item(1, 0).text() == "L5"


def test_click_on_a_row_jumps_to_the_vertebra(host, panel):
    import slicer

    panel.ui.resultTable.selectRow(1)
    host.process()
    for name in ("Red", "Yellow", "Green"):
        matrix = slicer.util.arrayFromVTKMatrix(
            slicer.app.layoutManager().sliceWidget(name).mrmlSliceNode().GetSliceToRAS()
        )
        assert np.allclose(matrix[:3, 3], (20 - 17.5, 20 - 19.5, 48 - 50.5), atol=0.01)


def test_table_and_chart_layout_toggles(host, panel):
    import slicer

    manager = slicer.app.layoutManager()
    before = manager.layout
    panel.ui.tableAndPlotButton.click()
    assert manager.layout != before
    result = panel._parameterNode.result
    selection = slicer.app.applicationLogic().GetSelectionNode()
    assert selection.GetActiveTableID() == result.GetID()
    assert selection.GetActivePlotChartID() == result.GetNodeReferenceID("heightChart")
    panel.ui.plotSelector.currentIndex = 1
    assert selection.GetActivePlotChartID() == result.GetNodeReferenceID("diceChart")
    panel.ui.tableAndPlotButton.click()
    assert manager.layout == before


def test_edit_opens_segment_editor_with_result(host, panel):
    import slicer

    node = panel._parameterNode.result.GetNodeReference("segmentation")
    panel.ui.editButton.click()
    editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
    assert editor.segmentationNode is node
    assert editor.sourceVolumeNode.GetName() == "scan"


def export(panel, index: int) -> None:
    panel.ui.exportButton.menu().actions()[index].trigger()


def test_vertebrae_are_checked_one_by_one(host, panel, tmp_path):
    def levels() -> list[str]:
        return [panel.ui.resultTable.item(row, 0).text() for row in range(2)]

    assert not panel.ui.checkedButton.enabled, "nothing is selected"
    panel.ui.nextButton.click()
    assert panel.ui.resultTable.currentRow() == 0 and panel.ui.checkedButton.enabled
    panel.ui.checkedButton.click()
    assert levels() == ["L4 * ✓", "L5"] and panel.ui.resultTable.currentRow() == 1, "the doubtful one comes next"
    panel.ui.previousButton.click()
    assert panel.ui.checkedButton.checked
    host.saveScene(tmp_path / "scene.mrb")
    host.closeScene()
    host.loadScene(tmp_path / "scene.mrb")
    assert levels() == ["L4 * ✓", "L5"]
    panel.ui.resultTable.selectRow(0)
    panel.ui.checkedButton.click()
    assert levels() == ["L4 *", "L5"] and panel.ui.resultTable.currentRow() == 0


def test_removed_segment_is_noticed(host, panel):
    segmentation = panel._parameterNode.result.GetNodeReference("segmentation").GetSegmentation()
    segmentation.RemoveSegment(segmentation.GetNthSegmentID(0))
    host.process(until=lambda: "Edited since" in panel.ui.resultLabel.text)


def test_names_are_no_html(host, panel):
    scan, node = panel._parameterNode.inputVolume, panel._parameterNode.result.GetNodeReference("segmentation")
    scan.SetName("<b>bold</b> scan")
    host.process(until=lambda: "&lt;b&gt;bold" in panel.ui.inputSelector.toolTip)
    panel._parameterNode.outputSegmentation = node
    node.SetName("<b>bold</b>")
    host.dialogs.answer("Cancel")
    panel.ui.segmentButton.click()
    assert '"&lt;b&gt;bold&lt;/b&gt;"' in host.dialogs.texts[-1]


def test_exports_ask_before_replacing_files(host, panel, tmp_path):
    host.dialogs.answer(str(tmp_path / "out"))
    export(panel, 0)
    assert "Written" in panel.ui.statusLabel.text and "out.nii.gz" in panel.ui.statusLabel.text
    assert set(np.unique(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out.nii.gz"))))) == {0, 23, 24}
    before = (tmp_path / "out.nii.gz").stat().st_mtime_ns
    host.dialogs.answer(str(tmp_path / "out"), "Cancel")  # the file dialog has not seen the suffix
    export(panel, 0)
    assert (tmp_path / "out.nii.gz").stat().st_mtime_ns == before
    host.dialogs.answer(str(tmp_path / "table.csv"))
    export(panel, 5)
    assert (tmp_path / "table.csv").read_text("utf-8").startswith("level,label,partial,quality,volume_mm3")
    host.dialogs.answer(str(tmp_path))
    export(panel, 1)
    surfaces = sorted(path.name for path in tmp_path.glob("*.stl"))
    assert surfaces == ["scan_vertebral_bodies_L4.stl", "scan_vertebral_bodies_L5.stl"]
    host.dialogs.answer(str(tmp_path), "Cancel")
    export(panel, 1)
    assert "scan_vertebral_bodies_L4.stl" in host.dialogs.texts[-1]
    host.dialogs.answer(str(tmp_path / "missing" / "table.csv"))
    export(panel, 5)
    assert "cannot be written" in panel.ui.statusLabel.text


def test_result_is_saved_with_the_scene(host, panel, tmp_path):
    import slicer

    host.saveScene(tmp_path / "scene.mrb")
    host.closeScene()
    assert not panel.ui.resultWidget.visible
    host.loadScene(tmp_path / "scene.mrb")
    assert panel.ui.resultWidget.visible
    assert panel.ui.resultTable.item(1, 0).text() == "L5"
    assert panel.ui.plotSelector.count == 2
    assert "All together: Dice 1.000" in panel.ui.resultLabel.text
    panel.ui.resultTable.selectRow(0)
    host.process()
    slicer.mrmlScene.RemoveNode(panel._parameterNode.result.GetNodeReference("segmentation"))
    host.process()
    panel.updatePanel()
    assert not panel.ui.resultWidget.visible
