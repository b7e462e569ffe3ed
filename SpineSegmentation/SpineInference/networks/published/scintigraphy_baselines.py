"""The encoder-decoder rivals of the fully dilated networks in Gjertsson 2017: DLN-11 and URI-Net.

Our document (slides and abstract) names them and their results, not their layers. All of this is an assumption of ours,
from the names and from what is said about the kind: "dense features in the first part, then up-sampled".

DLN-11 is FDN-11 before its conversion: the same eleven convolutions with poolings of stride 2, and deconvolutions
(transposed convolutions) that lead back to the image's size before the last convolution.

URI-Net is a U-Net whose pairs of convolutions are residual inception blocks (Szegedy 2017): three branches with one,
two and three convolutions (which see 1, 3 and 5 pixels), put together by a 1 x 1 convolution and added to the input.
"""

import torch
from torch import nn

from ..blocks import UShape, convolution, finished, normalised

_DLN_FILTERS = [8, 16, 32, 64, 128]
_URI_LEVELS = 5


def dln11(in_channels: int, classes: int) -> nn.Module:
    """DLN-11."""
    layers: list[nn.Module] = []
    channels = in_channels
    for filters in _DLN_FILTERS:
        layers += [convolution(channels, filters), nn.ReLU(inplace=True)]
        layers += [convolution(filters, filters), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        channels = filters
    for filters in [*_DLN_FILTERS[-2::-1], _DLN_FILTERS[0]]:
        layers += [nn.ConvTranspose2d(channels, filters, 4, stride=2, padding=1), nn.ReLU(inplace=True)]
        channels = filters
    layers.append(convolution(channels, classes, kernel=1))
    return finished(nn.Sequential(*layers), pad_multiple=2 ** len(_DLN_FILTERS))


class ResidualInception(nn.Module):
    """Three branches, joined, added to the input, ReLU: [n, before, rows, cols] -> [n, after, rows, cols]."""

    def __init__(self, before: int, after: int):
        super().__init__()
        part = after // 4
        self.branches = nn.ModuleList(
            [
                normalised(before, part, kernel=1),
                nn.Sequential(normalised(before, part, kernel=1), normalised(part, part)),
                nn.Sequential(normalised(before, part, kernel=1), normalised(part, part), normalised(part, part)),
            ]
        )
        self.join = nn.Sequential(convolution(3 * part, after, kernel=1, bias=False), nn.BatchNorm2d(after))
        self.shortcut = nn.Identity() if before == after else convolution(before, after, kernel=1)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        joined = self.join(torch.cat([branch(images) for branch in self.branches], dim=1))
        return self.activation(joined + self.shortcut(images))


def urinet(in_channels: int, classes: int, width: int = 32) -> nn.Module:
    """URI-Net; `width` is the number of filters of the first level, a multiple of 4."""
    if width % 4:
        raise ValueError("width must be a multiple of 4")
    filters = [width * 2**level for level in range(_URI_LEVELS)]
    upwards = filters[-2::-1]
    network = UShape(
        down=[
            ResidualInception(before, after) for before, after in zip([in_channels, *filters], filters, strict=False)
        ],
        up=[nn.ConvTranspose2d(2 * after, after, 2, stride=2) for after in upwards],
        merge=[ResidualInception(2 * after, after) for after in upwards],
        head=convolution(width, classes, kernel=1),
    )
    return finished(network, pad_multiple=2 ** (_URI_LEVELS - 1))
