"""Losses and the validation metric: against values worked out by hand."""

import math

import pytest
import torch

from SegTraining.config.training import Loss
from SegTraining.data.targets import IGNORE
from SegTraining.training.losses import (
    boundary_loss,
    cross_entropy_loss,
    segmentation_loss,
    soft_dice_loss,
    two_sided_dice_loss,
)
from SegTraining.training.module import training_loss
from SegTraining.training.moving_average import MovingAverage

SURE = 50.0


def case(target: list[list[int]], logits: list[list[float]]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor(logits)[None, None], torch.tensor(target, dtype=torch.uint8)[None]


def test_soft_dice_by_hand():
    logits, target = case([[1, 1, 0, 0]], [[SURE, -SURE, SURE, -SURE]])
    assert soft_dice_loss(logits, target).item() == pytest.approx(1 - (2 * 1 + 1) / (2 + 2 + 1))


def test_cross_entropy_by_hand():
    logits, target = case([[1, 0]], [[0.0, 0.0]])
    assert cross_entropy_loss(logits, target).item() == pytest.approx(math.log(2))


def test_empty_slice_is_not_a_perfect_one():
    logits, target = case([[1, 1]], [[-SURE, -SURE]])
    empty_logits, empty = case([[0, 0]], [[-SURE, -SURE]])
    alone = soft_dice_loss(logits, target)
    together = soft_dice_loss(torch.cat([logits, empty_logits]), torch.cat([target, empty]))
    assert together.item() == pytest.approx(alone.item())


def test_borders_weigh_as_much_as_all_the_rest():
    target = [[0, 0, 0, 1, 1, 1, 1, IGNORE, 0, 0]]
    border = [2, 3]  # of the pixels that say something: 6 and 8 lie beside one that does not
    right = [[SURE if place in border else -SURE for place in range(10)]]
    assert boundary_loss(*case(target, right)).item() == pytest.approx(0, abs=1e-6)
    undecided = [[0.0 if place in border else -SURE for place in range(10)]]
    assert boundary_loss(*case(target, undecided)).item() == pytest.approx(math.log(2) / 2)
    everywhere = [[SURE if place in border else 0.0 for place in range(10)]]
    assert boundary_loss(*case(target, everywhere)).item() == pytest.approx(math.log(2) / 2)
    assert boundary_loss(*case([[1, 1, 1]], [[-SURE] * 3])).item() == pytest.approx(0, abs=1e-6)


def test_only_a_boundary_stream_is_taught_borders():
    class Stream(torch.nn.Module):
        def boundary_outputs(self, image):
            return image, torch.zeros_like(image)

    logits, target = case([[0, 1]], [[-SURE, SURE]])
    weights = Loss(boundary=3.0)
    plain = training_loss(torch.nn.Identity(), logits, target, weights).item()
    assert training_loss(Stream(), logits, target, weights).item() == pytest.approx(plain + 3 * math.log(2) / 2)


LOSSES = [soft_dice_loss, cross_entropy_loss, two_sided_dice_loss]


def test_two_sided_dice_by_hand():
    logits, target = case([[1, 1, 0, 0]], [[SURE, -SURE, SURE, -SURE]])
    # One pixel of each side is right, two are called target and two are target.
    expected = 1 - (1 + 1) / (4 + 1) - (1 + 1) / (4 + 1)
    assert two_sided_dice_loss(logits, target).item() == pytest.approx(expected)


def test_two_sided_dice_goes_from_0_to_1():
    target = torch.zeros(1, 100, 100, dtype=torch.uint8)
    target[:, :40] = 1
    truth = (target.float() * 2 - 1)[:, None] * SURE
    assert two_sided_dice_loss(truth, target).item() == pytest.approx(0, abs=1e-3)
    assert two_sided_dice_loss(-truth, target).item() == pytest.approx(1, abs=1e-3)


def sure(target: list[list[int]], classes: int) -> torch.Tensor:
    """Logits of a network that is sure of `target`."""
    return SURE * torch.nn.functional.one_hot(torch.tensor(target), classes).permute(2, 0, 1)[None].float()


def test_several_classes_by_hand():
    target = torch.tensor([[[1, 1, 2, 0]]], dtype=torch.uint8)
    logits = sure([[1, 2, 2, 0]], 3)
    first, second = (2 * 1 + 1) / (1 + 2 + 1), (2 * 1 + 1) / (2 + 1 + 1)
    assert soft_dice_loss(logits, target).item() == pytest.approx(1 - (first + second) / 2)
    assert cross_entropy_loss(logits, target).item() == pytest.approx(SURE / 4)
    background = 1 - (1 + 1) / (2 + 1) - (3 + 1) / (6 + 1)
    each = 1 - (1 + 1) / (3 + 1) - (2 + 1) / (5 + 1)  # of either class
    assert two_sided_dice_loss(logits, target).item() == pytest.approx((background + 2 * each) / 3)


@pytest.mark.parametrize("loss", LOSSES)
def test_ignored_voxels_with_several_classes(loss):
    target = torch.tensor([[[1, 2, IGNORE]]], dtype=torch.uint8)
    logits = torch.randn(1, 3, 1, 3, generator=torch.Generator().manual_seed(0))
    other = logits.clone()
    other[..., 2] = -other[..., 2]
    assert loss(logits, target).item() == pytest.approx(loss(other, target).item())
    logits.requires_grad_()
    loss(logits, target).backward()
    assert (logits.grad[..., 2] == 0).all() and (logits.grad[..., :2] != 0).any()


def test_deep_supervision_weighs_coarser_scales_less():
    target = torch.zeros(1, 4, 4, dtype=torch.uint8)
    target[:, :2] = 1
    right, wrong = (sign * SURE * (target.float() * 2 - 1)[:, None] for sign in (1, -1))
    weights = Loss(dice=0, cross_entropy=1)
    assert segmentation_loss([right, right[..., ::2, ::2]], target, weights).item() == pytest.approx(0, abs=1e-6)
    only_coarse = segmentation_loss([right, wrong[..., ::2, ::2]], target, weights).item()
    assert only_coarse == pytest.approx(SURE / 3)


@pytest.mark.parametrize("loss", LOSSES)
def test_ignored_voxels_get_no_gradient(loss):
    logits, target = case([[1, 0, IGNORE]], [[2.0, -1.0, 5.0]])
    other = logits.clone()
    other[..., 2] = -9.0
    assert loss(logits, target).item() == pytest.approx(loss(other, target).item())
    logits.requires_grad_()
    loss(logits, target).backward()
    assert logits.grad[..., 2].item() == 0 and logits.grad[..., 0].item() < 0 < logits.grad[..., 1].item()


def test_a_batch_of_only_ignored_voxels_gives_no_nan():
    logits, target = case([[IGNORE, IGNORE]], [[2.0, -1.0]])
    logits.requires_grad_()
    total = segmentation_loss(logits, target, Loss(two_sided_dice=1))
    total.backward()
    assert total.isfinite() and (logits.grad == 0).all()


def test_weights_are_weights():
    logits, target = case([[1, 0]], [[0.3, 0.1]])
    total = segmentation_loss(logits, target, Loss(dice=2, cross_entropy=0.5))
    expected = 2 * soft_dice_loss(logits, target) + 0.5 * cross_entropy_loss(logits, target)
    assert total.item() == pytest.approx(expected.item())


def test_half_logits_are_summed_in_single_precision():
    logits = torch.full((4, 1, 128, 128), 3.0, dtype=torch.bfloat16)
    target = torch.ones(4, 128, 128, dtype=torch.uint8)
    expected = 1 - 2 * torch.sigmoid(torch.tensor(3.0)).item() / (1 + torch.sigmoid(torch.tensor(3.0)).item())
    assert soft_dice_loss(logits, target).item() == pytest.approx(expected, abs=1e-4)


def test_moving_average_forgets_its_start():
    network = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.BatchNorm1d(1))
    average = MovingAverage(network, decay=0.99)
    with torch.no_grad():
        network[0].weight.fill_(5.0)
        network[1].num_batches_tracked.fill_(7)
    for _ in range(60):
        average.update(network)
    assert average.network[0].weight.item() == pytest.approx(5.0, abs=0.01)
    assert average.network[1].num_batches_tracked.item() == 7
    assert not average.train().network.training
