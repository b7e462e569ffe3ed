"""Segment and Cancel, pressed in the panel, with the real worker: the result comes in whole, or nothing does."""

import json
import os
import sys
import time

import numpy as np
import psutil
import pytest
import SimpleITK as sitk
from synthetic_scan import addScan, resultNodes, segmentNames

from SpineInference.options import SegmentationOptions


def run(host, panel) -> str:
    """Press Segment and wait for the end; what the panel then says."""
    panel.ui.segmentButton.click()
    host.process(until=lambda: not panel.logic.isRunning, timeout=60)
    return panel.ui.statusLabel.text


def workers() -> list[psutil.Process]:
    own = psutil.Process().children(recursive=True)
    alive = [each for each in own if each.status() != psutil.STATUS_ZOMBIE]
    return [each for each in alive if any("SpineInference" in word for word in each.cmdline())]


def test_segment_shows_progress_and_result(host, panel, temporary, monkeypatch):
    panel._parameterNode.topLevel = "L1"
    seen, said, say = [], [], panel.run.showStatus
    monkeypatch.setattr(
        panel.run, "showStatus", lambda *words, **manner: (said.append(words[0]), say(*words, **manner))
    )
    panel.ui.segmentButton.click()
    assert panel.ui.segmentButton.text == "Cancel"
    assert not panel.ui.inputsWidget.enabled
    assert panel.ui.progressBar.visible

    def ended():
        seen.append(panel.ui.progressBar.value)
        return not panel.logic.isRunning

    host.process(until=ended, timeout=60)
    assert seen == sorted(seen) and seen[-1] > 900
    assert any("axial slice" in text for text in said)
    assert panel.ui.statusLabel.text.startswith("3 vertebral bodies found in")
    assert (panel.ui.segmentButton.text, panel.ui.segmentButton.enabled) == ("Segment", True)
    assert not panel.ui.progressBar.visible
    result = panel._parameterNode.result
    assert segmentNames(result.GetNodeReference("segmentation")) == ["L1", "L2", "L3"]
    assert panel.ui.resultWidget.visible
    assert not list(temporary.iterdir())
    log = panel.ui.logText.plainText
    assert "written for the worker in" in log and "brought into the scene in" in log and "Computed on CPU" in log
    panel.ui.copyLogButton.click()
    import qt

    assert qt.QApplication.clipboard().text() == log


def test_worker_stays_until_reload(host, panel):
    run(host, panel)
    [first] = workers()
    run(host, panel)
    assert workers() == [first]
    host.reload()
    assert not workers()


def test_cancel_leaves_nothing_behind(host, panel, temporary):
    panel.ui.segmentButton.click()
    host.process(until=lambda: panel.ui.progressBar.value > 0, timeout=60)
    panel.ui.segmentButton.click()
    assert not panel.ui.segmentButton.enabled
    host.process(until=lambda: not panel.logic.isRunning, timeout=10)
    assert panel.ui.statusLabel.text.startswith("Cancelled")
    assert panel.ui.segmentButton.enabled
    assert not workers() and not resultNodes() and not list(temporary.iterdir())
    assert run(host, panel).startswith("3 vertebral bodies")


@pytest.mark.parametrize("event", ["scene closed", "volume removed", "reload"])
def test_interrupted_run_leaves_nothing_behind(host, panel, temporary, event):
    import slicer

    ends = []
    panel.ui.segmentButton.click()
    logic = panel.logic
    run = logic._current.run
    inner, run._onEnd = run._onEnd, lambda *end: (ends.append(end), inner(*end))
    host.process(until=lambda: panel.ui.progressBar.value > 0, timeout=60)
    if event == "scene closed":
        host.closeScene()
    elif event == "volume removed":
        slicer.mrmlScene.RemoveNode(panel._parameterNode.inputVolume)
    else:
        host.reload()
    host.process(until=lambda: not logic.isRunning, timeout=10)
    assert len(ends) == 1
    assert not workers() and not resultNodes() and not list(temporary.iterdir())
    if event == "volume removed":
        assert "was removed from the scene" in panel.ui.statusLabel.text
        assert not panel.ui.segmentButton.enabled


