"""A corrected result is being measured again when Slicer is killed from outside: when the file appears."""

import os
from pathlib import Path

import slicer
from scans import add_scan
from session import arguments, import_model, panel, run


def steps(facts):
    slicer.util.selectModule("SpineSegmentation")
    yield 0.5
    yield from import_model()
    ui = panel().ui
    ui.inputSelector.setCurrentNode(add_scan())
    yield 0.5
    ui.segmentButton.click()
    yield "the result", lambda: not panel().logic.isRunning
    yield 0.5
    ui.measureButton.click()
    assert panel().logic.isRunning
    events = []
    panel().logic._run._task._protocol._onProgress = events.append  # the panel shows no progress of a second
    yield "the measuring", lambda: events or not panel().logic.isRunning
    assert panel().logic.isRunning, "the measuring was too fast"
    Path(arguments()["kill_at"]).write_text(str(os.getpid()))
    yield "being killed", lambda: False


run(steps, arguments()["report"])
