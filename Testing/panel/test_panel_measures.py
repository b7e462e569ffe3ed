"""The measures of the spine in the panel: their rows, the lines of a click, text and file."""

import json

import pytest
from synthetic_result import erase, with_result

from SpineInference.measuring.morphometry.measure import CUT_OFF, NOT_T2, Measure
from SpineInference.measuring.morphometry.tables import as_json

LINE = ((0.0, 0.0, 0.0), (30.0, 0.0, 0.0))
MEASURES = [
    Measure("body", "L4", "genant_grade", 2),
    Measure("body", "L4", "deformity", "wedge"),
    Measure("body", "L5", "genant_grade", 0),
    Measure("level", "L4-L5", "slip", 3.04, lines=(LINE,)),
    Measure("level", "L4-L5", "slip_percent", 9.2, lines=(LINE,)),
    Measure("level", "L4-L5", "disc_angle", 11.26, 1.0),
    Measure("level", "L4-L5", "segmental_angle", None, marks=(CUT_OFF,)),
    Measure("curve", "L1-L5", "lumbar_lordosis", 41.5, 1.2, lines=(LINE, ((0.0, 40.0, 0.0), (30.0, 40.0, 0.0)))),
]


@pytest.fixture
def panel(host, small_models, tmp_path):
    panel = with_result(host, tmp_path)
    from SpineSegmentationLib.scene.results.SpineMeasures import setMeasures

    assert not panel.ui.measuresCollapsibleButton.visible, "an earlier result has none"
    setMeasures(panel._parameterNode.result, as_json(MEASURES))
    panel.updatePanel()
    return panel


def rows(panel, name: str = "measuresTable") -> list[list[str]]:
    table = getattr(panel.ui, name)
    items = [[table.item(row, column) for column in range(table.columnCount)] for row in range(table.rowCount)]
    return [[item.text() for item in row if item is not None] for row in items]


def test_rows_of_levels_curves_and_deformed_bodies(panel):
    assert panel.ui.measuresCollapsibleButton.visible
    assert rows(panel) == [
        ["L4-L5 !", "3.0", "9", "11.3", "-"],
        ["L1-L5", "Lumbar lordosis 41.5°"],
        ["L4", "Genant grade (suggested) 2, Deformity wedge"],
    ]
    assert panel.ui.measuresTable.item(0, 0).toolTip() == CUT_OFF


OF_DISCS = [
    Measure("disc", "T12-L1", "middle_disc_height", 7.0),
    Measure("disc", "L4-L5", "middle_disc_height", 8.12, lines=(((0.0, 50.0, 0.0), (0.0, 50.0, 8.0)),)),
    Measure("disc", "L4-L5", "disc_volume", None, marks=(CUT_OFF,)),
    Measure("canal", "L4", "canal_diameter", 15.0),
    Measure("canal", "L4-L5", "canal_diameter", 11.96, lines=(((0.0, 60.0, 4.0), (0.0, 71.96, 4.0)),)),
    Measure("canal", "L4-L5", "canal_area", None, marks=(CUT_OFF,)),
    Measure("canal", "S1", "canal_diameter", None, marks=(CUT_OFF,)),
    Measure("canal", "L4 to L5", "narrowest_level", "L4-L5"),
    Measure("disc", "T12-L1 to L4-L5", "disc_signal", None, marks=(NOT_T2,)),
]


def show(panel, measures: list[Measure]) -> None:
    from SpineSegmentationLib.scene.results.SpineMeasures import setMeasures

    setMeasures(panel._parameterNode.result, as_json(measures))
    panel.updatePanel()


