"""What a group of scores says about the next case, and whether two runs on the same cases really differ.

The unit is the patient: scans of one patient resemble each other, and counting them as independent would promise more
than the data holds.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from SpineInference.errors import SpineError

LEAST_PAIRS = 6
"""With fewer differing pairs the Wilcoxon test cannot reach p < 0.05 whatever the values are."""

_RESAMPLES = 10_000


@dataclass(frozen=True)
class Statistics:
    """Of `n` values; `sd` is the sample's and, like the 95 % interval of the mean, None for a single one."""

    n: int
    mean: float
    sd: float | None
    min: float
    max: float
    ci95: tuple[float, float] | None


@dataclass(frozen=True)
class PairedTest:
    """Wilcoxon signed-rank test of second minus first, over `n` patients; two-sided."""

    n: int
    median_difference: float
    p: float


def statistics(values: Sequence[float | None], patients: Sequence[Hashable]) -> Statistics | None:
    """Of the `values` that are not None; `patients` says whose each is. None where no value is left.

    The interval is a percentile bootstrap of 10,000 draws of patients with a fixed seed, each with all their values.
    """
    pairs = [(value, patient) for value, patient in zip(values, patients, strict=True) if value is not None]
    if not pairs:
        return None
    kept = np.array([value for value, _ in pairs], float)
    sd = float(kept.std(ddof=1)) if len(kept) > 1 else None
    interval = _interval(kept, [patient for _, patient in pairs])
    return Statistics(len(kept), float(kept.mean()), sd, float(kept.min()), float(kept.max()), interval)


def _interval(values: np.ndarray, patients: list[Hashable]) -> tuple[float, float] | None:
    groups: dict[Hashable, list[float]] = {}
    for value, patient in zip(values, patients, strict=True):
        groups.setdefault(patient, []).append(value)
    if len(groups) < 2:
        return None
    sums = np.array([sum(group) for group in groups.values()])
    counts = np.array([len(group) for group in groups.values()])
    drawn = np.random.default_rng(0).integers(len(groups), size=(_RESAMPLES, len(groups)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def paired_test(
    first: dict[str, float | None], second: dict[str, float | None], patient_of: dict[str, str]
) -> PairedTest:
    """Compare two runs by the values of their cases, patient by patient.

    Raises SpineError where the cases differ or are too few to say anything.
    """
    odd = sorted(set(first) ^ set(second))
    if odd:
        raise SpineError(f'The runs were not evaluated on the same cases ("{odd[0]}" is only in one of them).')
    differences: dict[str, list[float]] = {}
    for case in first:
        if first[case] is not None and second[case] is not None:
            differences.setdefault(patient_of[case], []).append(second[case] - first[case])
    means = np.array([np.mean(group) for group in differences.values()])
    means[np.abs(means) < 1e-9] = 0  # equal but for rounding
    differing = int(np.count_nonzero(means))
    if differing < LEAST_PAIRS:
        raise SpineError(
            f"{differing} of {len(means)} patients differ: at least {LEAST_PAIRS} are needed for a test that can tell "
            "anything."
        )
    p = stats.wilcoxon(means, zero_method="wilcox").pvalue
    return PairedTest(len(means), float(np.median(means)), float(p))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p values adjusted for testing all of them (Holm 1979)."""
    order = np.argsort(p_values)
    adjusted, highest = [0.0] * len(order), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted
