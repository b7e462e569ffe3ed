"""Several scans, one after the other: what is done stays, one that fails stops no other, and each row leads on."""

import csv

import numpy as np
import pytest
from parent_transforms import SHEAR, put_under
from synthetic_scan import addScan


@pytest.fixture
def scans(host, panel) -> dict:
    """The chosen scan of the panel, another one, one full of NaN, and one that cannot be chosen."""
    import slicer

    broken = slicer.util.addVolumeFromArray(np.full((8, 20, 20), np.nan, np.float32), name="broken")
    sheared = addScan("sheared")
    put_under(sheared, SHEAR)
    panel.ui.scansCollapsibleButton.collapsed = False
    host.process()
    found = {"scan": panel._parameterNode.inputVolume, "broken": broken, "other": addScan("other"), "sheared": sheared}
    panel.updatePanel()
    return found


def states(panel) -> dict[str, str]:
    """What each entry of the list looks like."""
    import qt

    items = [panel.ui.scansList.item(index) for index in range(panel.ui.scansList.count)]
    return {
        item.text(): "disabled"
        if not item.flags() & qt.Qt.ItemIsEnabled
        else "checked"
        if item.checkState() == qt.Qt.Checked
        else ""
        for item in items
    }


def check(panel, name: str, on: bool) -> None:
    import qt

    items = [panel.ui.scansList.item(index) for index in range(panel.ui.scansList.count)]
    [item] = [item for item in items if item.text() == name]
    item.setCheckState(qt.Qt.Checked if on else qt.Qt.Unchecked)


def finish(host, panel) -> None:
    host.process(until=lambda: not panel.logic.isRunning, timeout=120)


def overview(panel) -> list[dict]:
    from SpineSegmentationLib.scene.results.MeasurementTable import measurementsOf

    return measurementsOf(panel._parameterNode.scansOverview)


def test_scans_one_after_the_other(host, panel, scans, tmp_path):
    import slicer

    from SpineSegmentationLib.scene.results.MeasurementTable import measurementsOf, scanOf

    assert states(panel) == {"scan": "checked", "broken": "checked", "other": "checked", "sheared": "disabled"}
    panel.ui.segmentScansButton.click()
    assert panel.ui.segmentButton.text == "Cancel" and not panel.ui.segmentScansButton.enabled
    values = []
    host.process(
        until=lambda: values.append(panel.ui.progressBar.value) or "Scan 3 of 3, other: " in panel.ui.statusLabel.text,
        timeout=120,
    )
    finish(host, panel)
    assert values == sorted(values) and 600 < values[-1] < 1000
    rows = overview(panel)
    assert [row["scan"] for row in rows] == ["scan", "broken", "other"]
    assert [row["bodies"] for row in rows] == [3, None, 3]
    assert "NaN" in rows[1]["problem"] and not rows[0]["problem"]
    assert panel.ui.statusLabel.text.startswith('2 of 3 scans are segmented.\n"broken": ')
    own = measurementsOf(panel._parameterNode.result)
    assert scanOf(panel._parameterNode.result) is scans["scan"], "that of the chosen scan is shown"
    assert rows[0]["volume_mm3"] == pytest.approx(sum(row["volume_mm3"] for row in own), abs=0.2)
    assert rows[0]["lowest_quality"] == min(row["quality"] for row in own)
    assert states(panel) == {"scan": "", "broken": "checked", "other": "", "sheared": "disabled"}

    panel.ui.overviewTable.selectRow(2)
    assert panel._parameterNode.inputVolume is scans["other"]
    assert scanOf(panel._parameterNode.result) is scans["other"]
    visible = [n for n in slicer.util.getNodesByClass("vtkMRMLSegmentationNode") if n.GetDisplayVisibility()]
    assert [scanOf(node) for node in visible] == [scans["other"]], "no result lies on another scan"
    panel.ui.overviewTable.selectRow(1)
    assert panel._parameterNode.inputVolume is scans["broken"]

    host.dialogs.answer(str(tmp_path / "all.csv"))
    panel.ui.exportOverviewButton.click()
    with (tmp_path / "all.csv").open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert [row["bodies"] for row in written] == ["3", "", "3"] and "NaN" in written[1]["problem"]


def test_cancel_keeps_what_is_done(host, panel, scans, temporary):
    from SpineSegmentationLib.scene.results.ResultNodes import resultsInScene

    check(panel, "broken", False)
    panel._parameterNode.inputVolume = scans["other"]
    panel.ui.segmentScansButton.click()
    host.process(until=lambda: "Scan 2 of 2" in panel.ui.statusLabel.text, timeout=120)
    panel.ui.segmentButton.click()
    finish(host, panel)
    assert [(row["bodies"], row["problem"]) for row in overview(panel)] == [(3, ""), (None, "Cancelled.")]
    assert len(resultsInScene()) == 1
    assert panel.ui.statusLabel.text.startswith("1 of 2 scans are segmented.")
    assert states(panel)["other"] == "checked" and states(panel)["scan"] == ""
    assert not list(temporary.iterdir())


def test_closed_scene_ends_all_scans(host, panel, scans, temporary):
    import slicer

    panel.ui.segmentScansButton.click()
    host.process(until=lambda: "Segmenting" in panel.ui.statusLabel.text, timeout=120)
    slicer.mrmlScene.Clear(0)
    finish(host, panel)
    assert panel._parameterNode.scansOverview is None and panel.ui.statusLabel.text == ""
    assert not panel.ui.overviewTable.visible
    assert not list(temporary.iterdir())


def test_no_scan_is_checked(host, panel, scans):
    for name in ("scan", "broken", "other"):
        check(panel, name, False)
    panel.updatePanel()
    panel.ui.segmentScansButton.click()
    assert "Check the scans" in panel.ui.statusLabel.text and not panel.logic.isRunning
    addScan("another")
    panel.updatePanel()
    assert states(panel) == {"scan": "", "broken": "", "other": "", "sheared": "disabled", "another": "checked"}


def test_frames_of_a_sequence(host, panel):
    import slicer

    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "Flexion")
    frame = addScan("frame")
    for index in ("0", "1"):
        sequence.SetDataNodeAtValue(frame, index)
    slicer.mrmlScene.RemoveNode(frame)
    panel.ui.scansCollapsibleButton.collapsed = False
    panel.updatePanel()
    assert states(panel) == {"scan": "checked", "Flexion (2 frames)": ""}
    check(panel, "scan", False)
    check(panel, "Flexion (2 frames)", True)
    panel.ui.segmentScansButton.click()
    finish(host, panel)
    assert [(row["scan"], row["bodies"]) for row in overview(panel)] == [("Flexion 0", 3), ("Flexion 1", 3)]


def test_script_segments_several_scans(host, panel, scans):
    from SpineInference.options import SegmentationOptions
    from SpineSegmentationLib.scene.results.MeasurementTable import measurementsOf

    options = SegmentationOptions(model=panel._parameterNode.model, device="cpu", top_level="T12")
    table = panel.logic.segmentSeveral([scans["sheared"], scans["other"]], options)
    assert [row["bodies"] for row in measurementsOf(table)] == [None, 3]
    assert "harden the transform" in measurementsOf(table)[0]["problem"]
    with pytest.raises(Exception, match="no scan is chosen"):
        panel.logic.segmentSeveral([])
