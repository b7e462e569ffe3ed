"""A whole configuration for each useful plane of a data set: every value derived, and the reason with it."""

import math
from pathlib import Path
from typing import Any

from SpineInference.anatomy import STRUCTURE_CODE, VERTEBRA_CODE

from ..config.config import Config, parse_config
from ..config.data import Label
from .folders import Folder
from .rules import (
    Setting,
    augmentations,
    batch_size,
    crop,
    network,
    target_spacing,
    useful_planes,
)
from .survey import Survey
from .written import plain_values

STEPS_PER_EPOCH = 50
TIMES_SEEN = 10
"""How often each labelled slice is seen."""
LEAST_STEPS, MOST_STEPS = 300, 5000

Plan = dict[str, Any]
"""Sections of settings; leaves are `Setting`."""


def plan(
    name: str, folder: Folder, survey: Survey, memory_bytes: float, seed: int = 0, planes: tuple[str, ...] | None = None
) -> tuple[dict[str, Plan], dict[str, str]]:
    """By plane its plan, and for each plane without one why not. With `planes`, for these whatever they show."""
    spacing = target_spacing(survey)
    useful, left_out = useful_planes(survey, spacing.value)
    if planes is not None:
        useful, left_out = list(planes), {}
    return {
        plane: _plan(f"{name}-{plane}", plane, folder, survey, spacing, memory_bytes, seed) for plane in useful
    }, left_out


def config_of(plan: Plan, path: Path) -> Config:
    """The configuration of a plan. Raises SpineError, naming `path`, where it is none."""
    return parse_config(plain_values(plan), f'The configuration "{path}"')


