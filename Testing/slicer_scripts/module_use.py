"""What a person does with the module in nearly every script: open it, and segment a scan. `yield from` each."""

import slicer
from session import arguments, panel


def open_module():
    """Open the module, and import and choose the model of the arguments; the widgets of the panel by name."""
    from SpineSegmentationLib.panel import Dialogs

    slicer.util.selectModule("SpineSegmentation")
    yield 1
    ui = panel().ui
    Dialogs.askOpenFile = lambda title, filter_: arguments()["model"]
    ui.importModelButton.click()
    yield "the model", lambda: not ui.modelProgressBar.visible
    assert ui.modelSelector.currentText == "By brightness", ui.modelMessageLabel.text
    return ui


def choose_level(name: str) -> None:
    """Choose the topmost vertebra."""
    selector = panel().ui.levelSelector
    selector.setCurrentIndex(selector.findText(name))


def segment(volumeNode):
    """Choose a scan and press Segment, until the result is shown."""
    ui = panel().ui
    ui.inputSelector.setCurrentNode(volumeNode)
    yield 0.5
    ui.segmentButton.click()
    yield "the result", lambda: not panel().logic.isRunning
    yield 1
