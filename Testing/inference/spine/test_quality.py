"""The quality of a body: what the probabilities in and around it promise."""

import numpy as np
import pytest

from SpineInference.specs import OutputSpec
from SpineInference.spine.quality import estimate, needs_review, told

SPACING = (1.0, 1.0, 1.0)
BODY = (slice(10, 30), slice(10, 40), slice(10, 40))


def volumes(inside: float, outside: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    instances = np.zeros((60, 50, 50), np.uint8)
    instances[BODY] = 1
    return instances, np.where(instances == 1, inside, outside).astype(np.float16)


def test_quality_of_certain_and_doubtful_body():
    certain, doubted = (estimate(*_args(*volumes(p)))[0] for p in (1.0, 0.6))
    assert certain == pytest.approx(1.0) and doubted == pytest.approx(2 * 0.6 / 1.6, abs=0.01)


def test_disagreeing_plane_lowers_one_quality():
    instances, probability = volumes(1.0)
    instances[40:55, 10:40, 10:40] = 2
    probability[instances == 2] = 1
    probability[30:33, 10:40, 10:40] = 1 / 3  # within reach of the first body, not of the second
    first, second = estimate(*_args(instances, probability, 2))
    assert first < 0.98 and second == pytest.approx(1.0)


def test_quality_does_not_depend_on_size():
    """What is around a body counts as far as a share of its size, and no farther than around a lumbar one."""
    instances, probability = volumes(0.9, outside=0.3)
    small, smaller = (estimate(instances, 1, probability, OutputSpec(), (mm,) * 3)[0] for mm in (0.8, 0.4))
    large, larger = (estimate(instances, 1, probability, OutputSpec(), (mm,) * 3)[0] for mm in (1.1, 2.0))
    assert small == pytest.approx(smaller) and larger > large


def test_threshold_is_even_odds():
    instances, probability = volumes(0.8)
    assert estimate(*_args(instances, probability, threshold=0.8)) == pytest.approx([2 * 0.5 / 1.5], abs=1e-3)


def test_quality_exponent_corrects_expected_dice():
    promised = estimate(*_args(*volumes(0.9)))[0]
    assert estimate(*_args(*volumes(0.9), exponent=2.0))[0] == pytest.approx(promised**2)


def test_nothing_found_nothing_promised():
    assert estimate(*_args(*volumes(1.0), count=2))[1] == 0 and estimate(*_args(*volumes(1.0), count=0)) == []


def test_what_needs_a_review_is_told_as_such():
    assert (told(0.7999), told(0.8), told(0.29), told(1.0)) == (0.79, 0.8, 0.29, 1.0)
    assert all(needs_review(told(quality)) == needs_review(quality) for quality in np.linspace(0.79, 0.81, 1001))


def _args(instances, probability, count=1, threshold=0.5, exponent=1.0):
    return instances, count, probability, OutputSpec("sigmoid", threshold, exponent), SPACING
