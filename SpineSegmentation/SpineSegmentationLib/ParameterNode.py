"""The parameter node of the module."""

from typing import Union

from slicer import (
    vtkMRMLLabelMapVolumeNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLTableNode,
)
from slicer.parameterNodeWrapper import parameterNodeWrapper

from SpineInference.options import DEFAULT_MODEL


@parameterNodeWrapper
class SpineSegmentationParameterNode:
    """What the user has chosen; saved with the scene.

    `model` is the name of a set of the catalog; no `planes` means automatic; `biasCorrection` is "model", "on" or
    "off"; `postprocessing` is "model", or "adjusted" to the five values below it. Without `outputSegmentation` the
    segmentation is a new one. `result` is the table of the result that is shown, which knows its segmentation and
    charts; or, where the table was removed, the segmentation. `scansOverview` is the table over several scans.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    model: str = DEFAULT_MODEL
    topLevel: str = "unknown"
    outputSegmentation: vtkMRMLSegmentationNode
    referenceSegmentation: Union[vtkMRMLSegmentationNode, vtkMRMLLabelMapVolumeNode, None]  # noqa: UP007  X | Y: not yet
    planes: list[str]
    fusion: str = "mean"
    biasCorrection: str = "model"
    postprocessing: str = "model"
    minIslandMm3: float = 0.0
    fillHoles: bool = True
    smoothMm: float = 0.0
    interpolateSlices: bool = False
    dilateMm: float = 0.0
    device: str = "auto"
    result: Union[vtkMRMLTableNode, vtkMRMLSegmentationNode, None]  # noqa: UP007  X | Y: not yet
    scansOverview: vtkMRMLTableNode
