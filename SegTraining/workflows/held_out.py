"""Cases that are kept aside, by patient, and what is told of scores on them."""

import csv
from collections.abc import Sequence
from pathlib import Path

from SpineInference.errors import SpineError

from ..data.datasets import Case, patients_by_dataset
from ..evaluation.output import CASES
from ..evaluation.summary import ALL

LEAST_PATIENTS = 4
"""With fewer, a patient kept aside is missed more where it could teach."""
_SHARE = 0.25


def held_out(cases: Sequence[Case], seed: int, named: Sequence[str] = ()) -> list[Case]:
    """A quarter of the patients with all their cases, none of fewer than four; or those of the cases `named`.

    Raises SpineError for a name that no case has, and where nobody would be left to learn from.
    """
    if unknown := sorted(set(named) - {case.name for case in cases}):
        raise SpineError(f'The case "{unknown[0]}" is not in the folder: correct --held-out.')
    [patients] = patients_by_dataset(list(cases), (), seed)
    if named:
        chosen = [patient for patient in patients if any(case.name in named for case in patient)]
    else:
        chosen = patients[: round(_SHARE * len(patients))] if len(patients) >= LEAST_PATIENTS else []
    if len(chosen) == len(patients):
        raise SpineError("No case is left to learn from: hold out fewer.")
    return [case for patient in chosen for case in patient]


def folds(cases: Sequence[Case], number: int, seed: int) -> list[list[str]]:
    """The names of the cases of each of `number` folds: whole patients, of each data set its share.

    Raises SpineError where there are fewer patients than folds.
    """
    dealt: list[list[str]] = [[] for _ in range(number)]
    for patients in patients_by_dataset(list(cases), (), seed):
        for position, patient in enumerate(patients):
            dealt[position % number] += [case.name for case in patient]
    if empty := sum(not names for names in dealt):
        raise SpineError(f"{number - empty} patients are too few for {number} folds: set fewer with --folds.")
    return dealt


def dice_by_case(evaluation: Path) -> dict[str, dict[str, float | None]]:
    """Dice of each choice of planes and case in the output of `evaluate`, of several labels the mean."""
    found: dict[str, dict[str, list[float]]] = {}
    with (evaluation / CASES).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            values = found.setdefault(row["planes"], {}).setdefault(row["case"], [])
            if row["label"] != ALL and row["dice"]:
                values.append(float(row["dice"]))
    return {
        planes: {case: sum(values) / len(values) if values else None for case, values in cases.items()}
        for planes, cases in found.items()
    }


def mean(values: Sequence[float | None]) -> float | None:
    """Of those that are known; None where none is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
