"""Scores of whole volumes: worked out by hand on boxes."""

import numpy as np
import pytest

from SegTraining.scoring import Score, score, summarise

SPACING = (1.0, 1.0, 1.0)
NOTHING = np.zeros((60, 20, 20), bool)


def bodies(*tops: int, first_label: int = 20) -> np.ndarray:
    """Boxes of 10 x 10 x 10 voxels, one above the other, with label values of their own."""
    labels = np.zeros((60, 20, 20), np.uint8)
    for number, top in enumerate(tops):
        labels[top : top + 10, 5:15, 5:15] = first_label + number
    return labels


def test_a_perfect_result():
    truth = bodies(10, 30)
    found = score(bodies(10, 30, first_label=101), truth, NOTHING, SPACING, named=True)
    assert found == Score(1.0, 0.0, 0.0, bodies=2, found=2, spurious=0, instance_dice=1.0)


def test_bodies_beyond_the_labelled_slices_are_not_judged():
    found = score(bodies(0, 12, 30, 48), bodies(12, 30), NOTHING, SPACING, named=True)
    assert found.dice == 1.0 and found.spurious == 0 and found.found == 2


def test_bodies_grown_together_are_found_once_at_most():
    merged = bodies(10, 20)
    merged[merged > 0] = 20
    found = score(merged, bodies(10, 20), NOTHING, SPACING, named=True)
    assert found.dice == 1.0 and (found.bodies, found.found) == (2, 0) and found.instance_dice == 0


def test_a_missed_body_counts_zero_and_an_invented_one_is_spurious():
    found = score(bodies(10, 22), bodies(10, 34, 46), NOTHING, SPACING, named=True)
    assert (found.bodies, found.found, found.spurious) == (3, 1, 1)
    assert found.instance_dice == pytest.approx(1 / 3)
    assert found.dice == pytest.approx(2 * 1 / (2 + 3))


def test_distances_are_in_mm():
    found = score(bodies(12), bodies(10), NOTHING, (3.0, 1.0, 1.0), named=False)
    # Of the prediction's slices 12-21, 12-19 lie between the labelled slices; its upper face is 2 slices too low.
    assert found.hd95_mm == pytest.approx(6.0)
    assert found.bodies is None


def test_ignored_voxels_are_judged_neither_way():
    truth, sacrum = bodies(10, 30), bodies(45) > 0
    prediction = bodies(10, 30, 45)
    assert score(prediction, truth, sacrum, SPACING, named=True) == score(truth, truth, sacrum, SPACING, named=True)


def test_nothing_found_is_dice_zero_and_the_diagonal():
    found = score(bodies(), bodies(10, 30), NOTHING, SPACING, named=True)
    assert found.dice == 0 and found.hd95_mm == pytest.approx(np.sqrt(30**2 + 20**2 + 20**2))
    assert (found.found, found.spurious, found.instance_dice) == (0, 0, 0)


def test_without_reference_nothing_is_judged():
    assert score(bodies(10), bodies(), NOTHING, SPACING, named=True).dice is None


def test_summary_means_over_cases_with_an_interval_that_holds_the_mean():
    scores = [Score(d, 1.0, 0.5, 5, 5 if d > 0.5 else 3, 0, d) for d in (0.9, 0.8, 0.95, 0.4)]
    summary = summarise([*scores, Score(None, None, None, None, None, None, None)])
    assert summary["cases"] == 5 and summary["not_judged"] == 1
    assert summary["dice"] == pytest.approx(np.mean([0.9, 0.8, 0.95, 0.4]), abs=1e-4)
    low, high = summary["dice_ci95"]
    assert 0.4 <= low < summary["dice"] < high <= 0.95
    assert (summary["bodies"], summary["found"], summary["found_rate"]) == (20, 18, 0.9)
    assert summary["dice_min"] == 0.4 and summary["hd95_mm_ci95"] == [1.0, 1.0]


def test_one_case_has_no_interval():
    assert summarise([Score(0.9, 1.0, 0.5, 5, 5, 0, 0.9)])["dice_ci95"] is None
