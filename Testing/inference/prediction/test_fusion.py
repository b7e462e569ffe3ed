"""The opinions of several networks become one class for each voxel."""

import numpy as np
import pytest
from bright_engine import volume

from SpineInference.prediction.fusion import Fusion
from SpineInference.specs import OutputSpec


def test_a_member_that_sees_a_part_is_fused_there():
    fusion = Fusion((4, 5, 6), "mean", OutputSpec(threshold=0.4))
    box = (slice(1, 3), slice(2, 5), slice(0, 2))
    fusion.within(box).add(np.ones((1, 3, 2), np.float32), 0, 1, [(0, 0.5)])
    expected = np.zeros((4, 5, 6))
    expected[2, 2:5, 0:2] = 0.5
    assert np.array_equal(fusion.settled().class_probabilities[0], expected)


@pytest.mark.parametrize("rule", ["mean", "vote"])
def test_what_a_network_cannot_tell_is_background(rule):
    """Numbers that overflow in half precision leave no label behind."""
    fusion = Fusion((1, 1, 2), rule, OutputSpec(threshold=0.4))
    fusion.add(np.array([[[np.nan, -0.0]]], np.float32), 0, 0, [(0, 1.0)])
    assert not fusion.settled().classes().any()


def test_a_vote_for_the_cord_is_one_for_the_canal():
    fusion = Fusion((1, 1, 1), "vote", OutputSpec(threshold=0.4), 2, {2: 1})
    for cord in (0.9, 0.1):
        opinion = np.array([0.8, cord], np.float32)[:, None, None]
        fusion.add(opinion, 0, 0, [(0, 0.5), (1, 0.5)])
        assert opinion.ravel().tolist() == [np.float32(0.8), np.float32(cord)]
    assert fusion.settled().classes()[0, 0, 0] == 1


@pytest.mark.parametrize("weights", [(1 / 3, 1 / 3, 1 / 3), (0.5, 0.2, 0.3)])
def test_mean_fusion_weighs_members(weights):
    members = [np.stack([volume((4, 5, 6), seed), volume((4, 5, 6), seed + 9)]) for seed in range(3)]
    fusion = Fusion((4, 5, 6), "mean", OutputSpec(threshold=0.4), labels=2)
    for axis, member in enumerate(members):
        for index in range(member.shape[axis + 1]):
            fusion.add(np.take(member, index, axis + 1), axis, index, [(0, weights[axis]), (1, weights[axis])])
    fused = fusion.settled().class_probabilities
    assert fused.dtype == np.float16
    assert np.allclose(fused, np.average(members, axis=0, weights=weights), atol=2e-3)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 7, 14])
def test_a_vote_needs_more_than_half(count):
    for votes in range(count + 1):
        fusion = Fusion((1, 1, 1), "vote", OutputSpec(threshold=0.4))
        for member in range(count):
            fusion.add(np.full((1, 1, 1), 0.41 if member < votes else 0.39, np.float32), 0, 0, [(0, 1 / count)])
        assert fusion.settled().classes()[0, 0, 0] == (votes > count / 2)


def decided(rule: str, output: OutputSpec, *members: tuple[float, ...]) -> int:
    """The class of a voxel to whose labels the members give these probabilities."""
    fusion = Fusion((1, 1, 1), rule, output, len(members[0]))
    for member in members:
        fusion.add(
            np.array(member, np.float32)[:, None, None], 0, 0, [(n, 1 / len(members)) for n in range(len(member))]
        )
    return int(fusion.settled().classes()[0, 0, 0])


SIGMOID, SOFTMAX = OutputSpec("sigmoid", 0.4), OutputSpec("softmax", 0.4)


@pytest.mark.parametrize(
    ("rule", "output", "members", "expected"),
    [
        ("mean", SOFTMAX, [(0.3, 0.34)], 0),  # the background has 0.36
        ("mean", SOFTMAX, [(0.3, 0.38)], 2),  # whatever the threshold
        ("mean", SOFTMAX, [(0.6, 0.1), (0.1, 0.5), (0.1, 0.5)], 2),
        ("mean", SIGMOID, [(0.5, 0.9)], 2),  # labels that exclude each other: the likelier one
        ("mean", SIGMOID, [(0.39, 0.3)], 0),
        ("mean", SIGMOID, [(0.41, 0.3)], 1),
        ("vote", SOFTMAX, [(0.9, 0.1), (0.1, 0.5), (0.1, 0.5)], 2),
        ("vote", SOFTMAX, [(0.9, 0.1), (0.1, 0.9), (0.1, 0.1)], 0),  # three opinions are no majority
        ("vote", SIGMOID, [(0.9, 0.8), (0.5, 0.6), (0.1, 0.3)], 0),
        ("vote", SIGMOID, [(0.5, 0.8), (0.5, 0.6), (0.1, 0.3)], 2),
    ],
)
def test_a_voxel_belongs_to_what_is_ahead(rule, output, members, expected):
    assert decided(rule, output, *members) == expected
