"""Screenshots of the panel for the README: python Testing/panel/screenshot_panel.py [FOLDER]

The real panel in the host, with the sample scan and the bundled models. By default the pictures of the README are
replaced.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Testing"))
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def screenshot(folder: Path) -> None:
    from SlicerHost.host import SlicerHost

    host = SlicerHost()
    panel = host.openModule("SpineSegmentation")
    ui, parameters = panel.ui, panel._parameterNode

    def picture(name: str) -> None:
        host.screenshot(panel, folder / f"panel-{name}.png")

    picture("empty")
    ui.sampleButton.click()
    host.process()
    picture("idle")
    ui.detailsCollapsibleButton.collapsed = False
    picture("model")
    ui.detailsCollapsibleButton.collapsed = True
    ui.advancedCollapsibleButton.collapsed = False
    host.process(until=lambda: "Automatic" in ui.deviceInfoLabel.text, timeout=60)
    ui.postprocessingSelector.currentIndex = 1
    picture("advanced")
    ui.postprocessingSelector.currentIndex = 0
    ui.advancedCollapsibleButton.collapsed = True

    from SpineSegmentationLib.scene.SampleScan import loadSampleTruth

    parameters.referenceSegmentation = loadSampleTruth(parameters.inputVolume)
    ui.segmentButton.click()
    host.process(until=lambda: ui.progressBar.value > 450, timeout=120)
    picture("running")
    host.process(until=lambda: not panel.logic.isRunning, timeout=300)
    picture("finished")

    _breakWorker(panel)
    ui.segmentButton.click()
    host.process(until=lambda: not panel.logic.isRunning, timeout=60)
    ui.errorDetailsCollapsibleButton.collapsed = False
    parameters.result = None
    picture("error")
    host.close()


def _breakWorker(panel) -> None:
    """The next worker dies at once, as if the memory had run out."""
    panel.logic.close()
    panel.logic._worker._arguments = ["-c", "raise MemoryError('unable to allocate')"]


if __name__ == "__main__":
    screenshot(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "Resources" / "Screenshots")
