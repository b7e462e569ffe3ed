"""Stand-ins for what Slicer and its extensions do for a module: installing packages, sample data, Segment Editor."""

import sys
import types
from dataclasses import dataclass, field

import slicer

from .scripted_module import ScriptedLoadableModuleWidget


@dataclass
class Installations:
    """What the module wanted to have installed; nothing is. `error`, if a test sets it, is raised instead."""

    requested: list[tuple[str, object, dict]] = field(default_factory=list)
    error: Exception | None = None
    torch: object = None

    def _request(self, how: str, what: object, keywords: dict) -> None:
        self.requested.append((how, what, keywords))
        if self.error:
            raise self.error

    def install(self, hasPackaging: bool = True) -> None:
        """Put the functions where Slicer has them. `slicer.packaging` exists from Slicer 5.11 on."""
        slicer.util.pip_install = lambda requirements, **keywords: self._request("pip_install", requirements, keywords)
        packaging = types.ModuleType("slicer.packaging")
        packaging.pip_ensure = self._pipEnsure
        packaging.pip_install = slicer.util.pip_install
        sys.modules["slicer.packaging"] = packaging if hasPackaging else None

    def _pipEnsure(
        self,
        requirements,
        constraints=None,
        skip_packages=None,
        prompt_install=True,
        prompt_restart=True,
        requester=None,
        skip_in_testing=True,
        show_progress=True,
    ):
        keywords = {"constraints": constraints, "prompt_install": prompt_install, "requester": requester}
        self._request("pip_ensure", requirements, keywords)
        return []

    def addPyTorchExtension(self, torch: object) -> None:
        """Slicer's extension PyTorch is there; `torch` is what its installTorch returns: None if the user declines."""
        self.torch = torch
        extension = sys.modules["PyTorchUtils"] = types.ModuleType("PyTorchUtils")
        extension.PyTorchUtilsLogic = lambda: types.SimpleNamespace(installTorch=self._installTorch)

    def _installTorch(self, askConfirmation=False, forceComputationBackend=None, torchVersionRequirement=None):
        self._request("installTorch", "torch", {"askConfirmation": askConfirmation})
        return self.torch


class SampleDataLogic:
    """`SampleData.SampleDataLogic`: remembers what is registered, in `slicer.modules.sampleDataSources`."""

    @staticmethod
    def registerCustomSampleDataCategory(category: str, title: str) -> None:
        if not hasattr(slicer.modules, "sampleDataSourceCategories"):
            slicer.modules.sampleDataSourceCategories = {}
        slicer.modules.sampleDataSourceCategories[category] = title

    @staticmethod
    def registerCustomSampleDataSource(
        category="Custom",
        sampleName=None,
        uris=None,
        fileNames=None,
        nodeNames=None,
        customDownloader=None,
        thumbnailFileName=None,
        loadFileTypes=None,
        loadFiles=None,
        loadFileProperties={},  # noqa: B006 (as in Slicer)
        checksums=None,
    ) -> None:
        if not hasattr(slicer.modules, "sampleDataSources"):
            slicer.modules.sampleDataSources = {}
        slicer.modules.sampleDataSources.setdefault(category, []).append(types.SimpleNamespace(**locals()))


class SegmentEditor:
    """The widget inside the Segment Editor; remembers what it was given."""

    def __init__(self):
        self.segmentationNode, self.sourceVolumeNode = None, None

    def setSegmentationNode(self, node) -> None:
        self.segmentationNode = node

    def setSourceVolumeNode(self, node) -> None:
        if self.segmentationNode is None:
            raise RuntimeError("the Segment Editor needs a segmentation before it takes a source volume")
        self.sourceVolumeNode = node


class SegmentEditorWidget(ScriptedLoadableModuleWidget):
    """Slicer's Segment Editor, the one other module to which users of the panel are sent."""

    def setup(self) -> None:
        self.editor = SegmentEditor()
