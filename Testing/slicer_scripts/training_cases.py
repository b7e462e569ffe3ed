"""Corrected results are saved as training cases: two in a row, where the views show them, and none over another one."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import slicer
from module_use import choose_level, open_module, segment
from scans import add_scan
from session import StallProbe, arguments, panel, run, segmentation_of
from windows import grab_panel, grab_window, prepare_window

TURN = [[0, -1, 0, 30], [1, 0, 0, -12], [0, 0, 1, 7], [0, 0, 0, 1]]


def steps(facts):
    folder = os.path.join(arguments()["folder"], "Dataset600_Corrected")
    shutil.rmtree(folder, ignore_errors=True)
    prepare_window()
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpYellowSliceView)
    ui = yield from open_module()
    choose_level("L1")
    probe = StallProbe()
    for number, name in enumerate(("Jane Doe", "John Doe"), start=1):
        volumeNode = add_scan(name)
        if number == 2:  # another scan, under a transform
            slicer.util.updateVolumeFromArray(volumeNode, slicer.util.arrayFromVolume(volumeNode) + 1)
            put_under(volumeNode)
        yield from segment(volumeNode)
        resultNode = segmentation_of(volumeNode)
        segmentation = resultNode.GetSegmentation()
        for each in ("Disc", "Canal"):
            segmentation.RemoveSegment(segmentation.GetSegmentIdBySegmentName(each))
        erase(resultNode, volumeNode, "L2")
        yield 0.5
        probe.reset()
        ui.saveCaseButton.click()
        yield 0.5
        dialog = panel().results._caseDialog
        if number == 1:
            dialog._folder.setText(folder)
            assert dialog._name.text == "case_001" and "corrected segments are saved" in dialog._hint.text
        assert dialog._folder.text == folder and dialog._name.text == f"case_00{number}", dialog._name.text
        yield 0.5
        grab_dialog(dialog._dialog, "training-case")
        dialog._save.click()
        yield "the case", lambda: not panel().logic.isRunning
        facts[f"said of case {number}"] = os.path.basename(ui.statusLabel.text)
        facts[f"longest stall, case {number}"] = f"{probe.longest_ms:.0f} ms"
        labels = sitk.ReadImage(os.path.join(folder, "instancesTr", f"case_00{number}.nii.gz"))
        scan = sitk.ReadImage(os.path.join(folder, "imagesTr", f"case_00{number}_0000.nii.gz"))
        assert np.array_equal(sitk.GetArrayFromImage(labels), numbers_of(resultNode, volumeNode))
        assert np.array_equal(sitk.GetArrayFromImage(scan), slicer.util.arrayFromVolume(volumeNode))
        assert np.allclose(place_of(scan), place_of_node(volumeNode), atol=1e-3), "it lies where the views show it"
    grab_panel(panel(), "training-case-panel")
    grab_window("training-case-saved")

    ui.saveCaseButton.click()
    yield 0.5
    assert dialog._name.text == "case_003"
    dialog._name.setText("case_001")
    yield 0.5
    assert not dialog._save.enabled and "already, which is kept" in dialog._hint.text
    grab_dialog(dialog._dialog, "training-case-taken")
    dialog._dialog.reject()
    provenance = read_json(folder, "provenanceTr", "case_001.json")
    facts["provenance"] = {name: provenance[name] for name in ("slicer", "model", "corrected_by_hand", "segments")}
    assert provenance["corrected_by_hand"] and provenance["slicer"].startswith("5.")
    assert list(provenance["model_checksums"]) == ["by-brightness"]
    assert read_json(folder, "dataset.json")["numTraining"] == 2
    for path in Path(folder).rglob("*"):
        assert "Doe" not in path.name and (path.suffix != ".json" or "Doe" not in path.read_text("utf-8")), path


def numbers_of(segmentationNode, volumeNode):
    """The segments by their names as one array [k, j, i]: L1 is 20, and so on."""
    segmentation, result = segmentationNode.GetSegmentation(), 0
    for number, name in enumerate(("L1", "L2", "L3", "L4", "L5"), start=20):
        segmentId = segmentation.GetSegmentIdBySegmentName(name)
        result = result + number * slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, segmentId, volumeNode)
    return result


def read_json(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as file:
        return json.load(file)


def put_under(volumeNode):
    transformNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "above")
    transformNode.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.array(TURN, float)))
    volumeNode.SetAndObserveTransformNodeID(transformNode.GetID())


def erase(segmentationNode, volumeNode, name):
    """Erase the upper half of a body, as a person with the eraser does."""
    segmentId = segmentationNode.GetSegmentation().GetSegmentIdBySegmentName(name)
    array = slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, segmentId, volumeNode)
    rows = np.flatnonzero(array.any(axis=(1, 2)))
    array[: rows.mean().astype(int)] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, segmentationNode, segmentId, volumeNode)


def place_of(image):
    """Where the corners of an image lie, in RAS."""
    last = [size - 1 for size in image.GetSize()]
    return [np.array(image.TransformIndexToPhysicalPoint(index)) * [-1, -1, 1] for index in ([0, 0, 0], last)]


def place_of_node(volumeNode):
    import vtk

    matrix, toWorld = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    if volumeNode.GetParentTransformNode():
        volumeNode.GetParentTransformNode().GetMatrixTransformToWorld(toWorld)
    vtk.vtkMatrix4x4.Multiply4x4(toWorld, matrix, matrix)
    last = [size - 1 for size in volumeNode.GetImageData().GetDimensions()]
    return [np.array(matrix.MultiplyPoint((*index, 1)))[:3] for index in ([0, 0, 0], last)]


def grab_dialog(dialog, name):
    if folder := arguments().get("screenshots"):
        dialog.grab().save(os.path.join(folder, f"slicer-{name}.png"))


run(steps, arguments()["report"])
