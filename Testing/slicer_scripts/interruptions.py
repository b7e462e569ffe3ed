"""Fifty interruptions of a run: Reload, another module, the scene is closed; at the end Slicer leaves.

After each, the panel works on, and nothing of the run is left. Slicer leaves while the last run is going on.
"""

import random

import slicer
from module_use import open_module
from scans import add_scan
from session import arguments, nodes, panel, run

COUNT = 50
"""On a machine that is busy with other things: the argument "count"."""

RESULT_NODES = ("vtkMRMLSegmentationNode", "vtkMRMLTableNode", "vtkMRMLPlotChartNode", "vtkMRMLLabelMapVolumeNode")


def steps(facts):
    chance = random.Random(17)
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    yield from open_module()
    happened = {}
    for number in range(int(arguments().get("count", COUNT))):
        start()
        stage = chance.choice(("at once", "starting", "working", "taking over", "measuring"))
        if stage == "starting":
            yield chance.random() * 0.3
        elif stage == "working":
            yield "progress", lambda: panel().ui.progressBar.value > 0 or not panel().logic.isRunning
        elif stage == "taking over":
            yield "nearly the end", lambda: panel().ui.progressBar.value > 900 or not panel().logic.isRunning
        elif stage == "measuring":
            yield "the result", lambda: not panel().logic.isRunning
            panel().ui.measureButton.click()
        event = EVENTS[number % len(EVENTS)]
        happened[event.__name__] = happened.get(event.__name__, 0) + 1
        event()
        yield chance.random() * 0.3
        slicer.util.selectModule("SpineSegmentation")
        yield "the end of the run", lambda: not panel().logic.isRunning
        slicer.mrmlScene.Clear(0)
        yield 0.1
        assert not any(nodes(kind) for kind in RESULT_NODES), f"after {event.__name__}, {stage}"
        assert panel().ui.statusLabel.text == "", panel().ui.statusLabel.text
    facts["events"] = happened
    yield from full_table_after_reload()
    start()
    yield 0.3  # and Slicer leaves


def full_table_after_reload():
    """The table beside the slice views outlives the panel; a click there reaches the new panel only."""
    start()
    yield "the result", lambda: not panel().logic.isRunning
    panel().ui.tableAndPlotButton.click()
    yield 1
    panel().onReload()
    yield 0.5
    [view] = slicer.util.findChildren(slicer.app.layoutManager().viewport(), className="qMRMLTableView")
    view.selectRow(2)
    yield 0.2
    slicer.mrmlScene.Clear(0)


def start():
    panel()._parameterNode.inputVolume = add_scan()
    panel()._parameterNode.model = "by-brightness"
    slicer.app.processEvents()
    ui = panel().ui
    assert ui.segmentButton.enabled, ui.segmentButton.toolTip
    ui.segmentButton.click()
    assert panel().logic.isRunning, ui.statusLabel.text


def reload():
    panel().onReload()


def other_module():
    slicer.util.selectModule("Data")


def close_scene():
    slicer.mrmlScene.Clear(0)


def reload_and_close():
    reload()
    close_scene()


def leave_and_reload():
    other_module()
    reload()


EVENTS = (reload, other_module, close_scene, reload_and_close, leave_and_reload)

run(steps, arguments()["report"])
