"""A segmentation is running when Slicer ends: in the ordinary way, or killed from outside when the file appears."""

import os
from pathlib import Path

import slicer
from session import arguments, nodes, panel, run


def steps(facts):
    slicer.util.selectModule("SpineSegmentation")
    yield 0.5
    ui = panel().ui
    ui.sampleButton.click()
    yield "the sample scan", lambda: nodes("vtkMRMLScalarVolumeNode") and ui.segmentButton.enabled
    ui.segmentButton.click()
    yield "progress", lambda: ui.progressBar.value > 0
    if (kill_at := arguments().get("kill_at")) is not None:
        Path(kill_at).write_text(str(os.getpid()))
        yield "being killed", lambda: False


run(steps, arguments()["report"])
