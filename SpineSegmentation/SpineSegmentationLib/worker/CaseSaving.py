"""Saves a corrected result as a training case: files are compressed and written without the window waiting for it."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import SimpleITK as sitk
import slicer
from slicer.i18n import tr as _

from SpineInference.app.training_case import CaseSegment, TrainingCase, check_case
from SpineInference.errors import SpineError

from ..scene.results.MeasurementTable import placementOf, scanOf, segmentationOf
from ..scene.results.ResultNodes import isCorrected, runOf, structuresOf
from ..scene.segmentations.ReviewMarks import checkedNames
from ..scene.segmentations.SegmentationLabels import labelMapOf, writeLabels
from ..scene.segmentations.SegmentationScene import segmentsOf
from ..scene.volumes.VolumeExchange import checkTransform, imageFromVolume, moved, toWorldOf
from .BackgroundTask import BackgroundTask
from .ExchangeFolder import ExchangeFolder


def checkTrainingCase(result: "slicer.vtkMRMLNode", folder: str, name: str) -> None:
    """Raise SpineError unless a result, as it is now, can become this case. Looks at no voxel."""
    node = _segmentationOf(result)
    structures = structuresOf(result)
    names = [segment.GetName() for segment in segmentsOf(node)]
    segments = [CaseSegment(value, each, each not in structures) for value, each in enumerate(names, start=1)]
    check_case(Path(folder), name, segments)
    for each in (node, scanOf(result)):
        if each is not None:
            checkTransform(each)


class CaseSaving:
    """Saves one result. Ends in exactly one call `onEnd(path, error)`, where one of both is None.

    `path` is that of the image in the data set. The scene is not changed.
    """

    def __init__(self, onEnd: Callable[[str | None, Exception | None], None]):
        self._onEnd = onEnd
        self._task = BackgroundTask(self._onTaskEnd)
        self._folder: ExchangeFolder | None = None

    def start(self, result: "slicer.vtkMRMLNode", folder: str, name: str, modality: str) -> None:
        """Save the scan and the segments of a result as the case `name` of the data set in `folder`.

        They lie where the transforms above them put them. Raises SpineError for what cannot be saved; then nothing has
        been started.
        """
        node = _segmentationOf(result)
        checkTrainingCase(result, folder, name)
        labels, names = labelMapOf(node)
        volumeNode, structures = scanOf(result), structuresOf(result)
        toWorld = toWorldOf(volumeNode)
        image = moved(imageFromVolume(volumeNode), toWorld)
        self._folder = ExchangeFolder()
        try:
            scan = self._folder.path / "scan.nrrd"
            sitk.WriteImage(image, str(scan), useCompression=False)
            case = TrainingCase(
                scan=str(scan),
                labels=writeLabels(moved(labels, toWorld), self._folder.path / "labels.nrrd"),
                folder=folder,
                name=name,
                segments=tuple(CaseSegment(value, each, each not in structures) for value, each in names.items()),
                modality=modality,
                placement=placementOf(result),
                provenance=_provenanceOf(node),
            )
        except Exception:
            self._folder.remove()
            raise
        self._task.start("save_case", case=asdict(case))

    def cancel(self) -> None:
        """Stop, with nothing of the case saved; `onEnd` follows with Cancelled."""
        self._task.cancel()

    def close(self) -> None:
        """Stop without calling `onEnd`, and wait until the process has ended."""
        self._task.close()
        self._folder.remove()

    def wait(self) -> None:
        """Block until the end: for scripts."""
        self._task.wait()

    def _onTaskEnd(self, answer: dict | None, error: Exception | None) -> None:
        self._folder.remove()
        self._onEnd(answer and answer["image"], error)


def _segmentationOf(result: "slicer.vtkMRMLNode | None") -> "slicer.vtkMRMLSegmentationNode":
    node = segmentationOf(result)
    if node is None:
        raise SpineError(_("the segmentation is not in the scene any more: segment the scan again."))
    return node


def _provenanceOf(node: "slicer.vtkMRMLSegmentationNode") -> dict[str, object]:
    """What is known of the segments; no name of a node, which may be that of the patient."""
    run = runOf(node)
    return {
        "slicer": slicer.app.applicationVersion,
        "model": run.model,
        "model_checksums": run.checksums,
        "segmented": run.time and run.time.isoformat(timespec="seconds"),
        "corrected_by_hand": isCorrected(node),
        "checked_by_hand": sorted(checkedNames(node)),
    }
