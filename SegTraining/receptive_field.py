"""How many pixels of the input one pixel of the output depends on."""

import copy
import math
from collections.abc import Callable, Iterator

import torch
from segmentation_models_pytorch.base import SegmentationModel
from torch import nn

from SpineInference.errors import SpineError
from SpineInference.networks.published.fdn import DilatedMaxPool
from SpineInference.networks.published.segnet import MaxPool, MaxUnpool

Interval = tuple[int, int]
"""First and last row."""


def receptive_field(network: nn.Module, in_channels: int) -> int:
    """Rows (and as many columns) that a pixel of the output sees, at most; borders of the image aside.

    Computed from the layers, back from the output: where a layer reads more or less depending on the pixel (as a
    doubled image does), over every pixel of one period. Layers count in the order in which they compute. That is the
    furthest-reaching way through a chain and through a U-Net; a block with branches says in its `longest_path` which
    of its layers are on that way.
    Raises SpineError for networks of segmentation-models-pytorch, whose steps are not all layers (and two of which see
    the whole image), and for a layer whose reach is not known here.
    """
    if isinstance(network, SegmentationModel):
        raise SpineError(
            "The receptive field of a network of segmentation-models-pytorch is not computed: leave it out."
        )
    layers = _layers_in_order(network, in_channels)
    widest = 0
    # Far from row 0, so that nothing has to be thought of as a border.
    for row in range(1000 * network.pad_multiple, 1001 * network.pad_multiple):
        interval = (row, row)
        for layer in reversed(layers):
            interval = _REACH[type(layer)](layer, *interval)
        widest = max(widest, interval[1] - interval[0] + 1)
    return widest


def _layers_in_order(network: nn.Module, in_channels: int) -> list[nn.Module]:
    """The layers that change what a pixel sees, in the order of a forward pass."""
    network = copy.deepcopy(network).eval()
    order: list[nn.Module] = []
    for layer in _counted(network):
        layer.register_forward_hook(lambda layer, *_: order.extend(_flat(layer)))
    side = 2 * network.pad_multiple
    parameter = next(network.parameters())
    with torch.no_grad():
        network(torch.zeros(1, in_channels, side, side, dtype=parameter.dtype, device=parameter.device))
    return order


def _counted(module: nn.Module) -> Iterator[nn.Module]:
    """The layers with a reach of their own, and the blocks that name their longest path as one."""
    if type(module) in _REACH or hasattr(module, "longest_path"):
        yield module
    elif type(module) not in _SEES_ITS_OWN_PIXEL:
        children = list(module.children())
        if not children:
            raise SpineError(f"The receptive field of {type(module).__name__} is not known: leave this network out.")
        for child in children:
            yield from _counted(child)


def _flat(layer: nn.Module) -> list[nn.Module]:
    if not hasattr(layer, "longest_path"):
        return [layer]
    return [each for part in layer.longest_path for each in _counted(part)]


# ---- the rows that a layer reads for the rows `first` to `last` that it writes


def _window(layer: nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d, first: int, last: int) -> Interval:
    kernel, stride, padding = (_one(getattr(layer, name)) for name in ("kernel_size", "stride", "padding"))
    reach = _one(getattr(layer, "dilation", 1)) * (kernel - 1)
    return first * stride - padding, last * stride - padding + reach


def _transposed(layer: nn.ConvTranspose2d, first: int, last: int) -> Interval:
    kernel, stride, padding = (_one(value) for value in (layer.kernel_size, layer.stride, layer.padding))
    return -((kernel - 1 - padding - first) // stride), (last + padding) // stride


def _dilated_pool(layer: DilatedMaxPool, first: int, last: int) -> Interval:
    return first - layer.before, last - layer.before + layer.dilation


def _enlarged(layer: nn.Upsample, first: int, last: int) -> Interval:
    factor = int(layer.scale_factor)
    if layer.mode == "nearest":
        return first // factor, last // factor
    # Bilinear: between the two pixels whose centres are nearest.
    return tuple(math.floor((row + 0.5) / factor - 0.5) + more for row, more in ((first, 0), (last, 1)))


def _one(value: int | tuple[int, ...]) -> int:
    return value[0] if isinstance(value, tuple) else value


_REACH: dict[type, Callable[..., Interval]] = {
    nn.Conv2d: _window,
    nn.MaxPool2d: _window,
    nn.AvgPool2d: _window,
    nn.ConvTranspose2d: _transposed,
    nn.Upsample: _enlarged,
    DilatedMaxPool: _dilated_pool,
    MaxPool: lambda layer, first, last: (2 * first, 2 * last + 1),
    MaxUnpool: lambda layer, first, last: (first // 2, last // 2),
}

_SEES_ITS_OWN_PIXEL = {nn.BatchNorm2d, nn.ReLU, nn.ELU, nn.LeakyReLU, nn.Identity}
