"""The two U-Nets of nnU-Net (Isensee 2021, 2024): plain convolutions, or residual blocks on the way down.

Written out here instead of taken from nnU-Net's library, so that what a model package names can be built wherever
PyTorch is, and so that each weight stands in it once. `segtraining import-nnunet` makes packages of trained ones.
"""

import math
from collections.abc import Sequence
from functools import partial
from itertools import chain, combinations

import torch
from torch import nn

from .blocks import finished

_NORMALISATIONS = {"instance": partial(nn.InstanceNorm2d, affine=True), "batch": nn.BatchNorm2d}

Pair = Sequence[int]
"""Of rows and cols."""


class _Convolution(nn.Module):
    """Convolution, normalisation and, unless `slope` is None, leaky ReLU."""

    def __init__(
        self, before: int, after: int, kernel: Pair, stride: Pair, bias: bool, normalisation: str, slope: float | None
    ):
        super().__init__()
        padding = [(side - 1) // 2 for side in kernel]
        self.conv = nn.Conv2d(before, after, tuple(kernel), tuple(stride), padding, bias=bias)
        self.norm = _NORMALISATIONS[normalisation](after)
        self.activation = nn.Identity() if slope is None else nn.LeakyReLU(slope, inplace=True)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.activation(self.norm(self.conv(images)))


class _ResidualBlock(nn.Module):
    """Two convolutions, added to the input, which is averaged where they stride (ResNet-D)."""

    def __init__(
        self, before: int, after: int, kernel: Pair, stride: Pair, bias: bool, normalisation: str, slope: float
    ):
        super().__init__()
        self.first = _Convolution(before, after, kernel, stride, bias, normalisation, slope)
        self.second = _Convolution(after, after, kernel, (1, 1), bias, normalisation, None)
        strided = max(stride) > 1
        # Rounded up the size is that of a strided convolution.
        self.pool = nn.AvgPool2d(tuple(stride), ceil_mode=True) if strided else nn.Identity()
        projects = before != after
        self.project = (
            _Convolution(before, after, (1, 1), (1, 1), False, normalisation, None) if projects else nn.Identity()
        )
        self.activation = nn.LeakyReLU(slope, inplace=True)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.activation(self.second(self.first(images)) + self.project(self.pool(images)))


class NnUNet(nn.Module):
    """See `nnunet`. `mirrored` are the axes (2: rows, 3: cols) over all of whose mirrorings logits are averaged."""

    def __init__(
        self,
        stem: nn.Module,
        down: list[nn.Module],
        up: list[nn.Module],
        merge: list[nn.Module],
        head: nn.Module,
        mirrored: Sequence[int],
    ):
        super().__init__()
        self.stem = stem
        self.down = nn.ModuleList(down)
        self.up = nn.ModuleList(up)
        self.merge = nn.ModuleList(merge)
        self.head = head
        self._mirrorings = [list(axes) for axes in chain(*(combinations(mirrored, n) for n in range(3)))]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        _, *mirrored = self._mirrorings
        logits = self._logits(images)
        for axes in mirrored:
            logits = logits + self._logits(images.flip(axes)).flip(axes)
        return logits / len(self._mirrorings)

    def _logits(self, images: torch.Tensor) -> torch.Tensor:
        images = self.stem(images)
        passed = []
        for level in self.down:
            images = level(images)
            passed.append(images)
        passed.pop()
        for up, merge in zip(self.up, self.merge, strict=True):
            images = merge(torch.cat([up(images), passed.pop()], dim=1))
        return self.head(images)


def nnunet(
    in_channels: int,
    classes: int,
    residual: bool = False,
    filters: tuple[int, ...] = (32, 64, 128, 256, 512, 512),
    blocks: tuple[int, ...] | None = None,
    merges: tuple[int, ...] | None = None,
    kernels: tuple[Pair, ...] | None = None,
    strides: tuple[Pair, ...] | None = None,
    bias: bool = True,
    normalisation: str = "instance",
    slope: float = 0.01,
    mirror: tuple[str, ...] = (),
) -> nn.Module:
    """U-Net of nnU-Net with `filters` on each level from full size down, of which there are 2 to 10.

    `blocks`: convolutions, or residual blocks, on each level of the way down (2 by default); `merges`: convolutions on
    each level of the way up, from the coarsest (2, if residual 1). `kernels` and `strides` are [rows, cols] of each
    level of the way down, by default 3 x 3 and, but for the first, 2 x 2. `normalisation`: "instance" or "batch";
    `slope` of the leaky ReLU. `mirror`: "rows" and "cols", over whose mirrorings logits are averaged, which takes two
    or four times as long. Instance normalisation makes the result depend on the size of a slice: give a canvas.
    """
    levels = len(filters)
    blocks, merges = blocks or (2,) * levels, merges or (1 if residual else 2,) * (levels - 1)
    kernels, strides = kernels or ((3, 3),) * levels, strides or ((1, 1), *((2, 2),) * (levels - 1))
    if not 2 <= levels <= 10 or not len(blocks) == len(kernels) == len(strides) == len(merges) + 1 == levels:
        raise ValueError("filters, blocks, kernels and strides must name the same 2 to 10 levels, merges one less")
    if min(*blocks, *merges) < 1 or set(mirror) - {"rows", "cols"}:
        raise ValueError("each level needs a block, and only rows and cols can be mirrored")
    common = {"bias": bias, "normalisation": normalisation, "slope": slope}

    stem = _Convolution(in_channels, filters[0], kernels[0], (1, 1), **common) if residual else nn.Identity()
    block, before, down = _ResidualBlock if residual else _Convolution, filters[0] if residual else in_channels, []
    for after, number, kernel, stride in zip(filters, blocks, kernels, strides, strict=True):
        more = (block(after, after, kernel, (1, 1), **common) for _ in range(number - 1))
        down.append(nn.Sequential(block(before, after, kernel, stride, **common), *more))
        before = after
    up, merge = [], []
    for level, number in zip(range(levels - 1, 0, -1), merges, strict=True):
        below, after, stride = filters[level], filters[level - 1], tuple(strides[level])
        up.append(nn.ConvTranspose2d(below, after, stride, stride, bias=bias))
        widths = [2 * after, *[after] * (number - 1)]
        merge.append(nn.Sequential(*(_Convolution(w, after, kernels[level - 1], (1, 1), **common) for w in widths)))
    mirrored = [axis for axis, name in ((2, "rows"), (3, "cols")) if name in mirror]
    network = NnUNet(stem, down, up, merge, nn.Conv2d(filters[0], classes, 1), mirrored)
    # Where rows and cols are halved differently, this is what both must be multiples of at least.
    multiple = math.gcd(*(math.prod(stride[axis] for stride in strides) for axis in (0, 1)))
    return finished(network, pad_multiple=multiple, slope=slope)
