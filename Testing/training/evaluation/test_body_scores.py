"""Scores of single bodies: worked out by hand on boxes."""

import numpy as np
import pytest
from box_bodies import ACROSS, SHAPE, bodies

from SegTraining.evaluation.bodies import BodyCount, score_bodies
from SegTraining.evaluation.metrics import score_classes
from SegTraining.evaluation.references import Reference
from SpineInference.measuring.metrics import labelled_slices


def truth(instances: np.ndarray, levels_known: bool = True, ignored: np.ndarray | None = None, **more) -> Reference:
    ignored = np.zeros(SHAPE, bool) if ignored is None else ignored
    rows = more.get("rows") or (labelled_slices(instances) if instances.any() else slice(0, 0))
    classes = (instances > 0).astype(np.uint8)
    return Reference(instances, classes, ignored, rows, (1.0, 1.0, 1.0), levels_known=levels_known)


def test_a_perfect_result():
    scores, count = score_bodies(bodies(101, 102, 103, 104), [101, 102, 103, 104], truth(bodies(0, 20, 21, 22)))
    assert count == BodyCount(3, 3, 0, 1.0, 0)  # nobody labelled the topmost
    assert [(body.level, body.dice, body.hd95_mm) for body in scores] == [("L1", 1, 0), ("L2", 1, 0), ("L3", 1, 0)]
    assert [body.counted_rightly for body in scores] == [True, True, None]  # the lowest is told
    assert [body.named_rightly for body in scores] == [None] * 3  # the pipeline numbered them


def test_a_missed_body_counts_zero():
    scores, count = score_bodies(bodies(101, 0, 0, 104), [101, 104], truth(bodies(19, 20, 21, 0)))
    assert count == BodyCount(3, 1, 0, pytest.approx(1 / 3), 0)  # 104 lies below what is labelled
    assert [(body.found, body.dice) for body in scores] == [(True, 1), (False, 0), (False, 0)]


def test_a_split_body_is_missed_and_false_twice():
    split = bodies(101, 0, 104, 105)
    split[22:27, *ACROSS], split[29:34, *ACROSS] = 102, 103
    reference = truth(bodies(19, 20, 21, 22))
    scores, count = score_bodies(split, [101, 102, 103, 104, 105], reference)
    assert [body.found for body in scores] == [True, False, True, True] and count.spurious == 2
    assert score_classes((split > 0).astype(np.uint8), reference, 1)[0].dice == pytest.approx(2 * 46 / (46 + 48))
    assert [body.counted_rightly for body in scores] == [False, None, True, None]


def test_bodies_grown_together_are_missed():
    scores, count = score_bodies(bodies(101, 102, 102, 103), [101, 102, 103], truth(bodies(19, 20, 21, 22)))
    assert [body.level for body in scores if not body.found] == ["L1", "L2"] and count.spurious == 1
    assert scores[0].counted_rightly is False


def test_levels_that_the_pipeline_gave():
    scores, _ = score_bodies(bodies(18, 19, 20, 22), [18, 19, 20, 22], truth(bodies(19, 20, 21, 22)))
    assert [body.named_rightly for body in scores] == [False, False, False, True]
    assert [body.counted_rightly for body in scores] == [True, True, True, None]


def test_bodies_without_levels_are_numbered():
    scores, _ = score_bodies(bodies(19, 20), [19, 20], truth(bodies(1, 2), levels_known=False))
    assert [body.level for body in scores] == ["body 1", "body 2"]
    assert [(body.named_rightly, body.counted_rightly) for body in scores] == [(None, None)] * 2


@pytest.mark.parametrize(("value", "top"), [(0, 22), (101, 5)])
def test_cut_off_bodies_count_neither_way(value, top):
    """Not found, and found badly."""
    predicted = bodies(value, 102, tops=(top, 22))
    scores, count = score_bodies(predicted, [101, 102], truth(bodies(19, 20, tops=(0, 22))))
    assert [body.level for body in scores] == ["L1"] and scores[0].found
    assert (count.bodies, count.spurious, count.cut_off) == (1, 0, 1)


def test_what_lies_beyond_the_labels_is_not_judged():
    _, count = score_bodies(bodies(101, 102, 103, 104), [101, 102, 103, 104], truth(bodies(0, 20, 21, 0)))
    assert (count.found, count.spurious) == (2, 0)


def test_where_everything_is_labelled_all_is_judged():
    _, count = score_bodies(bodies(0, 101), [101], truth(bodies(), rows=slice(0, 90)))
    assert count == BodyCount(0, 0, 1, None, 0)


def test_ignored_voxels_count_neither_way():
    sacrum = bodies(0, 0, 0, 1) > 0
    reference = truth(bodies(19, 20, 21), ignored=sacrum, rows=slice(0, 90))
    assert score_bodies(bodies(101, 102, 103, 104), [101, 102, 103, 104], reference)[1].spurious == 0


def test_nothing_found_misses_all():
    scores, count = score_bodies(np.zeros(SHAPE, np.uint8), [], truth(bodies(19, 20)))
    assert [body.dice for body in scores] == [0, 0] and count == BodyCount(2, 0, 0, 0.0, 0)
