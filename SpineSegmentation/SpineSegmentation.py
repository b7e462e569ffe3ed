"""The Slicer module SpineSegmentation: a spine scan in, named and measured vertebral bodies out.

The work is done by `SpineInference` in a child process; `SpineSegmentationLib` connects it with the scene.
"""

import importlib.util
import sys
from typing import Annotated

import numpy as np
import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from SpineInference.errors import Cancelled, SpineError
from SpineInference.levels import LEVELS
from SpineInference.requests import DEFAULT_MODEL

UNKNOWN_LEVEL = "unknown"
DEVICES = ["auto", "cpu", "cuda", "mps"]


class SpineSegmentation(ScriptedLoadableModule):
    """What Slicer shows about the module."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Spine Segmentation")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["Segmentations", "Tables", "Terminologies"]
        self.parent.contributors = ["SpineSegmentation contributors"]
        self.parent.helpText = _(
            "Finds the vertebral bodies in an MR scan of the spine, names and measures them. Choose the scan, say "
            "which vertebra is the topmost one if you know it, and press Segment. Not for clinical use."
        )
        self.parent.acknowledgementText = _(
            "After the thesis on the segmentation of the cervical spine in MR by A. Utegulov (2020). Please cite the "
            "software as its file CITATION.cff says."
        )


@parameterNodeWrapper
class SpineSegmentationParameterNode:
    """What the user has chosen; saved with the scene. `model` is the name of a set of the catalog."""

    inputVolume: vtkMRMLScalarVolumeNode
    model: str = DEFAULT_MODEL
    topLevel: Annotated[str, Choice([UNKNOWN_LEVEL, *LEVELS])] = UNKNOWN_LEVEL
    device: Annotated[str, Choice(DEVICES)] = "auto"


class SpineSegmentationWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self._parameterNode = None
        self._parameterNodeGuiTag = None

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/SpineSegmentation.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = SpineSegmentationLogic()

        self._listModels()
        self.ui.modelSelector.connect("currentIndexChanged(int)", self.onModelSelected)
        self.ui.segmentButton.connect("clicked(bool)", self.onSegmentButton)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.initializeParameterNode()

    def cleanup(self):
        self.logic.cancel()
        self.logic = None
        self.setParameterNode(None)
        self.removeObservers()

    def enter(self):
        self.initializeParameterNode()

    def exit(self):
        self.setParameterNode(None)

    def onSceneStartClose(self, caller, event):
        self.logic.cancel()
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event):
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onReload(self):
        """Forget the libraries too: Slicer reloads only this file, which then imports them anew."""
        for name in [name for name in sys.modules if name.startswith(("SpineSegmentationLib", "SpineInference"))]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def initializeParameterNode(self):
        """Connect the panel with the parameters of the scene, and choose a volume if none is chosen."""
        self.setParameterNode(self.logic.getParameterNode())
        firstVolume = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
        if firstVolume and not self._parameterNode.inputVolume:
            self._parameterNode.inputVolume = firstVolume

    def setParameterNode(self, parameterNode):
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._updatePanel)
        self._parameterNode = parameterNode
        if parameterNode:
            self._parameterNodeGuiTag = parameterNode.connectGui(self.ui)
            self.addObserver(parameterNode, vtk.vtkCommand.ModifiedEvent, self._updatePanel)
            self._updatePanel()

    def _listModels(self):
        try:
            for info in self.logic.models():
                self.ui.modelSelector.addItem(info.title, info.name)
        except SpineError as error:  # a damaged catalog: the panel has to open to say so
            self.ui.statusLabel.text = str(error)

    def onModelSelected(self, index):
        if self._parameterNode and index >= 0:
            self._parameterNode.model = self.ui.modelSelector.itemData(index)

    def onSegmentButton(self):
        """Start, or cancel what is running."""
        if self.logic.isRunning:
            self.logic.cancel()
            self.ui.statusLabel.text = _("Cancelling ...")
            return
        from SpineSegmentationLib.Dependencies import ensureRequirements

        with slicer.util.tryWithErrorDisplay(_("The segmentation could not be started.")):
            ensureRequirements(self.resourcePath("requirements.txt"))
            self.ui.logText.clear()
            self.ui.statusLabel.text = _("Starting ...")
            parameters = self._parameterNode
            self.logic.segment(
                parameters.inputVolume,
                model=parameters.model,
                topLevel=None if parameters.topLevel == UNKNOWN_LEVEL else parameters.topLevel,
                device=parameters.device,
                wait=False,
                onProgress=self.onProgress,
                onText=self.ui.logText.appendPlainText,
                onEnd=self.onEnd,
            )
        self._updatePanel()

    def onProgress(self, progress):
        """Show a "progress" event of the worker."""
        self.ui.progressBar.maximum = max(progress["total"], 1)
        self.ui.progressBar.value = progress["done"]
        text = _("{stage}: {done} of {total}").format(
            stage=" ".join(filter(None, (progress["stage"], progress["plane"]))),
            done=progress["done"],
            total=progress["total"],
        )
        if progress["seconds_left"] is not None:
            text += " " + _("(about {seconds} s left)").format(seconds=round(progress["seconds_left"]))
        self.ui.statusLabel.text = text

    def onEnd(self, segmentationNode, error):
        """Say how it ended. The scene shows the rest."""
        if self.logic is None:  # the panel is gone
            return
        count = segmentationNode.GetSegmentation().GetNumberOfSegments() if segmentationNode else 0
        if segmentationNode:
            text = _("{count} vertebral bodies found.").format(count=count)
        elif isinstance(error, Cancelled):
            text = _("Cancelled.")
        else:
            text = _("Failed: {reason}").format(reason=error)
        self.ui.statusLabel.text = text
        self.ui.logText.appendPlainText(text)
        if not count and not isinstance(error, Cancelled):
            self.ui.logCollapsibleButton.collapsed = False  # it says why
        self._updatePanel()

    def _updatePanel(self, caller=None, event=None):
        running = self.logic.isRunning
        volumeChosen = bool(self._parameterNode and self._parameterNode.inputVolume)
        self.ui.segmentButton.text = _("Cancel") if running else _("Segment")
        self.ui.segmentButton.enabled = running or volumeChosen
        self.ui.segmentButton.toolTip = "" if running or volumeChosen else _("Choose a volume first.")
        self.ui.inputsCollapsibleButton.enabled = not running
        self.ui.progressBar.visible = running
        if self._parameterNode:
            self.ui.modelSelector.currentIndex = self.ui.modelSelector.findData(self._parameterNode.model)


class SpineSegmentationLogic(ScriptedLoadableModuleLogic):
    """The module without its panel, for scripts:

    logic = slicer.modules.spinesegmentation.widgetRepresentation().self().logic  # or SpineSegmentationLogic()
    segmentationNode = logic.segment(volumeNode, topLevel="T11")
    """

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        self._run = None
        self.isRunning = False

    def getParameterNode(self):
        return SpineSegmentationParameterNode(super().getParameterNode())

    def models(self):
        """Every model at hand, as `SpineInference.catalog.SetInfo`."""
        from SpineInference.catalog import list_sets

        return list_sets()

    def segment(
        self,
        volumeNode,
        model=DEFAULT_MODEL,
        topLevel=None,
        device="auto",
        wait=True,
        onProgress=None,
        onText=None,
        onEnd=None,
    ):
        """Segment the vertebral bodies of a volume; the segmentation and a table of measurements are placed beside it.

        With `wait`, blocks and returns the segmentation node, or raises SpineError with a sentence for the user.
        Otherwise returns None at once and calls `onEnd(segmentationNode, error)` later; see `SegmentationRun`.
        `topLevel` names the topmost vertebra ("C2"); without it the vertebrae are numbered. `onProgress` gets the
        "progress" events of the worker, `onText` lines for a log. Only one volume at a time: RuntimeError otherwise.
        """
        from SpineSegmentationLib.SegmentationRun import SegmentationRun
        from SpineSegmentationLib.SegmentationScene import loadTerminology

        if self.isRunning:
            raise RuntimeError("another volume is being segmented: wait, or cancel it")
        outcome = []

        def ended(segmentationNode, error):
            self.isRunning = False
            outcome.extend((segmentationNode, error))
            if onEnd:
                onEnd(segmentationNode, error)

        loadTerminology()
        # The run is kept when it has ended: its process must not be deleted in the middle of its last signal.
        self._run = SegmentationRun(onProgress or (lambda event: None), onText or print, ended)
        self.isRunning = True
        try:
            self._run.start(volumeNode, model=model, top_level=topLevel, device=device)
        except Exception:
            self.isRunning = False
            raise
        if not wait:
            return None
        self._run.wait()
        segmentationNode, error = outcome
        if error:
            raise error
        return segmentationNode

    def cancel(self):
        """Stop what is running, if anything is. The scene stays as it is."""
        if self.isRunning:
            self._run.cancel()


class SpineSegmentationTest(ScriptedLoadableModuleTest):
    """Runs the real worker on volumes made here. Segmenting needs onnxruntime: press Segment once to install it."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def test_a_spine_is_segmented_and_named(self):
        if importlib.util.find_spec("onnxruntime") is None:
            self.skipTest("onnxruntime is not installed: press Segment once")
        volumeNode = self._addVolume(_paintSpine())
        progress = []
        segmentationNode = SpineSegmentationLogic().segment(volumeNode, topLevel="T6", onProgress=progress.append)
        segmentation = segmentationNode.GetSegmentation()
        names = [segmentation.GetNthSegment(i).GetName() for i in range(segmentation.GetNumberOfSegments())]
        first = list(LEVELS).index("T6")
        self.assertGreaterEqual(len(names), 4)  # six are painted, two of them cut off
        self.assertEqual(names, list(LEVELS)[first : first + len(names)])
        self.assertEqual(
            segmentationNode.GetNodeReference(segmentationNode.GetReferenceImageGeometryReferenceRole()), volumeNode
        )
        self.assertIn("network", {event["stage"] for event in progress})
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode"), 1)

    def test_an_unusable_volume_gets_a_sentence_and_leaves_the_scene_as_it_was(self):
        volumeNode = self._addVolume(np.full((20, 30, 20), 7, np.int16))
        with self.assertRaisesRegex(SpineError, "same value|constant"):
            SpineSegmentationLogic().segment(volumeNode, onText=lambda line: None)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode"), 0)

    def test_cancel_ends_the_worker_and_leaves_the_scene_as_it_was(self):
        logic = SpineSegmentationLogic()
        ends = []
        logic.segment(
            self._addVolume(_paintSpine()), wait=False, onText=lambda line: None, onEnd=lambda *end: ends.append(end)
        )
        self.assertTrue(logic.isRunning)
        logic.cancel()
        logic._run.wait()
        self.assertFalse(logic.isRunning)
        self.assertIsInstance(ends[0][1], Cancelled)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode"), 0)

    def _addVolume(self, array):
        # Array axes: top to bottom, front to back, right to left, in voxels of 1 mm.
        ijkToRas = np.array([[-1, 0, 0, 45], [0, -1, 0, 75], [0, 0, -1, 110], [0, 0, 0, 1]], float)
        return slicer.util.addVolumeFromArray(array, ijkToRAS=ijkToRas, name="scan")


def _paintSpine():
    """A simple T1-like spine, int16 [220, 150, 90] in voxels of 1 mm: bodies brighter than discs and muscle, in fat."""
    from scipy.ndimage import gaussian_filter

    down, back, left = np.ogrid[:220, :150, :90]
    picture = np.full((220, 150, 90), 90.0)
    picture[:, :25] = picture[:, 130:] = 220  # fat under the skin
    picture[:, :12] = picture[:, 142:] = 5  # air
    column = (((back - 70) / 17) ** 2 + ((left - 45) / 23) ** 2 < 1) & (down >= 0)
    picture[column] = 50
    picture[column & ((down + 18) % 37 >= 9)] = 170
    picture[(((back - 97) / 8) ** 2 + ((left - 45) / 9) ** 2 < 1) & (down >= 0)] = 25  # spinal fluid
    noise = np.random.default_rng(1).normal(0, 4, picture.shape)
    return (gaussian_filter(picture, 0.7) + noise).clip(0).astype(np.int16)
