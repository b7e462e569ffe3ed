"""What the networks that are written out here have in common."""

import torch
from torch import nn


def convolution(
    in_channels: int, out_channels: int, kernel: int = 3, dilation: int = 1, bias: bool = True
) -> nn.Conv2d:
    """A convolution that keeps rows and cols (odd kernels only)."""
    return nn.Conv2d(in_channels, out_channels, kernel, padding=dilation * (kernel // 2), dilation=dilation, bias=bias)


def normalised(in_channels: int, out_channels: int, kernel: int = 3) -> nn.Sequential:
    """Convolution without bias (batch normalisation has one), batch normalisation, ReLU."""
    return nn.Sequential(
        convolution(in_channels, out_channels, kernel, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)
    )


def initialise(network: nn.Module, slope: float = 0.0) -> nn.Module:
    """Random kernels after He et al. 2015 (Kaiming normal) for activations with `slope` below zero; biases of zero."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, a=slope, nonlinearity="leaky_relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network


def finished(network: nn.Module, pad_multiple: int, slope: float = 0.0) -> nn.Module:
    """`network`, initialised, knowing of what the rows and cols of its input must be multiples."""
    network.pad_multiple = pad_multiple
    return initialise(network, slope)


class UShape(nn.Module):
    """The way of a U-Net (Ronneberger 2015): down level by level with 2 x 2 max-pooling, up again, and a 1 x 1 head.

    `down` has one level more than `up`, which doubles the size, and `merge`, which is given what was on the same level
    on the way down and what comes up from below, one after the other as channels.
    """

    def __init__(self, down: list[nn.Module], up: list[nn.Module], merge: list[nn.Module], head: nn.Module):
        super().__init__()
        self.down = nn.ModuleList(down)
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList(up)
        self.merge = nn.ModuleList(merge)
        self.head = head

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        passed = []
        for level in self.down[:-1]:
            passed.append(level(images))
            images = self.pool(passed[-1])
        images = self.down[-1](images)
        for up, merge in zip(self.up, self.merge, strict=True):
            images = merge(torch.cat([passed.pop(), up(images)], dim=1))
        return self.head(images)
