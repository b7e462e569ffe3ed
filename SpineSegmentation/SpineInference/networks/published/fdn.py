"""Fully dilated networks (FDN) of Gjertsson 2017, "Segmentation in Skeletal Scintigraphy Images using CNNs".

A classification network of the VGG kind whose max-poolings move one pixel at a time; what their stride would have
done to the grid of the layers after them is done by dilation, which doubles after each pooling. The output has every
pixel of the input and needs no decoder.

The printed table gives 3 x 3 convolutions, filters and poolings, and parameters for one input channel and one class:
259,137 / 295,033 / 488,793 / 1,964,249. FDN-5 and FDN-11 have exactly these with biases and no batch normalisation.
FDN-13 and FDN-16 as printed have 147,584 less, which is one 3 x 3 convolution from 128 to 128 channels: the numbers
are those of three convolutions with 128 filters (as in the blocks before and after), so that three are taken here,
and 13 and 16 count the 3 x 3 convolutions. The table's last row, 129 / 208 / 314 / 1034, has no heading; it is not
the receptive field, which is 16 / 156 / 212 / 436 pixels (with the poolings).

Assumptions of ours, the document does not say: ReLU; zero padding; "e" is ELU instead of ReLU; "be" is batch
normalisation before ELU (which adds two parameters for each filter).
"""

import torch
from torch import nn

from ..blocks import convolution, finished

_BLOCKS = {
    "5": [(64, 2), (128, 2)],
    "11": [(8, 2), (16, 2), (32, 2), (64, 2), (128, 2)],
    "13": [(8, 2), (16, 2), (32, 3), (64, 3), (128, 3)],
    "16": [(8, 2), (16, 2), (32, 3), (64, 3), (128, 3), (256, 3)],
}
"""(filters, convolutions) between the poolings."""


class DilatedMaxPool(nn.Module):
    """The largest of 2 x 2 pixels that lie `dilation` apart, for every pixel: keeps rows and cols.

    Outside of the image is zero, as for the convolutions.
    """

    def __init__(self, dilation: int):
        super().__init__()
        self.dilation = dilation
        self.before = dilation // 2

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        dilation, after = self.dilation, self.dilation - self.before
        padded = nn.functional.pad(images, (self.before, after, self.before, after))
        # Not max_pool2d: onnxruntime would merge it with the padding, into one that it refuses.
        rows = torch.maximum(padded[..., :-dilation, :], padded[..., dilation:, :])
        return torch.maximum(rows[..., :-dilation], rows[..., dilation:])


def fdn(in_channels: int, classes: int, variant: str) -> nn.Module:
    """FDN-`variant`: "5", "11", "13" or "16", with "e" for ELU, with "be" for batch normalisation and ELU."""
    depth = variant.rstrip("be")
    layers: list[nn.Module] = []
    channels, dilation = in_channels, 1
    for filters, convolutions in _BLOCKS[depth]:
        for _ in range(convolutions):
            layers.append(convolution(channels, filters, dilation=dilation))
            if "b" in variant:
                layers.append(nn.BatchNorm2d(filters))
            layers.append(nn.ELU(inplace=True) if "e" in variant else nn.ReLU(inplace=True))
            channels = filters
        layers.append(DilatedMaxPool(dilation))
        dilation *= 2
    layers.append(convolution(channels, classes, kernel=1))
    return finished(nn.Sequential(*layers), pad_multiple=1)
