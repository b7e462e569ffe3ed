"""Intensities are normalised as the rule of a model says."""

import numpy as np

from SpineInference.specs import IntensityRule
from SpineInference.volume.intensity import foreground_mask, normalise, thesis_normalise


def test_normalisation_as_in_nnunet():
    """Over the box of voxels other than 0, over these alone, and by numbers that are the same for every scan."""
    scan = np.zeros((4, 6, 6), np.float32)
    scan[1:3, 1:5, 1:5] = np.random.default_rng(0).normal(100, 20, (2, 4, 4))
    scan[1, 1, 1] = 0
    box = scan[1:3, 1:5, 1:5]
    np.testing.assert_allclose(normalise(scan, IntensityRule("zscore")), (scan - box.mean()) / box.std(), atol=1e-5)
    inside = box[box != 0]
    found = normalise(scan, IntensityRule("zscore_nonzero"))
    expected = np.where(scan != 0, (scan - inside.mean()) / inside.std(), 0)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    rule = IntensityRule("fixed", 80, 120, mean=90, std=10)
    np.testing.assert_allclose(normalise(scan, rule), (np.clip(scan, 80, 120) - 90) / 10, atol=1e-5)


def test_hot_voxel_does_not_change_normalisation():
    source = np.random.default_rng(0).normal(100, 20, (40, 40, 40))
    spoiled = source.copy()
    spoiled[0, 0, 0] = 1e6
    for rule in (IntensityRule(), IntensityRule("percentile_minmax")):
        assert np.allclose(normalise(spoiled, rule)[1:], normalise(source, rule)[1:], atol=1e-3)


def test_normalised_body_has_zero_mean_unit_variance():
    body = np.random.default_rng(0).normal(300, 50, (30, 30, 30))
    scan = np.concatenate([np.zeros_like(body), body]) - 1000  # negative values, half of it air
    inside = normalise(scan, IntensityRule())[30:]
    assert abs(inside.mean()) < 0.02 and abs(inside.std() - 1) < 0.02
    assert foreground_mask(scan).sum() == body.size


def test_the_thesis_rule_follows_its_equations():
    scan = np.random.default_rng(0).normal(50, 9, (8, 8, 8))
    mask = np.zeros(scan.shape, np.uint8)
    mask[2:5, 2:5, 2:5] = 1
    answer = thesis_normalise(scan, mask)
    assert answer.min() == 0 and answer.max() == 1
    # The weakness the project is built to avoid: the z-score is cancelled by the min-max step.
    assert np.allclose(answer, (scan - scan.min()) / (scan.max() - scan.min()), atol=1e-6)
