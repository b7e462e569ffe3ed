"""A corrected result is measured again: the numbers are those of the segments as they are now, and nothing is lost."""

import pytest
import synthetic_result
from synthetic_result import CANAL, DISC, erase, with_result
from synthetic_scan import addScan

from SpineInference.anatomy import Naming


@pytest.fixture
def panel(host, small_models, temporary, tmp_path):
    return with_result(host, tmp_path, Naming("proposed", 0.97, "the sacrum"))


def measure(host, panel) -> list[dict]:
    """Press the button; the rows that are shown then."""
    from SpineSegmentationLib.scene.results.MeasurementTable import measurementsOf

    panel.ui.measureButton.click()
    assert panel.ui.statusLabel.text == "Measuring ..." and panel.ui.segmentButton.text == "Cancel"
    assert not panel.ui.measureButton.enabled
    host.process(until=lambda: not panel.logic.isRunning, timeout=60)
    return measurementsOf(panel._parameterNode.result)


def test_remeasure_corrected_segment(host, panel, temporary):
    import slicer

    from SpineSegmentationLib.scene.results.MeasurementTable import measurementsOf

    first = panel._parameterNode.result
    before = {row["level"]: row for row in measurementsOf(first)}
    erase(panel, "L4", slice(10, 14))
    after = {row["level"]: row for row in measure(host, panel)}
    assert panel.ui.statusLabel.text == "Measured again."
    assert after["L4"]["volume_mm3"] == pytest.approx(0.8 * before["L4"]["volume_mm3"], abs=0.1)
    assert after["L4"]["quality"] is None and after["L5"]["quality"] == before["L5"]["quality"]
    assert after["L5"]["middle_height_mm"] == before["L5"]["middle_height_mm"]
    assert "dice" not in after["L4"]  # nothing is chosen to compare with
    assert {(row["level_source"], row["level_confidence"]) for row in after.values()} == {("proposed", 0.97)}
    assert "Edited since" not in panel.ui.resultLabel.text
    assert panel.ui.resultTable.item(0, 0).text() == "L4"
    assert slicer.mrmlScene.IsNodePresent(first)
    assert {row["level"]: row for row in measurementsOf(first)} == before
    assert not list(temporary.iterdir())


def test_remeasured_discs_have_their_signal(host, small_models, temporary, tmp_path):
    from SpineSegmentationLib.scene.results.SpineMeasures import measuresOf

    panel = with_result(host, tmp_path, structures=[DISC, CANAL])
    erase(panel, "L5", slice(58, 62))
    measure(host, panel)
    measures = {each.name: each for each in measuresOf(panel._parameterNode.result) if each.at == "L4-L5"}
    assert 0.1 < measures["disc_signal"].value < 0.5 and not list(temporary.iterdir())


def test_a_stray_stroke_is_named_and_nothing_is_lost(host, small_models, temporary, tmp_path, monkeypatch):
    import slicer

    from SpineSegmentationLib.scene.results.MeasurementTable import measurementsOf

    def addLongScan():
        volumeNode = addScan()
        volumeNode.SetSpacing(1, 1, 3)
        return volumeNode

    monkeypatch.setattr(synthetic_result, "addScan", addLongScan)
    panel = with_result(host, tmp_path)
    first = panel._parameterNode.result
    before = measurementsOf(first)
    node, volumeNode = first.GetNodeReference("segmentation"), panel._parameterNode.inputVolume
    segmentId = node.GetSegmentation().GetSegmentIdBySegmentName("L4")
    array = slicer.util.arrayFromSegmentBinaryLabelmap(node, segmentId, volumeNode)
    array[94, 20, 20] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, segmentId, volumeNode)
    assert measure(host, panel) == before and panel._parameterNode.result is first
    assert "L4 reaches over 255 mm, farther than any vertebra: erase" in panel.ui.statusLabel.text
    assert "Edited since" in panel.ui.resultLabel.text and panel.ui.measureButton.enabled
    erase(panel, "L4", slice(94, 95))
    measure(host, panel)
    assert panel.ui.statusLabel.text == "Measured again." and not list(temporary.iterdir())


