"""A model of bodies, discs and the canal comes as a zip; a body it is unsure of; a result that replaces another one.

The model goes by brightness alone, so the scan is made for it.
"""

import numpy as np
import slicer
from module_use import choose_level, open_module, segment
from scans import add_scan
from session import arguments, nodes, panel, run, segment_names
from windows import grab_window, prepare_window, press_cell

NUMBERED = [f"Vertebra {number}" for number in range(1, 6)]
LUMBAR = [f"L{number}" for number in range(1, 6)]
BESIDE = ["Disc", "Canal"]


def steps(facts):
    from SpineSegmentationLib.panel import Dialogs

    Dialogs.confirm = lambda question: True
    prepare_window()
    ui = yield from open_module()
    volumeNode = add_scan()
    slicer.util.setSliceViewerLayers(background=volumeNode, fit=True)
    yield from segment(volumeNode)
    facts["said"] = ui.statusLabel.text
    [resultNode] = nodes("vtkMRMLSegmentationNode")
    segmentation, display = resultNode.GetSegmentation(), resultNode.GetDisplayNode()
    assert sorted(segment_names(resultNode)) == sorted(NUMBERED + BESIDE)
    assert "choose the topmost vertebra" in ui.resultLabel.text
    table = ui.resultTable
    rows = [table.item(row, 0).text().removesuffix(" *") for row in range(table.rowCount)]
    assert rows == NUMBERED + BESIDE, rows
    marked = [rows[row] for row in range(len(rows)) if table.item(row, 1).text().endswith("!")]
    assert marked == ["Vertebra 3"] and "Look first at Vertebra 3" in ui.resultLabel.text, marked
    disc = segmentation.GetSegment(segmentation.GetSegmentIdBySegmentName("Disc"))
    assert np.allclose(disc.GetColor(), (60 / 255, 160 / 255, 220 / 255))
    press_cell(table, rows.index("Canal"))
    yield 0.5
    green = slicer.app.layoutManager().sliceWidget("Green").mrmlSliceNode().GetSliceToRAS()
    assert abs(green.GetElement(1, 3) - -11) < 1, "the canal lies 11 mm behind the middle"

    ui.show3DButton.setChecked(True)
    yield "surfaces", lambda: segmentation.ContainsRepresentation("Closed surface")
    choose_level("L1")
    ui.outputSelector.setCurrentNode(resultNode)
    for press, names in ((ui.segmentButton, LUMBAR), (ui.restoreButton, NUMBERED), (ui.restoreButton, LUMBAR)):
        press.click()
        yield "its end", lambda: not panel().logic.isRunning
        yield 1  # what Slicer's own widgets do to new segments, they do later
        assert sorted(segment_names(resultNode)) == sorted(names + BESIDE)
        assert ui.resultTable.item(0, 0).text() == names[0] and "Edited since" not in ui.resultLabel.text
        assert all(display.GetSegmentVisibility(each) for each in segmentation.GetSegmentIDs())
        assert segmentation.ContainsRepresentation("Closed surface")
    slicer.util.resetThreeDViews()
    grab_window("several-labels")

    ui.removeModelButton.click()
    assert ui.modelSelector.currentText != "By brightness" and ui.segmentButton.enabled


run(steps, arguments()["report"])
