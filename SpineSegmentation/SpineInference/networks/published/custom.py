"""The custom networks of the thesis on cervical spine MR (Utegulov 2020), Table 3.2: chains of conv-bn-relu blocks.

v1 and v2 keep the input's size throughout. v3 halves it with 2 x 2 max-pooling after each block of its first half
and doubles it again in the second.

The table leaves open, and is read here so that every network returns its input's size: each block of the second half
is followed by an upsampling (printed are one less than the poolings in Large64, Small32 and Small64, two less in
Large32; a comment in the published code says five down and five up for Large32, four and four for the others).
v3 Large64 and v3 Small64 are printed alike, and are the same network here; the thesis's results for them (Dice 61 and
64) then are two runs of one. Assumptions of ours: 3 x 3 kernels, zero padding, no bias before batch normalisation,
upsampling by repeating pixels (the first of the two ways the thesis names), the last convolution 1 x 1, in v3 too,
where it is not printed.
"""

from torch import nn

from ..blocks import convolution, finished, normalised

_FLAT = {"v1": [64, 128], "v2": [32, 64, 128, 256, 512]}
"""Filters of the blocks."""

_LARGE64 = ([64, 128, 256, 512], [512, 256, 128, 64])

_DOWN_AND_UP = {
    "v3-large32": ([32, 64, 128, 256, 512], [256, 256, 128, 64, 32]),
    "v3-large64": _LARGE64,
    "v3-small32": ([32, 64, 128, 256], [256, 128, 64, 32]),
    "v3-small64": _LARGE64,
}
"""Filters of the blocks before a pooling, and of those before an upsampling."""


def custom(in_channels: int, classes: int, version: str) -> nn.Module:
    """Custom CNN `version`: "v1", "v2", "v3-large32", "v3-large64", "v3-small32" or "v3-small64"."""
    down, up = ([], _FLAT[version]) if version in _FLAT else _DOWN_AND_UP[version]
    layers: list[nn.Module] = []
    channels = in_channels
    for filters in down:
        layers += [*normalised(channels, filters), nn.MaxPool2d(2)]
        channels = filters
    for filters in up:
        layers += normalised(channels, filters)
        if down:
            layers.append(nn.Upsample(scale_factor=2, mode="nearest"))
        channels = filters
    layers.append(convolution(channels, classes, kernel=1))
    return finished(nn.Sequential(*layers), pad_multiple=2 ** len(down))
