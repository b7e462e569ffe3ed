"""The cases of data sets: found, read, and divided into parts by patient."""

import logging
import random
import re
from collections.abc import Callable, Container
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from SpineInference.errors import SpineError
from SpineInference.files.reading import read_labels, read_volume
from SpineInference.monitor import Monitor
from SpineInference.volume.slice_placement import PIXEL_SIZE, mark_unknown, unknown_of

from ..config.data import Data, Dataset, Split
from .description import read_description
from .layouts import DESCRIBED_LAYOUTS, find_files

_log = logging.getLogger(__name__)

PARTS = ("training", "validation", "test")
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
        """Image and label map (3D, on the same grid). Raises SpineError where they cannot be read or do not fit."""
        image, labels = self.read_image(), self._readable(read_labels, self.labels)
        if self.dataset.layout == "images2d" and image.GetSize() == labels.GetSize():
            # Mostly only one of a picture and its mask, or none, knows where it lies.
            labels.CopyInformation(image)
        same = image.GetSize() == labels.GetSize() and all(
            np.allclose(corner(image), corner(labels), atol=_SAME_PLACE_MM) for corner in (_first_voxel, _last_voxel)
        )
        if not same:
            raise SpineError(
                f'Image and labels of the case "{self.name}" do not lie on the same grid: '
                f"{image.GetSize()} voxels at {image.GetOrigin()} against {labels.GetSize()} at {labels.GetOrigin()}."
            )
        return image, labels

    def read_image(self) -> sitk.Image:
        """The image alone (3D). Raises SpineError where it cannot be read."""
        image = self._readable(read_volume, self.image)
        if self.dataset.layout == "images2d":
            if image.GetSize()[2] != 1:
                raise SpineError(f'The case "{self.name}" has {image.GetSize()[2]} slices: it is no single image.')
            if self.dataset.spacing_mm is not None:
                image.SetSpacing((self.dataset.spacing_mm, self.dataset.spacing_mm, image.GetSpacing()[2]))
                mark_unknown(image, *(what for what in unknown_of(image) if what != PIXEL_SIZE))
        return image

    def read_canal(self) -> sitk.Image | None:
        """Where the spinal canal was drawn (1 or 0, on the grid of the labels), if the data set tells bodies by it.

        None where it does not, or where the label map itself shows the canal: instances have a value for each body
        only.
        """
        if self.dataset.body_in_front_of is None or not self.labels_are_instances:
            return None
        return self._readable(read_labels, self.labels_of_classes) == self.dataset.body_in_front_of

    @property
    def labels_of_classes(self) -> Path:
        """The label map with a value for each class, beside which `labels` may hold a value for each body."""
        return self.labels.parents[1] / "labelsTr" / self.labels.name

    def _readable(self, read: Callable[[Path, Monitor], sitk.Image], path: Path) -> sitk.Image:
        try:
            return read(path, Monitor(on_note=self._tell))
        except SpineError as error:
            raise SpineError(f'The case "{self.name}" cannot be used: {error}') from None

    def _tell(self, note: str) -> None:
        """What had to be assumed of a volume; that pictures have no place and no scale is their layout's business."""
        if self.dataset.layout != "images2d":
            _log.warning(f'Case "{self.name}": {note}')


def _first_voxel(image: sitk.Image) -> tuple[float, ...]:
    return image.TransformIndexToPhysicalPoint((0, 0, 0))


def _last_voxel(image: sitk.Image) -> tuple[float, ...]:
    return image.TransformIndexToPhysicalPoint([n - 1 for n in image.GetSize()])


def find_cases(dataset: Dataset, data_folder: Path) -> list[Case]:
    """The cases of one data set, sorted by name. Raises SpineError where files are missing or none is found.

    What its dataset.json says of the label values goes into the data set of each case, except for label maps of
    instances, whose values it does not mean.
    """
    cases, folder = [], data_folder / dataset.name
    described = _described(dataset, folder)
    for files in find_files(dataset, folder):
        patient = re.search(dataset.patient_pattern, files.name)
        if patient is None:
            raise SpineError(
                f'The patient pattern of "{dataset.name}" does not match the case "{files.name}": correct it.'
            )
        own = dataset if files.labels_are_instances else described
        if own is dataset and not {*described.ignore_labels} <= {*dataset.ignore_labels}:
            raise SpineError(
                f'The dataset.json of "{dataset.name}" has a label "ignore", which a label map of instancesTr cannot '
                "show: draw those voxels there with the same value and list it among ignore_labels."
            )
        cases.append(Case(files.name, patient.group(1), own, files.image, files.labels, files.labels_are_instances))
    return cases


