"""Networks of segmentation-models-pytorch (MIT), with the encoders that its licence situation allows."""

import re
from typing import Any

import segmentation_models_pytorch as smp
import torch

from ..errors import SpineError

# smp carries these under licences that are not permissive (NVIDIA non-commercial, Apple).
_REFUSED_ENCODERS = ("mit_", "mobileone")

# Passed on to timm. A manifest comes from outside, and timm.create_model also takes arguments that download
# weights or unpickle a file, so only those that shape the network are let through.
_ENCODER_ARGUMENTS = (
    "channels",
    "layers",
    "stem_type",
    "stem_width",
    "replace_stem_pool",
    "avg_down",
    "drop_rate",
    "drop_path_rate",
)

_DECODER_CHANNELS = (256, 128, 64, 32, 16)


def unet(
    in_channels: int,
    classes: int,
    encoder: str = "resnet18",
    encoder_depth: int = 5,
    decoder_channels: list[int] | None = None,
    encoder_arguments: dict[str, Any] | None = None,
    encoder_weights: str | None = None,
) -> torch.nn.Module:
    """U-Net (Ronneberger 2015) on an encoder of smp or timm ("tu-...").

    `decoder_channels` has one number per level, from the deepest up; by default the last `encoder_depth` of
    256, 128, 64, 32, 16. `encoder_arguments` shape a timm encoder: a slim ResNet-18 is "tu-resnet18" with
    {"channels": [32, 64, 128, 256], "stem_type": "deep", "stem_width": 16}, whose stem is 2 x 16 channels wide
    (the plain stem of timm is always 64 wide).
    `encoder_weights` ("imagenet") downloads pretrained weights; it is for training and never in a package.
    """
    return smp.Unet(
        encoder_name=_checked_encoder(encoder),
        encoder_depth=encoder_depth,
        encoder_weights=encoder_weights,
        decoder_channels=tuple(decoder_channels or _DECODER_CHANNELS[-encoder_depth:]),
        in_channels=in_channels,
        classes=classes,
        **_checked_encoder_arguments(encoder, encoder_arguments or {}),
    )


def _checked_encoder(encoder: str) -> str:
    if encoder.removeprefix("tu-").startswith(_REFUSED_ENCODERS):
        raise SpineError(f'The encoder "{encoder}" is refused, its licence is not permissive: use e.g. resnet18.')
    # timm reads "hf-hub:..." and "local-dir:..." as places to load code and weights from.
    if not re.fullmatch(r"[\w.\-]+", encoder):
        raise SpineError(f'"{encoder}" is not the name of an encoder: use e.g. resnet18 or tu-resnet18.')
    return encoder


def _checked_encoder_arguments(encoder: str, arguments: dict[str, Any]) -> dict[str, Any]:
    if arguments and not encoder.startswith("tu-"):
        raise SpineError(f'The encoder "{encoder}" takes no encoder_arguments: use its timm form "tu-{encoder}".')
    unknown = sorted(set(arguments) - set(_ENCODER_ARGUMENTS))
    if unknown:
        raise SpineError(f'"{unknown[0]}" is not an encoder argument: known are {", ".join(_ENCODER_ARGUMENTS)}.')
    return arguments
