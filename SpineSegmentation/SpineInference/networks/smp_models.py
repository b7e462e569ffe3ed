"""U-Net, FPN and LinkNet of segmentation-models-pytorch (MIT), as in the thesis on cervical spine MR (Utegulov 2020).

The thesis's three encoders are "resnet50", "inceptionv4" and the same without pretrained weights. FPN normalises over
the whole image (group normalisation), so that what it finds depends a little on the size of the canvas.
"""

from typing import Any

import segmentation_models_pytorch as smp
import torch

from .encoders import with_encoder

DECODER_CHANNELS = (256, 128, 64, 32, 16)


def unet(
    in_channels: int,
    classes: int,
    encoder: str = "resnet18",
    encoder_depth: int = 5,
    decoder_channels: list[int] | None = None,
    encoder_arguments: dict[str, Any] | None = None,
    encoder_weights: str | None = None,
    encoder_weights_sha256: str | None = None,
) -> torch.nn.Module:
    """U-Net (Ronneberger 2015) on an encoder of smp or timm ("tu-...").

    `decoder_channels` has one number per level, from the deepest up; by default the last `encoder_depth` of
    256, 128, 64, 32, 16. `encoder_arguments` shape a timm encoder: a slim ResNet-18 is "tu-resnet18" with
    {"channels": [32, 64, 128, 256], "stem_type": "deep", "stem_width": 16}, whose stem is 2 x 16 channels wide
    (the plain stem of timm is always 64 wide).
    `encoder_weights` ("imagenet", or the path of a file) is for training and never in a package; see
    `encoder_weights.load_encoder_weights`.
    """
    return with_encoder(
        smp.Unet,
        in_channels,
        classes,
        encoder,
        encoder_depth,
        encoder_arguments,
        encoder_weights,
        encoder_weights_sha256,
        decoder_channels=tuple(decoder_channels or DECODER_CHANNELS[-encoder_depth:]),
    )


def fpn(
    in_channels: int,
    classes: int,
    encoder: str = "resnet18",
    encoder_depth: int = 5,
    encoder_arguments: dict[str, Any] | None = None,
    encoder_weights: str | None = None,
    encoder_weights_sha256: str | None = None,
) -> torch.nn.Module:
    """Feature pyramid network (Lin 2017), the arguments as in `unet`; `encoder_depth` 3 to 5."""
    return with_encoder(
        smp.FPN,
        in_channels,
        classes,
        encoder,
        encoder_depth,
        encoder_arguments,
        encoder_weights,
        encoder_weights_sha256,
        least_depth=3,
        last_level=encoder_depth - 3,
    )


def linknet(
    in_channels: int,
    classes: int,
    encoder: str = "resnet18",
    encoder_depth: int = 5,
    encoder_arguments: dict[str, Any] | None = None,
    encoder_weights: str | None = None,
    encoder_weights_sha256: str | None = None,
) -> torch.nn.Module:
    """LinkNet (Chaurasia and Culurciello 2017), the arguments as in `unet`."""
    return with_encoder(
        smp.Linknet,
        in_channels,
        classes,
        encoder,
        encoder_depth,
        encoder_arguments,
        encoder_weights,
        encoder_weights_sha256,
    )
