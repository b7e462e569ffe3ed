"""What the cases of a test set allow to say, and what not."""

import numpy as np
import pytest
from scipy import stats

from SegTraining.evaluation.statistics import holm, paired_test, statistics
from SpineInference.errors import SpineError
from SpineInference.measuring.intervals import LEAST_PATIENTS, interval_of

NAMES = [f"case{n}" for n in range(8)]
PATIENTS = {name: name for name in NAMES}


def values(*changes: float) -> dict[str, float]:
    return {name: 0.8 + change for name, change in zip(NAMES, changes, strict=True)}


def test_patients_not_scans_are_drawn():
    scans = [0.5] * 60 + [0.9] * 60
    of_patients = statistics(scans, [f"patient{n // 10}" for n in range(120)])
    of_scans = statistics(scans, range(120))
    assert np.ptp(of_patients.ci95) > 3 * np.ptp(of_scans.ci95)
    assert of_scans.mean == of_patients.mean == pytest.approx(0.7) and (of_patients.n, of_patients.patients) == (
        120,
        12,
    )


def test_the_interval_is_reproducible_and_as_wide_as_t():
    drawn = np.random.default_rng(3).normal(0.8, 0.1, 20)
    first, again = (statistics(drawn, range(20)).ci95 for _ in range(2))
    assert first == again
    assert np.ptp(first) == pytest.approx(2 * stats.t.ppf(0.975, 19) * drawn.std(ddof=1) / np.sqrt(20), rel=0.1)


def test_intervals_of_ten_patients_keep_their_promise():
    """Coverage by simulation: Dice coefficients whose true mean is 0.93. By percentiles alone it would be 0.89."""
    random = np.random.default_rng(0)
    intervals = [statistics(random.beta(46.5, 3.5, LEAST_PATIENTS), range(LEAST_PATIENTS)).ci95 for _ in range(500)]
    assert np.mean([low <= 0.93 <= high for low, high in intervals]) > 0.92


def test_too_few_patients_have_a_range():
    few = statistics([0.9, 0.8, 0.85], ["a", "b", "c"])
    assert few.ci95 is None and few.interval.text(2) == "0.80-0.90, range of 3"
    many_scans = statistics([0.9, 0.8] * 9, [f"patient{n // 2}" for n in range(18)])
    assert many_scans.ci95 is None and many_scans.interval.range_of == 18


def test_equal_patients_have_no_interval():
    assert statistics([1.0] * 12, range(12)).ci95 is None
    assert statistics([1.0] * 12, range(12)).interval.text(1) == "1.0-1.0, range of 12"


def test_one_value_has_no_interval():
    assert statistics([0.9], ["a"]).interval is None and statistics([0.9], ["a"]).sd is None
    assert statistics([None], ["a"]) is None


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"dice_ci95": [0.9, 0.95], "patients": 12, "cases": 12}, "0.90-0.95"),
        ({"dice_ci95": None, "patients": 3, "cases": 3, "dice_min": 0.8, "dice_max": 0.9}, "0.80-0.90, range of 3"),
        # A bootstrap of two patients, as older packages hold it.
        (
            {"dice_ci95": [0.81, 0.89], "patients": 2, "cases": 3, "not_judged": 1, "dice_min": 0.8, "dice_max": 0.9},
            "0.80-0.90, range of 2",
        ),
        ({"dice_ci95": None, "patients": 1, "cases": 1, "dice_min": 0.8, "dice_max": 0.8}, None),
        ({"dice_ci95": "wide", "dice": 0.8}, None),
    ],
)
def test_the_interval_of_a_stored_result(result, text):
    interval = interval_of(result)
    assert (interval and interval.text(2)) == text


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
def test_what_cannot_be_compared_is_refused(second, part_of_message):
    with pytest.raises(SpineError, match=part_of_message):
        paired_test(values(*[0] * 8), second, PATIENTS)


def test_many_tests_are_paid_for():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.9]) == [1.0, 1.0] and holm([]) == []
