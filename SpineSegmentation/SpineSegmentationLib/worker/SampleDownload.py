"""Loads the sample scan that lies on the web: downloaded once, in a process of its own, so that no window waits."""

import hashlib
import html
import logging

import qt
import slicer
from slicer.i18n import tr as _

from ..scene.SampleScan import Sample, loadSampleScan
from .BackgroundTask import BackgroundTask


class SampleDownload:
    """What the Sample Data module calls; it tells there how it goes. One download at a time."""

    def __init__(self):
        self._sample: Sample | None = None
        self._task: BackgroundTask | None = None

    def load(self, sample: Sample) -> None:
        """Load a sample into the scene and show it; download it before if it is not there.

        A download that fails changes nothing and leaves nothing behind, whatever ends it.
        """
        if self._task is not None:
            _log(_("{name} is being downloaded, wait.").format(name=self._sample.name))
            return
        self._sample = sample
        if _isThere(sample):
            self._onEnd({}, None)
            return
        _log(_("Downloading {url} ...").format(url=sample.url))
        self._task = BackgroundTask(self._onEnd, self._onProgress)
        file = {"url": sample.url, "target": str(sample.path), "sha256": sample.sha256, "size": sample.size}
        self._task.start("fetch", file=file | {"instead": "take SpinePhantom, which needs no internet"})

    def _onProgress(self, event: dict) -> None:
        percent = round(100 * event["done"] / max(event["total"], 1))
        slicer.util.showStatusMessage(_("Downloading {name}: {n} %").format(name=self._sample.name, n=percent), 3000)

    def _onEnd(self, _answer: dict | None, error: Exception | None) -> None:
        self._task = None
        if error is None:
            loadSampleScan(self._sample)
        text = _("{name} is loaded.").format(name=self._sample.name) if error is None else str(error)
        # Later: Sample Data lets Slicer process events meanwhile, and these may be those of this process.
        qt.QTimer.singleShot(0, lambda: _log(text, logging.INFO if error is None else logging.ERROR))


def _isThere(sample: Sample) -> bool:
    return sample.path.is_file() and hashlib.sha256(sample.path.read_bytes()).hexdigest() == sample.sha256


def _log(text: str, level: int = logging.INFO) -> None:
    slicer.util.getModuleWidget("SampleData").logMessage(html.escape(text), level)
