"""A person's first hour with the module: sample scan, a cancelled and a finished segmentation, looking, saving.

Takes the screenshots of the README on the way.
"""

import os
import time

import numpy as np
import slicer
from session import StallProbe, arguments, body_names, label_array, nodes, panel, run, segment_names
from windows import grab_panel, grab_window, prepare_window, press_cell

EXPECTED = ["T12", "L1", "L2", "L3", "L4", "L5"]
"""The bodies that are whole in the sample scan: these have to be found, and found well."""


def steps(facts):
    probe = StallProbe()
    prepare_window()
    slicer.util.selectModule("SpineSegmentation")
    yield 1.5
    ui = panel().ui
    assert not ui.segmentButton.enabled, "Segment can be pressed without a scan"

    ui.sampleButton.click()
    yield "the sample scan", lambda: ui.segmentButton.enabled
    [volumeNode] = nodes("vtkMRMLScalarVolumeNode")
    assert ui.inputSelector.currentNode() is volumeNode
    truthNode = _truth(volumeNode)
    truthNode.SetDisplayVisibility(False)  # the pictures shall show the scan and the result
    assert ui.levelSelector.currentText == "automatic"
    ui.referenceSelector.setCurrentNode(truthNode)
    yield 1.5
    grab_window("idle")

    probe.reset()
    before = _scene()
    started = time.perf_counter()
    ui.segmentButton.click()
    facts["busy with the click, s"] = round(time.perf_counter() - started, 2)
    yield "first progress", lambda: ui.progressBar.value > 0
    facts["click to first progress, s"] = round(time.perf_counter() - started, 2)
    yield "half of the work", lambda: ui.progressBar.value > 0.3 * ui.progressBar.maximum
    grab_window("running")
    assert ui.segmentButton.text == "Cancel"
    pressed = time.perf_counter()
    ui.segmentButton.click()
    yield "the end after Cancel", lambda: ui.segmentButton.text == "Segment" and ui.segmentButton.enabled
    facts["cancel to end, s"] = round(time.perf_counter() - pressed, 2)
    changed = set(_scene().items()) ^ set(before.items())
    assert not changed, f"Cancel has changed the scene: {changed}"

    yield 0.5
    probe.reset()
    started = time.perf_counter()
    ui.segmentButton.click()
    yield "progress", lambda: ui.progressBar.value > 0
    facts["longest stall when starting, ms"] = str(probe)
    probe.reset()
    yield "the last stage", lambda: ui.progressBar.value > 0.9 * ui.progressBar.maximum or not panel().logic.isRunning
    facts["longest stall while segmenting, ms"] = str(probe)
    probe.reset()
    yield "the result", lambda: ui.segmentButton.text == "Segment" and len(nodes("vtkMRMLSegmentationNode")) == 2
    facts["segmented in, s"] = round(time.perf_counter() - started, 1)
    yield 0.5
    facts["longest stall when importing, ms"] = str(probe)

    [resultNode] = [node for node in nodes("vtkMRMLSegmentationNode") if node is not truthNode]
    facts["bodies"] = body_names(resultNode)
    facts["beside them"] = [name for name in segment_names(resultNode) if name not in facts["bodies"]]
    facts["levels"] = ui.resultLabel.text
    assert facts["bodies"][0] == "T11" and "confidence" in facts["levels"]
    facts["Dice"] = _check_result(resultNode, truthNode, volumeNode)
    assert len(nodes("vtkMRMLTableNode")) >= 1
    facts["quality"] = _quality(ui.resultTable)
    assert len(facts["quality"]) == len(facts["bodies"])

    ui.show3DButton.setChecked(True)  # click() would open its menu, and wait
    yield "surfaces", lambda: resultNode.GetSegmentation().ContainsRepresentation("Closed surface")
    prepare_window()
    yield 1
    slicer.util.resetThreeDViews()
    slicer.util.resetSliceViews()
    row = facts["bodies"].index("L3")
    press_cell(ui.resultTable, row)
    yield 0.5
    facts["jump to L3, mm off"] = round(_distance_to_slices(resultNode, truthNode, volumeNode), 1)
    assert facts["jump to L3, mm off"] < 5
    yield 1.5
    grab_window("finished")
    grab_panel(panel(), "panel")
    ui.tableAndPlotButton.click()
    yield 2
    grab_window("table-and-plot")
    ui.tableAndPlotButton.click()
    prepare_window()
    yield 1

    voxels, choices = label_array(resultNode, volumeNode), _choices(resultNode)
    _check_export(resultNode, voxels)
    ui.levelSelector.setCurrentIndex(ui.levelSelector.findText("T12"))
    path = os.path.join(arguments()["folder"], "saved.mrb")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear()
    yield 1
    assert not ui.segmentButton.enabled, "Segment can be pressed in an empty scene"
    assert slicer.util.loadScene(path)
    yield 1.5
    volumeNode = slicer.util.getNode(choices["volume"])
    resultNode = slicer.util.getNode(choices["result"])
    assert _choices(resultNode) == choices, f"{choices} became {_choices(resultNode)}"
    assert np.array_equal(label_array(resultNode, volumeNode), voxels), "the saved voxels are others"
    assert ui.levelSelector.currentText == "T12" and "Edited since" not in ui.resultLabel.text
    assert ui.inputSelector.currentNode() is volumeNode

    ui.editButton.click()
    yield 1.5
    assert slicer.util.selectedModule() == "SegmentEditor"
    grab_window("edit")

    _halve("L3", resultNode, volumeNode)
    slicer.util.selectModule("SpineSegmentation")
    yield 1
    assert "Edited since" in ui.resultLabel.text
    tables, volume = len(nodes("vtkMRMLTableNode")), _volume(ui.resultTable, "L3")
    started = time.perf_counter()
    ui.measureButton.click()
    yield "the new measurements", lambda: not panel().logic.isRunning
    facts["measured again in, s"] = round(time.perf_counter() - started, 1)
    assert ui.statusLabel.text == "Measured again." and "Edited since" not in ui.resultLabel.text
    assert 0.3 * volume < _volume(ui.resultTable, "L3") < 0.7 * volume
    assert len(nodes("vtkMRMLTableNode")) > tables, "the first measurements are gone"
    grab_panel(panel(), "measured-again")


