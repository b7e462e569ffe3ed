"""Finds the cases of data sets in nnU-Net raw layout and divides them by patient."""

import random
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from SpineInference.errors import SpineError
from SpineInference.geometry import check_geometry

from .config import Data, Dataset, Split

PARTS = ("training", "validation", "test")
_FIRST_CHANNEL = "_0000"
_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd")
_SAME_PLACE_MM = 0.1


@dataclass(frozen=True)
class Case:
    """An image and its label map, of one patient."""

    name: str
    patient: str
    dataset: Dataset
    image: Path
    labels: Path
    labels_are_instances: bool
    """Whether every body has a label value of its own."""

    def read(self) -> tuple[sitk.Image, sitk.Image]:
        """Image and label map, which lie on the same grid. Raises SpineError where they cannot or do not."""
        try:
            image, labels = sitk.ReadImage(str(self.image)), sitk.ReadImage(str(self.labels))
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise SpineError(f'The case "{self.name}" cannot be read: {reason}') from None
        for part in (image, labels):
            if part.GetDimension() != 3 or part.GetNumberOfComponentsPerPixel() != 1:
                raise SpineError(f'The case "{self.name}" is not a single 3D volume: split it into volumes.')
            check_geometry(part)
        same = image.GetSize() == labels.GetSize() and all(
            np.allclose(corner(image), corner(labels), atol=_SAME_PLACE_MM) for corner in (_first_voxel, _last_voxel)
        )
        if not same:
            raise SpineError(
                f'Image and labels of the case "{self.name}" do not lie on the same grid: '
                f"{image.GetSize()} voxels at {image.GetOrigin()} against {labels.GetSize()} at {labels.GetOrigin()}."
            )
        return image, labels


def _first_voxel(image: sitk.Image) -> tuple[float, ...]:
    return image.TransformIndexToPhysicalPoint((0, 0, 0))


def _last_voxel(image: sitk.Image) -> tuple[float, ...]:
    return image.TransformIndexToPhysicalPoint([n - 1 for n in image.GetSize()])


def find_cases(dataset: Dataset, data_folder: Path) -> list[Case]:
    """The cases of one data set, sorted by name. Raises SpineError where files are missing or none is found."""
    folder = data_folder / dataset.name
    images = sorted(p for p in (folder / "imagesTr").glob("*") if _stem(p).endswith(_FIRST_CHANNEL))
    if not images:
        raise SpineError(
            f'No image "imagesTr/NAME_0000.nii.gz" was found in "{folder}": check --data and the data set.'
        )
    return [_case(dataset, folder, image) for image in images]


def _case(dataset: Dataset, folder: Path, image: Path) -> Case:
    name = _stem(image).removesuffix(_FIRST_CHANNEL)
    candidates = [folder / part / f"{name}{ending}" for part in ("instancesTr", "labelsTr") for ending in _ENDINGS]
    labels = next((path for path in candidates if path.exists()), None)
    if labels is None:
        raise SpineError(f'The case "{name}" of "{folder}" has no label map in labelsTr: add it or remove the image.')
    patient = re.search(dataset.patient_pattern, name)
    if patient is None:
        raise SpineError(f'The patient pattern of "{dataset.name}" does not match the case "{name}": correct it.')
    return Case(name, patient.group(1), dataset, image, labels, labels.parent.name == "instancesTr")


def _stem(path: Path) -> str:
    ending = next((e for e in _ENDINGS if path.name.endswith(e)), "")
    return path.name.removesuffix(ending) if ending else ""


def split_cases(data: Data, data_folder: Path) -> dict[str, list[Case]]:
    """All cases under "training", "validation" and "test".

    Raises SpineError when a patient would be in two parts (leakage), a listed case does not exist, two cases have
    the same name, or nothing is left to train on.
    """
    cases = [case for dataset in data.datasets for case in find_cases(dataset, data_folder)]
    by_name = {case.name: case for case in cases}
    if len(by_name) < len(cases):
        twice = next(case.name for case in cases if by_name[case.name] is not case)
        raise SpineError(f'Two cases are called "{twice}": names must be unique over all data sets.')
    part_of = _parts(data.split, cases)
    unknown = sorted(set(part_of) - set(by_name))
    if unknown:
        raise SpineError(f'The split names the case "{unknown[0]}", which no data set has: correct the list.')
    parts: dict[str, list[Case]] = {part: [] for part in PARTS}
    for case in cases:
        parts[part_of.get(case.name, "training")].append(case)
    _check_leakage(parts)
    if not parts["training"]:
        raise SpineError("The split leaves no case for training: shorten its lists.")
    return parts


def _parts(split: Split, cases: list[Case]) -> dict[str, str]:
    doubled = set(split.validation) & set(split.test)
    if doubled:
        raise SpineError(f'The case "{min(doubled)}" is listed for validation and for test: keep one of them.')
    parts = dict.fromkeys(split.test, "test") | dict.fromkeys(split.validation, "validation")
    if split.folds is not None:
        # Folds are dealt within each data set, so that every fold holds its share of each.
        for dataset in sorted({case.dataset.name for case in cases}):
            own = [case for case in cases if case.dataset.name == dataset and case.name not in parts]
            patients = sorted({case.patient for case in own})
            random.Random(split.seed).shuffle(patients)
            chosen = set(patients[split.fold :: split.folds])
            parts |= {case.name: "validation" for case in own if case.patient in chosen}
    return parts


def _check_leakage(parts: dict[str, list[Case]]) -> None:
    seen: dict[tuple[str, str], str] = {}
    for part, cases in parts.items():
        for case in cases:
            other = seen.setdefault((case.dataset.name, case.patient), part)
            if other != part:
                raise SpineError(
                    f'The patient "{case.patient}" is both in {other} and in {part}: '
                    "put all cases of a patient into the same part."
                )
