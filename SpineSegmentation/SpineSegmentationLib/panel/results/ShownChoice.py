"""The views follow what is chosen in the panel: a scan with its latest result, or a result with its scan."""

from collections.abc import Callable

from ...scene.results.MeasurementTable import scanOf
from ...scene.results.ResultNodes import latestResultOf
from ...scene.results.ResultViews import showResult, showScan


class ShownChoice:
    """Remembers which scan and result were shown last, and shows what was chosen since.

    A result is never seen on another scan than its own, neither in the panel nor in the views. One that has left the
    scene is followed by the latest that its scan has: also the segmentation whose table was removed.

    `logic` is the module's; `onOtherScan()` is called when another scan is chosen while nothing runs.
    """

    def __init__(self, logic: object, onOtherScan: Callable[[], None]):
        self._logic = logic
        self._onOtherScan = onOtherScan
        self.remember()

    def remember(self) -> None:
        """Take what is chosen as shown, for the views are those of the scene."""
        self._shown = self._chosen()

    def show(self) -> None:
        """Let the views show what was chosen since the last time."""
        parameterNode, (scanId, resultId) = self._logic.getParameterNode(), self._chosen()
        isOtherScan, isOtherResult = scanId != self._shown[0], resultId != self._shown[1]
        if isOtherScan and scanId and self._shown[0] and not self._logic.isRunning:
            self._onOtherScan()
        self._shown = (scanId, resultId)
        if isOtherResult and resultId:
            if scanOf(parameterNode.result) is not None:
                parameterNode.inputVolume = scanOf(parameterNode.result)
            self.remember()
            showResult(parameterNode.result)
        elif scanId and (isOtherScan or isOtherResult):
            parameterNode.result = latestResultOf(parameterNode.inputVolume)
            self.remember()
            showScan(parameterNode.inputVolume, parameterNode.result)

    def _chosen(self) -> tuple[str | None, str | None]:
        """The IDs of the chosen scan and result."""
        parameterNode = self._logic.getParameterNode()
        scan, result = parameterNode.inputVolume, parameterNode.result
        return scan and scan.GetID(), result and result.GetID()
