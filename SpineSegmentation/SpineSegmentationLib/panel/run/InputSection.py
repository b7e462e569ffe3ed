"""The part of the panel in which the scan, the output and the reference are chosen."""

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from SpineInference.errors import SpineError

from ...scene.results.ResultViews import shownScan
from ...scene.volumes.VolumeExchange import checkValues, checkVolume
from ...scene.volumes.VolumeInfo import describeVolume, modalityWarning
from ..PanelSection import PanelSection
from ..UserMessages import asSentence, asToolTip


class InputSection(PanelSection):
    """Describes the chosen scan, and says at once if it cannot be segmented."""

    def __init__(self, ui: object, logic: object):
        super().__init__(ui, logic)
        self._problem = ""
        self._checked: tuple[object, str] = (None, "")
        self._knownIds: set[str] | None = None
        self._explanation = ui.inputSelector.toolTip
        ui.sampleButton.connect("clicked(bool)", self._onSample)

    def chooseVolume(self, isRunning: bool) -> None:
        """Choose the volume in the slice views, or else the first usable one of the scene, if none is chosen.

        A volume that has come into the scene and into the slice views since the last call takes the place of another
        one, unless that is being segmented.
        """
        volumeNodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        known, self._knownIds = self._knownIds, {node.GetID() for node in volumeNodes}
        shown = shownScan()
        isNew = known is not None and shown is not None and shown.GetID() in self._knownIds - known
        if self.parameters.inputVolume is None or (isNew and not isRunning):
            candidates = [node for node in (shown, *volumeNodes) if node is not None and not _refusal(node)]
            if candidates:
                self.parameters.inputVolume = candidates[0]

    def update(self, isRunning: bool) -> None:
        volumeNode = self.parameters.inputVolume
        self._problem = self._problemWith(volumeNode)
        self.ui.inputsWidget.setEnabled(not isRunning)
        self.ui.outputCollapsibleButton.setEnabled(not isRunning)
        usable = volumeNode is not None and not self._problem
        name, size = (volumeNode.GetName(), describeVolume(volumeNode)) if usable else ("", "")
        self.ui.inputSelector.setToolTip(asToolTip(self._explanation, name, size))
        hint = modalityWarning(volumeNode, self.logic.modalityOf(self.parameters.model)) if usable else self._problem
        self.ui.inputHintLabel.setText(hint)
        self.ui.inputHintLabel.setVisible(bool(hint))

    def blockingReason(self) -> str:
        if self.parameters.inputVolume is None:
            return _("Choose a scan first.")
        return self._problem

    def _problemWith(self, volumeNode: "slicer.vtkMRMLScalarVolumeNode | None") -> str:
        if volumeNode is None:
            return ""
        if refusal := _refusal(volumeNode):
            return refusal
        image = volumeNode.GetImageData()
        state = (volumeNode.GetID(), image.GetMTime())
        if state != self._checked[0]:  # looking at every voxel takes its time
            self._checked = (state, _refusal(volumeNode, checkValues))
        return self._checked[1]

    def _onSample(self, _checked: bool = False) -> None:
        from ...scene.SampleScan import loadSampleScan

        self.set("inputVolume", loadSampleScan())


def _refusal(volumeNode: "slicer.vtkMRMLScalarVolumeNode", check: Callable = checkVolume) -> str:
    """Why a volume cannot be segmented, as a sentence; empty if it can."""
    try:
        check(volumeNode)
    except SpineError as error:
        return asSentence(error)
    return ""
