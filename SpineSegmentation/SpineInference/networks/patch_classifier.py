"""A small network that says of a whole patch what it shows, instead of each of its pixels."""

from torch import nn

from .blocks import finished, normalised

SIDE = 64
"""Rows and cols of a patch: other sizes do not fit the layer that sees all of it."""


def patch_classifier(in_channels: int, classes: int, hidden: int = 48, dropout: float = 0.1) -> nn.Module:
    """float [n, in_channels, 64, 64] -> logits [n, classes, 1, 1]: 4 x 4 pixels remain for a layer that sees all."""
    layers = [
        *(nn.Conv2d(in_channels, 24, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(24), nn.ReLU(inplace=True)),
        *(nn.MaxPool2d(2), normalised(24, 48)),
        *(nn.MaxPool2d(2), normalised(48, 64)),
        *(nn.MaxPool2d(2), nn.Conv2d(64, hidden, SIDE // 16), nn.ReLU(inplace=True)),
        *(nn.Dropout(dropout), nn.Conv2d(hidden, classes, 1)),
    ]
    return finished(nn.Sequential(*layers), pad_multiple=SIDE)