def test_discs_and_canal_have_a_table_of_their_own(panel):
    assert not panel.ui.discsTable.visible, "there are none"
    show(panel, [*MEASURES, *OF_DISCS])
    assert rows(panel)[0] == ["L4-L5 !", "3.0", "9", "11.3", "-"], "the table of levels is as it was"
    table = panel.ui.discsTable
    titles = [table.horizontalHeaderItem(column).text() for column in range(table.columnCount)]
    assert titles == ["Disc", "Mid.\nmm", "Canal\nmm"], "no column for an area that is cut off everywhere"
    assert rows(panel, "discsTable") == [
        ["T12-L1", "7.0", ""],
        ["L4-L5", "8.1", "12.0"],
        ["L4 to L5", "Narrowest canal L4-L5"],
        ["T12-L1 to L4-L5 !", f"Disc signal / that of fluid: not measured ({NOT_T2})"],
    ]


def test_the_cord_has_columns_where_it_is_known(panel):
    def columns() -> list[str]:
        table = panel.ui.discsTable
        shown = [n for n in range(table.columnCount) if not table.isColumnHidden(n)]
        return [table.horizontalHeaderItem(n).text().replace("\n", " ") for n in shown]

    show(panel, OF_DISCS)
    assert not any("Cord" in title for title in columns())
    cord = [("cord_diameter", 7.0), ("cord_area", None), ("cord_occupation", 58.5)]
    show(panel, [*OF_DISCS, *(Measure("canal", "L4-L5", name, value) for name, value in cord)])
    assert columns()[-2:] == ["Cord mm", "Cord %"]
    heights = [f"{part}_disc_height" for part in ("anterior", "middle", "posterior")]
    numbered = [Measure("disc", "Vertebra 3-Vertebra 4", name, 8.0) for name in (*heights, "disc_height_index")]
    show(panel, [*numbered, *(Measure("canal", "Vertebra 3-Vertebra 4", name, value) for name, value in cord)])
    assert rows(panel, "discsTable")[0][0] == "3-4", "many columns leave no room for more"


def test_a_disc_draws_its_lines_and_one_text_behind_them(host, panel):
    show(panel, [*MEASURES, *OF_DISCS])
    panel.ui.measuresTable.selectRow(0)
    host.process()
    panel.ui.discsTable.selectRow(1)
    host.process()
    assert len(lines()) == 2 and not panel.ui.measuresTable.selectedItems()
    told = {node.GetName(): node.GetDisplayNode().GetPropertiesLabelVisibility() for node in lines()}
    assert told == {"Middle disc height 8.1 mm": False, "Middle disc height 8.1 mm\nCanal diameter 12.0 mm": True}
    assert "Canal diameter 12.0 mm" in panel.ui.statusLabel.text
    panel.ui.measuresTable.selectRow(0)
    host.process()
    assert [node.GetName() for node in lines()] == ["Slip 3.0 mm, Slip 9 %"], "a click on a row that was clicked before"


def lines() -> list:
    import slicer

    return list(slicer.util.getNodesByClass("vtkMRMLMarkupsLineNode"))


def test_a_click_draws_locked_lines(host, panel):
    panel.ui.measuresTable.selectRow(1)
    host.process()
    drawn = lines()
    assert len(drawn) == 2 and all(node.GetLocked() and not node.GetSaveWithScene() for node in drawn)
    assert [node.GetName() for node in drawn] == ["Lumbar lordosis 41.5°", " "]
    point = [0.0, 0.0, 0.0]
    drawn[0].GetNthControlPointPositionWorld(1, point)
    assert point == [-30, 0, 0], "the world is RAS"
    panel.ui.measuresTable.selectRow(0)
    host.process()
    assert [node.GetName() for node in lines()] == ["Slip 3.0 mm, Slip 9 %"]
    from SpineSegmentationLib.scene.results.SpineMeasures import setMeasures

    setMeasures(panel._parameterNode.result, None)
    panel.updatePanel()
    assert lines() == [] and not panel.ui.measuresCollapsibleButton.visible


