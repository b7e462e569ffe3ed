"""Geometric augmentations, batched: turning, scaling, shifting, mirroring and elastic in one interpolation."""

import torch
from torch.nn.functional import affine_grid, grid_sample, interpolate

from ..config.augmentation import Augmentation, Elastic, RangedTransform, Transform

_CLOSEST_KNOTS = 4
"""Pixels between the points that an elastic deformation moves: closer ones would be noise."""


def drawn(transform: Transform | None, count: int, generator: torch.Generator) -> torch.Tensor:
    """Which of `count` samples get the transform: bool [count]."""
    p = 0.0 if transform is None else transform.p
    return torch.rand(count, generator=generator) < p


def strengths(
    transform: RangedTransform | None,
    count: int,
    neutral: float,
    generator: torch.Generator,
    chosen: torch.Tensor | None = None,
) -> torch.Tensor:
    """A strength for each of `count` samples, `neutral` for those that do not get the transform: float [count].

    `chosen` [count] says which of them get it; by default that is drawn.
    """
    chosen = drawn(transform, count, generator) if chosen is None else chosen
    if transform is None:
        return torch.full((count,), neutral)
    values = transform.low + (transform.high - transform.low) * torch.rand(count, generator=generator)
    return torch.where(chosen, values, torch.tensor(neutral))


def warp(
    image: torch.Tensor,
    target: torch.Tensor,
    background: torch.Tensor,
    crop: tuple[int, int],
    settings: Augmentation,
    generator: torch.Generator,
    spacing_mm: float = 1.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The central `crop` of each sample, turned, scaled, shifted, mirrored and bent; image and target alike.

    image float [n, channels, rows, cols], target uint8 [n, rows, cols], background float [n]: the value of what lies
    outside of the sample; `spacing_mm` of the pixels. Linear interpolation for the image, nearest for the target.
    """
    count, _, rows, columns = image.shape
    size = torch.tensor([columns, rows], dtype=torch.float32)
    matrix = _matrices(count, settings, generator)
    # From pixels (x, y) to the units of grid_sample, in which each side of the image goes from -1 to 1.
    output = torch.tensor([crop[1], crop[0]], dtype=torch.float32)
    theta = torch.empty(count, 2, 3)
    theta[:, :, :2] = matrix * output[None, None, :] / size[None, :, None]
    shifted = drawn(settings.shift, count, generator)  # in both directions, or in none
    shifts = [strengths(settings.shift, count, 0.0, generator, shifted) * _signs(count, generator) for _ in range(2)]
    theta[:, :, 2] = 2 * torch.stack(shifts, dim=1) / size
    grid = affine_grid(theta, [count, 1, *crop], align_corners=False)
    grid += _displacements(count, crop, settings.elastic, generator, spacing_mm) * 2 / size

    level = background.view(-1, 1, 1, 1)
    warped = grid_sample(image - level, grid, mode="bilinear", padding_mode="zeros", align_corners=False) + level
    labels = grid_sample(target[:, None].float(), grid, mode="nearest", padding_mode="zeros", align_corners=False)
    return warped, labels[:, 0].to(torch.uint8)


def _matrices(count: int, settings: Augmentation, generator: torch.Generator) -> torch.Tensor:
    """From an output pixel to the pixel of the sample it is taken from, about the centre: [count, 2, 2]."""
    angle = torch.deg2rad(strengths(settings.rotation, count, 0.0, generator))
    inverse_scale = 1 / strengths(settings.scale, count, 1.0, generator)
    mirror = torch.where(drawn(settings.horizontal_flip, count, generator), -1.0, 1.0)
    cosine, sine = torch.cos(angle) * inverse_scale, torch.sin(angle) * inverse_scale
    return torch.stack(
        [torch.stack([cosine * mirror, -sine], dim=1), torch.stack([sine * mirror, cosine], dim=1)], dim=1
    )


def _signs(count: int, generator: torch.Generator) -> torch.Tensor:
    return torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)


def _displacements(
    count: int, crop: tuple[int, int], elastic: Elastic | None, generator: torch.Generator, spacing_mm: float
) -> torch.Tensor:
    """Elastic displacement in pixels (x, y): [count, rows, cols, 2], zero where it was not drawn."""
    chosen = drawn(elastic, count, generator)
    if elastic is None or not chosen.any():
        return torch.zeros(1)
    apart = max(_CLOSEST_KNOTS, elastic.knot_mm / spacing_mm)
    knots = [int(side // apart) + 3 for side in crop]
    coarse = elastic.mm / spacing_mm * torch.randn(count, 2, *knots, generator=generator)
    coarse *= chosen.view(-1, 1, 1, 1)
    return interpolate(coarse, size=crop, mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
