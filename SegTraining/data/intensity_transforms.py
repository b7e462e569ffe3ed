"""Augmentation of whole batches in torch: the transforms of Table 4.2 of the thesis (Utegulov 2020) and those that
stand for the differences between scanners. The geometric ones are in `spatial_transforms`, those of the values here.
"""

import torch
from torch.nn.functional import avg_pool2d, conv2d, interpolate, pad

from ..config.augmentation import Augmentation, BiasField, CoilShading, RangedTransform
from .spatial_transforms import drawn, strengths, warp


def augment(
    image: torch.Tensor,
    target: torch.Tensor,
    background: torch.Tensor,
    crop: tuple[int, int],
    settings: Augmentation,
    generator: torch.Generator,
    spacing_mm: float = 1.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch as the network sees it.

    image float [n, channels, rows, cols] and target uint8 [n, rows, cols], larger than `crop`; background float [n],
    the value of air; all of them, and `generator`, on one device. `spacing_mm` is that of the pixels. Returns float
    [n, channels, *crop] and uint8 [n, *crop].
    """
    with generator.device:  # where everything is drawn
        image, target = warp(image, target, background, crop, settings, generator, spacing_mm)
        image = _reverse_slices(image, settings, generator)
        image = _thicken(image, settings.thick_rows, generator)
        image = _blur_all(image, settings, generator)
        image = _shade(image, settings.coil_shading, generator)
        image = _change_values(image, settings, generator)
        return _cut_field_of_view(image, target, settings.field_of_view, generator)


def _chosen(transform, image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Numbers of the samples that get the transform."""
    return torch.nonzero(drawn(transform, len(image), generator)).flatten()


def _reverse_slices(image: torch.Tensor, settings: Augmentation, generator: torch.Generator) -> torch.Tensor:
    chosen = _chosen(settings.slice_order_flip, image, generator)
    if len(chosen):
        image[chosen] = image[chosen].flip(1)
    return image


def _thicken(image: torch.Tensor, transform: RangedTransform | None, generator: torch.Generator) -> torch.Tensor:
    for number in _chosen(transform, image, generator).tolist():
        factor = transform.low + (transform.high - transform.low) * torch.rand(1, generator=generator).item()
        size = list(image.shape[2:])
        axis = int(torch.rand(1, generator=generator) < 0.5)
        coarse = list(size)
        coarse[axis] = max(4, round(size[axis] / factor))
        thick = interpolate(image[number : number + 1], size=coarse, mode="area")
        image[number] = interpolate(thick, size=size, mode="bilinear", align_corners=False)[0]
    return image


def _blur_all(image: torch.Tensor, settings: Augmentation, generator: torch.Generator) -> torch.Tensor:
    if len(chosen := _chosen(settings.blur, image, generator)):
        size = settings.blur.pixels
        image[chosen] = avg_pool2d(_with_border(image[chosen], size // 2), size, stride=1)
    if len(chosen := _chosen(settings.gaussian_blur, image, generator)):
        line = _gaussian(settings.gaussian_blur.pixels)
        image[chosen] = _filtered(image[chosen], torch.outer(line, line))
    for number in _chosen(settings.motion_blur, image, generator).tolist():
        kernel = _line_kernel(settings.motion_blur.pixels, int(torch.randint(4, (1,), generator=generator)))
        image[number : number + 1] = _filtered(image[number : number + 1], kernel)
    return image


def _with_border(image: torch.Tensor, width: int) -> torch.Tensor:
    return pad(image, (width,) * 4, mode="replicate")


def _filtered(image: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    channels = image.shape[1]
    weights = kernel.expand(channels, 1, *kernel.shape)
    return conv2d(_with_border(image, kernel.shape[0] // 2), weights, groups=channels)


def _gaussian(pixels: int) -> torch.Tensor:
    sigma = 0.3 * ((pixels - 1) * 0.5 - 1) + 0.8  # the usual rule for a kernel that holds its Gaussian
    line = torch.exp(-0.5 * ((torch.arange(pixels) - pixels // 2) / sigma) ** 2)
    return line / line.sum()


def _line_kernel(pixels: int, direction: int) -> torch.Tensor:
    """A line through the middle: along the columns, the rows, or one of the diagonals."""
    kernel = torch.zeros(pixels, pixels)
    if direction == 0:
        kernel[pixels // 2] = 1
    elif direction == 1:
        kernel[:, pixels // 2] = 1
    else:
        kernel.fill_diagonal_(1)
        kernel = kernel.flip(0) if direction == 3 else kernel
    return kernel / pixels


def _shade(image: torch.Tensor, coil: CoilShading | None, generator: torch.Generator) -> torch.Tensor:
    """As a surface coil behind the patient receives it, then with mean and deviation of before: scans are normalised
    when their shading is in them."""
    for number in _chosen(coil, image, generator).tolist():
        sample = image[number]
        mean, deviation, low = sample.mean(), sample.std(), sample.min()
        ratio_drawn, shape_drawn = torch.rand(2, generator=generator)
        length = sample.shape[1 if coil.axis == "rows" else 2]
        forward = torch.linspace(1, 0, length) ** (0.6 + shape_drawn)  # from the back, where the coil lies
        field = torch.exp(-torch.log(torch.tensor(coil.ratio)) * ratio_drawn * forward)
        shaded = (sample - low) * (field[:, None] if coil.axis == "rows" else field)
        image[number] = (shaded - shaded.mean()) * (deviation / shaded.std().clamp(min=1e-6)) + mean
    return image


def _change_values(image: torch.Tensor, settings: Augmentation, generator: torch.Generator) -> torch.Tensor:
    """Bias field, gamma, contrast, brightness, noise and inversion, relative to each sample's range of values."""
    low, high = image.flatten(1).aminmax(dim=1)
    span = (high - low).clamp(min=1e-3)
    low, span = low.view(-1, 1, 1, 1), span.view(-1, 1, 1, 1)
    count = len(image)
    gamma = strengths(settings.gamma, count, 1.0, generator)
    shaded = drawn(settings.bias_field, count, generator)
    if (changed := shaded | (gamma != 1)).any():
        part = torch.nonzero(changed).flatten()
        unit = image[part].sub_(low[part]).div_(span[part])
        if shaded.any():
            unit[shaded[part]] *= _field(settings.bias_field, int(shaded.sum()), image.shape[2:], generator)
        image[part] = unit.pow_(gamma[part].view(-1, 1, 1, 1)).mul_(span[part]).add_(low[part])

    # Contrast, brightness and inversion are one linear function.
    factor = strengths(settings.contrast, count, 1.0, generator).view(-1, 1, 1, 1)
    offset = strengths(settings.brightness, count, 0.0, generator).view(-1, 1, 1, 1) * span
    centre = image.mean(dim=(1, 2, 3), keepdim=True)
    factor = torch.where(drawn(settings.inversion, count, generator).view(-1, 1, 1, 1), -factor, factor)
    image = image.mul_(factor).add_(centre * (1 - factor) + offset)
    deviation = strengths(settings.gaussian_noise, count, 0.0, generator).view(-1, 1, 1, 1) * span
    if len(chosen := torch.nonzero(deviation.flatten()).flatten()):
        noise = torch.randn(len(chosen), *image.shape[1:], generator=generator)
        image[chosen] = image[chosen].add_(noise.mul_(deviation[chosen]))
    return image


def _field(settings: BiasField, count: int, size: torch.Size, generator: torch.Generator) -> torch.Tensor:
    """Smooth positive fields around 1: [count, 1, rows, cols]."""
    knots = [side // settings.knot_pixels + 3 for side in size]
    logarithm = settings.strength * torch.randn(count, 1, *knots, generator=generator)
    return interpolate(logarithm, size=tuple(size), mode="bicubic", align_corners=True).exp_()


def _cut_field_of_view(
    image: torch.Tensor, target: torch.Tensor, transform: RangedTransform | None, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    fraction = strengths(transform, len(image), 0.0, generator)
    sides = torch.randint(4, (len(image),), generator=generator)
    for number in torch.nonzero(fraction).flatten().tolist():
        axis, at_end = divmod(int(sides[number]), 2)
        length = image.shape[2 + axis]
        width = int(fraction[number] * length)
        gone = slice(length - width, length) if at_end else slice(0, width)
        window = (gone, slice(None)) if axis == 0 else (slice(None), gone)
        image[(number, slice(None), *window)] = image[number].min()
        target[(number, *window)] = 0
    return image, target
