"""The parts of the demonstration that need no model: the worker's errors reach the user, and the truth is compared."""

import numpy as np
import pytest
import SimpleITK as sitk

from SpineInference.anatomy import LEVELS
from SpineInference.app.requests import Request
from SpineInference.errors import SpineError


def test_error_of_the_worker_is_raised(tmp_path):
    from worker_process import run_worker

    events = []
    with pytest.raises(SpineError, match=r"nothing\.nii does not exist"):
        run_worker(Request(input=str(tmp_path / "nothing.nii"), output=str(tmp_path / "out")), events.append)
    assert events == []


def test_bodies_are_compared_by_overlap():
    from phantom_truth import compare

    truth, found = np.zeros((4, 6, 6), np.uint8), np.zeros((4, 6, 6), np.uint8)
    truth[:, 0:2], truth[:, 3:5] = LEVELS["L4"].label, LEVELS["L5"].label
    found[:, 0:1], found[:, 3:5], found[:, 5] = 101, 102, 103
    comparisons = compare(sitk.GetImageFromArray(found), sitk.GetImageFromArray(truth))
    assert [comparisons[label].level for label in (101, 102, 103)] == ["L4", "L5", "-"]
    assert [comparisons[label].dice for label in (101, 102, 103)] == pytest.approx([2 / 3, 1, 0])


def test_the_saved_scene_holds_everything(scene, tmp_path):
    import zipfile

    from scene_files import save_scene

    from SpineSegmentationLib.scene.MeasurementTable import addMeasurementTable
    from SpineSegmentationLib.scene.SegmentationScene import addSegmentation
    from SpineSegmentationLib.scene.VolumeExchange import addVolume

    labels = sitk.GetImageFromArray(np.full((4, 5, 6), LEVELS["L3"].label, np.uint8))
    volumeNode = addVolume(sitk.Cast(labels, sitk.sitkInt16), "scan")
    segmentationNode = addSegmentation(labels, [LEVELS["L3"]], volumeNode, "bodies")
    addMeasurementTable([{"level": "L3"}], segmentationNode, "measurements")
    save_scene(tmp_path / "scene.mrb")
    zipfile.ZipFile(tmp_path / "scene.mrb").extractall(tmp_path)

    scene.Clear(True)
    scene.SetURL(str(next(tmp_path.glob("*/*.mrml"))))
    assert scene.Connect()
    segmentationNode = scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    segment = segmentationNode.GetSegmentation().GetNthSegment(0)
    assert (segment.GetName(), segment.GetLabelValue()) == ("L3", LEVELS["L3"].label)
    source = segmentationNode.GetNodeReference(segmentationNode.GetReferenceImageGeometryReferenceRole())
    assert source.GetImageData().GetDimensions() == (6, 5, 4)
    assert scene.GetFirstNodeByClass("vtkMRMLTableNode").GetTable().GetValue(0, 0).ToString() == "L3"
