"""Data sets of generated single images in the layout `images2d`: bone scans and chest radiographs with their truth.

Beside images and masks lies `dataset.yaml`, which says what the values of the masks mean; a configuration takes it as
its `base`.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count as numbers
from itertools import islice
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import yaml

from SpineInference.errors import SpineError
from SpineInference.files.atomic import atomic

from . import radiograph, scintigraphy, skeleton

_log = logging.getLogger(__name__)

LabelledImage = tuple[str, np.ndarray, np.ndarray]
"""The name of a case, its image (uint16 [rows, cols]) and its truth (uint8)."""


@dataclass(frozen=True)
class Kind:
    """A kind of data set: what makes its pictures of a seed, and what is said about it."""

    pictures: Callable[[int], Iterator[LabelledImage]]
    pixel_mm: float
    patient_pattern: str
    model_info: dict
    labels: dict[str, tuple[str, list[int]]]
    """For each class its SNOMED CT code and the values of the masks."""


def _scintigraphy(seed: int) -> Iterator[LabelledImage]:
    for view, scan in scintigraphy.make_scans(seed).items():
        yield f"patient_{seed:05d}_{view}", scan.image, scan.truth


def _radiograph(seed: int) -> Iterator[LabelledImage]:
    made = radiograph.make_radiograph(seed)
    yield f"patient_{seed:05d}", made.image, made.truth


def _of_either_side(name: str) -> str:
    return name.removeprefix("Right ").removeprefix("Left ").capitalize()


_BONE_CODES = {
    "Skull": "89546000",
    "Cervical spine": "122494005",
    "Thoracic spine": "122495006",
    "Lumbar spine": "122496007",
    "Sacrum": "54735007",
    "Sternum": "56873002",
    "Ribs": "113197003",
    "Clavicle": "51299004",
    "Scapula": "79601000",
    "Humerus": "85050009",
    "Forearm and hand": "14975008",
    "Hip bone": "29836001",
    "Femur": "71341001",
    "Lower leg and foot": "30021000",
}

KINDS = {
    "scintigraphy": Kind(
        _scintigraphy,
        scintigraphy.PIXEL_MM,
        f"(.+)_(?:{'|'.join(scintigraphy.VIEWS)})",
        {"title": "Bones in a bone scan", "anatomy": "whole body", "modality": "NM"},
        {name: (_BONE_CODES[_of_either_side(name)], [value]) for name, value in skeleton.STRUCTURES.items()},
    ),
    "radiograph": Kind(
        _radiograph,
        radiograph.PIXEL_MM,
        "(.+)",
        {"title": "Lungs, heart and clavicles in a chest radiograph", "anatomy": "chest", "modality": "DX"},
        {
            "Right lung": ("39607008", [1]),
            "Left lung": ("39607008", [2]),
            "Heart": ("80891009", [3]),
            "Right clavicle": ("51299004", [4, 6]),
            "Left clavicle": ("51299004", [5, 7]),
        },
    ),
}


def write_flat_dataset(folder: Path, kind: str, count: int, seed: int) -> None:
    """Write `count` pictures of a kind (see `KINDS`) to images/ and masks/, and what they are to dataset.yaml.

    Patients are made with the seeds `seed`, `seed + 1`, ... and named after them; one has as many pictures as there
    are views. Raises SpineError for a count below 1 and when a file cannot be written.
    """
    if count < 1:
        raise SpineError(f"A data set of {count} images cannot be made: give --count 1 or more.")
    made = KINDS[kind]
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    pictures = (picture for patient in numbers(seed) for picture in made.pictures(patient))
    for number, (name, image, truth) in enumerate(islice(pictures, count), start=1):
        # The mask comes first, so that there never is an image without one.
        for part, array in (("masks", truth), ("images", image)):
            with atomic(folder / part / f"{name}.png") as aside:
                sitk.WriteImage(sitk.GetImageFromArray(array), str(aside), True)
        _log.info(f"made {number} of {count}: {name}")
    with atomic(folder / "dataset.yaml") as aside:
        aside.write_text(yaml.safe_dump(_settings(folder.name, made), sort_keys=False), "utf-8")


def _settings(name: str, kind: Kind) -> dict:
    """What a configuration needs to know about the data set."""
    colours = np.random.default_rng(0).integers(60, 255, (len(kind.labels), 3)).tolist()
    labels = [
        {"name": label, "colour": colour, "code": code, "meaning": _of_either_side(label), "values": values}
        for (label, (code, values)), colour in zip(kind.labels.items(), colours, strict=True)
    ]
    statement = "generated images of the phantom, no patients"
    return {
        "plane": "sagittal",
        "model_info": {**kind.model_info, "licence": "Apache-2.0", "data_statement": statement, "labels": labels},
        "data": {
            "datasets": [
                {
                    "name": name,
                    "layout": "images2d",
                    "spacing_mm": kind.pixel_mm,
                    "patient_pattern": kind.patient_pattern,
                }
            ]
        },
        "input": {"context_slices": 0, "spacing_mm": kind.pixel_mm},
    }
