"""What a group of scores says about the next patient, and whether two runs on the same cases really differ.

The unit is the patient: scans of one patient resemble each other, and counting them as independent would promise more
than the data holds.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from SpineInference.errors import SpineError
from SpineInference.measuring.intervals import LEAST_PATIENTS, Interval

LEAST_PAIRS = 6
"""With fewer differing pairs the Wilcoxon test cannot reach p < 0.05 whatever the values are."""


@dataclass(frozen=True)
class Statistics:
    """Of `n` values of some `patients`; `sd` is the sample's, None for a single one. `ci95`: see `statistics`."""

    n: int
    patients: int
    mean: float
    sd: float | None
    min: float
    max: float
    ci95: tuple[float, float] | None

    @property
    def interval(self) -> Interval | None:
        """The confidence interval or else the range of the values; None for a single one."""
        if self.ci95 is not None:
            return Interval(*self.ci95)
        return Interval(self.min, self.max, range_of=self.n) if self.n > 1 else None


@dataclass(frozen=True)
class PairedTest:
    """Wilcoxon signed-rank test of second minus first, over `n` patients; two-sided."""

    n: int
    median_difference: float
    p: float


def statistics(values: Sequence[float | None], patients: Sequence[Hashable]) -> Statistics | None:
    """Of the `values` that are not None; `patients` says whose each is. None where no value is left.

    `ci95` is the 95 % confidence interval of the mean: a BCa bootstrap of 9,999 draws of patients, each with all their
    values, with a fixed seed (Efron 1987). The draws of n patients vary less than n patients do, so the percentiles are
    taken farther out, as far as a t interval reaches beyond a normal one (Hesterberg 2015, "What Teachers Should Know
    About the Bootstrap"). It is None below `LEAST_PATIENTS` patients, and where no patient differs from another, which
    says nothing about the next one.
    """
    pairs = [(value, patient) for value, patient in zip(values, patients, strict=True) if value is not None]
    if not pairs:
        return None
    kept = np.array([value for value, _ in pairs], float)
    groups: dict[Hashable, list[float]] = {}
    for value, patient in pairs:
        groups.setdefault(patient, []).append(value)
    sd = float(kept.std(ddof=1)) if len(kept) > 1 else None
    bounds = float(kept.min()), float(kept.max())
    return Statistics(len(kept), len(groups), float(kept.mean()), sd, *bounds, _ci95(list(groups.values())))


def _ci95(of_patients: list[list[float]]) -> tuple[float, float] | None:
    n = len(of_patients)
    sums, counts = (np.array([of(values) for values in of_patients], float) for of in (sum, len))
    if n < LEAST_PATIENTS or np.ptp(sums / counts) < 1e-9:
        return None
    tail = stats.norm.cdf(-np.sqrt(n / (n - 1)) * stats.t.ppf(0.975, n - 1))
    found = stats.bootstrap(
        (sums, counts),
        lambda sums, counts, axis=-1: sums.sum(axis) / counts.sum(axis),
        paired=True,
        vectorized=True,
        method="BCa",
        confidence_level=1 - 2 * tail,
        random_state=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)


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
    """The p values adjusted for testing all of them (Holm 1979), which SciPy does not offer."""
    order = np.argsort(p_values)
    adjusted, highest = [0.0] * len(order), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted
