"""PSPNet (Zhao 2017) of segmentation-models-pytorch (MIT), as in the thesis on cervical spine MR (Utegulov 2020).

Different from smp's in two ways that leave its numbers alone: the stages of the encoder that it never uses are not
there, and the pooling to 1, 2, 3 and 6 cells works at any size after an export too. It pools over the whole image, so
that what it finds depends on the size of the canvas: train and infer on the same one (the manifest's `canvas`).
"""

from typing import Any

import segmentation_models_pytorch as smp
import torch
from torch import nn

from .encoders import with_encoder


def pspnet(
    in_channels: int,
    classes: int,
    encoder: str = "resnet18",
    encoder_depth: int = 3,
    encoder_arguments: dict[str, Any] | None = None,
    encoder_weights: str | None = None,
    encoder_weights_sha256: str | None = None,
) -> nn.Module:
    """PSPNet, the arguments as in `unet`; the pyramid is at 1/8 of the input's size, or 1/2**`encoder_depth`."""
    network = with_encoder(
        smp.PSPNet,
        in_channels,
        classes,
        encoder,
        encoder_depth,
        encoder_arguments,
        encoder_weights,
        encoder_weights_sha256,
        last_level=encoder_depth,
    )
    levels = network.decoder.psp.blocks
    network.decoder.psp.blocks = nn.ModuleList(_PyramidLevel(level.pool_size, level.pool[1]) for level in levels)
    return network


class _PyramidLevel(nn.Module):
    """Averages over `cells` x `cells` parts of the image, a 1 x 1 convolution, and the way back to the size before."""

    def __init__(self, cells: int, convolution: nn.Module):
        super().__init__()
        self.cells = cells
        self.convolution = convolution

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        rows, cols = features.shape[-2:]
        averages = _averaging(rows, self.cells, features) @ features @ _averaging(cols, self.cells, features).T
        return nn.functional.interpolate(
            self.convolution(averages), size=(rows, cols), mode="bilinear", align_corners=True
        )


def _averaging(size: int, cells: int, like: torch.Tensor) -> torch.Tensor:
    """[cells, size]: the matrix that averages `size` positions into `cells` parts, as adaptive pooling does.

    Exporters take adaptive pooling's index ranges for constants; this is computed anew for every size.
    """
    position = torch.arange(size, device=like.device)
    cell = torch.arange(cells, device=like.device)[:, None]
    begin = cell * size // cells
    end = ((cell + 1) * size + cells - 1) // cells
    inside = (position >= begin) & (position < end)
    return inside.to(like.dtype) / (end - begin).to(like.dtype)
