"""One press of Segment: a volume node goes to the worker, and its result comes into the scene."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import SimpleITK as sitk
import slicer

from SpineInference.errors import Cancelled, SpineError
from SpineInference.requests import Request

from .ResultImport import importResult
from .VolumeExchange import imageFromVolume
from .WorkerProcess import WorkerProcess
from .WorkerProtocol import WorkerProtocol


class SegmentationRun:
    """Segments one volume. Ends in exactly one call `onEnd(segmentationNode, error)`, where one of both is None.

    `error` is a Cancelled, or a SpineError with a sentence for the user, or whatever else went wrong. Whatever the
    end, the scene holds the whole result or nothing of it, and the temporary files are gone.
    """

    def __init__(
        self,
        onProgress: Callable[[dict], None],
        onText: Callable[[str], None],
        onEnd: Callable[["slicer.vtkMRMLSegmentationNode | None", Exception | None], None],
    ):
        self._protocol = WorkerProtocol(self._unlessCancelled(onProgress), self._unlessCancelled(onText))
        self._onEnd = onEnd
        self._folder: tempfile.TemporaryDirectory | None = None
        self._process: WorkerProcess | None = None
        self._cancelled = False
        self._volumeId = ""

    def start(self, volumeNode: "slicer.vtkMRMLScalarVolumeNode", **choices: object) -> None:
        """Export the volume and start the worker. `choices` are fields of `SpineInference.requests.Request`.

        Raises SpineError for a volume that cannot be used; then nothing has been started.
        """
        image = imageFromVolume(volumeNode)
        self._volumeId = volumeNode.GetID()
        self._folder = tempfile.TemporaryDirectory(prefix="SpineSegmentation-", ignore_cleanup_errors=True)
        scan = Path(self._folder.name) / "scan.nrrd"
        sitk.WriteImage(image, str(scan), useCompression=False)
        # The overview picture needs matplotlib, which Slicer does not bring; the views show more anyway.
        request = Request(str(scan), str(scan.with_name("result")), overview=False, **choices)
        self._process = WorkerProcess(request, self._protocol, self._onWorkerEnd)
        self._process.start()

    def cancel(self) -> None:
        """Stop the worker and take nothing over; `onEnd` follows when it has ended."""
        self._cancelled = True
        self._process.cancel()

    def wait(self) -> None:
        """Block until the end: for scripts."""
        self._process.wait()

    def _unlessCancelled(self, listener: Callable) -> Callable:
        """Whoever has cancelled wants no more news, and may be gone."""
        return lambda news: None if self._cancelled else listener(news)

    def _onWorkerEnd(self, exitCode: int) -> None:
        segmentationNode, error = None, None
        try:
            segmentationNode = self._takeOver(exitCode)
        except Exception as problem:
            error = problem
        finally:
            self._folder.cleanup()
        self._onEnd(segmentationNode, error)

    def _takeOver(self, exitCode: int) -> "slicer.vtkMRMLSegmentationNode":
        if self._cancelled:
            raise Cancelled
        event = self._protocol.result(exitCode)
        volumeNode = slicer.mrmlScene.GetNodeByID(self._volumeId)
        if volumeNode is None:
            raise SpineError("the volume was removed from the scene while it was segmented: load it and start again.")
        segmentationNode, _tableNode = importResult(event, volumeNode)
        return segmentationNode