def _halve(name, segmentationNode, volumeNode):
    """Erase half of a segment, as strokes of the Segment Editor's eraser do."""
    segmentId = segmentationNode.GetSegmentation().GetSegmentIdBySegmentName(name)
    array = slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, segmentId, volumeNode)
    filled = np.argwhere(array)
    array[: int(np.median(filled[:, 0]))] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, segmentationNode, segmentId, volumeNode)


def _volume(table, level) -> float:
    """What the panel's table says of a level, in cm3."""
    titles = [table.horizontalHeaderItem(column).text() for column in range(table.columnCount)]
    row = next(row for row in range(table.rowCount) if table.item(row, 0).text().rstrip(" *") == level)
    return float(table.item(row, titles.index("cm³")).text())


def _truth(volumeNode):
    from SpineSegmentationLib.scene.SampleScan import loadSampleTruth

    return loadSampleTruth(volumeNode)


def _scene() -> dict:
    """How many nodes of each class there are."""
    classes = [slicer.mrmlScene.GetNthNode(i).GetClassName() for i in range(slicer.mrmlScene.GetNumberOfNodes())]
    return {name: classes.count(name) for name in sorted(set(classes))}


def _check_result(resultNode, truthNode, volumeNode) -> dict:
    """Dice by name of the body; the voxels lie on the grid of the volume, in one layer, with codes."""
    result, truth = label_array(resultNode, volumeNode), label_array(truthNode, volumeNode)
    assert result.shape == slicer.util.arrayFromVolume(volumeNode).shape
    values = {}
    for node in (resultNode, truthNode):
        segmentation = node.GetSegmentation()
        for i in range(segmentation.GetNumberOfSegments()):
            segment = segmentation.GetNthSegment(i)
            values[node.GetID(), segment.GetName()] = segment.GetLabelValue()
    dice = {}
    for name in EXPECTED:
        found, true = (
            array == values[node.GetID(), name] for array, node in ((result, resultNode), (truth, truthNode))
        )
        dice[name] = round(float(2 * (found & true).sum() / (found.sum() + true.sum())), 3)
    assert min(dice.values()) > 0.85, dice
    assert resultNode.GetSegmentation().GetNumberOfLayers() == 1
    role = resultNode.GetReferenceImageGeometryReferenceRole()
    assert resultNode.GetNodeReference(role) is volumeNode
    return dice


