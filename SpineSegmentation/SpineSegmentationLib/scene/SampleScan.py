"""The sample scan of the module: a synthetic lumbar spine, and its ground truth to compare a result with.

Both are files of the extension, so they need no internet.
"""

from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk
import slicer

from SpineInference.anatomy import LEVELS

from .SegmentationScene import addSegmentation
from .VolumeExchange import addVolume

_RESOURCES = Path(__file__).resolve().parents[2] / "Resources"
_CATEGORY = "SpineSegmentation"

TOP_LEVEL = "T11"
"""The topmost vertebra whose body is visible in the sample scan."""


@dataclass(frozen=True)
class Sample:
    """A bundled file. `name` is shown in the Sample Data module; `fileType` is Slicer's name of the reader."""

    name: str
    fileName: str
    fileType: str
    sha256: str

    @property
    def path(self) -> Path:
        return _RESOURCES / "SampleData" / self.fileName

    @property
    def thumbnail(self) -> Path:
        return _RESOURCES / "Icons" / f"{self.name}.png"


SCAN = Sample(
    "SpinePhantom",
    "SpinePhantom.nrrd",
    "VolumeFile",
    "125c42d908a88bb805b8548b9eafede771cf66778141194e914f25ad279ce8ee",
)
TRUTH = Sample(
    "SpinePhantomTruth",
    "SpinePhantomTruth.seg.nrrd",
    "SegmentationFile",
    "a864e814d85bc6f38ad38181ba88afda0f9cde2f750487cb5ef3aebd9256b876",
)


def registerSampleScan() -> None:
    """Offer the sample scan and its ground truth in the Sample Data module. Repeating it is harmless."""
    from SampleData import SampleDataLogic  # exists only after Slicer has started

    if hasattr(SampleDataLogic, "registerCustomSampleDataCategory"):  # Slicer 5.12
        from slicer.i18n import tr as _

        SampleDataLogic.registerCustomSampleDataCategory(_CATEGORY, title=_("Spine Segmentation"))
    for sample in (SCAN, TRUTH):
        SampleDataLogic.registerCustomSampleDataSource(
            category=_CATEGORY,
            sampleName=sample.name,
            thumbnailFileName=str(sample.thumbnail),
            uris=sample.path.as_uri(),
            fileNames=sample.fileName,
            nodeNames=sample.name,
            loadFileTypes=sample.fileType,
            checksums=f"SHA256:{sample.sha256}",
        )


def loadSampleScan() -> "slicer.vtkMRMLScalarVolumeNode":
    """A new volume node with the sample scan, shown in the slice views."""
    # Not with slicer.util.loadVolume: the node would be saved to the installed file.
    volumeNode = addVolume(sitk.ReadImage(str(SCAN.path)), SCAN.name)
    slicer.util.setSliceViewerLayers(background=volumeNode, fit=True)
    return volumeNode


def loadSampleTruth(volumeNode: "slicer.vtkMRMLScalarVolumeNode") -> "slicer.vtkMRMLSegmentationNode":
    """A new segmentation node with the ground truth of `volumeNode`, a volume made by `loadSampleScan`.

    Raises SpineError for a volume on another grid.
    """
    labels = sitk.ReadImage(str(TRUTH.path))
    view = sitk.GetArrayViewFromImage(labels)
    segments = [segment for segment in LEVELS.values() if (view == segment.label).any()]
    return addSegmentation(labels, segments, volumeNode, TRUTH.name)
