"""Slicer's own Segment Statistics on a result: its numbers are the table's, and nothing of the result changes."""

import numpy as np
import slicer
import vtk
from module_use import choose_level, open_module, segment
from scans import add_scan
from session import arguments, nodes, panel, run, segment_names
from windows import prepare_window

KEY = "LabelmapSegmentStatisticsPlugin.volume_mm3"


def steps(facts):
    prepare_window()
    ui = yield from open_module()
    volumeNode = add_scan()
    choose_level("L1")
    yield from segment(volumeNode)
    [node] = nodes("vtkMRMLSegmentationNode")
    result = panel()._parameterNode.result
    names, described = segment_names(node), terminology(node)
    assert len(set(names)) == len(names), "no two segments have one name"
    tables = nodes("vtkMRMLTableNode")

    from SegmentStatistics import SegmentStatisticsLogic

    logic = SegmentStatisticsLogic()
    logic.getParameterNode().SetParameter("Segmentation", node.GetID())
    logic.getParameterNode().SetParameter("ScalarVolume", volumeNode.GetID())
    logic.computeStatistics()
    statistics = logic.getStatistics()
    from SpineSegmentationLib.scene.results.MeasurementTable import measurementsOf

    measured = {row["level"]: row["volume_mm3"] for row in measurementsOf(result)}
    for segmentId, name in zip(statistics["SegmentIDs"], names, strict=True):
        assert statistics[segmentId, "Segment"] == name
        assert np.isclose(statistics[segmentId, KEY], measured[name], rtol=1e-3), name
    facts["segments"] = len(names)

    tableNode = slicer.mrmlScene.AddNewNodeByClass(
        "vtkMRMLTableNode", slicer.mrmlScene.GenerateUniqueName("statistics")
    )
    logic.exportToTable(tableNode)
    assert tableNode.GetNumberOfRows() == len(names)
    yield 1
    assert panel()._parameterNode.result is result and "Edited since" not in ui.resultLabel.text
    assert ui.resultTable.item(0, 0).text().startswith("L1") and not ui.resultSelector.visible
    assert (segment_names(node), terminology(node)) == (names, described), "names and terminology are kept"
    assert "^L1 vertebra~" in described[names.index("L1")], described
    facts["terminology of L1"] = described[names.index("L1")]
    assert set(tables) <= set(nodes("vtkMRMLTableNode"))


def terminology(node) -> list:
    """The code of each segment, as Slicer writes it."""
    entries = []
    for index in range(node.GetSegmentation().GetNumberOfSegments()):
        entry = vtk.mutable("")
        node.GetSegmentation().GetNthSegment(index).GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), entry)
        entries.append(str(entry))
    return entries


run(steps, arguments()["report"])