def test_folder_of_a_killed_slicer_is_deleted(host, panel, temporary):
    from SpineSegmentationLib.worker.ExchangeFolder import MARK, PREFIX

    for name in (f"{PREFIX}left", "SpineSegmentation-main"):  # the latter is the user's
        (temporary / name).mkdir()
        (temporary / name / "scan.nrrd").write_bytes(b"voxels")
        (temporary / name / MARK).write_text(json.dumps({"program": "SpineSegmentation", "folder": name}))
        os.utime(temporary / name, (time.time() - 2 * 86400,) * 2)
    panel.ui.segmentButton.click()
    panel.ui.segmentButton.click()
    host.process(until=lambda: not panel.logic.isRunning, timeout=10)
    assert [path.name for path in temporary.iterdir()] == ["SpineSegmentation-main"]


def test_run_continues_while_another_module_is_shown(host, panel):
    panel.ui.segmentButton.click()
    host.select("")
    host.process(until=lambda: not panel.logic.isRunning, timeout=60)
    host.select("SpineSegmentation")
    assert panel.ui.segmentButton.text == "Segment"
    assert panel.ui.resultWidget.visible


def test_empty_result_is_explained(host, panel):
    panel._parameterNode.postprocessing = "adjusted"
    panel._parameterNode.minIslandMm3 = 20000.0  # more than a cylinder has
    text = run(host, panel)
    assert text.startswith("No vertebral body was found")
    assert "Likely reasons" in text
    assert not resultNodes()
    assert not panel.ui.errorDetailsCollapsibleButton.visible


def test_error_is_one_sentence(host, panel):
    import slicer

    slicer.util.arrayFromVolume(panel._parameterNode.inputVolume)[:] = 7
    text = run(host, panel)
    assert '"scan"' in text and "same value" in text and text.count(".") == 1, text
    assert not panel.ui.errorDetailsCollapsibleButton.visible
    assert not host.dialogs.shown
    assert not resultNodes()


def test_unstartable_worker_shows_details(host, panel, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing python"))
    text = run(host, panel)
    assert "ended without a result" in text
    assert panel.ui.errorDetailsCollapsibleButton.visible and panel.ui.errorDetailsCollapsibleButton.collapsed
    assert "missing python" in panel.ui.errorDetailsText.plainText
    monkeypatch.undo()


def test_next_run_works_after_a_worker_died(host, panel):
    panel.ui.segmentButton.click()
    host.process(until=lambda: panel.ui.progressBar.value > 0, timeout=60)
    workers()[0].kill()
    host.process(until=lambda: not panel.logic.isRunning, timeout=10)
    assert "ended without a result" in panel.ui.statusLabel.text
    assert not resultNodes()
    assert run(host, panel).startswith("3 vertebral bodies")


def test_replacing_the_output_asks_and_can_be_undone(host, panel):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "chosen")
    node.CreateDefaultDisplayNodes()
    node.GetSegmentation().AddEmptySegment("drawn", "drawn by hand")
    panel._parameterNode.outputSegmentation = node
    host.dialogs.answer("Cancel")
    panel.ui.segmentButton.click()
    assert not panel.logic.isRunning
    assert 'Replace the 1 segments of "chosen"?' in host.dialogs.texts[-1]
    host.dialogs.answer("OK")
    run(host, panel)
    assert segmentNames(node) == ["Vertebra 1", "Vertebra 2", "Vertebra 3"]
    assert panel.ui.restoreButton.visible
    panel.ui.restoreButton.click()
    assert segmentNames(node) == ["drawn by hand"]
    assert panel.ui.restoreButton.text == "Bring the new segments back"
    panel.ui.restoreButton.click()
    assert segmentNames(node) == ["Vertebra 1", "Vertebra 2", "Vertebra 3"]


