"""A U-Net with the boundary stream of Gated-SCNN (Takikawa, Acuna, Jampani and Fidler, ICCV 2019, arXiv:1907.05740),
which the outlook of the thesis on cervical spine MR (Utegulov 2020) names for precise borders.

Beside the U-Net a stream of few channels runs at half the image's size. After each of its residual blocks a gate, made
of the stream and of the next deeper level of the encoder, lets pass what belongs to borders. Its end is a map of the
borders, which is taught by those of the reference (`loss.boundary`) and which the last layers see together with the
image's gradient.

Different from the paper: the U-Net's decoder in place of atrous pyramid pooling; central differences, which every
exporter knows, in place of Canny's edges; the dual-task regulariser, which compares the borders of the result with
those of the stream, is left out.
"""

from typing import Any

import segmentation_models_pytorch as smp
import torch
from torch import nn

from .blocks import convolution, initialise, normalised
from .encoders import with_encoder
from .smp_models import DECODER_CHANNELS

_FINEST = 1
"""The stream has 1/2**1 of the image's size."""
_EPSILON = 1e-6
"""Under the root, whose slope at 0 is infinite."""


class Gate(nn.Module):
    """A residual block of the stream, and what a level of the encoder, 1/2**`smaller` of its size, lets pass of it."""

    def __init__(self, channels: int, level_channels: int, smaller: int):
        super().__init__()
        self.block = nn.Sequential(
            normalised(channels, channels), convolution(channels, channels, bias=False), nn.BatchNorm2d(channels)
        )
        self.level = convolution(level_channels, 1, kernel=1)
        self.enlarged = nn.Upsample(scale_factor=2.0**smaller, mode="bilinear", align_corners=False)
        self.attention = nn.Sequential(
            nn.BatchNorm2d(channels + 1),
            convolution(channels + 1, channels + 1, kernel=1),
            nn.ReLU(inplace=True),
            convolution(channels + 1, 1, kernel=1),
            nn.Sigmoid(),
        )
        self.passed = convolution(channels, channels, kernel=1, bias=False)

    def forward(self, stream: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        stream = (stream + self.block(stream)).relu()
        open_to = self.attention(torch.cat([stream, self.enlarged(self.level(level))], dim=1))
        return self.passed(stream * (1 + open_to))


class BoundaryUNet(nn.Module):
    """Gives logits at full size; `boundary_outputs` gives those of the borders too, for the loss."""

    def __init__(
        self,
        encoder_name: str,
        encoder_depth: int,
        encoder_weights: None,
        in_channels: int,
        classes: int,
        decoder_channels: tuple[int, ...],
        stream_channels: int,
        **encoder_arguments: Any,
    ):
        super().__init__()
        unet = smp.Unet(
            encoder_name,
            encoder_depth,
            encoder_weights,
            decoder_channels=decoder_channels,
            in_channels=in_channels,
            classes=1,
            **encoder_arguments,
        )
        self.encoder, self.decoder = unet.encoder, unet.decoder
        filters = self.encoder.out_channels[_FINEST:]
        self.entry = convolution(filters[0], stream_channels, kernel=1)
        self.gates = nn.ModuleList(
            Gate(stream_channels, each, smaller) for smaller, each in enumerate(filters[1:], start=1)
        )
        self.boundary = convolution(stream_channels, 1, kernel=1)
        last = decoder_channels[-1]
        self.head = nn.Sequential(normalised(last + 2, last), convolution(last, classes, kernel=1))
        for part in (self.entry, self.gates, self.boundary, self.head):
            initialise(part)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.boundary_outputs(images)[0]

    def boundary_outputs(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits [n, classes, rows, cols] and those of the borders [n, 1, rows, cols]."""
        features = self.encoder(images)
        stream = self.entry(features[_FINEST])
        for gate, level in zip(self.gates, features[_FINEST + 1 :], strict=True):
            stream = gate(stream, level)
        borders = nn.functional.interpolate(
            self.boundary(stream), scale_factor=2.0**_FINEST, mode="bilinear", align_corners=False
        )
        middle = images.shape[1] // 2
        seen = [self.decoder(features), borders.sigmoid(), gradient(images[:, middle : middle + 1])]
        return self.head(torch.cat(seen, dim=1)), borders


def gradient(images: torch.Tensor) -> torch.Tensor:
    """How steeply the values [n, 1, rows, cols] change, by central differences: the same shape."""
    around = nn.functional.pad(images, (1, 1, 1, 1), mode="replicate")
    across = around[..., 1:-1, 2:] - around[..., 1:-1, :-2]
    down = around[..., 2:, 1:-1] - around[..., :-2, 1:-1]
    return (across.square() + down.square() + _EPSILON).sqrt() / 2


def boundary_unet(
    in_channels: int,
    classes: int,
    encoder: str = "resnet18",
    encoder_depth: int = 5,
    decoder_channels: list[int] | None = None,
    stream_channels: int = 32,
    encoder_arguments: dict[str, Any] | None = None,
    encoder_weights: str | None = None,
    encoder_weights_sha256: str | None = None,
) -> nn.Module:
    """U-Net with a boundary stream of `stream_channels`; `encoder_depth` 2 to 5, the others as in `unet`."""
    return with_encoder(
        BoundaryUNet,
        in_channels,
        classes,
        encoder,
        encoder_depth,
        encoder_arguments,
        encoder_weights,
        encoder_weights_sha256,
        least_depth=2,
        decoder_channels=tuple(decoder_channels or DECODER_CHANNELS[-encoder_depth:]),
        stream_channels=stream_channels,
    )
