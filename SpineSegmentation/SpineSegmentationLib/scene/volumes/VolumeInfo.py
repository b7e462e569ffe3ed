"""Properties of a scan that the panel shows before segmenting: size, spacing, modality."""

import numpy as np
import slicer
from slicer.i18n import tr as _

from .VolumeExchange import volumeIjkToRas

_AIR_IN_CT = -900
"""Hounsfield units: air in a CT is darker than this; MR has no such values."""


def describeVolume(volumeNode: "slicer.vtkMRMLScalarVolumeNode") -> str:
    """Size, voxel spacing and modality of a volume with voxels, in one line."""
    columns, rows, slices = volumeNode.GetImageData().GetDimensions()
    spacing = np.linalg.norm(volumeIjkToRas(volumeNode)[:3, :3], axis=0)
    lengths = [f"{mm:.2f}".rstrip("0").rstrip(".") for mm in spacing]
    modality = modalityOf(volumeNode)
    return _("{columns} × {rows} × {slices} voxels of {spacing} mm, {modality}").format(
        columns=columns,
        rows=rows,
        slices=slices,
        spacing=lengths[0] if len(set(lengths)) == 1 else " × ".join(lengths),
        modality=modality or _("modality not known"),
    )


def planeOfSingleSlice(volumeNode: "slicer.vtkMRMLScalarVolumeNode") -> str:
    """The plane of the patient in which a volume of one slice lies: "sagittal", "coronal", "axial"; else empty."""
    thin = [axis for axis, size in enumerate(volumeNode.GetImageData().GetDimensions()) if size == 1]
    if len(thin) != 1:
        return ""
    return ("sagittal", "coronal", "axial")[int(np.abs(volumeIjkToRas(volumeNode)[:3, thin[0]]).argmax())]


def modalityOf(volumeNode: "slicer.vtkMRMLScalarVolumeNode") -> str:
    """The DICOM modality ("MR", "CT") of a volume that was loaded from DICOM; empty if it is not known."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(volumeNode) if hierarchy else 0
    attribute = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    return (item and hierarchy.GetItemAttribute(item, attribute)) or volumeNode.GetAttribute(attribute) or ""


def modalityWarning(volumeNode: "slicer.vtkMRMLScalarVolumeNode", modelModality: str) -> str:
    """A warning if the scan seems to be of another modality than the model is made for, else an empty string."""
    modality = modalityOf(volumeNode)
    if modality and modelModality and modality != modelModality:
        return _("The scan is {modality}, the model is made for {other}: expect little.").format(
            modality=modality, other=modelModality
        )
    if not modality and modelModality == "MR" and volumeNode.GetImageData().GetScalarRange()[0] <= _AIR_IN_CT:
        return _("The scan has values like a CT, the model is made for MR: expect little.")
    return ""
