"""Makes patches as various as scanners are: contrasts, noise, shading, slices, and where the scan ends."""

import torch
from torch.nn import functional

from SpineInference.spine.level_recognition import PAD_VALUE

_EDGE = PAD_VALUE + 0.01
"""What is darker lies outside of the scan."""


def augment_patches(patches: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Patches float [n, 3, rows, cols] as other scanners might have seen them; scans end where they did or nearer."""
    count, _, rows, cols = patches.shape

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(shape or (count, 1, 1, 1), generator=generator)

    def chosen(share: float) -> torch.Tensor:
        return torch.rand((count, 1, 1, 1), generator=generator) < share

    outside = patches[:, 1:2] < _EDGE
    inside = patches.masked_fill(outside, 0.0)
    low, high = inside.amin((1, 2, 3), keepdim=True), inside.amax((1, 2, 3), keepdim=True)
    grey = (inside - low) / (high - low).clamp_min(1e-3)
    grey = torch.where(chosen(0.05), 1 - grey, grey)
    grey = grey ** torch.where(chosen(0.5), uniform(-0.4, 0.4), 0.0).exp()
    shade = functional.interpolate(
        uniform(-0.25, 0.25, count, 1, 3, 3), (rows, cols), mode="bicubic", align_corners=True
    )
    grey = grey * (1 + torch.where(chosen(0.4), shade, 0.0))
    blurred = functional.avg_pool2d(grey, 3, stride=1, padding=1, count_include_pad=False)
    grey = torch.where(chosen(0.2), blurred, grey)
    # Slices may be taken from left to right or from right to left, and there may be only one.
    grey = torch.where(chosen(0.5), grey.flip(1), grey)
    grey = torch.where(chosen(0.2), grey[:, 1:2].expand_as(grey), grey)
    result = low + grey * (high - low) * uniform(0.8, 1.25) + uniform(-0.2, 0.2)
    result = result + torch.randn(result.shape, generator=generator) * torch.where(chosen(0.5), uniform(0, 0.2), 0.0)
    return result.masked_fill(outside | _beyond_the_scan(count, rows, cols, generator), PAD_VALUE)


def _beyond_the_scan(count: int, rows: int, cols: int, generator: torch.Generator) -> torch.Tensor:
    """Where scans end that end near the body: above, below, in front or behind, as bool [n, 1, rows, cols]."""
    ended = torch.zeros(count, 1, rows, cols, dtype=torch.bool)
    for length, share, shape in ((rows, 0.12, (1, 1, rows, 1)), (cols, 0.08, (1, 1, 1, cols))):
        index = torch.arange(length).reshape(shape)
        for distance in (index - length // 2, length // 2 - index):
            reach = 0.2 * length + 0.3 * length * torch.rand((count, 1, 1, 1), generator=generator)
            ended |= (distance > reach) & (torch.rand((count, 1, 1, 1), generator=generator) < share)
    return ended
