"""The U-Net of the X-ray robustness poster (Olander, Taghidoust Sourkouhi and Papanikolaou): classical, multi-class.

Two 3 x 3 convolutions with batch normalisation and ReLU on each of five levels, max-pooling, doubled filters; on the
way up a transposed convolution and concatenation. The poster describes unpadded convolutions and cropping (as in
Ronneberger 2015), but worked with the implementation "milesial", which pads with zeros and keeps the image's size;
so does this one. With bilinear upsampling the filters are those of "milesial" too: half as many on the deepest
level, halved again within each level of the way up.
"""

from typing import Literal

from torch import nn

from ..blocks import UShape, convolution, finished, normalised

_LEVELS = 5


def poster_unet(
    in_channels: int, classes: int, upsampling: Literal["transposed", "bilinear"] = "transposed", width: int = 64
) -> nn.Module:
    """U-Net of the poster; `width` is the number of filters of the first level (64; less for small computers)."""
    if upsampling not in ("transposed", "bilinear"):
        raise ValueError('upsampling must be "transposed" or "bilinear"')
    bilinear = upsampling == "bilinear"
    shrink = 2 if bilinear else 1
    filters = [width * 2**level for level in range(_LEVELS)]
    upwards = filters[-2::-1]
    network = UShape(
        down=[
            _two(before, after, after)
            for before, after in zip([in_channels, *filters], [*filters[:-1], filters[-1] // shrink], strict=False)
        ],
        up=[
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
            if bilinear
            else nn.ConvTranspose2d(2 * after, after, 2, stride=2)
            for after in upwards
        ],
        merge=[_two(2 * after, after, after // shrink if after > width else after) for after in upwards],
        head=convolution(width, classes, kernel=1),
    )
    return finished(network, pad_multiple=2 ** (_LEVELS - 1))


def _two(before: int, between: int, after: int) -> nn.Sequential:
    return nn.Sequential(*normalised(before, between), *normalised(between, after))
