"""What is minimised: soft Dice, cross-entropy and the two-sided Dice of the poster, all deaf to ignored voxels.

Each is a ratio of sums over the whole batch, which keeps empty slices from counting as perfect ones. Where several
processes share a batch the sums go over all of them, so that the loss, and with it the training, stays the same.

Shapes throughout: logits float [n, channels, rows, cols], one channel (sigmoid) for one class or n + 1 (softmax, 0 is
the background) for n; target uint8 [n, rows, cols] with 0 background, 1 to n the classes and 255 ignored.
"""

from collections.abc import Callable

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate, log_softmax, max_pool2d

from ..config.training import Loss
from ..data.targets import IGNORE

_SMOOTH = 1.0


def soft_dice_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """1 - soft Dice, the mean over the classes; the background is none of them."""
    probability, truth = _classes(logits, target)
    if probability.shape[1] > 1:
        probability, truth = probability[:, 1:], truth[:, 1:]
    overlap, both = _sums((probability * truth).sum((0, 2, 3)), (probability + truth).sum((0, 2, 3)))
    return (1 - (2 * overlap + _SMOOTH) / (both + _SMOOTH)).mean()


def two_sided_dice_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """DL2 of the X-ray poster (Olander et al., after Sudre et al. 2017): Dice of a class plus Dice of all the rest.

    1 - (sum p r + e) / (sum (p + r) + e) - (sum (1-p)(1-r) + e) / (sum (2-p-r) + e)

    The poster takes the mean over its three classes, the background being one; so does this, with a single class of
    its own for one label. Read literally, e is added once to each sum and no factor of 2 stands before the overlaps:
    a perfect result with both sides present scores 0, the worst scores 1. The poster does not give e; here it is 1.
    """
    probability, truth = _classes(logits, target)
    valid = (target != IGNORE).unsqueeze(1).float()
    here, both, elsewhere, neither = _sums(
        (probability * truth).sum((0, 2, 3)),
        (probability + truth).sum((0, 2, 3)),
        ((1 - probability) * (1 - truth) * valid).sum((0, 2, 3)),
        ((2 - probability - truth) * valid).sum((0, 2, 3)),
    )
    return (1 - (here + _SMOOTH) / (both + _SMOOTH) - (elsewhere + _SMOOTH) / (neither + _SMOOTH)).mean()


def cross_entropy_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy over the voxels that are not ignored."""
    logits = logits.float()
    if logits.shape[1] == 1:  # one class against the background, whose logit is 0
        logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
    # By products instead of torch's own, which adds up in another order each time on CUDA.
    truth = _one_hot(target, logits.shape[1])
    total, count = _sums(-(log_softmax(logits, 1) * truth).sum(), truth.sum())
    return total / count.clamp(min=1)


_LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "dice": soft_dice_loss,
    "cross_entropy": cross_entropy_loss,
    "two_sided_dice": two_sided_dice_loss,
}


def segmentation_loss(output: torch.Tensor | list[torch.Tensor], target: torch.Tensor, weights: Loss) -> torch.Tensor:
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
                total = total + share / sum(shares) * weight * loss(logits, thinned)
    return total


def boundary_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the borders [n, 1, rows, cols], on which together as much weight lies as on all the rest.

    A border is every pixel that has another class beside it. What is ignored, and what lies beside it, says nothing.
    """
    numbers = target.unsqueeze(1).float()
    highest, lowest = max_pool2d(numbers, 3, 1, 1), -max_pool2d(-numbers, 3, 1, 1)
    known, border = highest < IGNORE, highest != lowest
    each = binary_cross_entropy_with_logits(logits.float(), border.float(), reduction="none")
    on, off = known & border, known & ~border
    on_sum, off_sum, on_count, off_count = _sums(
        (each * on).sum(), (each * off).sum(), on.float().sum(), off.float().sum()
    )
    return (on_sum / on_count.clamp(min=1) + off_sum / off_count.clamp(min=1)) / 2


def _classes(logits: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Probability and truth of each channel, float [n, channels, rows, cols], both 0 where voxels are ignored."""
    valid = (target != IGNORE).unsqueeze(1)
    if logits.shape[1] == 1:
        return torch.sigmoid(logits.float()) * valid, (target == 1).unsqueeze(1).float()
    return torch.softmax(logits.float(), 1) * valid, _one_hot(target, logits.shape[1])


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
