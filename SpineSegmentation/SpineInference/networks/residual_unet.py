"""One step beyond the documents: a residual-encoder U-Net with deep supervision in the style of nnU-Net (Isensee 2021,
2024), as the strong baseline.

Taken from nnU-Net's 2D plans with residual encoder: strided convolutions instead of pooling, 1, 3, 4, 6, 6, 6 residual
blocks of two convolutions on six levels with 32 to 512 filters, average pooling on the shortcuts, leaky ReLU, one
convolution on each level of the way up, and a loss on several levels. A choice of ours: batch normalisation in place
of instance normalisation, so that the result does not depend on how far a slice is padded, and runs faster.
"""

from itertools import pairwise

import torch
from torch import nn

from .blocks import convolution, finished

_SLOPE = 0.01


class ResidualBlock(nn.Module):
    """Two convolutions, added to the input: [n, before, rows, cols] -> [n, after, rows / stride, cols / stride]."""

    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(_SLOPE, inplace=True),
            convolution(after, after, bias=False),
            nn.BatchNorm2d(after),
        )
        shortcut: list[nn.Module] = []
        if stride > 1:
            shortcut.append(nn.AvgPool2d(stride, ceil_mode=True))  # the size is then that of a strided convolution
        if before != after:
            shortcut += [convolution(before, after, kernel=1, bias=False), nn.BatchNorm2d(after)]
        self.shortcut = nn.Sequential(*shortcut)
        self.activation = nn.LeakyReLU(_SLOPE, inplace=True)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.activation(self.convolutions(images) + self.shortcut(images))


class ResidualUNet(nn.Module):
    """Gives the logits at full size, in training and afterwards; `deep_supervision_outputs` is for losses."""

    def __init__(self, in_channels: int, classes: int, filters: list[int], blocks: list[int]):
        super().__init__()
        self.stem = _one(in_channels, filters[0])
        self.down = nn.ModuleList(
            nn.Sequential(
                ResidualBlock(before, after, stride=1 if level == 0 else 2),
                *(ResidualBlock(after, after, stride=1) for _ in range(number - 1)),
            )
            for level, (before, after, number) in enumerate(
                zip([filters[0], *filters[:-1]], filters, blocks, strict=True)
            )
        )
        upwards = list(pairwise(reversed(filters)))
        self.up = nn.ModuleList(nn.ConvTranspose2d(before, after, 2, stride=2) for before, after in upwards)
        self.merge = nn.ModuleList(_one(2 * after, after) for _, after in upwards)
        # None on the coarsest level of the way up, whose loss nnU-Net weighs with zero, unless it is the only one.
        supervised = filters[max(1, len(upwards) - 1) - 1 :: -1]
        self.heads = nn.ModuleList(convolution(channels, classes, kernel=1) for channels in supervised)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.heads[-1](self._decoded(images)[-1])

    def deep_supervision_outputs(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Logits of full size, half, a quarter and so on, for a loss with weights of 1, 1/2, 1/4 ...

        float [n, in_channels, rows, cols] -> [n, classes, rows / 2**i, cols / 2**i], i = 0, 1, ... A training loop
        calls this instead of the network; the heads of the coarser levels get gradients in no other way.
        """
        decoded = self._decoded(images)[-len(self.heads) :]
        return [head(features) for head, features in zip(self.heads, decoded, strict=True)][::-1]

    def _decoded(self, images: torch.Tensor) -> list[torch.Tensor]:
        """The features of every level on the way up, from the coarsest to those of full size."""
        images = self.stem(images)
        passed = []
        for level in self.down:
            images = level(images)
            passed.append(images)
        passed.pop()
        decoded = []
        for up, merge in zip(self.up, self.merge, strict=True):
            images = merge(torch.cat([passed.pop(), up(images)], dim=1))
            decoded.append(images)
        return decoded


def _one(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        convolution(before, after, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(_SLOPE, inplace=True)
    )


def residual_unet(
    in_channels: int,
    classes: int,
    filters: tuple[int, ...] = (32, 64, 128, 256, 512, 512),
    blocks: tuple[int, ...] = (1, 3, 4, 6, 6, 6),
) -> nn.Module:
    """Residual-encoder U-Net: `filters` and residual `blocks` of each level, from full size down (2 to 8 levels)."""
    if len(filters) != len(blocks) or not 2 <= len(filters) <= 8 or min(blocks) < 1:
        raise ValueError("filters and blocks must name 2 to 8 levels both, with at least one block each")
    network = ResidualUNet(in_channels, classes, list(filters), list(blocks))
    return finished(network, pad_multiple=2 ** (len(filters) - 1), slope=_SLOPE)
