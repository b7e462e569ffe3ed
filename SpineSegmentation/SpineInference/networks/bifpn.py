"""The decoder of EfficientDet, a weighted feature pyramid that is run through in both directions (BiFPN: Tan, Pang and
Le, CVPR 2020, arXiv:1911.09070), on any encoder. The outlook of the thesis on cervical spine MR (Utegulov 2020) has it.

As in the paper: each node takes a weighted mean of what meets there, with weights that are learned and never negative
("fast normalised fusion"), then swish, a depthwise separable convolution and batch normalisation; the finest level, a
quarter of the image's size, says what each pixel is (its section on segmentation).

Different: the paper adds levels of 1/64 and 1/128 of the image's size, on which a vertebra is less than a pixel; here
the encoder's own levels are taken. The last pass ends at the finest level, as nothing would use its way back.
"""

from typing import Any

import torch
from segmentation_models_pytorch.encoders import get_encoder
from torch import nn

from .blocks import convolution, initialise
from .encoders import with_encoder

_FINEST = 2
"""The level that says what each pixel is, at 1/2**2 of the image's size."""
_EPSILON = 1e-4


class Fusion(nn.Module):
    """The weighted mean of `inputs` maps [n, channels, rows, cols], made new features of the same shape."""

    def __init__(self, inputs: int, channels: int):
        super().__init__()
        self.weights = nn.Parameter(torch.ones(inputs))
        self.features = nn.Sequential(nn.SiLU(), _separable(channels))

    def forward(self, *maps: torch.Tensor) -> torch.Tensor:
        weights = self.weights.relu()
        weights = weights / (weights.sum() + _EPSILON)
        return self.features(sum(weights[number] * each for number, each in enumerate(maps)))


class Pass(nn.Module):
    """Down the pyramid and, unless it is the last one, up again: maps from fine to coarse in, and out."""

    def __init__(self, levels: int, channels: int, is_last: bool):
        super().__init__()
        self.down = nn.ModuleList(Fusion(2, channels) for _ in range(levels - 1))
        inputs = [] if is_last else [3] * (levels - 2) + [2]
        self.up = nn.ModuleList(Fusion(number, channels) for number in inputs)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)

    def forward(self, maps: list[torch.Tensor]) -> list[torch.Tensor]:
        passed = [maps[-1]]
        for fusion, here in zip(self.down, maps[-2::-1], strict=True):
            passed.append(fusion(here, nn.functional.interpolate(passed[-1], scale_factor=2.0, mode="nearest")))
        passed.reverse()
        result = [passed[0]]
        for level, fusion in enumerate(self.up, start=1):
            # At the coarsest level what was passed down is what came in.
            between = [passed[level]] if level < len(maps) - 1 else []
            result.append(fusion(maps[level], *between, self.pool(result[-1])))
        return result


class BiFPN(nn.Module):
    """The network: an encoder of smp or timm, `repeats` passes over its levels, logits enlarged to the image's size."""

    def __init__(
        self,
        encoder_name: str,
        encoder_depth: int,
        encoder_weights: None,
        in_channels: int,
        classes: int,
        width: int,
        repeats: int,
        **encoder_arguments: Any,
    ):
        super().__init__()
        self.encoder = get_encoder(
            encoder_name, in_channels=in_channels, depth=encoder_depth, weights=encoder_weights, **encoder_arguments
        )
        filters = self.encoder.out_channels[_FINEST:]
        self.entries = nn.ModuleList(
            nn.Sequential(convolution(each, width, kernel=1, bias=False), nn.BatchNorm2d(width)) for each in filters
        )
        self.passes = nn.ModuleList(
            Pass(len(filters), width, is_last=number == repeats - 1) for number in range(repeats)
        )
        self.head = nn.Sequential(_separable(width), nn.SiLU(), convolution(width, classes, kernel=1))
        for part in (self.entries, self.passes, self.head):
            initialise(part)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.encoder(images)[_FINEST:]
        maps = [entry(each) for entry, each in zip(self.entries, features, strict=True)]
        for each in self.passes:
            maps = each(maps)
        logits = self.head(maps[0])
        return nn.functional.interpolate(logits, scale_factor=2.0**_FINEST, mode="bilinear", align_corners=False)


def _separable(channels: int) -> nn.Sequential:
    """A depthwise separable convolution and batch normalisation."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
        convolution(channels, channels, kernel=1, bias=False),
        nn.BatchNorm2d(channels),
    )


def bifpn(
    in_channels: int,
    classes: int,
    encoder: str = "resnet18",
    encoder_depth: int = 5,
    width: int = 64,
    repeats: int = 3,
    encoder_arguments: dict[str, Any] | None = None,
    encoder_weights: str | None = None,
    encoder_weights_sha256: str | None = None,
) -> nn.Module:
    """BiFPN with `repeats` passes on `width` channels; EfficientDet-D0 has 3 and 64, its encoder is
    "efficientnet-b0". `encoder_depth` 3 to 5, the others as in `unet`."""
    if repeats < 1:
        raise ValueError("repeats must be 1 or more")
    return with_encoder(
        BiFPN,
        in_channels,
        classes,
        encoder,
        encoder_depth,
        encoder_arguments,
        encoder_weights,
        encoder_weights_sha256,
        least_depth=3,
        width=width,
        repeats=repeats,
    )
