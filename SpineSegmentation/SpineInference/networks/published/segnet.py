"""The encoder-decoder of the chest X-ray article (Kovalev 2016): 26 convolutions, 25 batch normalisations, 25 ReLUs and
5 upsamplings.

These counts are those of SegNet (Badrinarayanan 2015): the 13 convolutions of VGG-16 and their mirror image, each but
the last followed by batch normalisation and ReLU, and upsampling that puts every number back to where the pooling
took it from. The article prints the counts only; that it is SegNet, the numbers of filters (VGG-16's) and zero padding
are assumptions of ours. The convolutions have biases, as SegNet's.
"""

from itertools import pairwise

import torch
from torch import nn

from ..blocks import convolution, finished

_LEVELS = [(1, 2), (2, 2), (4, 3), (8, 3), (8, 3)]
"""(filters, in multiples of the width; convolutions) between the poolings."""


class MaxPool(nn.Module):
    """The largest of 2 x 2 pixels, and which of the four it was: [n, c, rows / 2, cols / 2] both.

    Gives what MaxPool2d and MaxUnpool2d give, but whose gradient is the same in every run on CUDA, and every exporter
    knows its parts.
    """

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        channels = images.shape[1]
        cells = nn.functional.pixel_unshuffle(images, 2).unflatten(1, (channels, 4))
        return cells.max(2)


class MaxUnpool(nn.Module):
    """Puts pixels back to the places that MaxPool took them from, among zeros: twice the rows and cols."""

    def forward(self, images: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        four = torch.arange(4, device=places.device).view(4, 1, 1)
        cells = images.unsqueeze(2) * (places.unsqueeze(2) == four)
        return nn.functional.pixel_shuffle(cells.flatten(1, 2), 2)


class _SegNet(nn.Module):
    def __init__(self, in_channels: int, classes: int, width: int):
        super().__init__()
        filters = [factor * width for factor, _ in _LEVELS]
        convolutions = [number for _, number in _LEVELS]
        levels = range(len(_LEVELS))
        before = [in_channels, *filters]
        self.encoder = nn.ModuleList(_level(before[i], *[filters[i]] * convolutions[i]) for i in levels)
        self.decoder = nn.ModuleList(_level(*[filters[i]] * convolutions[i], filters[i - 1]) for i in levels[:0:-1])
        self.decoder.append(nn.Sequential(*_level(*[width] * convolutions[0]), convolution(width, classes)))
        self.pool = nn.ModuleList(MaxPool() for _ in levels)
        self.unpool = nn.ModuleList(MaxUnpool() for _ in levels)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        all_places = []
        for level, pool in zip(self.encoder, self.pool, strict=True):
            images, places = pool(level(images))
            all_places.append(places)
        for level, unpool in zip(self.decoder, self.unpool, strict=True):
            images = level(unpool(images, all_places.pop()))
        return images


def _level(*filters: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(filters):
        layers += [convolution(before, after), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def segnet(in_channels: int, classes: int, width: int = 64) -> nn.Module:
    """SegNet; `width` is the number of filters of the first level (64 in the original; less for small computers)."""
    return finished(_SegNet(in_channels, classes, width), pad_multiple=2 ** len(_LEVELS))
