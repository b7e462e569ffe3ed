"""One segmentation: a volume node goes to the worker, and its result comes into the scene."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import qt
import SimpleITK as sitk
import slicer

from SpineInference.app.record import Record, read_record
from SpineInference.app.requests import Request, to_json
from SpineInference.errors import Cancelled, SpineError
from SpineInference.options import SegmentationOptions

from ..scene.results.ResultImport import SegmentationResult, importResult
from ..scene.segmentations.SegmentationLabels import labelsOfReference, writeLabels
from ..scene.volumes.VolumeExchange import imageFromVolume, moved, toWorldOf
from .ExchangeFolder import ExchangeFolder, removeStaleFolders
from .WorkerProcess import WorkerProcess
from .WorkerProtocol import SceneClosed, UnexpectedError, WorkerProtocol


class SegmentationRun:
    """Segments one volume. Ends in exactly one call `onEnd(result, error)`, where one of both is None.

    `error` is a Cancelled, or a SpineError with a sentence for the user, or whatever else went wrong. Whatever the
    end, the scene holds the whole result or nothing of it, and the temporary files are gone. The run ends itself when
    the scene is closed (SceneClosed, a Cancelled) or the volume removed (SpineError).
    """

    def __init__(
        self,
        worker: WorkerProcess,
        onProgress: Callable[[dict], None],
        onText: Callable[[str], None],
        onEnd: Callable[[SegmentationResult | None, Exception | None], None],
    ):
        self._worker = worker
        self._protocol = WorkerProtocol(self._unlessStopped(onProgress), self._unlessStopped(onText))
        self._onText = onText
        self._onEnd = onEnd
        self._folder: ExchangeFolder | None = None
        self._stopped: Exception | None = None
        self._volumeId = ""
        self._outputId: str | None = None
        self._referenceNames: dict[int, str] = {}
        self._toWorld = np.eye(4)
        self._observers: list[int] = []
        self._result: SegmentationResult | None = None

    def start(
        self,
        volumeNode: "slicer.vtkMRMLScalarVolumeNode",
        outputNode: "slicer.vtkMRMLSegmentationNode | None" = None,
        referenceNode: "slicer.vtkMRMLSegmentationNode | slicer.vtkMRMLLabelMapVolumeNode | None" = None,
        options: SegmentationOptions | None = None,
    ) -> None:
        """Export the volume and start the worker.

        Raises SpineError for a volume or reference that cannot be used; then nothing has been started.
        """
        started = time.perf_counter()
        if referenceNode is not None and referenceNode is outputNode:
            raise SpineError(
                f'"{referenceNode.GetName()}" is both the reference and the output: choose another output, or none.'
            )
        self._toWorld = toWorldOf(volumeNode)
        image = moved(imageFromVolume(volumeNode), self._toWorld)
        self._volumeId, self._outputId = volumeNode.GetID(), outputNode and outputNode.GetID()
        removeStaleFolders()
        self._folder = ExchangeFolder()
        try:
            scan = self._folder.path / "scan.nrrd"
            sitk.WriteImage(image, str(scan), useCompression=False)
            reference = None if referenceNode is None else self._writeReference(referenceNode, volumeNode)
        except Exception:
            self._folder.remove()
            raise
        self._onText(f"The scan was written for the worker in {time.perf_counter() - started:.2f} s.")
        # The overview picture needs matplotlib, which Slicer lacks; its views show more anyway.
        # NRRD keeps the axes as they are; NIfTI makes slightly sheared ones orthogonal, and the result would not fit.
        options = options or SegmentationOptions()
        # Of a Slicer that crashes, the worker removes the folder.
        files = (str(scan), str(self._resultFolder), options, reference)
        request = Request(*files, format="nrrd", overview=False, own_folder=str(self._folder.path))
        self._observe()
        self._worker.send(to_json(request), self._protocol, self._onWorkerEnd)

    def cancel(self) -> None:
        """Stop the worker and take nothing over, unless that has happened; `onEnd` follows."""
        self._stop(Cancelled())

    def close(self) -> None:
        """Stop; the owner of the worker waits for its end."""
        self.cancel()
        self._handOver()

    def wait(self) -> None:
        """Block until the end: for scripts."""
        self._worker.wait()
        self._handOver()

    def _writeReference(self, node: "slicer.vtkMRMLNode", volumeNode: "slicer.vtkMRMLScalarVolumeNode") -> str:
        labels, self._referenceNames = labelsOfReference(node, volumeNode)
        return writeLabels(moved(labels, self._toWorld), self._folder.path / "reference.nrrd")

    def _observe(self) -> None:
        scene = slicer.mrmlScene
        self._observers = [
            scene.AddObserver(scene.StartCloseEvent, lambda *_: self._stop(SceneClosed())),
            scene.AddObserver(scene.NodeRemovedEvent, self._onNodeRemoved),
        ]

    def _onNodeRemoved(self, *_: object) -> None:
        if slicer.mrmlScene.GetNodeByID(self._volumeId) is None:
            self._stop(
                SpineError("the volume was removed from the scene while it was segmented: load it and start again.")
            )

    def _stop(self, reason: Exception) -> None:
        if self._stopped is None:
            self._stopped = reason
            self._worker.cancel()

    def _unlessStopped(self, listener: Callable) -> Callable:
        """The listener until the run is stopped: it may be gone after that."""
        return lambda event: None if self._stopped else listener(event)

    def _onWorkerEnd(self, exitCode: int) -> None:
        for observer in self._observers:
            slicer.mrmlScene.RemoveObserver(observer)
        try:
            self._result = self._importResult(exitCode)
        except Exception as error:
            self._folder.remove()
            self._onEnd(None, error)
        else:
            qt.QTimer.singleShot(0, self._handOver)  # between the two, the window can draw and answer

    def _handOver(self) -> None:
        """Tell of the result that is in the scene, if nobody was told yet."""
        result, self._result = self._result, None
        if result is None:
            return
        self._folder.remove()
        if result.tableNode is None or slicer.mrmlScene.IsNodePresent(result.tableNode):
            self._onEnd(result, None)
        else:
            self._onEnd(None, SceneClosed())

    def _importResult(self, exitCode: int) -> SegmentationResult:
        if self._stopped:
            raise self._stopped
        record = self._answer(exitCode)
        started = time.perf_counter()
        outputNode = slicer.mrmlScene.GetNodeByID(self._outputId) if self._outputId else None
        volumeNode = slicer.mrmlScene.GetNodeByID(self._volumeId)
        result = importResult(record, self._resultFolder, volumeNode, outputNode, self._referenceNames, self._toWorld)
        self._onText(f"The result was brought into the scene in {time.perf_counter() - started:.2f} s.")
        return result

    @property
    def _resultFolder(self) -> Path:
        return self._folder.path / "result"

    def _answer(self, exitCode: int) -> Record:
        """The record of the result. Error messages get the name of the volume in place of the temporary file's."""
        try:
            return read_record(self._protocol.result(exitCode)["record"])
        except UnexpectedError:
            raise
        except SpineError as error:
            name = slicer.mrmlScene.GetNodeByID(self._volumeId).GetName()
            raise SpineError(str(error).replace(str(self._folder.path / "scan.nrrd"), f'"{name}"')) from None