def test_remeasure_with_a_reference(host, panel):
    import slicer

    reference = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Expert")
    node = panel._parameterNode.result.GetNodeReference("segmentation")
    reference.GetSegmentation().DeepCopy(node.GetSegmentation())
    erase(panel, "L4", slice(10, 14))
    panel._parameterNode.referenceSegmentation = reference
    rows = measure(host, panel)
    assert [row["reference_label"] for row in rows] == ["L4", "L5"]
    assert rows[0]["dice"] == pytest.approx(2 * 16 / (16 + 20), abs=1e-3) and rows[1]["dice"] == 1
    assert "All together: Dice 0.9" in panel.ui.resultLabel.text
    assert panel.ui.plotSelector.count == 2


def test_remeasure_drawn_and_erased_vertebra(host, panel):
    import slicer

    node, volumeNode = panel._parameterNode.result.GetNodeReference("segmentation"), panel._parameterNode.inputVolume
    segmentId = node.GetSegmentation().AddEmptySegment("", "T12")
    array = slicer.util.arrayFromSegmentBinaryLabelmap(node, segmentId, volumeNode)
    array[70:90, 12:28, 10:26] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, segmentId, volumeNode)
    erase(panel, "L4", slice(None))
    rows = measure(host, panel)
    assert sorted(row["level"] for row in rows) == ["L5", "T12"]
    drawn = next(row for row in rows if row["level"] == "T12")
    assert drawn["level_source"] == "given" and drawn["quality"] is None and drawn["depth_mm"] > 0


def test_remeasure_overlapping_segments(host, panel, tmp_path):
    """Each body keeps its value, its quality and all of its voxels, whatever is drawn over it."""
    import slicer

    from SpineSegmentationLib.scene.results.MeasurementTable import measurementsOf
    from SpineSegmentationLib.scene.results.ResultExport import exportTable

    before = {row["level"]: row for row in measurementsOf(panel._parameterNode.result)}
    node, volumeNode = panel._parameterNode.result.GetNodeReference("segmentation"), panel._parameterNode.inputVolume
    for name, rows in (("Lesion", slice(20, 50)), ("T12", slice(70, 90))):
        segmentId = node.GetSegmentation().AddEmptySegment("", name)
        array = slicer.util.arrayFromSegmentBinaryLabelmap(node, segmentId, volumeNode)
        array[rows, 12:28, 10:26] = 1
        slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, segmentId, volumeNode)
    for name in ("L4", "L5"):  # on the same voxels: Slicer gives each a layer and a value of its own
        erase(panel, name, slice(0, 0))
    rows = {row["level"]: row for row in measure(host, panel)}
    assert {name: rows[name]["label"] for name in rows} == {"L4": 23, "L5": 24, "T12": 19, "Lesion": 1}
    for name in ("L4", "L5"):
        assert all(rows[name][column] == before[name][column] for column in set(rows[name]) - {"partial"})
    assert rows["Lesion"]["volume_mm3"] == pytest.approx(30 / 20 * 16 * 16 / 400 * before["L4"]["volume_mm3"], rel=1e-3)
    assert "Edited since" not in panel.ui.resultLabel.text
    exportTable(panel._parameterNode.result, str(tmp_path / "table.csv"))
    assert "L4,23,no" in (tmp_path / "table.csv").read_text("utf-8")


def test_remeasure_renamed_vertebra(host, panel):
    segmentation = panel._parameterNode.result.GetNodeReference("segmentation").GetSegmentation()
    for before, after in (("L5", "S1"), ("L4", "L5")):
        segmentation.GetSegment(segmentation.GetSegmentIdBySegmentName(before)).SetName(after)
    rows = measure(host, panel)
    assert [(row["level"], row["quality"], row["level_source"], row["level_confidence"]) for row in rows] == [
        ("L5", 0.93, "given", None),
        ("S1", 0.61, "given", None),
    ]


