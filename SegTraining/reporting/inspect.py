"""Looks at the data sets of a configuration before anything is trained: what they hold, and what is wrong with them."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from SpineInference.errors import SpineError
from SpineInference.volume.geometry import SLICE_AXIS, canonical, orientation_of, spacing_ipl

from ..config.config import Config
from ..data.datasets import Case, find_cases, split_cases
from ..data.description import read_description
from ..data.layouts import DESCRIBED_LAYOUTS, left_out
from ..data.prepare import voxel_hash
from ..data.targets import class_map, is_target
from .batch_pictures import Thumbnail, contact_sheet

MOST_PICTURES = 60
_PERCENTILES = (0.5, 50.0, 99.5)


@dataclass(frozen=True)
class Facts:
    """What a case holds. Sizes and spacings are of the file, in x, y, z."""

    case: Case
    part: str
    size: tuple[int, ...]
    spacing: tuple[float, ...]
    orientation: str
    percentiles: np.ndarray
    millilitres: dict[int, float]
    """For each value of the label map."""
    voxel_hash: str
    thumbnail: Thumbnail


@dataclass(frozen=True)
class Fault:
    """Something wrong with the data; `fatal` if they cannot be trained on as they are."""

    sentence: str
    fatal: bool = True


def inspect(config: Config, data_folder: Path, picture: Path) -> list[Fault]:
    """Print what the data sets of `config` hold and what is wrong with them, and draw a contact sheet to `picture`.

    Returns the faults, those that stand in the way of training first. Raises SpineError where nothing can be read.
    """
    facts, faults = examine(config, data_folder)
    if not facts:
        raise SpineError(f"No case can be read: {faults[0].sentence}")
    for dataset in config.data.datasets:
        own = [fact for fact in facts if fact.case.dataset.name == dataset.name]
        if own:
            print("\n".join(_described(own, config)))
    print("\n".join(f"{'FAULT' if fault.fatal else 'note'}: {fault.sentence}" for fault in faults) or "No faults.")
    shown = np.unique(np.linspace(0, len(facts) - 1, min(MOST_PICTURES, len(facts))).astype(int))
    print(_shown(len(shown), len(facts), config))
    contact_sheet([facts[number].thumbnail for number in shown], picture)
    return faults


def _shown(pictures: int, cases: int, config: Config) -> str:
    """What the contact sheet has of each case, and what it leaves out."""
    which = f"all {cases}" if pictures == cases else f"{pictures} of the {cases}"
    chosen = "" if pictures == cases else ", evenly chosen"
    single = all(dataset.layout == "images2d" for dataset in config.data.datasets)
    what = "" if single else f", of each the {config.plane} slice with most of the labels and no other"
    return f"The picture shows {which} cases that can be read{chosen}{what}."


def examine(config: Config, data_folder: Path) -> tuple[list[Facts], list[Fault]]:
    """What the cases of `config` hold, and every fault, those that stand in the way of training first."""
    faults, cases, facts = [], [], []
    for dataset in config.data.datasets:
        try:
            cases += find_cases(dataset, data_folder)
            faults += [Fault(sentence, False) for sentence in left_out(dataset, data_folder / dataset.name)]
            faults += _taught_alike(cases, config, data_folder / dataset.name)
        except SpineError as error:
            faults.append(Fault(str(error)))
    part_of: dict[str, str] = {}
    if not any(fault.fatal for fault in faults):
        try:
            parts = split_cases(config.data, data_folder)
            part_of = {case.name: part for part, some in parts.items() for case in some}
        except SpineError as error:
            faults.append(Fault(str(error)))
    for case in cases:
        try:
            found = _facts(case, part_of.get(case.name, "unused"), config)
            facts.append(found)
            faults += _faults_of_labels(found, config)
        except SpineError as error:
            faults.append(Fault(str(error)))
    faults += _duplicates(facts)
    faults += [Fault(sentence, False) for sentence in config.model_info.unknown_structures]
    return facts, sorted(faults, key=lambda fault: not fault.fatal)


def _facts(case: Case, part: str, config: Config) -> Facts:
    image, labels = case.read()
    values, counts = np.unique(sitk.GetArrayViewFromImage(labels), return_counts=True)
    voxel_ml = float(np.prod(image.GetSpacing())) / 1000
    return Facts(
        case,
        part,
        image.GetSize(),
        image.GetSpacing(),
        orientation_of(image),
        np.percentile(sitk.GetArrayViewFromImage(image), _PERCENTILES),
        {int(value): count * voxel_ml for value, count in zip(values, counts, strict=True) if value},
        voxel_hash(image),
        _thumbnail(f"{case.name} ({part})", canonical(image), canonical(labels), config.plane),
    )


def _thumbnail(title: str, image: sitk.Image, labels: sitk.Image, plane: str) -> Thumbnail:
    """The slice of a canonical case that shows most of the labels, the middle one where there are none."""
    axis = SLICE_AXIS[plane]
    stack, masks = (np.moveaxis(sitk.GetArrayViewFromImage(part), axis, 0) for part in (image, labels))
    labelled = np.count_nonzero(masks, axis=(1, 2))
    index = int(labelled.argmax()) if labelled.any() else len(stack) // 2
    height, width = (mm for number, mm in enumerate(spacing_ipl(image)) if number != axis)
    return Thumbnail(title, stack[index].copy(), masks[index].copy(), height / width)


def _faults_of_labels(facts: Facts, config: Config) -> list[Fault]:
    values = np.array(sorted(facts.millilitres), np.uint16)
    try:
        named = class_map(values, facts.case.dataset, config.model_info.labels)
    except SpineError as error:
        return [Fault(f'The case "{facts.case.name}" cannot be used: {error}')]
    if not is_target(named).any() and not facts.case.dataset.may_be_empty:
        fatal = facts.part == "training"
        return [
            Fault(
                f'The case "{facts.case.name}" ({facts.part}) has no labelled voxel: label or exclude it, or set '
                '"may_be_empty: true" for its data set.',
                fatal,
            )
        ]
    return []


def _taught_alike(cases: list[Case], config: Config, folder: Path) -> list[Fault]:
    """A note where dataset.json tells apart what becomes one class because the class has no values."""
    datasets = [case.dataset for case in cases if case.dataset.name == folder.name and not case.labels_are_instances]
    description = read_description(folder) if datasets and datasets[0].layout in DESCRIBED_LAYOUTS else None
    (label, *others) = config.model_info.labels
    if description is None or others or datasets[0].values_of(label):
        return []
    apart = {*datasets[0].ignore_labels, *datasets[0].background_labels, datasets[0].body_in_front_of, 0}
    names = [f"{name} ({value})" for value, name in description.names.items() if value not in apart]
    if len(names) < 2:
        return []
    return [
        Fault(
            f'{", ".join(names)} of "{folder.name}" are all taught as "{label.name}": list those that are none among '
            "background_labels or ignore_labels.",
            fatal=False,
        )
    ]


def _duplicates(facts: list[Facts]) -> list[Fault]:
    first: dict[str, Facts] = {}
    faults = []
    for fact in facts:
        other = first.setdefault(fact.voxel_hash, fact)
        if other is not fact:
            names = " and ".join(f'"{one.case.name}" ({one.part})' for one in (other, fact))
            faults.append(Fault(f"{names} are the same image under two names: exclude one.", other.part != fact.part))
    return faults


def _described(facts: list[Facts], config: Config) -> list[str]:
    """The lines about one data set."""
    dataset = facts[0].case.dataset
    parts = ", ".join(f"{count} {part}" for part, count in Counter(fact.part for fact in facts).items())
    patients = len({fact.case.patient for fact in facts})
    percentiles = np.median([fact.percentiles for fact in facts], axis=0)
    lines = [
        f"{dataset.name}: {len(facts)} cases of {patients} patients ({parts})",
        f"  voxels        {_range([fact.size for fact in facts])}",
        f"  spacing, mm   {_range([fact.spacing for fact in facts])}",
        f"  axes          {', '.join(f'{n} {axes}' for axes, n in Counter(f.orientation for f in facts).items())}",
        "  intensities   "
        + ", ".join(f"{p:g} %: {value:g}" for p, value in zip(_PERCENTILES, percentiles, strict=True))
        + " (median over the cases)",
    ]
    empty = sum(not fact.millilitres for fact in facts)
    if empty:
        lines.append(f"  no label      in {empty} cases")
    for value in sorted({value for fact in facts for value in fact.millilitres}):
        volumes = [fact.millilitres[value] for fact in facts if value in fact.millilitres]
        lines.append(
            f"  label {value:<8}{_meaning(value, facts[0].case, config)}: in {len(volumes)} cases, "
            f"{min(volumes):.3g} to {max(volumes):.3g} ml, median {np.median(volumes):.3g}"
        )
    return lines


def _range(tuples: list[tuple[float, ...]]) -> str:
    def text(values: np.ndarray) -> str:
        return " x ".join(f"{value:.4g}" for value in values)

    array = np.array(tuples)
    if (array == array[0]).all():
        return text(array[0])
    return f"{text(array.min(0))} to {text(array.max(0))}, median {text(np.median(array, 0))}"


def _meaning(value: int, case: Case, config: Config) -> str:
    try:
        number = int(class_map(np.array([value], np.uint16), case.dataset, config.model_info.labels)[0])
    except SpineError:
        return "UNKNOWN"
    names = {0: "background", **{n: label.name for n, label in enumerate(config.model_info.labels, start=1)}}
    return names.get(number, "ignored")
