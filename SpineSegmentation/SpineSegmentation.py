"""The Slicer module SpineSegmentation: a spine scan in, named and measured vertebral bodies out.

The work is done by `SpineInference` in a child process; `SpineSegmentationLib` connects it with the scene and holds the
parts of the panel.
"""

import sys
from dataclasses import replace

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from SpineInference.options import SegmentationOptions
from SpineSegmentationLib import SelfTest
from SpineSegmentationLib.ParameterNode import SpineSegmentationParameterNode

_REPOSITORY = "https://github.com/SpineSegmentation/SlicerSpineSegmentation"


class SpineSegmentation(ScriptedLoadableModule):
    """What Slicer shows about the module."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Spine Segmentation")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["Segmentations", "Tables", "Terminologies", "Plots", "Markups"]
        self.parent.contributors = ["SpineSegmentation contributors"]
        self.parent.helpText = _(
            "Finds the vertebral bodies in an MR scan of the spine, the discs between them and the spinal canal, names "
            "and measures them. Choose the scan, say "
            "which vertebra is the topmost one if you know it, and press Segment. Look at every result before you "
            "use it, and correct it in the Segment Editor. Several scans can be segmented one after the other, and "
            "corrected results saved as training cases for a better model. Not for clinical use. More is told in the "
            '<a href="{address}">documentation</a>.'
        ).format(address=f"{_REPOSITORY}/blob/main/docs/README.md")
        self.parent.acknowledgementText = _(
            "After the thesis on the segmentation of the cervical spine in MR by A. Utegulov (2020). Please cite the "
            'software as its file <a href="{address}">CITATION.cff</a> says.'
        ).format(address=f"{_REPOSITORY}/blob/main/CITATION.cff")
        slicer.app.connect("startupCompleted()", _onStartup)


def _onStartup():
    from SpineSegmentationLib.scene.SampleScan import registerSampleScans
    from SpineSegmentationLib.worker.ExchangeFolder import removeStaleFolders
    from SpineSegmentationLib.worker.SampleDownload import SampleDownload

    registerSampleScans(SampleDownload().load)
    removeStaleFolders()


class SpineSegmentationWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: creates its parts and updates them with the parameter node."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self._parameterNode = None
        self._connection = None

    def setup(self):
        from SpineSegmentationLib.panel.measures.MeasuresSection import MeasuresSection
        from SpineSegmentationLib.panel.models.ModelSection import ModelSection
        from SpineSegmentationLib.panel.results.ResultSection import ResultSection
        from SpineSegmentationLib.panel.results.ShownChoice import ShownChoice
        from SpineSegmentationLib.panel.run.InputSection import InputSection
        from SpineSegmentationLib.panel.run.OptionsSection import OptionsSection
        from SpineSegmentationLib.panel.run.RunSection import RunSection
        from SpineSegmentationLib.panel.scans.ScansSection import ScansSection
        from SpineSegmentationLib.panel.SceneWatcher import SceneWatcher
        from SpineSegmentationLib.panel.Sight import Sight

        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = self._uiWidget = slicer.util.loadUI(self.resourcePath("UI/SpineSegmentation.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = SpineSegmentationLogic()
        self.logic.changed = self.updatePanel

        self.input = InputSection(self.ui, self.logic)
        self.model = ModelSection(self.ui, self.logic)
        self.options = OptionsSection(self.ui, self.logic)
        self.results = ResultSection(self.ui, self.logic, self.model)
        self.measures = MeasuresSection(self.ui, self.logic)
        self.run = RunSection(self.ui, self.logic, self.model.forgetMessage, self.onResult)
        self.scans = ScansSection(self.ui, self.logic, self.run.segmentSeveral)
        self.shownChoice = ShownChoice(self.logic, self.run.clear)  # the status speaks of the other scan
        self.sight = Sight(uiWidget)
        self.watcher = SceneWatcher(uiWidget, self.onSceneModified)
        self._sections = [self.input, self.model, self.options, self.results, self.measures, self.run, self.scans]
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndImport)
        self.initializeParameterNode()

    def cleanup(self):
        """Called on Reload, and when Slicer quits."""
        self.logic.changed = lambda: None
        self.model.close()
        self.options.close()
        self.results.close()
        self.logic.close()
        self.setParameterNode(None)
        self.watcher.close()
        self.removeObservers()
        # On Reload Slicer only hides the old panel: its selectors would follow the scene for ever.
        self._uiWidget.setMRMLScene(None)
        self._uiWidget.deleteLater()

    def enter(self):
        self.initializeParameterNode()
        self.sight.bring(self.ui.segmentButton)

    def exit(self):
        self.model.forgetMessage()
        self.setParameterNode(None)

    def onSceneStartClose(self, caller, event):
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event):
        self.shownChoice.remember()
        self.model.forgetMessage()
        self.results.forgetReplacement()
        self.run.clear()
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onSceneEndImport(self, caller, event):
        self.shownChoice.remember()  # the views are those of the scene
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onSceneModified(self):
        """Something has happened to the scene, or to the chosen scan or result: the user may have loaded a scan."""
        if self._parameterNode is not None and not slicer.mrmlScene.IsImporting():
            self.input.chooseVolume(self.logic.isRunning)
            self.updatePanel()

    def onReload(self):
        """Slicer reloads only this file: unload the libraries, so that it imports them again."""
        for name in [name for name in sys.modules if name.startswith(("SpineSegmentationLib", "SpineInference"))]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def onResult(self, result):
        """A run has succeeded: show its result, if anything was found."""
        from SpineSegmentationLib.scene.results.MeasurementTable import scanOf
        from SpineSegmentationLib.scene.results.ResultViews import isShown

        parameterNode = self.logic.getParameterNode()  # self._parameterNode is None while another module is shown
        if result.replacement:
            self.results.offerToRestore(result.replacement)
        if result.tableNode:
            parameterNode.result = result.tableNode
            self.sight.bring(self.ui.resultTable, self.ui.segmentButton)
            if self._parameterNode is None and not isShown(scanOf(result.tableNode)):
                result.segmentationNode.SetDisplayVisibility(False)  # until the panel is there, and with it the scan

    def initializeParameterNode(self):
        """Connect the panel with the parameter node of the scene, and choose a volume where that helps."""
        self.setParameterNode(self.logic.getParameterNode())
        self.input.chooseVolume(self.logic.isRunning)

    def setParameterNode(self, parameterNode):
        from SpineSegmentationLib.panel.GuiConnection import GuiConnection

        if self._parameterNode:
            self._connection.close()
            self.watcher.watch([])
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.updatePanel)
        self._parameterNode = parameterNode
        for section in self._sections:
            section.parameters = parameterNode
        if parameterNode:
            self._connection = GuiConnection(parameterNode, self.ui)
            self.addObserver(parameterNode, vtk.vtkCommand.ModifiedEvent, self.updatePanel)
            self.updatePanel()

    def updatePanel(self, caller=None, event=None):
        """Update all parts from the parameter node and the state of the logic."""
        from SpineSegmentationLib.scene.results.MeasurementTable import segmentationOf

        if self._parameterNode is None or slicer.mrmlScene.IsImporting():
            return
        self.shownChoice.show()
        for section in self._sections:
            if section is self.run:
                self.run.setBlockingReason(next(filter(None, (each.blockingReason() for each in self._sections)), ""))
            if section is self.scans:  # what is wrong with the chosen scan does not concern the others
                self.scans.setBlockingReason(self.model.blockingReason() or self.options.blockingReason())
            section.update(self.logic.isRunning)
        segmentationNode = segmentationOf(self._parameterNode.result)
        segmentation = segmentationNode and segmentationNode.GetSegmentation()
        self.watcher.watch([self._parameterNode.inputVolume, segmentationNode, segmentation])


class SpineSegmentationLogic(ScriptedLoadableModuleLogic):
    """The module without its panel, for scripts, with or without a main window:

    from SpineInference.options import SegmentationOptions
    from SpineSegmentation import SpineSegmentationLogic
    volumeNode = slicer.util.loadVolume("scan.nii.gz")
    result = SpineSegmentationLogic().segment(volumeNode, SegmentationOptions(top_level="T11"))
    slicer.util.exportNode(result.tableNode, "measurements.csv")
    """

    def __init__(self):
        from SpineSegmentationLib.worker.CurrentRun import CurrentRun

        ScriptedLoadableModuleLogic.__init__(self)
        self._current = CurrentRun()
        self._worker = None
        self._manifests = {}
        self.changed = lambda: None  # called when `isRunning` or a model may have changed

    @property
    def isRunning(self):
        """Whether something is being segmented, measured or saved."""
        return self._current.isRunning

    @property
    def isCancelling(self):
        """Whether that has been cancelled, and has not ended yet."""
        return self._current.isCancelling

    def getParameterNode(self):
        return SpineSegmentationParameterNode(super().getParameterNode())

    def models(self):
        """The catalog, as a list of `SpineInference.models.catalog.SetInfo`. Raises SpineError if it is damaged."""
        from SpineInference.models.catalog import list_sets

        self._manifests = {}
        return list_sets()

    def manifestsOf(self, model):
        """The manifests of a model's networks, see `SpineInference.models.catalog.manifests_of`."""
        from SpineInference.models.catalog import manifests_of

        if model not in self._manifests:
            self._manifests[model] = manifests_of(model)
        return self._manifests[model]

    def modalityOf(self, model):
        """The modality that a model is made for ("MR"); empty if it is not known."""
        from SpineInference.errors import SpineError

        try:
            return next((manifest.modality for manifest, _size in self.manifestsOf(model)), "")
        except SpineError:
            return ""

    def segment(
        self,
        volumeNode,
        options=None,
        outputSegmentation=None,
        referenceSegmentation=None,
        wait=True,
        onProgress=None,
        onText=None,
        onEnd=None,
    ):
        """Segment the vertebral bodies of a volume; the segmentation and a table of measurements are placed beside it.

        With `wait`, blocks and returns a `SegmentationResult` (segmentationNode, tableNode, notes, ...; both nodes are
        None if there is no vertebral body), or raises SpineError with a sentence for the user. Otherwise returns None
        at once and calls `onEnd(result, error)` later, where one of both is None.

        `options` are `SpineInference.options.SegmentationOptions`, whose help lists every choice: model, planes,
        levels, post-processing, device, ... `outputSegmentation` gets the result instead of a new node, once it is
        complete; `referenceSegmentation`, a segmentation or a label map, is what the result is compared with.

        `onProgress` gets the "progress" events of `SpineInference.app.worker`, `onText` lines for a log. Only one
        volume at a time: RuntimeError otherwise. The worker process lives on for the next volume, for ten minutes or
        until `close`.
        """
        options, make = self._prepareRuns(options, onProgress, onText)

        def start(run):
            run.start(volumeNode, outputSegmentation, referenceSegmentation, options)

        return self._start(make, wait, onEnd, start)

    def segmentSeveral(
        self, volumeNodes, options=None, wait=True, onProgress=None, onText=None, onScan=None, onEnd=None
    ):
        """Segment volumes one after the other; each gets a segmentation and a table of its own, as with `segment`.

        With `wait`, blocks and returns a table with a row for each volume, in which the column "problem" says why one
        was not segmented; it does not stop the others. Otherwise returns None at once and calls `onEnd(table, error)`
        later, where one of both is None. `cancel` keeps what is done.

        `onScan(number, total, volumeNode, table)` is called when a volume begins (from 0); the other arguments are
        those of `segment`. Raises SpineError without any volume.
        """
        from SpineSegmentationLib.worker.SeveralScans import SeveralScans

        options, makeRun = self._prepareRuns(options, onProgress, onText)

        def make(ended):
            return SeveralScans(makeRun, onScan or (lambda *progress: None), ended)

        def startRun(run, volumeNode):
            run.start(volumeNode, options=options)

        return self._start(make, wait, onEnd, lambda runs: runs.start(list(volumeNodes), startRun))

    def _prepareRuns(self, options, onProgress, onText):
        """The options with a device that is there, and what makes a run, which calls its argument at the end."""
        from SpineSegmentationLib.scene.segmentations.SegmentationScene import loadTerminology
        from SpineSegmentationLib.worker.Dependencies import availableDevice
        from SpineSegmentationLib.worker.SegmentationRun import SegmentationRun
        from SpineSegmentationLib.worker.WorkerProcess import WorkerProcess

        options = options or SegmentationOptions()
        loadTerminology()
        self._worker = self._worker or WorkerProcess("SpineInference.app.worker", keepAlive=True)

        def make(ended):
            return SegmentationRun(self._worker, onProgress or (lambda event: None), onText or print, ended)

        return replace(options, device=availableDevice(options.device)), make

    def measure(self, tableNode, referenceSegmentation=None, wait=True, onEnd=None):
        """Remeasure the segments of a result as they are now: after a correction, or to compare them.

        `tableNode` is the table of the result, or where that was removed its segmentation; `referenceSegmentation` is
        a segmentation or a label map to compare with.
        With `wait`, blocks and returns a new table beside the first one, in place of that of an earlier call, or
        raises SpineError with a sentence for the user. Otherwise returns None at once and calls
        `onEnd(newTableNode, error)` later, where one of both is None. Only if nothing else is running: RuntimeError.
        """
        from SpineSegmentationLib.worker.Remeasurement import Remeasurement

        return self._start(Remeasurement, wait, onEnd, lambda run: run.start(tableNode, referenceSegmentation))

    def saveTrainingCase(self, result, folder, name, wait=True, onEnd=None):
        """Save a corrected result as the case `name` of a data set in nnU-Net's raw layout, for `segtraining`.

        `result` is the table of the result or its segmentation. `folder` is made if it is not there; it belongs to such
        cases alone, and none of them is ever replaced. With `wait`, blocks and returns the path of the image in the
        data set, or raises SpineError with a sentence for the user. Otherwise returns None at once and calls
        `onEnd(path, error)` later, where one of both is None. Only if nothing else is running: RuntimeError.
        """
        from SpineSegmentationLib.scene.results.MeasurementTable import scanOf
        from SpineSegmentationLib.scene.results.ResultNodes import runOf
        from SpineSegmentationLib.scene.volumes.VolumeInfo import modalityOf
        from SpineSegmentationLib.worker.CaseSaving import CaseSaving

        def start(run):
            volumeNode = scanOf(result)
            known = volumeNode is not None and (modalityOf(volumeNode) or self.modalityOf(runOf(result).model))
            run.start(result, str(folder), name, known or "MR")

        return self._start(CaseSaving, wait, onEnd, start)

    def _start(self, make, wait, onEnd, start):
        """Start the run that `make(ended)` returns, with `start(run)`; its result with `wait`."""
        return self._current.start(make, start, self.changed, onEnd, wait)

    def cancel(self):
        """Stop the run, if there is one. The scene stays unchanged."""
        self._current.cancel()

    def close(self):
        """Stop the run and end the worker process; returns when it has ended."""
        self._current.close()
        if self._worker is not None:
            self._worker.close()


class SpineSegmentationTest(SelfTest.SelfTest):
    """The self-test with the logic of this file, in which Slicer looks for it: Reload & Test, CTest."""

    logicClass = SpineSegmentationLogic
