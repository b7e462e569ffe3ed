"""The part of the panel that segments: button, progress, status and log."""

from collections.abc import Callable

import qt
import slicer
from slicer.i18n import tr as _

from SpineInference.options import SegmentationOptions
from SpineInference.specs import PostprocessingSpec

from ...scene.results.ResultImport import SegmentationResult
from ...worker.Dependencies import ensureInstalled
from .. import Dialogs
from ..models.ModelDetails import planesOf
from ..PanelSection import PanelSection
from ..UserMessages import asSentence, asToolTip
from .OptionsSection import ADJUSTED, FROM_MODEL, NUMBERED, UNKNOWN_LEVEL
from .ResultSummary import summaryOf
from .RunProgress import RunProgress


class RunSection(PanelSection):
    """Starts a run with the parameters, and shows its progress and its end."""

    def __init__(
        self,
        ui: object,
        logic: object,
        onStart: Callable[[], None],
        onResult: Callable[[SegmentationResult], None],
    ):
        super().__init__(ui, logic)
        self._onStart = onStart
        self._onResult = onResult
        self._progress: RunProgress | None = None
        self._blockingReason = ""
        ui.segmentButton.connect("clicked(bool)", self._onButton)
        ui.copyLogButton.connect("clicked(bool)", self._onCopyLog)
        ui.progressBar.setVisible(False)
        ui.statusLabel.setVisible(False)
        ui.errorDetailsCollapsibleButton.setVisible(False)

    def setBlockingReason(self, reason: str) -> None:
        """Disable the button for this reason; an empty one enables it."""
        self._blockingReason = reason

    def clear(self) -> None:
        """Say nothing about the last run any more."""
        self.showStatus("")
        self.showDetails("")

    def update(self, isRunning: bool) -> None:
        button = self.ui.segmentButton
        button.setText(_("Cancel") if isRunning else _("Segment"))
        button.setEnabled(not self.logic.isCancelling if isRunning else not self._blockingReason)
        idle = self._blockingReason or _("Find, name and measure the vertebral bodies.")
        button.setToolTip(asToolTip(_("Stop. Nothing that is half done comes into the scene.") if isRunning else idle))
        self.ui.progressBar.setVisible(isRunning)

    def _onButton(self, _checked: bool = False) -> None:
        if self.logic.isRunning:
            self.showStatus(_("Cancelling ..."))
            self.logic.cancel()
            self.logic.changed()
        elif self._mayReplaceOutput() and self.parameters is not None:  # the scene may be closed behind the question
            self._start()

    def _mayReplaceOutput(self) -> bool:
        node = self.parameters.outputSegmentation
        count = node.GetSegmentation().GetNumberOfSegments() if node is not None else 0
        question = _('Replace the {count} segments of "{name}"? You can bring them back, until you segment again.')
        return not count or Dialogs.confirm(question.format(count=count, name=node.GetName()))

    def segmentSeveral(
        self,
        volumeNodes: "list[slicer.vtkMRMLScalarVolumeNode]",
        onScan: "Callable[[slicer.vtkMRMLTableNode], None]",
        onEnd: "Callable[[slicer.vtkMRMLTableNode], None]",
    ) -> None:
        """Segment these scans one after the other with the parameters.

        Both are called with the table over all of them: `onScan` when a scan begins, `onEnd` at the end.
        """

        def begin(number: int, total: int, volumeNode: object, overview: object) -> None:
            self._progress = RunProgress(self._progress.planes, number, total, volumeNode.GetName())
            onScan(overview)

        def end(overview: object, error: Exception | None) -> None:
            if error is not None:
                self.showError(error)
            else:
                onEnd(overview)
            self.logic.changed()

        try:
            self._prepare()
            self.logic.segmentSeveral(
                volumeNodes,
                self._options(),
                wait=False,
                onProgress=self._onProgress,
                onText=self.ui.logText.appendPlainText,
                onScan=begin,
                onEnd=end,
            )
        except Exception as error:
            end(None, error)

    def _prepare(self) -> None:
        """Begin anew in all that is shown; install what is missing."""
        self._onStart()
        self.showDetails("")
        self.ui.logText.clear()
        self.ui.progressBar.setValue(0)
        self.showStatus(_("Starting ..."))
        planes = self.parameters.planes or planesOf(self.logic.manifestsOf(self.parameters.model))
        self._progress = RunProgress(len(planes))
        ensureInstalled(self.parameters.device, Dialogs.confirm)

    def _start(self) -> None:
        parameters = self.parameters
        try:
            self._prepare()
            self.logic.segment(
                parameters.inputVolume,
                self._options(),
                outputSegmentation=parameters.outputSegmentation,
                referenceSegmentation=parameters.referenceSegmentation,
                wait=False,
                onProgress=self._onProgress,
                onText=self.ui.logText.appendPlainText,
                onEnd=self._onEnd,
            )
        except Exception as error:
            self._onEnd(None, error)

    def _options(self) -> SegmentationOptions:
        parameters = self.parameters
        return SegmentationOptions(
            model=parameters.model,
            planes=tuple(parameters.planes) or None,
            fusion=parameters.fusion,
            top_level=None if parameters.topLevel in (UNKNOWN_LEVEL, NUMBERED) else parameters.topLevel,
            propose_levels=parameters.topLevel != NUMBERED,
            bias_correction={FROM_MODEL: None, "on": True, "off": False}[parameters.biasCorrection],
            postprocessing=self._postprocessing(),
            device=parameters.device,
        )

    def _postprocessing(self) -> PostprocessingSpec | None:
        parameters = self.parameters
        if parameters.postprocessing != ADJUSTED:
            return None
        own = self.logic.manifestsOf(parameters.model)[0][0].postprocessing
        # A limit that a person asks for holds however small the bodies are; the model's own is one of large bodies.
        isOwn = parameters.minIslandMm3 == own.min_island_mm3
        return PostprocessingSpec(
            min_island_mm3=parameters.minIslandMm3,
            min_island_share=own.min_island_share if isOwn else 0.0,
            fill_holes=parameters.fillHoles,
            smooth_mm=parameters.smoothMm,
            interpolate_slices=parameters.interpolateSlices,
            dilate_mm=parameters.dilateMm,
        )

    def _onProgress(self, event: dict) -> None:
        self.showStatus(self._progress.update(event))
        self.ui.progressBar.setValue(round(1000 * self._progress.fraction))

    def _onEnd(self, result: SegmentationResult | None, error: Exception | None) -> None:
        if error is not None:
            self.showError(error)
        else:
            self.showStatus(summaryOf(result))
            self.ui.logText.appendPlainText("\n".join([summaryOf(result), *map(asSentence, result.notes)]))
            self.ui.logText.appendPlainText(_("Computed on {device}.").format(device=result.device))
            self._onResult(result)
        self.logic.changed()

    def _onCopyLog(self, _checked: bool = False) -> None:
        qt.QApplication.clipboard().setText(self.ui.logText.toPlainText())