def test_copy_and_save(host, panel, tmp_path):
    import slicer

    panel.ui.copyMeasuresButton.click()
    text = slicer.app.clipboard().text()
    assert "L4-L5: Slip 3.0 mm" in text and "not for clinical use" in text
    host.dialogs.answer(str(tmp_path / "measures.csv"))
    panel.ui.saveMeasuresButton.click()
    assert "lumbar_lordosis,41.5,deg,1.2" in (tmp_path / "measures.csv").read_text()


def test_measures_are_saved_with_the_scene(host, panel, tmp_path):
    host.saveScene(tmp_path / "scene.mrb")
    host.closeScene()
    host.loadScene(tmp_path / "scene.mrb")
    assert len(rows(panel)) == 3
    assert json.loads(panel._parameterNode.result.GetAttribute("SpineSegmentation.Morphometry"))["use"]


def test_discs_stand_among_measures_unless_compared(panel):
    from SpineSegmentationLib.panel.results.ResultTable import rowsOfPanel
    from SpineSegmentationLib.scene.results.MeasurementTable import setRows

    result = panel._parameterNode.result
    bodies = [{"level": "L4", "label": 23, "dice": None}, {"level": "L5", "label": 24, "dice": None}]
    others = [
        {"level": "Disc L4-L5", "label": 123},
        {"level": "Spinal canal", "label": 61},
        {"level": "Fat", "label": 64},
    ]
    setRows(result, [*bodies, *others])
    show(panel, MEASURES)
    assert len(rowsOfPanel(result)) == 5, "nothing is measured of discs and canal"
    show(panel, [*MEASURES, *OF_DISCS])
    assert [row["level"] for row in rowsOfPanel(result)] == ["L4", "L5", "Fat"]
    setRows(result, [*bodies, *(each | {"dice": 0.9} for each in others)])
    assert len(rowsOfPanel(result)) == 5, "their agreement with the reference is nowhere else"


def test_points_of_the_result(host, panel):
    import slicer

    panel.ui.pointsButton.click()
    assert panel.ui.statusLabel.text == "Added to the scene: centres."
    [node] = slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")
    assert [node.GetNthControlPointLabel(index) for index in range(2)] == ["L4", "L5"]
    erase(panel, "L4", slice(10, 14))
    panel.ui.pointsButton.click()
    assert "press Measure again" in panel.ui.statusLabel.text
    slicer.mrmlScene.RemoveNode(panel._parameterNode.result.GetNodeReference("segmentation"))
    host.process(until=lambda: not list(slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")))


def test_numbered_levels_have_short_names(panel):
    show(panel, [Measure("level", "Vertebra 1-Vertebra 2", "slip", 1.0), Measure("level", "C7-T1", "slip", 1.0)])
    assert [row[0] for row in rows(panel)] == ["Vertebra 1-2", "C7-T1"]


def test_slices_go_to_where_most_lines_lie(host, panel):
    """Slicer draws a line in a slice within half a mm only, and its text where it ends in that slice."""
    heights = [((2.0, y, 0.0), (2.2, y, 9.0)) for y in (0.0, 10.0, 20.0)]
    canal = ((4.5, 30.0, 4.0), (4.5, 42.0, 4.0))
    names = ("anterior_disc_height", "middle_disc_height", "posterior_disc_height")
    measures = [Measure("disc", "L4-L5", name, 9.0, lines=(line,)) for name, line in zip(names, heights, strict=True)]
    from SpineSegmentationLib.scene.results.SpineMeasures import showLines

    measures.append(Measure("canal", "L4-L5", "canal_diameter", 12.0, lines=(canal,)))
    right, anterior, _superior = showLines(measures, panel._parameterNode.result)
    assert right == pytest.approx(-2.0, abs=0.5) and -42 < anterior < 0
    [told] = [node for node in lines() if node.GetDisplayNode().GetPropertiesLabelVisibility()]
    assert told.GetName().count("\n") == 3
    point = [0.0, 0.0, 0.0]
    told.GetNthControlPointPositionWorld(0, point)
    assert point[1] == -20, "the rearmost line that is seen in this slice"
