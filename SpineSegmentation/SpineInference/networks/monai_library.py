"""Networks of MONAI (Apache 2.0) in 2D, as a state dict from elsewhere needs them. MONAI is asked for only here."""

import math
from typing import Any

import monai.networks.nets
from torch import nn

from ..errors import SpineError

_PAD_MULTIPLES = {
    "AttentionUnet": lambda given: math.prod(given["strides"]),
    "BasicUNet": lambda given: 16,
    "DynUNet": lambda given: math.prod(_largest(stride) for stride in given["strides"]),
    "SegResNet": lambda given: 2 ** (len(given.get("blocks_down", (1, 2, 2, 4))) - 1),
    "UNet": lambda given: math.prod(given["strides"]),
    "VNet": lambda given: 16,
}
"""The classes that are taken, and of what rows and cols of their input must be multiples."""

_UNWANTED = ("deep_supervision",)
"""Arguments under which a network gives more than its logits."""


def monai_network(
    in_channels: int, classes: int, network: str = "BasicUNet", arguments: dict[str, Any] | None = None
) -> nn.Module:
    """The class `network` of MONAI with its own names of `arguments`; numbers, words and lists of them only."""
    given = dict(arguments or {})
    if network not in _PAD_MULTIPLES:
        raise SpineError(
            f'"{network}" is no network of MONAI that can be taken: known are {", ".join(_PAD_MULTIPLES)}.'
        )
    if unwanted := [name for name in _UNWANTED if given.get(name)]:
        raise SpineError(f'A network with "{unwanted[0]}" gives several results at once: leave the argument out.')
    made = getattr(monai.networks.nets, network)(spatial_dims=2, in_channels=in_channels, out_channels=classes, **given)
    made.pad_multiple = _PAD_MULTIPLES[network](given)
    return made


def _largest(stride: Any) -> int:
    return max(stride) if isinstance(stride, list | tuple) else stride
