"""The sample scans of the module: a synthetic lumbar spine with its ground truth, and a real one.

The first two are files of the extension, so they need no internet. The real one is downloaded from its authors when a
person asks for it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk
import slicer

from SpineInference.anatomy import LEVELS

from .segmentations.SegmentationScene import addSegmentation
from .volumes.VolumeExchange import addVolume

_RESOURCES = Path(__file__).resolve().parents[2] / "Resources"
_CATEGORY = "SpineSegmentation"

TOP_LEVEL = "T11"
"""The topmost vertebra whose body is visible in the sample scan."""


@dataclass(frozen=True)
class Sample:
    """A bundled file, or one of `size` bytes at `url` that is kept in Slicer's cache.

    `name` is shown in the Sample Data module; `fileType` is Slicer's name of the reader.
    """

    name: str
    fileName: str
    fileType: str
    sha256: str
    url: str = ""
    size: int = 0

    @property
    def path(self) -> Path:
        """Where the file lies, or will lie when it has been downloaded: where Sample Data looks for it, too."""
        cache = slicer.mrmlScene.GetCacheManager().GetRemoteCacheDirectory() if self.url else None
        return (Path(cache) if cache else _RESOURCES / "SampleData") / self.fileName

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
LUMBAR = Sample(
    "SpineLumbarMR",
    "SpineLumbarMR.nii.gz",
    "VolumeFile",
    "380bbd7ad8c90fdfc5f43ab297190fe49b8b7e8eea69fabba42b4b30d28c844f",
    "https://raw.githubusercontent.com/spinalcordtoolbox/sct_tutorial_data/"
    "c8831cab99ebb3eba53372b7511bd449f54ad432/single_subject/data/t2_lumbar/t2_lumbar.nii.gz",
    1_956_014,
)
"""A lumbar spine, T2, 1 mm, from the tutorials of the Spinal Cord Toolbox: MIT licence, (c) 2018 NeuroPoly."""


def registerSampleScans(download: Callable[[Sample], None]) -> None:
    """Offer the sample scans and the ground truth in the Sample Data module. Repeating it is harmless.

    `download` is called for one that is not there yet, and has to load it.
    """
    from SampleData import SampleDataLogic  # exists only after Slicer has started

    if hasattr(SampleDataLogic, "registerCustomSampleDataCategory"):  # Slicer 5.12
        from slicer.i18n import tr as _

        SampleDataLogic.registerCustomSampleDataCategory(_CATEGORY, title=_("Spine Segmentation"))
    for sample in (SCAN, TRUTH, LUMBAR):
        SampleDataLogic.registerCustomSampleDataSource(
            category=_CATEGORY,
            sampleName=sample.name,
            thumbnailFileName=str(sample.thumbnail),
            uris=sample.url or sample.path.as_uri(),
            customDownloader=(lambda _source, sample=sample: download(sample)) if sample.url else None,
            fileNames=sample.fileName,
            nodeNames=sample.name,
            loadFileTypes=sample.fileType,
            checksums=f"SHA256:{sample.sha256}",
        )


def loadSampleScan(sample: Sample = SCAN) -> "slicer.vtkMRMLScalarVolumeNode":
    """A new volume node with a sample scan whose file is there, shown in the slice views."""
    # Not with slicer.util.loadVolume: the node would be saved to the installed file.
    volumeNode = addVolume(sitk.ReadImage(str(sample.path)), sample.name)
    slicer.util.setSliceViewerLayers(background=volumeNode, fit=True)
    return volumeNode


def loadSampleTruth(volumeNode: "slicer.vtkMRMLScalarVolumeNode") -> "slicer.vtkMRMLSegmentationNode":
    """A new segmentation node with the ground truth of `volumeNode`, a volume made by `loadSampleScan`.

    Raises SpineError for a volume on another grid.
    """
    labels = sitk.ReadImage(str(TRUTH.path))
    view = sitk.GetArrayViewFromImage(labels)
    segments = [segment for segment in LEVELS.values() if (view == segment.label).any()]
    segmentationNode = addSegmentation(labels, segments, volumeNode, TRUTH.name)
    segmentationNode.CreateDefaultDisplayNodes()
    return segmentationNode