def _described(dataset: Dataset, folder: Path) -> Dataset:
    """The data set with the values that its dataset.json names; what the configuration says of a value counts more."""
    description = read_description(folder) if dataset.layout in DESCRIBED_LAYOUTS else None
    if description is None:
        return dataset
    configured = {*dataset.background_labels, *(v for values in dataset.label_values.values() for v in values)}
    ignore = () if description.ignore is None or description.ignore in configured else (description.ignore,)
    known = tuple(sorted({*description.names, *configured})) if dataset.known_labels is None else dataset.known_labels
    return dataset.model_copy(update={"ignore_labels": (*dataset.ignore_labels, *ignore), "known_labels": known})


def split_cases(data: Data, data_folder: Path) -> dict[str, list[Case]]:
    """All cases under "training", "validation" and "test".

    Raises SpineError when a patient would be in two parts (leakage), a listed case does not exist, two cases have
    the same name, there are too few patients for the folds, or nothing is left to train on.
    """
    cases = [case for dataset in data.datasets for case in find_cases(dataset, data_folder)]
    by_name = {case.name: case for case in cases}
    if len(by_name) < len(cases):
        twice = next(case.name for case in cases if by_name[case.name] is not case)
        raise SpineError(f'Two cases are called "{twice}": names must be unique over all data sets.')
    part_of = _parts(data.split, cases)
    unknown_cases = sorted(set(part_of) - set(by_name))
    if unknown_cases:
        raise SpineError(f'The split names the case "{unknown_cases[0]}", which no data set has: correct the list.')
    parts: dict[str, list[Case]] = {part: [] for part in PARTS}
    for case in cases:
        parts[part_of.get(case.name, "training")].append(case)
    _check_leakage(parts)
    parts["training"] = [case for case in parts["training"] if case.dataset.sampling_weight != 0]
    if not parts["training"]:
        raise SpineError("The split leaves no case for training: shorten its lists, or give a data set some weight.")
    if data.split.training_cases is not None:
        parts["training"] = _limited(parts["training"], data.split)
    return parts


def _parts(split: Split, cases: list[Case]) -> dict[str, str]:
    doubled = set(split.validation) & set(split.test)
    if doubled:
        raise SpineError(f'The case "{min(doubled)}" is listed for validation and for test: keep one of them.')
    parts = dict.fromkeys(split.test, "test") | dict.fromkeys(split.validation, "validation")
    if split.test_fraction is not None:
        parts |= dict.fromkeys(_fraction(cases, parts, split.seed + 1, split.test_fraction), "test")
    if split.validation_fraction is not None:
        parts |= dict.fromkeys(_fraction(cases, parts, split.seed, split.validation_fraction), "validation")
    if split.folds is not None:
        parts |= dict.fromkeys(_fold(cases, parts, split), "validation")
    return parts


def _fraction(cases: list[Case], taken: Container[str], seed: int, fraction: float) -> list[str]:
    chosen = [
        case.name
        for patients in patients_by_dataset(cases, taken, seed)
        for patient in patients[: round(fraction * len(patients))]
        for case in patient
    ]
    if not chosen:
        raise SpineError(f"A fraction of {fraction:g} of the patients is none: enlarge it, or list the cases.")
    return chosen


def _fold(cases: list[Case], taken: Container[str], split: Split) -> list[str]:
    by_dataset = patients_by_dataset(cases, taken, split.seed)
    most = max(map(len, by_dataset), default=0)
    if most < split.folds:
        raise SpineError(f"{most} patients are too few for {split.folds} folds: set fewer folds.")
    return [case.name for patients in by_dataset for patient in patients[split.fold :: split.folds] for case in patient]


def patients_by_dataset(cases: list[Case], taken: Container[str], seed: int) -> list[list[list[Case]]]:
    """For each data set, so that every part can hold its share of each: its patients, in a random order.

    A patient is the list of its cases; cases that are `taken` are left out.
    """
    divided = []
    for dataset in sorted({case.dataset.name for case in cases}):
        patients: dict[str, list[Case]] = {}
        for case in cases:
            if case.dataset.name == dataset and case.name not in taken:
                patients.setdefault(case.patient, []).append(case)
        names = sorted(patients)
        random.Random(seed).shuffle(names)
        divided.append([patients[name] for name in names])
    return divided


def _limited(cases: list[Case], split: Split) -> list[Case]:
    if split.training_cases > len(cases):
        raise SpineError(f"There are only {len(cases)} cases for training: lower training_cases.")
    names = sorted(case.name for case in cases)
    random.Random(split.seed).shuffle(names)
    chosen = set(names[: split.training_cases])
    return [case for case in cases if case.name in chosen]


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
