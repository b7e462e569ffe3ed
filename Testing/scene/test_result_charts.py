"""The charts that come with a result."""

import dataclasses

import numpy as np
import pytest
from scene_cases import SEGMENTS, make_case
from written_results import HEIGHTS, written_result

from SpineInference.measuring.morphometry.measure import Measure
from SpineInference.measuring.morphometry.tables import write_json
from SpineInference.measuring.slice_agreement import dice_per_slice

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


def test_charts_of_heights_and_dice_per_slice(lib, tmp_path):
    scan, labels = make_case()
    slices = dice_per_slice(labels, labels)
    result = lib.importResult(*written_result(tmp_path, labels, dice_per_slice=slices), lib.addVolume(scan, "scan"))
    heights = result.tableNode.GetNodeReference("heightChart")
    series = [heights.GetNthPlotSeriesNode(index) for index in range(heights.GetNumberOfPlotSeriesNodes())]
    assert [node.GetYColumnName() for node in series] == list(HEIGHTS)
    assert {node.GetLabelColumnName() for node in series} == {"level"}
    assert {node.GetTableNodeID() for node in series} == {result.tableNode.GetID()}
    dice = result.tableNode.GetNodeReference("diceChart")
    tables = [dice.GetNthPlotSeriesNode(index).GetTableNode().GetTable() for index in range(3)]
    assert [table.GetNumberOfRows() for table in tables] == [len(values["slice"]) for values in slices.values()]
    assert all(table.GetColumnByName("dice").GetValue(0) == 1 for table in tables)


def test_charts_of_discs_and_canal(lib, tmp_path):
    scan, labels = make_case()
    measures = [
        Measure("disc", "Vertebra 3-Vertebra 4", "middle_disc_height", 5.0),
        Measure("disc", "L4-L5", "middle_disc_height", 9.0),
        Measure("disc", "L4-L5", "anterior_disc_height", None),
        Measure("disc", "L5-S1", "middle_disc_height", 7.0),
        Measure("canal", "L4", "canal_diameter", 14.0),
        Measure("canal", "L4-L5", "canal_diameter", 11.0),
        Measure("canal", "L4", "cord_diameter", 6.0),
    ]
    record, folder = written_result(tmp_path, labels)
    write_json(measures, folder / "measures.json")
    record = dataclasses.replace(record, contents=record.contents | {"morphometry_json": "measures.json"})
    result = lib.importResult(record, folder, lib.addVolume(scan, "scan"))
    discs, canal = (result.tableNode.GetNodeReference(role) for role in ("discChart", "canalChart"))
    table = discs.GetNthPlotSeriesNode(0).GetTableNode().GetTable()
    levels = [table.GetColumnByName("level").GetValue(row) for row in range(table.GetNumberOfRows())]
    assert levels == ["3/4", "L4/5", "L5/S1"]
    assert [table.GetColumnByName("middle_disc_height").GetValue(row) for row in range(3)] == [5, 9, 7]
    assert np.isnan(table.GetColumnByName("anterior_disc_height").GetValue(1))
    diameters = canal.GetNthPlotSeriesNode(0).GetTableNode().GetTable()
    assert [diameters.GetColumnByName("level").GetValue(row) for row in range(2)] == ["", "L4/5"], "bodies in between"
    assert canal.GetNumberOfPlotSeriesNodes() == 2 and discs.GetNumberOfPlotSeriesNodes() == 3
    assert diameters.GetColumnByName("cord_diameter").GetValue(0) == 6, "it ends above L5"
    heights = result.tableNode.GetNodeReference("heightChart")
    assert heights.GetXAxisRange()[1] == 1.5 * (len(SEGMENTS) - 1), "as wide as there are bodies"


def test_levels_are_named_below_a_chart(lib, tmp_path):
    from SpineSegmentationLib.scene.results.ResultPlots import ticksOf

    scan, labels = make_case()
    result = lib.importResult(*written_result(tmp_path, labels), lib.addVolume(scan, "scan"))
    chart = result.tableNode.GetNodeReference("heightChart")
    positions, names = ticksOf(chart.GetAttribute("SpineSegmentation.Levels"))
    assert [names.GetValue(index) for index in range(3)] == ["L4", "L5", "3"]
    assert [positions.GetValue(index) for index in range(3)] == [0, 1, 2]
    positions, names = ticksOf("\n".join(f"{number}/{number + 1}" for number in range(23)))
    assert names.GetNumberOfValues() == 8 and positions.GetValue(1) == 3, "no more than have room"
    assert ticksOf(None) == (None, None), "Dice per slice has numbers"
    assert ticksOf("")[1].GetNumberOfValues() == 0
