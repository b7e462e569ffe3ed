"""The part of the panel in which the scan, the output and the reference are chosen."""

import slicer
from slicer.i18n import tr as _

from SpineInference.errors import SpineError

from ..scene.ResultViews import shownScan
from ..scene.VolumeExchange import checkVolume
from ..scene.VolumeInfo import describeVolume, modalityWarning
from .PanelSection import PanelSection
from .UserMessages import asSentence, asToolTip


class InputSection(PanelSection):
    """Describes the chosen scan, and says at once if it cannot be segmented."""

    def __init__(self, ui: object, logic: object):
        super().__init__(ui, logic)
        self._problem = ""
        self._explanation = ui.inputSelector.toolTip
        ui.sampleButton.connect("clicked(bool)", self._onSample)

    def chooseFirstVolume(self) -> None:
        """Choose the volume in the slice views, or else the first usable one of the scene, if none is chosen."""
        if self.parameters.inputVolume is None:
            for volumeNode in (shownScan(), *slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")):
                if volumeNode is not None and not self._problemWith(volumeNode):
                    self.parameters.inputVolume = volumeNode
                    return

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
        try:
            checkVolume(volumeNode)
        except SpineError as error:
            return asSentence(error)
        return ""

    def _onSample(self, _checked: bool = False) -> None:
        from ..scene.SampleScan import loadSampleScan

        self.set("inputVolume", loadSampleScan())
