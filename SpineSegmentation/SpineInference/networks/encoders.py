"""Encoders of segmentation-models-pytorch (smp, MIT) and timm (Apache 2.0): which are taken, and how they begin."""

import re
from collections.abc import Callable
from typing import Any

from segmentation_models_pytorch.encoders.inceptionv4 import InceptionV4Encoder
from segmentation_models_pytorch.encoders.resnet import ResNetEncoder
from torch import nn

from ..errors import SpineError
from .blocks import initialise
from .encoder_weights import load_encoder_weights

# smp carries these under licences that are not permissive (NVIDIA non-commercial, Apple).
_REFUSED = ("mit_", "mobileone")

# Passed on to timm. A manifest comes from outside, and timm.create_model also takes arguments that download
# weights or unpickle a file, so only those that shape the network are let through.
_ARGUMENTS = (
    "channels",
    "layers",
    "stem_type",
    "stem_width",
    "replace_stem_pool",
    "avg_down",
    "drop_rate",
    "drop_path_rate",
)

_LARGEST_ARGUMENT = 4096

_RESNET_STAGES = ("layer1", "layer2", "layer3", "layer4")


def with_encoder(
    kind: Callable[..., nn.Module],
    in_channels: int,
    classes: int,
    encoder: str,
    encoder_depth: int,
    encoder_arguments: dict[str, Any] | None,
    encoder_weights: str | None,
    encoder_weights_sha256: str | None,
    least_depth: int = 1,
    last_level: int | None = None,
    **decoder: Any,
) -> nn.Module:
    """A network of smp or one made like those: its kind, its encoder, and what else its `decoder` is told.

    `last_level`: the decoder ends at 1/2**`last_level` of the input's size, and its result is enlarged.

    Without `encoder_weights` the encoder begins with random kernels after He et al. 2015 (Kaiming).
    """
    if not least_depth <= encoder_depth <= 5:
        raise SpineError(f"encoder_depth must be {least_depth} to 5, not {encoder_depth}.")
    if last_level is not None:
        decoder["upsampling"] = 2**last_level
    network = kind(
        encoder_name=_checked(encoder),
        encoder_depth=encoder_depth,
        encoder_weights=None,
        in_channels=in_channels,
        classes=classes,
        **_checked_arguments(encoder, encoder_arguments or {}),
        **decoder,
    )
    _drop_unused_stages(network.encoder, encoder_depth)
    if isinstance(network.encoder, InceptionV4Encoder):
        initialise(network.encoder)  # the others do so themselves
    if encoder_weights is not None:
        load_encoder_weights(network.encoder, encoder, encoder_weights, encoder_weights_sha256)
    network.pad_multiple = 2**encoder_depth
    return network


def _drop_unused_stages(encoder: nn.Module, depth: int) -> None:
    """smp keeps the stages below `depth`: most of a PSPNet's parameters, which would never get a gradient."""
    if isinstance(encoder, ResNetEncoder):
        for stage in _RESNET_STAGES[max(0, depth - 1) :]:
            delattr(encoder, stage)
    elif isinstance(encoder, InceptionV4Encoder):
        encoder.features = encoder.features[: encoder._out_indexes[depth - 1] + 1]


def _checked(encoder: str) -> str:
    if encoder.removeprefix("tu-").startswith(_REFUSED):
        raise SpineError(f'The encoder "{encoder}" is refused, its licence is not permissive: use e.g. resnet18.')
    # timm reads "hf-hub:..." and "local-dir:..." as places to load code and weights from.
    if not re.fullmatch(r"[\w.\-]+", encoder):
        raise SpineError(f'"{encoder}" is not the name of an encoder: use e.g. resnet18 or tu-resnet18.')
    return encoder


def _checked_arguments(encoder: str, arguments: dict[str, Any]) -> dict[str, Any]:
    if arguments and not encoder.startswith("tu-"):
        raise SpineError(f'The encoder "{encoder}" takes no encoder_arguments: use its timm form "tu-{encoder}".')
    unknown = sorted(set(arguments) - set(_ARGUMENTS))
    if unknown:
        raise SpineError(f'"{unknown[0]}" is not an encoder argument: known are {", ".join(_ARGUMENTS)}.')
    for name, value in arguments.items():
        items = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(item, int | float) and not 0 <= item <= _LARGEST_ARGUMENT for item in items):
            raise SpineError(f'The encoder argument "{name}" must be 0 to {_LARGEST_ARGUMENT}, not {value}.')
    return arguments
