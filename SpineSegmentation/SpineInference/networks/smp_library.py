"""Any segmentation network of segmentation-models-pytorch (smp, MIT), as a state dict from elsewhere needs it."""

from typing import Any

import segmentation_models_pytorch as smp
from torch import nn

from ..errors import SpineError
from .encoders import checked_encoder, checked_encoder_arguments

_CLASSES = (
    *("Unet", "UnetPlusPlus", "MAnet", "Linknet", "FPN", "PSPNet", "PAN"),
    *("DeepLabV3", "DeepLabV3Plus", "UPerNet", "Segformer"),
)

# A manifest comes from outside: only what shapes the network is let through, and nothing that loads weights.
_ARGUMENTS = (
    *("encoder_depth", "encoder_output_stride", "decoder_channels", "decoder_use_norm", "decoder_use_batchnorm"),
    *("decoder_attention_type", "decoder_interpolation", "decoder_pyramid_channels", "decoder_segmentation_channels"),
    *("decoder_merge_policy", "decoder_dropout", "decoder_atrous_rates", "decoder_aspp_separable"),
    *("decoder_aspp_dropout", "psp_out_channels", "psp_use_batchnorm", "psp_use_norm", "psp_dropout", "upsampling"),
)


def smp_network(
    in_channels: int,
    classes: int,
    network: str = "Unet",
    encoder: str = "resnet34",
    encoder_arguments: dict[str, Any] | None = None,
    arguments: dict[str, Any] | None = None,
) -> nn.Module:
    """The class `network` of smp with its own names of `arguments`; encoders as in `smp_models.unet`."""
    if network not in _CLASSES:
        raise SpineError(f'"{network}" is no network of smp that can be taken: known are {", ".join(_CLASSES)}.')
    if unknown := sorted(set(arguments or {}) - set(_ARGUMENTS)):
        raise SpineError(f'"{unknown[0]}" is no argument that shapes {network}: known are {", ".join(_ARGUMENTS)}.')
    made = getattr(smp, network)(
        encoder_name=checked_encoder(encoder),
        encoder_weights=None,
        in_channels=in_channels,
        classes=classes,
        **checked_encoder_arguments(encoder, encoder_arguments or {}),
        **(arguments or {}),
    )
    made.pad_multiple = int(made.encoder.output_stride)
    return made
