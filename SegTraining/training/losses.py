"""What is minimised: soft Dice, cross-entropy and the two-sided Dice of the poster, all deaf to ignored voxels.

Each is a ratio of sums over the whole batch, which keeps empty slices from counting as perfect ones. Where several
processes share a batch the sums go over all of them, so that the loss, and with it the training, stays the same.

Shapes throughout: logits float [n, channels, rows, cols], and of n classes one channel each if each is found by itself
(`alone`, and a single one always: sigmoid), or n + 1 (softmax, 0 is the background); target uint8 [n, rows, cols]: 0
background, 1 to n the classes, 255 ignored and, of classes by themselves, `PARTLY_LABELLED` and more for background
that says nothing about some of them.
"""

from collections.abc import Callable

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate, log_softmax, logsigmoid, max_pool2d

from ..config.training import Loss
from ..data.targets import IGNORE, PARTLY_LABELLED

_SMOOTH = 1.0


def soft_dice_loss(logits: torch.Tensor, target: torch.Tensor, alone: bool = False) -> torch.Tensor:
    """1 - soft Dice, the mean over the classes; the background is none of them."""
    probability, truth, _ = _classes(logits, target, alone)
    if not _is_alone(logits, alone):
        probability, truth = probability[:, 1:], truth[:, 1:]
    overlap, both = _sums((probability * truth).sum((0, 2, 3)), (probability + truth).sum((0, 2, 3)))
    return (1 - (2 * overlap + _SMOOTH) / (both + _SMOOTH)).mean()


def two_sided_dice_loss(logits: torch.Tensor, target: torch.Tensor, alone: bool = False) -> torch.Tensor:
    """DL2 of the X-ray poster (Olander et al., after Sudre et al. 2017): Dice of a class plus Dice of all the rest.

    1 - (sum p r + e) / (sum (p + r) + e) - (sum (1-p)(1-r) + e) / (sum (2-p-r) + e)

    The poster takes the mean over its three classes, the background being one; so does this, with a single class of
    its own for one label. Read literally, e is added once to each sum and no factor of 2 stands before the overlaps:
    a perfect result with both sides present scores 0, the worst scores 1. The poster does not give e; here it is 1.
    """
    probability, truth, valid = _classes(logits, target, alone)
    here, both, elsewhere, neither = _sums(
        (probability * truth).sum((0, 2, 3)),
        (probability + truth).sum((0, 2, 3)),
        ((1 - probability) * (1 - truth) * valid).sum((0, 2, 3)),
        ((2 - probability - truth) * valid).sum((0, 2, 3)),
    )
    return (1 - (here + _SMOOTH) / (both + _SMOOTH) - (elsewhere + _SMOOTH) / (neither + _SMOOTH)).mean()


def cross_entropy_loss(logits: torch.Tensor, target: torch.Tensor, alone: bool = False) -> torch.Tensor:
    """Mean cross-entropy over the voxels that are not ignored, of classes by themselves over those of each."""
    logits = logits.float()
    # By products instead of torch's own, which adds up in another order each time on CUDA.
    if _is_alone(logits, alone):
        truth, valid = _each_class(target, logits.shape[1])
        total, count = _sums(-(logsigmoid(torch.where(truth > 0, logits, -logits)) * valid).sum(), valid.sum())
    else:
        truth = _one_hot(target, logits.shape[1])
        total, count = _sums(-(log_softmax(logits, 1) * truth).sum(), truth.sum())
    return total / count.clamp(min=1)


_LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor, bool], torch.Tensor]] = {
    "dice": soft_dice_loss,
    "cross_entropy": cross_entropy_loss,
    "two_sided_dice": two_sided_dice_loss,
}


def segmentation_loss(
    output: torch.Tensor | list[torch.Tensor], target: torch.Tensor, weights: Loss, alone: bool = False
) -> torch.Tensor:
    """The weighted sum of the losses that have a weight.

    A network with deep supervision gives several logits, the full size first: each coarser one counts half as much as
    the one before, against the target thinned out to its size.
    """
    outputs = [output] if isinstance(output, torch.Tensor) else list(output)
    shares = [0.5**level for level in range(len(outputs))]
    total = torch.zeros((), device=target.device)
    for logits, share in zip(outputs, shares, strict=True):
        thinned = interpolate(target[:, None], logits.shape[2:], mode="nearest")[:, 0]
        for name, loss in _LOSSES.items():
            if weight := getattr(weights, name):
                total = total + share / sum(shares) * weight * loss(logits, thinned, alone)
    return total


def boundary_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the borders [n, 1, rows, cols], on which together as much weight lies as on all the rest.

    A border is every pixel that has another class beside it. What is ignored, and what lies beside it, says nothing.
    """
    numbers = target.unsqueeze(1).float()
    highest, lowest = max_pool2d(numbers, 3, 1, 1), -max_pool2d(-numbers, 3, 1, 1)
    known, border = highest < PARTLY_LABELLED, highest != lowest
    each = binary_cross_entropy_with_logits(logits.float(), border.float(), reduction="none")
    on, off = known & border, known & ~border
    on_sum, off_sum, on_count, off_count = _sums(
        (each * on).sum(), (each * off).sum(), on.float().sum(), off.float().sum()
    )
    return (on_sum / on_count.clamp(min=1) + off_sum / off_count.clamp(min=1)) / 2


def _is_alone(logits: torch.Tensor, alone: bool) -> bool:
    return alone or logits.shape[1] == 1


def _classes(logits: torch.Tensor, target: torch.Tensor, alone: bool) -> tuple[torch.Tensor, ...]:
    """Probability and truth of each channel, both 0 where it is ignored, and 1 where it is not: float [n, channels,
    rows, cols]."""
    if _is_alone(logits, alone):
        truth, valid = _each_class(target, logits.shape[1])
        return torch.sigmoid(logits.float()) * valid, truth, valid
    valid = (target != IGNORE).unsqueeze(1).float()
    return torch.softmax(logits.float(), 1) * valid, _one_hot(target, logits.shape[1]), valid


def _each_class(target: torch.Tensor, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Truth of each class by itself and where it is known, float [n, classes, rows, cols]."""
    truth = _one_hot(target, classes + 1)[:, 1:]
    bits = 2 ** torch.arange(classes, device=target.device, dtype=target.dtype).view(1, -1, 1, 1)
    # All bits are set in what is ignored.
    unknown = (target >= PARTLY_LABELLED).unsqueeze(1) & ((target.unsqueeze(1) & bits) > 0)
    return truth, (~unknown).float()


def _one_hot(target: torch.Tensor, channels: int) -> torch.Tensor:
    """float [n, channels, rows, cols]: 1 in the channel of the target's number, in none where it is ignored."""
    numbers = torch.arange(channels, device=target.device, dtype=target.dtype).view(1, -1, 1, 1)
    return (target.unsqueeze(1) == numbers).float()


def _sums(*parts: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The sums of this process, made those of all processes that share the batch.

    Without gradients nothing is shared: in the validation each process has cases of its own.
    """
    shared = torch.is_grad_enabled() and torch.distributed.is_available() and torch.distributed.is_initialized()
    if not shared:
        return parts
    return _SumOverProcesses.apply(torch.stack([part.expand_as(parts[0]) for part in parts])).unbind()


class _SumOverProcesses(torch.autograd.Function):
    """The gradient of a sum that every process goes on with is the sum of all their gradients."""

    @staticmethod
    def forward(context, tensor: torch.Tensor) -> torch.Tensor:
        total = tensor.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context, gradient: torch.Tensor) -> torch.Tensor:
        return _SumOverProcesses.forward(context, gradient)
