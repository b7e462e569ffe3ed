"""A corrected result is saved as a training case: where the views show it, several in a row, never over another one."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
from parent_transforms import QUARTER, SHEAR, put_under
from synthetic_result import erase, with_result


@pytest.fixture
def panel(host, small_models, temporary, tmp_path):
    return with_result(host, tmp_path)


def save(host, panel, folder=None) -> str:
    """Press the button and Save; what the panel says at the end."""
    panel.ui.saveCaseButton.click()
    dialog = panel.results._caseDialog
    if folder is not None:
        dialog._folder.setText(str(folder))
    assert dialog._save.enabled, dialog._hint.text
    dialog._save.click()
    host.process(until=lambda: not panel.logic.isRunning, timeout=60)
    return panel.ui.statusLabel.text


def read(path):
    return sitk.ReadImage(str(path))


def test_several_cases_in_a_row(host, panel, tmp_path, temporary):
    import slicer

    folder = tmp_path / "my cases"
    erase(panel, "L4", slice(10, 14))
    assert save(host, panel, folder).endswith("case_001_0000.nii.gz")
    labels = sitk.GetArrayFromImage(read(folder / "instancesTr" / "case_001.nii.gz"))
    assert {int(v): int((labels == v).sum()) for v in np.unique(labels)[1:]} == {23: 16 * 400, 24: 22 * 400}
    provenance = json.loads((folder / "provenanceTr" / "case_001.json").read_text("utf-8"))
    assert provenance["corrected_by_hand"] and provenance["model"] == "vertebral-bodies-mr"
    assert provenance["model_checksums"] == {"model": "abc"}
    scan = panel._parameterNode.inputVolume
    array = slicer.util.arrayFromVolume(scan)
    assert np.array_equal(sitk.GetArrayFromImage(read(folder / "imagesTr" / "case_001_0000.nii.gz")), array)
    assert save(host, panel).startswith("This scan is in")  # the folder is remembered, and the next name proposed
    array[0, 0, 0] += 1  # another scan
    assert save(host, panel).endswith("case_002_0000.nii.gz")
    assert not list(temporary.iterdir())


def test_dialog_says_what_is_wrong(host, panel, tmp_path):
    panel.ui.saveCaseButton.click()
    dialog = panel.results._caseDialog
    dialog._folder.setText("")
    assert not dialog._save.enabled and dialog._hint.text.startswith("Choose a folder")
    (tmp_path / "foreign" / "imagesTr").mkdir(parents=True)
    host.dialogs.answer(str(tmp_path / "foreign"))
    dialog._onChoose()
    assert not dialog._save.enabled and "choose a folder for your own cases" in dialog._hint.text
    dialog._folder.setText(str(tmp_path / "new"))
    assert dialog._save.enabled and dialog._name.text == "case_001"
    assert dialog._hint.text.startswith("Nothing was corrected yet")
    dialog._name.setText("a/b")
    assert not dialog._save.enabled
    dialog._folder.setText(str(tmp_path / "newer"))
    assert dialog._name.text == "a/b", "what a person has typed stays"
    dialog._name.setText("mine")
    segmentation = panel._parameterNode.result.GetNodeReference("segmentation").GetSegmentation()
    segmentation.GetNthSegment(0).SetName("Lesion")
    dialog._name.setText("mine2")
    assert "called neither like a vertebra" in dialog._hint.text
    dialog._dialog.reject()
    assert not (tmp_path / "new").exists() and not (tmp_path / "newer").exists()


def test_case_lies_where_the_views_show_it(host, panel, tmp_path):
    import slicer

    from SpineSegmentationLib.scene.volumes.VolumeExchange import ijkToRas, volumeIjkToRas

    result, volumeNode = panel._parameterNode.result, panel._parameterNode.inputVolume
    segmentationNode = result.GetNodeReference("segmentation")
    transform = put_under(volumeNode, QUARTER)
    segmentationNode.SetAndObserveTransformNodeID(transform.GetID())
    path = panel.logic.saveTrainingCase(result, tmp_path / "cases", "turned")
    assert np.allclose(ijkToRas(read(path)), np.array(QUARTER) @ volumeIjkToRas(volumeNode), atol=1e-4)
    labels = sitk.GetArrayFromImage(read(tmp_path / "cases" / "instancesTr" / "turned.nii.gz"))
    assert (labels[10:30, 10:30, 8:28] == 23).all() and (labels > 0).sum() == 42 * 400
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.array(SHEAR, float)))
    with pytest.raises(Exception, match="harden the transform"):
        panel.logic.saveTrainingCase(result, tmp_path / "cases", "sheared")
    assert not panel.logic.isRunning


def test_single_slice_is_saved(host, panel, tmp_path):
    import slicer

    from SpineInference.placement import SlicePlacement
    from SpineSegmentationLib.scene.results.MeasurementTable import setPlacement
    from SpineSegmentationLib.scene.results.ResultNodes import resultsInScene

    volumeNode = slicer.util.addVolumeFromArray(np.arange(600, dtype=np.int16).reshape(1, 20, 30))
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "drawn")
    node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    segmentId = node.GetSegmentation().AddEmptySegment("", "L3")
    array = np.zeros((1, 20, 30), np.uint8)
    array[0, 5:9, 5:15] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, segmentId, volumeNode)
    setPlacement(node, SlicePlacement("sagittal", (0.6, 0.6), True, quarter_turns=0))
    assert node not in resultsInScene()
    path = panel.logic.saveTrainingCase(node, tmp_path / "slices", "case_001")
    assert read(path).GetSpacing()[:2] == pytest.approx((0.6, 0.6))
    labels = sitk.GetArrayFromImage(read(tmp_path / "slices" / "instancesTr" / "case_001.nii.gz"))
    assert np.array_equal(labels, array * 22)


def test_cancelled_saving_leaves_nothing(host, panel, tmp_path, temporary):
    panel.ui.saveCaseButton.click()
    panel.results._caseDialog._folder.setText(str(tmp_path / "cases"))
    panel.results._caseDialog._save.click()
    assert panel.ui.segmentButton.text == "Cancel" and not panel.ui.saveCaseButton.enabled
    panel.ui.segmentButton.click()
    host.process(until=lambda: not panel.logic.isRunning, timeout=60)
    assert panel.ui.statusLabel.text.startswith("Cancelled")
    assert not list(temporary.iterdir()) and not list((tmp_path / "cases").rglob("*.nii.gz"))


def test_overlapping_segments_are_not_saved(host, panel, tmp_path):
    import slicer

    result, volumeNode = panel._parameterNode.result, panel._parameterNode.inputVolume
    node = result.GetNodeReference("segmentation")
    segmentId = node.GetSegmentation().AddEmptySegment("", "T12")
    array = slicer.util.arrayFromSegmentBinaryLabelmap(node, segmentId, volumeNode)
    array[20:50, 12:28, 10:26] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, segmentId, volumeNode)
    erase(panel, "L4", slice(0, 0))
    with pytest.raises(Exception, match="overlap"):
        panel.logic.saveTrainingCase(result, tmp_path / "cases", "case_001")