def test_restore_brings_table_and_visibility_back(host, panel):
    panel._parameterNode.topLevel = "L1"
    run(host, panel)
    node = panel._parameterNode.result.GetNodeReference("segmentation")
    display, segmentation = node.GetDisplayNode(), node.GetSegmentation()
    display.SetSegmentVisibility(segmentation.GetSegmentIdBySegmentName("L2"), False)
    node.CreateClosedSurfaceRepresentation()
    panel._parameterNode.outputSegmentation = node
    panel._parameterNode.topLevel = "numbered"
    host.dialogs.answer("OK")
    run(host, panel)

    def seen() -> list[bool]:
        return [display.GetSegmentVisibility(each) for each in segmentation.GetSegmentIDs()]

    assert panel.ui.resultTable.item(0, 0).text() == "Vertebra 1"
    assert seen() == [True, True, True] and segmentation.ContainsRepresentation("Closed surface")
    panel.ui.restoreButton.click()
    assert panel.ui.resultTable.item(0, 0).text() == "L1"
    assert panel.ui.statusLabel.text == "The previous segments are back."
    assert seen() == [True, False, True] and segmentation.ContainsRepresentation("Closed surface")
    panel.ui.restoreButton.click()
    assert panel.ui.resultTable.item(0, 0).text() == "Vertebra 1"
    assert seen() == [True, True, True]


def test_closed_scene_offers_no_restore(host, panel, tmp_path):
    run(host, panel)
    panel._parameterNode.outputSegmentation = panel._parameterNode.result.GetNodeReference("segmentation")
    host.saveScene(tmp_path / "scene.mrb")
    host.dialogs.answer("OK")
    run(host, panel)
    assert panel.ui.restoreButton.visible
    host.closeScene()
    assert panel.ui.statusLabel.text == ""
    host.loadScene(tmp_path / "scene.mrb")  # its segmentation has the same ID
    assert panel.ui.resultWidget.visible and not panel.ui.restoreButton.visible


def test_failed_run_leaves_the_output_unchanged(host, panel):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "chosen")
    node.GetSegmentation().AddEmptySegment("drawn", "drawn by hand")
    panel._parameterNode.outputSegmentation = node
    host.dialogs.answer("OK", "OK")
    panel.ui.segmentButton.click()
    panel.ui.segmentButton.click()
    host.process(until=lambda: not panel.logic.isRunning, timeout=10)
    slicer.util.arrayFromVolume(panel._parameterNode.inputVolume)[:] = 7
    run(host, panel)
    assert segmentNames(node) == ["drawn by hand"]
    assert not panel.ui.restoreButton.visible


def test_compare_with_a_reference(host, panel):
    run(host, panel)
    reference = panel._parameterNode.result.GetNodeReference("segmentation")
    panel._parameterNode.referenceSegmentation = reference
    run(host, panel)
    table = panel._parameterNode.result.GetTable()
    assert [table.GetColumnByName("dice").GetValue(row) for row in range(3)] == [1, 1, 1]
    names = [table.GetColumnByName("reference_label").GetValue(row) for row in range(3)]
    assert names == segmentNames(reference)
    panel._parameterNode.outputSegmentation = reference
    host.dialogs.answer("OK")
    assert "is both the reference and the output" in run(host, panel)


def test_script_and_command_line_agree(host, small_models, temporary, tmp_path):
    from SpineInference.app import cli
    from SpineSegmentationLib.scene.volumes.VolumeExchange import imageFromVolume

    host.loadModule("SpineSegmentation")
    from SpineSegmentation import SpineSegmentationLogic

    logic = SpineSegmentationLogic()
    volumeNode = addScan()
    options = SegmentationOptions(small_models, top_level="L1", device="cpu")
    result = logic.segment(volumeNode, options, onText=lambda line: None)
    logic.close()
    sitk.WriteImage(imageFromVolume(volumeNode), str(tmp_path / "scan.nrrd"))
    arguments = [str(tmp_path / "scan.nrrd"), "-o", str(tmp_path / "out"), "--model", small_models]
    assert cli.main([*arguments, "--top-level", "L1", "--device", "cpu"]) == 0
    [labels] = (tmp_path / "out").rglob("*_labels.nii.gz")
    from SpineSegmentationLib.scene.segmentations.SegmentationLabels import labelsOfSegmentation

    found = sitk.GetArrayFromImage(labelsOfSegmentation(result.segmentationNode)[0])
    assert found.any()
    assert np.array_equal(found, sitk.GetArrayFromImage(sitk.ReadImage(str(labels))))
