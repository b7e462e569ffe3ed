"""Segmentations of 3D Slicer on disk (.seg.nrrd): their segments as label values, also where they overlap.

Slicer keeps segments that overlap in layers, the components of a vector image. A value stands for one segment within
its layer only.
"""

from contextlib import suppress
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import SpineError
from ..formats import nrrd


def is_segmentation(path: Path) -> bool:
    """Whether the file is a segmentation, by its name or by its header."""
    return path.name.lower().endswith((".seg.nrrd", ".seg.nhdr")) or bool(segments_of(path))


def segments_of(path: Path) -> list[tuple[int, int]]:
    """Layer and value of each segment in the header of an NRRD file; none where it is no segmentation."""
    if not path.name.lower().endswith((".nrrd", ".nhdr")):
        return []
    segments = []
    with suppress(SpineError, ValueError):  # the reader says so
        fields = nrrd.key_values(path)
        while f"Segment{len(segments)}_ID" in fields:
            number = len(segments)
            # Before Slicer 4.11 there were no values: each segment had a layer of its own.
            layer = int(fields.get(f"Segment{number}_Layer", number))
            segments.append((layer, int(fields.get(f"Segment{number}_LabelValue", 1))))
    return segments


def names_of(path: Path) -> dict[int, str]:
    """The names of the segments in the header of an NRRD file, by the values that `with_own_values` gives them."""
    segments = segments_of(path)
    if not segments:
        return {}
    fields = nrrd.key_values(path)
    names = (fields.get(f"Segment{number}_Name") for number in range(len(segments)))
    return {value: name for value, name in zip(_own_values(segments), names, strict=True) if name is not None}


def with_own_values(image: sitk.Image, segments: list[tuple[int, int]]) -> sitk.Image:
    """`image` with another value for each of the `segments` (layer and value in the file): the one in the file where
    these differ, else 1, 2, ... in their order.

    It has one component for each layer that is needed: one alone where nothing overlaps. Raises SpineError for two
    segments that are the same voxels, and for one in a layer that does not exist.
    """
    if len(set(segments)) < len(segments):
        raise SpineError("its header gives two segments the same layer and label value, export the segmentation again.")
    if any(not 0 <= layer < image.GetNumberOfComponentsPerPixel() for layer, _ in segments):
        raise SpineError(
            "its header tells of a layer of segments that it does not have, export the segmentation again."
        )
    values = _own_values(segments)
    if values == [value for _, value in segments] and image.GetNumberOfComponentsPerPixel() == 1:
        return image
    shape = image.GetSize()[::-1]
    layers = [np.zeros(shape, np.uint16) for _ in range(image.GetNumberOfComponentsPerPixel())]
    for (layer, own), value in zip(segments, values, strict=True):
        layers[layer][_layer(image, layer) == own] = value
    return from_layers(layers, image)


def _own_values(segments: list[tuple[int, int]]) -> list[int]:
    values = [value for _, value in segments]
    return values if len(set(values)) == len(values) else list(range(1, len(segments) + 1))


def from_layers(layers: list[np.ndarray], like: sitk.Image) -> sitk.Image:
    """Label maps [k, j, i] (uint16) as one image with the geometry of `like`, in as few components as they need."""
    needed: list[np.ndarray] = []
    for layer in layers:
        free = next((other for other in needed if not np.any(other[layer > 0])), None)
        if free is None:
            needed.append(layer.copy())
        else:
            free += layer
    images = [sitk.GetImageFromArray(layer) for layer in needed]
    for image in images:
        image.SetSpacing(like.GetSpacing())
        image.SetOrigin(like.GetOrigin())
        image.SetDirection(like.GetDirection())
    return images[0] if len(images) == 1 else sitk.Compose(images)


def describe_layers(image: sitk.Image) -> sitk.Image:
    """`image` (label values, a component a layer) with what tells a reader of .seg.nrrd its segments."""
    described = sitk.Image(image)
    components = image.GetNumberOfComponentsPerPixel()
    pairs = [(layer, int(v)) for layer in range(components) for v in np.unique(_layer(image, layer)) if v]
    for number, (layer, value) in enumerate(pairs):
        for what, text in (("ID", f"Segment_{value}"), ("LabelValue", value), ("Layer", layer)):
            described.SetMetaData(f"Segment{number}_{what}", str(text))
    return described


def _layer(image: sitk.Image, layer: int) -> np.ndarray:
    view = sitk.GetArrayViewFromImage(image)
    return view[..., layer] if image.GetNumberOfComponentsPerPixel() > 1 else view
