"""What the cases of a test set allow to say, and what not."""

import numpy as np
import pytest

from SegTraining.evaluation.statistics import holm, paired_test, statistics
from SpineInference.errors import SpineError

NAMES = [f"case{n}" for n in range(8)]
PATIENTS = {name: name for name in NAMES}


def values(*changes: float) -> dict[str, float]:
    return {name: 0.8 + change for name, change in zip(NAMES, changes, strict=True)}


def test_the_interval_is_that_of_patients_not_of_scans():
    scans = [0.5] * 5 + [0.9] * 5
    of_patients = statistics(scans, ["first"] * 5 + ["second"] * 5)
    of_scans = statistics(scans, range(10))
    assert of_patients.ci95 == (0.5, 0.9)
    assert of_scans.ci95[0] > 0.5 and of_scans.mean == of_patients.mean == pytest.approx(0.7)


def test_the_interval_is_the_same_every_time_and_about_as_wide_as_theory_says():
    drawn = np.random.default_rng(3).normal(0.8, 0.1, 200)
    first, again = (statistics(drawn, range(200)).ci95 for _ in range(2))
    assert first == again
    assert first[1] - first[0] == pytest.approx(2 * 1.96 * 0.1 / np.sqrt(200), rel=0.15)


def test_one_patient_has_no_interval_and_nothing_has_no_statistics():
    assert statistics([0.9], ["a"]).ci95 is None and statistics([0.9], ["a"]).sd is None
    assert statistics([0.9, 0.8], ["a", "a"]).ci95 is None
    assert statistics([None], ["a"]) is None


def test_eight_better_cases_are_a_difference():
    # All 8 signs alike: of 2**8 equally likely patterns only these and their opposite are as extreme.
    found = paired_test(values(*[0] * 8), values(0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08), PATIENTS)
    assert found.n == 8 and found.median_difference == pytest.approx(0.045)
    assert found.p == pytest.approx(2 / 2**8)


def test_two_scans_of_a_patient_are_one_observation():
    patient_of = PATIENTS | {NAMES[1]: NAMES[0]}
    found = paired_test(values(*[0] * 8), values(0.03, 0.01, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08), patient_of)
    assert found.n == 7 and found.p == pytest.approx(2 / 2**7)


@pytest.mark.parametrize(
    ("second", "part_of_message"),
    [
        (dict.fromkeys(NAMES[:7], 0.8), "case7"),
        (values(*[0.01] * 5, 0, 0, 0), "5 of 8"),
        (dict.fromkeys(NAMES), "0 of 0"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_sentence(second, part_of_message):
    with pytest.raises(SpineError, match=part_of_message):
        paired_test(values(*[0] * 8), second, PATIENTS)


def test_many_tests_are_paid_for():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.9]) == [1.0, 1.0] and holm([]) == []
