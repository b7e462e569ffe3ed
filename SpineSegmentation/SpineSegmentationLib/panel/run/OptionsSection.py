"""The part of the panel with the options of the segmentation: the topmost vertebra, and the advanced ones."""

import sys

import qt
from slicer.i18n import tr as _

from SpineInference.anatomy import LEVELS, numbered
from SpineInference.errors import SpineError
from SpineInference.specs import PostprocessingSpec

from ...worker.BackgroundTask import BackgroundTask
from ..ChoiceBox import ChoiceBox
from ..models.ModelDetails import planesOf
from ..PanelSection import PanelSection
from ..UserMessages import asSentence, asToolTip

UNKNOWN_LEVEL, NUMBERED = "unknown", "numbered"
"""Values of `topLevel`: levels are recognised in the scan where possible; or vertebrae are only numbered."""
TOP_LEVELS = [name for name in LEVELS if name not in ("L6", "S1")]
FROM_MODEL, ADJUSTED = "model", "adjusted"
_PREVIEW_LENGTH = 6


class OptionsSection(PanelSection):
    """Offers what the chosen model supports, and shows its defaults."""

    def __init__(self, ui: object, logic: object):
        super().__init__(ui, logic)
        self._devices: BackgroundTask | None = None
        self._explanation = ui.levelSelector.toolTip
        self._planeBoxes = {
            "sagittal": ui.sagittalCheckBox,
            "coronal": ui.coronalCheckBox,
            "axial": ui.axialCheckBox,
        }
        without = [(UNKNOWN_LEVEL, _("automatic")), (NUMBERED, _("none, number them"))]
        levels = [*without, *((name, name) for name in TOP_LEVELS)]
        self._level = self._choice(ui.levelSelector, "topLevel", levels)
        self._fusion = self._choice(
            ui.fusionSelector, "fusion", [("mean", _("mean probability")), ("vote", _("majority vote"))]
        )
        self._bias = self._choice(ui.biasSelector, "biasCorrection", [])
        self._postprocessing = ChoiceBox(ui.postprocessingSelector, self._onPostprocessing)
        self._postprocessing.fill([(FROM_MODEL, _("from the model")), (ADJUSTED, _("adjusted"))])
        self._device = self._choice(ui.deviceSelector, "device", _deviceItems())
        ui.automaticPlanesCheckBox.connect("toggled(bool)", self._onAutomaticPlanes)
        for plane, box in self._planeBoxes.items():
            box.connect("toggled(bool)", lambda on, plane=plane: self._onPlane(plane, on))
        ui.advancedCollapsibleButton.connect("contentsCollapsed(bool)", self._onAdvanced)

    def update(self, isRunning: bool) -> None:
        parameters = self.parameters
        manifests = self._manifests()
        self.ui.advancedCollapsibleButton.setEnabled(not isRunning)
        self._level.show(parameters.topLevel)
        self.ui.levelSelector.setToolTip(asToolTip(self._explanation, namingPreview(parameters.topLevel)))
        self._showPlanes(planesOf(manifests))
        self._fusion.show(parameters.fusion)
        self.ui.fusionSelector.setEnabled(len(parameters.planes or planesOf(manifests)) > 1)
        modelCorrects = bool(manifests) and manifests[0][0].input.bias_correction
        own = _("from the model (corrected)") if modelCorrects else _("automatic")
        self._bias.fill([(FROM_MODEL, own), ("on", _("corrected (N4)")), ("off", _("not corrected"))])
        self._bias.show(parameters.biasCorrection)
        self._showPostprocessing(manifests)
        self._device.show(parameters.device)

    def close(self) -> None:
        """Stop the background task: the panel is going away."""
        if self._devices is not None:
            self._devices.close()

    def _choice(self, comboBox: "qt.QComboBox", parameter: str, items: list[tuple[str, str]]) -> ChoiceBox:
        box = ChoiceBox(comboBox, lambda value: self.set(parameter, value))
        box.fill(items)
        return box

    def _manifests(self) -> list:
        try:
            return self.logic.manifestsOf(self.parameters.model)
        except SpineError:  # ModelSection shows the error
            return []

    # --- planes: none chosen means automatic ---

    def _showPlanes(self, offered: list[str]) -> None:
        chosen = list(self.parameters.planes)
        _showChecked(self.ui.automaticPlanesCheckBox, not chosen)
        for plane, box in self._planeBoxes.items():
            box.setEnabled(plane in offered and bool(chosen))
            _showChecked(box, plane in (chosen or offered))

    def _onAutomaticPlanes(self, automatic: bool) -> None:
        self.set("planes", [] if automatic else planesOf(self._manifests()))

    def _onPlane(self, plane: str, on: bool) -> None:
        chosen = set(self.parameters.planes) | {plane} if on else set(self.parameters.planes) - {plane}
        self.set("planes", [each for each in self._planeBoxes if each in chosen])

    # --- post-processing ---

    def _showPostprocessing(self, manifests: list) -> None:
        adjusted = self.parameters.postprocessing == ADJUSTED
        self._postprocessing.show(self.parameters.postprocessing)
        self.ui.postprocessingWidget.setVisible(adjusted)
        self.ui.postprocessingInfoLabel.setVisible(not adjusted and bool(manifests))
        if manifests:
            self.ui.postprocessingInfoLabel.setText(_describe(manifests[0][0].postprocessing))

    def _onPostprocessing(self, choice: str) -> None:
        manifests = self._manifests()
        if choice == ADJUSTED and manifests:  # start with the defaults of the model
            spec = manifests[0][0].postprocessing
            self.set("minIslandMm3", float(spec.min_island_mm3))
            self.set("fillHoles", spec.fill_holes)
            self.set("smoothMm", float(spec.smooth_mm))
            self.set("interpolateSlices", spec.interpolate_slices)
            self.set("dilateMm", float(spec.dilate_mm))
        self.set("postprocessing", choice)

    # --- device ---

    def _onAdvanced(self, collapsed: bool) -> None:
        """List the devices when the section is first opened, in another process: testing a GPU takes seconds."""
        if not collapsed and self._devices is None:
            self.ui.deviceInfoLabel.setText(_("Looking for graphics cards ..."))
            self._devices = BackgroundTask(self._onDevices)
            self._devices.start("devices")

    def _onDevices(self, answer: dict | None, error: Exception | None) -> None:
        if error is not None:
            self.ui.deviceInfoLabel.setText(asSentence(error))
            return
        automatic = answer["automatic"]
        text = _("Automatic takes: {name}, because {reason}.").format(
            name=automatic["name"], reason=automatic["reason"].rstrip(".")
        )
        self.ui.deviceInfoLabel.setText(text)
        self._device.fill(_deviceItems([device for device in answer["others"] if device["wish"] != "cpu"]))
        if self.parameters is not None:
            self._device.show(self.parameters.device)


def namingPreview(topLevel: str) -> str:
    """The names that the first vertebrae will get."""
    numbers = ", ".join(numbered(number).name for number in (1, 2, 3))
    if topLevel == UNKNOWN_LEVEL:
        return _("Named from the sacrum or C2 if the scan shows it, otherwise {names} ...").format(names=numbers)
    if topLevel == NUMBERED:
        return _("Named {names} ...").format(names=numbers)
    levels = list(LEVELS)
    first = levels.index(topLevel) if topLevel in levels else 0
    names = [name for name in levels[first:] if name != "L6"][:_PREVIEW_LENGTH]
    more = " ..." if names[-1] != "S1" else ""
    return _("Named {names}").format(names=", ".join(names)) + more


def _deviceItems(gpus: list[dict] | None = None) -> list[tuple[str, str]]:
    """Value and text of each device; `gpus` are those that passed their test."""
    items = [(device["wish"], _gpuText(device)) for device in gpus or []]
    if not items:
        # Choosing a GPU offers to install its requirements, so it is listed even if none was found.
        items = [("mps", _("Apple GPU"))] if sys.platform == "darwin" else [("cuda", _("graphics card (NVIDIA)"))]
    return [("auto", _("automatic")), ("cpu", _("processor (CPU)")), *items]


def _gpuText(device: dict) -> str:
    # The reason names the memory: "NVIDIA ... with 24 GB passed its test".
    return device["reason"].removesuffix(" passed its test").removeprefix("the ")


def _describe(spec: PostprocessingSpec) -> str:
    steps = [_("parts below {volume} mm³ removed").format(volume=round(spec.min_island_mm3))]
    if spec.fill_holes:
        steps.append(_("holes filled"))
    if spec.smooth_mm:
        steps.append(_("smoothed by {length} mm").format(length=spec.smooth_mm))
    if spec.interpolate_slices:
        steps.append(_("missed slices interpolated"))
    if spec.dilate_mm:
        steps.append(_("grown by {length} mm").format(length=spec.dilate_mm))
    return ", ".join(steps)


def _showChecked(box: "qt.QCheckBox", on: bool) -> None:
    box.blockSignals(True)
    box.setChecked(on)
    box.blockSignals(False)
