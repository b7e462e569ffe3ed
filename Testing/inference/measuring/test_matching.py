"""Which bodies are matched, and which of them count as found: one rule for results and for evaluation."""

import numpy as np
import pytest

from SpineInference.measuring.matching import FOUND_IOU, match_instances

SHAPE = (60, 10, 10)


def bodies(**rows: tuple[int, int]) -> np.ndarray:
    """A label map with a box for each value (`v20=(first, last + 1)`)."""
    labels = np.zeros(SHAPE, np.uint8)
    for name, (first, last) in rows.items():
        labels[first:last] = int(name[1:])
    return labels


def test_names_do_not_matter():
    found = match_instances(bodies(v101=(0, 10), v102=(12, 22)), bodies(v21=(0, 10), v20=(12, 22)))
    assert {pair.reference: pair.prediction for pair in found.found.values()} == {21: 101, 20: 102}
    assert [pair.dice for pair in found.pairs.values()] == [1, 1] and not found.missed and not found.false


def test_found_needs_more_than_half():
    """Rows 0-9: 8 of them are an IoU of 0.8, and 5 exactly FOUND_IOU, which is not enough."""
    reference = bodies(v20=(0, 10))
    for rows, is_found in ((8, True), (6, True), (5, False)):
        found = match_instances(bodies(v1=(0, rows)), reference)
        assert found.pairs[20].iou == pytest.approx(rows / 10) and found.pairs[20].found == is_found
        assert (found.missed, found.false) == (([], []) if is_found else ([20], [1]))
    assert FOUND_IOU == 0.5


def test_badly_overlapping_keep_their_dice():
    found = match_instances(bodies(v1=(6, 16)), bodies(v20=(0, 10)))
    assert found.pairs[20].dice == pytest.approx(0.4)
    assert (found.found, found.missed, found.false) == ({}, [20], [1])


def test_grown_together_are_not_found():
    merged = match_instances(bodies(v1=(0, 20)), bodies(v20=(0, 10), v21=(10, 20)))
    assert (len(merged.pairs), merged.missed, merged.false) == (1, [20, 21], [1])


def test_most_shared_voxels_in_total():
    """Body 20 shares most with 1, but 1 is all that 21 shares anything with."""
    reference = bodies(v20=(0, 20), v21=(20, 30))
    found = match_instances(bodies(v2=(0, 9), v1=(9, 30)), reference)
    assert {pair.reference: pair.prediction for pair in found.pairs.values()} == {20: 2, 21: 1}


def test_every_found_pair_is_matched():
    rng = np.random.default_rng(0)
    for _ in range(40):
        reference, prediction = np.repeat(np.repeat(rng.integers(0, 4, (2, 5, 3, 3)), 2, 1), 2, 2)
        prediction = np.where(rng.random(prediction.shape) < 0.6, reference, prediction)
        ious = {
            (p, r): np.sum((prediction == p) & (reference == r)) / np.sum((prediction == p) | (reference == r))
            for p in (1, 2, 3)
            for r in (1, 2, 3)
        }
        expected = {pair for pair, iou in ious.items() if iou > FOUND_IOU}
        found = match_instances(prediction, reference).found.values()
        assert {(pair.prediction, pair.reference) for pair in found} == expected


def test_outside_the_judged_rows_nothing_is_false():
    prediction, reference = bodies(v1=(0, 10), v2=(12, 22), v3=(40, 50)), bodies(v20=(12, 22))
    assert match_instances(prediction, reference, slice(12, 22)).false == []
    assert match_instances(prediction, reference).false == [1, 3]


def test_nothing_on_one_side():
    assert match_instances(bodies(), bodies(v20=(0, 10))).missed == [20]
    assert match_instances(bodies(v1=(0, 10)), bodies()).false == [1]
    assert match_instances(bodies(), bodies()).pairs == {}
