"""What is minimised: soft Dice and cross-entropy, both deaf to ignored voxels."""

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from .config import Loss
from .targets import IGNORE

_SMOOTH = 1.0


def soft_dice_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """1 - soft Dice over the whole batch, which keeps empty slices from counting as perfect ones.

    logits float [n, 1, rows, cols]; target uint8 [n, rows, cols] with 0, 1 and 255 (ignored).
    """
    valid = (target != IGNORE).unsqueeze(1)
    truth = (target == 1).unsqueeze(1).float()
    probability = torch.sigmoid(logits.float()) * valid
    overlap = (probability * truth).sum()
    return 1 - (2 * overlap + _SMOOTH) / (probability.sum() + truth.sum() + _SMOOTH)


def cross_entropy_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean binary cross-entropy over the voxels that are not ignored. Shapes as in `soft_dice_loss`."""
    valid = (target != IGNORE).unsqueeze(1).float()
    truth = (target == 1).unsqueeze(1).float()
    each = binary_cross_entropy_with_logits(logits.float(), truth, weight=valid, reduction="sum")
    return each / valid.sum().clamp(min=1)


def segmentation_loss(logits: torch.Tensor, target: torch.Tensor, weights: Loss) -> torch.Tensor:
    """The weighted sum of both losses."""
    total = logits.new_zeros((), dtype=torch.float32)
    if weights.dice:
        total = total + weights.dice * soft_dice_loss(logits, target)
    if weights.cross_entropy:
        total = total + weights.cross_entropy * cross_entropy_loss(logits, target)
    return total