def _quality(table) -> list[float]:
    """The quality of each body; those below 0.8 are marked to be looked at first."""
    titles = [table.horizontalHeaderItem(column).text() for column in range(table.columnCount)]
    texts = [table.item(row, titles.index("Quality")).text() for row in range(table.rowCount)]
    values = [float(text.removesuffix(" !")) for text in texts]
    assert all(
        0 < value <= 1 and text.endswith("!") == (value < 0.8) for value, text in zip(values, texts, strict=True)
    )
    return values


def _choices(resultNode) -> dict:
    """What has to survive saving: names, values, codes and colours of the segments, the source, and the tables."""
    import vtk

    segmentation = resultNode.GetSegmentation()
    described = []
    for i in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(i)
        code = vtk.mutable("")
        segment.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), code)
        name = segment.GetName()
        meaning = "Intervertebral disc" if name.startswith("Disc") else name if "canal" in name else f"{name} vertebra"
        assert f"^{meaning}~" in code.get(), code.get()
        colour = [round(channel, 3) for channel in segment.GetColor()]
        described.append([segment.GetName(), segment.GetLabelValue(), code.get(), colour])
    role = resultNode.GetReferenceImageGeometryReferenceRole()
    return {
        "result": resultNode.GetName(),
        "volume": resultNode.GetNodeReference(role).GetName(),
        "segments": described,
        "tables": sorted((node.GetName(), node.GetNumberOfRows()) for node in nodes("vtkMRMLTableNode")),
    }


def _check_export(resultNode, voxels) -> None:
    """Behind the menu Export: a label map, a surface for each body, and a table are written and hold the result."""
    import SimpleITK as sitk

    from SpineSegmentationLib.scene.results import ResultExport

    folder = arguments()["folder"]
    labels = os.path.join(folder, "exported.nii.gz")
    ResultExport.exportLabelMap(resultNode, labels)
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(labels)), voxels)
    surfaces = ResultExport.exportSurfaces(resultNode, folder)
    assert len(surfaces) == len(segment_names(resultNode)) and all(os.path.getsize(path) > 1000 for path in surfaces)
    table = os.path.join(folder, "exported.csv")
    ResultExport.exportTable(nodes("vtkMRMLTableNode")[0], table)
    with open(table, encoding="utf-8-sig") as file:
        assert len(file.read().splitlines()) == 1 + len(segment_names(resultNode))


def _distance_to_slices(resultNode, truthNode, volumeNode) -> float:
    """How far (mm) the centre of L3 lies from the three slices that are shown, at most."""
    import vtk

    truth = label_array(truthNode, volumeNode)
    label = truthNode.GetSegmentation().GetSegment(truthNode.GetSegmentation().GetSegmentIdBySegmentName("L3"))
    k, j, i = np.argwhere(truth == label.GetLabelValue()).mean(axis=0)
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    centre = np.array(matrix.MultiplyPoint((i, j, k, 1)))[:3]
    distances = []
    for name in ("Red", "Yellow", "Green"):
        sliceToRas = slicer.app.layoutManager().sliceWidget(name).mrmlSliceNode().GetSliceToRAS()
        normal = np.array([sliceToRas.GetElement(axis, 2) for axis in range(3)])
        origin = np.array([sliceToRas.GetElement(axis, 3) for axis in range(3)])
        distances.append(abs(float((centre - origin) @ normal)))
    return max(distances)


run(steps, arguments()["report"])