def _plan(
    name: str, plane: str, folder: Folder, survey: Survey, spacing: Setting, memory_bytes: float, seed: int
) -> Plan:
    sides = crop(survey, plane, spacing.value)
    net = network(survey, sides.value)
    batch = batch_size(sides.value, net.value, memory_bytes)
    epochs = _epochs(survey, plane, batch.value)
    steps = epochs.value * STEPS_PER_EPOCH
    return {
        "name": Setting(name, "also the name of the run's folder and of the package"),
        "plane": Setting(plane, "slices that the network sees; the planes of a set are fused"),
        "model_info": _model_info(folder, survey, plane),
        "data": {
            "datasets": [_dataset(folder)],
            "split": _split(survey, seed),
        },
        "input": {
            "context_slices": Setting(
                1, "each slice comes with its neighbour on both sides, in single slices with itself"
            ),
            "spacing_mm": spacing,
            "intensity": Setting({"rule": "percentile_zscore", "low": 0.5, "high": 99.5}, _intensities(survey)),
            "pad_multiple": Setting(
                2 ** (len(net.value["filters"]) - 1), "the network halves a slice so often, and its size must bear it"
            ),
        },
        "network": {
            "family": Setting("residual-unet", "small, fast on processors, and as good as larger ones on few scans"),
            "arguments": net,
        },
        "augmentation": augmentations(survey, plane, spacing.value),
        "optimiser": {
            "name": Setting("adamw", "needs the least tuning"),
            "learning_rate": Setting(3e-3, "for a network of this kind; lower it tenfold if the loss jumps"),
        },
        "schedule": {
            "name": Setting("cosine", "ends at zero, so that the last weights are settled ones"),
            "warmup_steps": Setting(max(10, steps // 20), "a twentieth of the steps"),
        },
        "training": {
            "crop": sides,
            "batch_size": batch,
            "steps_per_epoch": Setting(STEPS_PER_EPOCH, "between two lines of the log"),
            "max_epochs": epochs,
            "ema_decay": Setting(
                round(min(0.999, 1 - 10 / steps), 3), "the weights are averaged over about a tenth of the training"
            ),
            "seed": Setting(seed, "the same seed draws the same samples"),
        },
        "validation": {
            "every_epochs": Setting(
                max(1, epochs.value // 10), "ten times altogether: each takes as long as some steps"
            ),
            "slice_step": Setting(max(1, round(3 / spacing.value)), "a slice every 3 mm says enough"),
        },
        "postprocessing": _postprocessing(folder.labels, survey, spacing.value),
    }


def _model_info(folder: Folder, survey: Survey, plane: str) -> Plan:
    what = ", ".join(label.name for label in folder.labels)
    modality = "CT" if survey.is_ct else "XR" if folder.dataset.layout == "images2d" else "MR"
    guess = "intensities like those of CT" if survey.is_ct else "a guess: the files do not say it"
    return {
        "title": Setting(f"{what}, {plane}", "what a person chooses the model by: change it"),
        "anatomy": Setting("spine", "a guess: say what part of the body the scans show"),
        "modality": Setting(modality, guess),
        "licence": Setting("research use", "yours to decide, within what the data allow"),
        "data_statement": Setting(
            f"{len(survey.cases)} cases of {survey.patients} patients ({folder.dataset.name}).",
            "goes into the package and its card: say where the scans come from",
        ),
        "labels": Setting([_label(label) for label in folder.labels], _codes(folder)),
    }


def _codes(folder: Folder) -> str:
    unknown = [label.name for label in folder.labels if label.code == STRUCTURE_CODE[0]]
    asked = f"; give {', '.join(unknown)} a SNOMED CT code of its own" if unknown else ""
    return f"{folder.why}{asked}"


def _label(label: Label) -> dict[str, Any]:
    told = {"name": label.name, "colour": list(label.colour), "code": label.code, "meaning": label.meaning}
    return told | ({"values": list(label.values)} if label.values else {})


def _dataset(folder: Folder) -> Plan:
    reasons = {
        "name": "the folder below --data",
        "layout": "how its files lie",
        "images": "where the image of {case} lies",
        "masks": "where its label map lies",
        "patient_pattern": "which part of a case's name is the patient: --patient-pattern",
        "unlabelled_above": "what lies above the topmost labelled body may be bodies that nobody has drawn",
        "ignore_below_mm": "nor is anything taught below the lowest one, so far down; 0 if all are drawn",
        "ignore_labels": "the sacrum and the coccyx have no vertebral body of their own",
        "body_in_front_of": "whole vertebrae: what lies in front of the canal, which has this value, is the body",
        "background_labels": "other structures",
    }
    given = folder.dataset.model_dump(mode="json", exclude_defaults=True)
    given.setdefault("patient_pattern", folder.dataset.patient_pattern)
    return {key: Setting(given[key], reasons.get(key, "")) for key in sorted(given, key=[*reasons, *given].index)}


def _split(survey: Survey, seed: int) -> Plan:
    patients = survey.patients
    if patients < 2:
        return {
            "seed": Setting(seed, "a single patient: nothing can be kept aside, so nobody will know how good it is")
        }
    if patients < 5:
        fraction = round(1 / patients, 3)
        return {
            "test_fraction": Setting(
                fraction, f"1 of {patients} patients: the others are too few to choose weights with"
            ),
            "seed": Setting(seed, "deals the patients"),
        }
    test = round(0.2 * patients)
    validation = round(0.2 * (patients - test))
    return {
        "test_fraction": Setting(0.2, f"{test} of {patients} patients, never looked at in training"),
        "validation_fraction": Setting(0.2, f"of the others, {validation}, with which the best weights are chosen"),
        "seed": Setting(seed, "deals the patients"),
    }


def _intensities(survey: Survey) -> str:
    if survey.is_ct:
        return "CT: metal and table are cut off, and windows made alike"
    return "MR and radiographs have no unit: clipped to percentiles, then to zero mean and unit variance of each scan"


def _epochs(survey: Survey, plane: str, batch: int) -> Setting:
    slices = sum(case.labelled_slices[plane] for case in survey.cases)
    wanted = slices * TIMES_SEEN / batch
    epochs = math.ceil(min(MOST_STEPS, max(LEAST_STEPS, wanted)) / STEPS_PER_EPOCH)
    if wanted < LEAST_STEPS:
        why = f"{LEAST_STEPS} steps are the least that a network needs"
    elif wanted > MOST_STEPS:
        why = f"{MOST_STEPS} steps: more bring little"
    else:
        why = f"shows each of {slices} labelled slices about {TIMES_SEEN} times"
    return Setting(epochs, why)


def _postprocessing(labels: tuple[Label, ...], survey: Survey, spacing_mm: float) -> Plan:
    plan = {"smooth_mm": Setting(round(spacing_mm, 2), "takes away the steps of the pixels")}
    if labels[0].code == VERTEBRA_CODE[0] and not survey.single_planes:
        plan["min_island_mm3"] = Setting(1000, "the smallest body of a lumbar spine has ten times as much,")
        plan["min_island_share"] = Setting(0.2, "and where bodies are smaller, a fifth of a typical one counts")
    return plan
