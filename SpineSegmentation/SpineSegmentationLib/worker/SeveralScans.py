"""Several scans, segmented one after the other: what is done stays, and one that fails does not stop the others."""

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from SpineInference.errors import Cancelled, SpineError

from ..scene.results.ResultImport import SegmentationResult
from ..scene.results.ResultViews import isShown
from ..scene.results.ScansOverview import addOverview, addRow
from .SegmentationRun import SegmentationRun
from .WorkerProtocol import SceneClosed

Volume = "slicer.vtkMRMLScalarVolumeNode"


class SeveralScans:
    """A run for each scan. Ends in exactly one call `onEnd(overview, error)`.

    `overview` is the table of `scene.ScansOverview`, with a row for each scan, also for those that failed or were not
    begun because of Cancel. `error` is a SceneClosed, with which there is no table, else None.

    `makeRun(ended)` makes the run of one scan. `onScan(number, total, volumeNode, overview)` is called when the scan
    `number` (from 0) begins.
    """

    def __init__(
        self,
        makeRun: Callable[[Callable[[SegmentationResult | None, Exception | None], None]], SegmentationRun],
        onScan: Callable[[int, int, Volume, "slicer.vtkMRMLTableNode"], None],
        onEnd: Callable[["slicer.vtkMRMLTableNode | None", Exception | None], None],
    ):
        self._makeRun = makeRun
        self._onScan = onScan
        self._onEnd = onEnd
        self._run: SegmentationRun | None = None
        self._stopped: Exception | None = None
        self._scans: list[tuple[str, str]] = []
        self._begun = 0

    def start(self, volumeNodes: "list[Volume]", startRun: Callable[[SegmentationRun, Volume], None]) -> None:
        """Begin; `startRun(run, volumeNode)` starts the run of one scan. Raises SpineError where there is none."""
        if not volumeNodes:
            raise SpineError(_("no scan is chosen: check the scans that are to be segmented."))
        self._scans = [(node.GetID(), node.GetName()) for node in volumeNodes]
        self._startRun = startRun
        self._overview = addOverview(_("Several scans"))
        self._next()

    def cancel(self) -> None:
        """Stop the present scan and begin no other one; `onEnd` follows."""
        self._stopped = self._stopped or Cancelled()
        if self._run is not None:
            self._run.cancel()

    def close(self) -> None:
        """Stop; the owner of the worker waits for its end."""
        self._stopped = self._stopped or Cancelled()
        if self._run is not None:
            self._run.close()

    def wait(self) -> None:
        """Block until the end: for scripts."""
        while self._run is not None:
            self._run.wait()

    def _next(self) -> None:
        """Start the next scan that can be started, or end."""
        while self._begun < len(self._scans) and self._stopped is None:
            number, (nodeId, _name) = self._begun, self._scans[self._begun]
            self._begun += 1
            volumeNode = slicer.mrmlScene.GetNodeByID(nodeId)
            if volumeNode is None:
                self._add(number, None, SpineError(_("the scan was removed from the scene.")))
                continue
            self._onScan(number, len(self._scans), volumeNode, self._overview)
            self._run = self._makeRun(self._onRunEnd)
            try:
                self._startRun(self._run, volumeNode)
            except Exception as error:
                self._add(number, None, error)
            else:
                return
        self._run = None
        self._end()

    def _onRunEnd(self, result: SegmentationResult | None, error: Exception | None) -> None:
        if isinstance(error, Cancelled):
            self._stopped = error
            self._begun -= 1  # this scan was not segmented either
        else:
            self._add(self._begun - 1, result, error)
        self._next()

    def _end(self) -> None:
        if isinstance(self._stopped, SceneClosed):
            self._onEnd(None, self._stopped)
            return
        for number in range(self._begun, len(self._scans)):
            self._add(number, None, Cancelled(_("Cancelled.")))
        self._onEnd(self._overview, None)

    def _add(self, number: int, result: SegmentationResult | None, error: Exception | None) -> None:
        nodeId, name = self._scans[number]
        volumeNode = slicer.mrmlScene.GetNodeByID(nodeId)
        problem = "" if error is None else str(error) or type(error).__name__
        tableNode = seconds = None
        if result is not None:
            tableNode, seconds = result.tableNode, result.seconds
            problem = "" if tableNode is not None else " ".join([_("Nothing was found."), *result.notes])
        if tableNode is not None and not isShown(volumeNode):
            result.segmentationNode.SetDisplayVisibility(False)  # the views show another scan
        addRow(self._overview, name, volumeNode, tableNode, seconds, problem)