def test_renamed_body_of_another_value_keeps_its_quality(host, panel):
    from SpineSegmentationLib.worker.Remeasurement import _withKnownValues

    def row(level, label, shape, **more):
        return {"level": level, "label": label, "partial": "no", "shape": [[shape, 1.0, 2.0, 3.0]]} | more

    known = {"level_source": "proposed", "level_confidence": 0.97}
    before = [row("L4", 23, "a", quality=0.9, **known), row("L5", 24, "b", quality=0.6, **known)]
    renamed = _withKnownValues(row("S1", 1, "b"), before)  # as overlapping segments are numbered
    assert (renamed["quality"], renamed["level_source"], renamed["level_confidence"]) == (0.6, "given", None)
    kept = _withKnownValues(row("L4", 2, "a"), before)
    assert (kept["quality"], kept["level_source"], kept["level_confidence"]) == (0.9, "proposed", 0.97)
    edited = _withKnownValues(row("L4", 2, "c"), before)
    assert (edited["quality"], edited["level_source"]) == (None, "proposed")
    assert "shape" not in edited


def test_repeated_remeasuring_adds_no_nodes(host, panel):
    import slicer

    def count() -> dict[str, int]:
        kinds = ("Table", "PlotChart", "PlotSeries")
        return {kind: slicer.mrmlScene.GetNumberOfNodesByClass(f"vtkMRML{kind}Node") for kind in kinds}

    measure(host, panel)
    once = count()
    for stop in (11, 12):
        erase(panel, "L4", slice(10, stop))
        measure(host, panel)
    assert count() == once
    table, chart = panel._parameterNode.result, panel._parameterNode.result.GetNodeReference("heightChart")
    assert chart.GetNthPlotSeriesNode(0).GetTableNode() is table


def test_remeasure_without_scan_or_segments(host, panel):
    import slicer

    first = panel._parameterNode.result
    panel._parameterNode.referenceSegmentation = first.GetNodeReference("segmentation")
    panel.ui.measureButton.click()
    assert "cannot be compared with itself" in panel.ui.statusLabel.text and not panel.logic.isRunning
    panel._parameterNode.referenceSegmentation = None
    for name in ("L4", "L5"):
        erase(panel, name, slice(None))
    measure(host, panel)
    assert panel.ui.statusLabel.text.startswith("Nothing is left to be measured")
    assert panel._parameterNode.result is first
    slicer.mrmlScene.RemoveNode(panel._parameterNode.inputVolume)
    panel.ui.measureButton.click()
    assert "not in the scene any more" in panel.ui.statusLabel.text
    with pytest.raises(Exception, match="not in the scene any more"):
        panel.logic.measure(first)


def test_unexpected_error_shows_details(host, panel, monkeypatch):
    def fail(*arguments, **choices):
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr(panel.logic, "measure", fail)
    panel.ui.measureButton.click()
    assert panel.ui.statusLabel.text == "The disk is on fire"
    assert "RuntimeError" in panel.ui.errorDetailsText.plainText
    assert panel.ui.measureButton.enabled


def test_cancelled_remeasuring_changes_nothing(host, panel, temporary):
    import slicer

    first, tables = panel._parameterNode.result, slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode")
    panel.ui.measureButton.click()
    panel.ui.segmentButton.click()
    host.process(until=lambda: not panel.logic.isRunning, timeout=60)
    assert panel.ui.statusLabel.text == "Cancelled. The scene is as it was."
    assert panel._parameterNode.result is first
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode") == tables
    panel.ui.measureButton.click()
    slicer.mrmlScene.Clear(0)
    host.process(until=lambda: not panel.logic.isRunning, timeout=60)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode") == 0
    assert not list(temporary.iterdir())


def test_measure_returns_the_table_to_a_script(host, panel):
    from SpineSegmentationLib.scene.results.MeasurementTable import measurementsOf

    erase(panel, "L5", slice(40, 42))
    table = panel.logic.measure(panel._parameterNode.result)
    assert [row["level"] for row in measurementsOf(table)] == [
        row["level"] for row in measurementsOf(panel._parameterNode.result)
    ]
    assert measurementsOf(table)[1]["volume_mm3"] != measurementsOf(panel._parameterNode.result)[1]["volume_mm3"]
