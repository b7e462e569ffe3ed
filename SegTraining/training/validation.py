"""Volume Dice of a network on cached cases, quickly: what early stopping and the best checkpoint go by."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from SpineInference.prediction.slices import tile_starts

from ..config.config import Config
from ..data.cache import CachedCase
from ..data.sampling import crop_slices
from ..data.targets import IGNORE, is_known, is_target
from .losses import segmentation_loss

_MARGIN = 32
_PIXELS_AT_ONCE = 400_000
_LEAST = 1e-6
"""Probabilities below count as this in the loss, which would be infinite for 0."""


class NoisyCase(CachedCase):
    """A prepared case with Gaussian noise, of `deviation` times its range of values: the same whenever it is opened."""

    def __init__(self, case: CachedCase, deviation: float):
        super().__init__(case.folder, replace(case.record, name=f"{case.record.name}-noisy"))
        self._deviation = deviation

    @cached_property
    def image(self) -> np.ndarray:
        clean = np.load(self.folder / "image.npy").astype(np.float32)
        noise = np.random.default_rng(zlib.crc32(self.record.name.encode())).standard_normal(clean.shape, np.float32)
        return (clean + self._deviation * np.ptp(clean) * noise).astype(np.float16)

    def __getstate__(self) -> dict:
        return super().__getstate__() | {"_deviation": self._deviation}


def validation_cases(cases: list[CachedCase], config: Config) -> list[CachedCase]:
    """What is validated on: `cases`, and noisy copies of them if the configuration wants those."""
    deviation = config.validation.noisy_copies
    return cases if deviation is None else [*cases, *(NoisyCase(case, deviation) for case in cases)]


@dataclass(frozen=True)
class CaseResult:
    """How well a network does on one case. There is no Dice without any class that is there or found."""

    dice: float | None
    loss: float


@torch.inference_mode()
def validate(case: CachedCase, predict: Callable[[torch.Tensor], torch.Tensor], config: Config) -> CaseResult:
    """Dice of one case, the mean over the classes, each over the whole volume, and the training's loss.

    A voxel of a single class is found from the configuration's `threshold` on, the one of its package. Every
    `slice_step`-th slice counts, and ignored voxels do not. A class that is neither there nor found is left out of the
    Dice. The loss is the mean over batches of slices. `predict` maps float32 [n, channels, rows, cols] to
    logits [n, classes, rows, cols].
    """
    image, target, indices = _evaluated_part(case, config)
    windows = _windows(image.shape[1:], config)
    numbers = range(1, len(config.model_info.labels) + 1)
    overlap, both, loss = np.zeros(len(numbers)), np.zeros(len(numbers)), 0.0
    at_once = max(1, _PIXELS_AT_ONCE // (windows[0][2] * windows[0][3]))
    for start in range(0, len(indices), at_once):
        chunk = indices[start : start + at_once]
        truth = target[chunk]
        probability = _probability(image, chunk, windows, case.record.background, predict, config)
        loss += len(chunk) / len(indices) * _loss(probability, truth, config)
        found = _classes(probability, config)
        for position, number in enumerate(numbers):
            seen = (found == number) & is_known(truth, number)
            overlap[position] += np.count_nonzero(seen & (truth == number))
            both[position] += np.count_nonzero(seen) + np.count_nonzero(truth == number)
    dice = float(np.mean(2 * overlap[both > 0] / both[both > 0])) if both.any() else None
    return CaseResult(dice, loss)


@torch.inference_mode()
def find_in_slice(
    case: CachedCase, predict: Callable[[torch.Tensor], torch.Tensor], config: Config
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the slice with most of the target: image, target and the classes that are found there [rows, cols]."""
    image, target, _ = _evaluated_part(case, config)
    index = int(np.argmax(is_target(target).sum(axis=(1, 2))))
    windows = _windows(image.shape[1:], config)
    probability = _probability(image, np.array([index]), windows, case.record.background, predict, config)
    return image[index], target[index], _classes(probability, config)[0]


def _classes(probability: np.ndarray, config: Config) -> np.ndarray:
    """The class of each pixel, uint8 [n, rows, cols]."""
    if config.activation == "softmax":
        return probability.argmax(1).astype(np.uint8)
    return np.where(probability.max(1) >= config.threshold, probability.argmax(1) + 1, 0).astype(np.uint8)


def _loss(probability: np.ndarray, truth: np.ndarray, config: Config) -> float:
    found = torch.from_numpy(probability)
    # The probabilities are means over tiles; these are logits that give them.
    logits = torch.logit(found, _LEAST) if config.activation == "sigmoid" else found.clamp(_LEAST).log()
    alone = config.activation == "sigmoid"
    return segmentation_loss(logits, torch.from_numpy(np.array(truth)), config.loss, alone).item()


def _windows(shape: tuple[int, int], config: Config) -> list[tuple[int, int, int, int]]:
    """Where the network looks at slices of `shape`, as inference does: (top, left, rows, columns).

    One window with the padded slice in its middle, or tiles where the network is tied to its canvas.
    """
    multiple, canvas = config.input.pad_multiple, config.input.canvas
    rows, columns = canvas or (-(-side // multiple) * multiple for side in shape)
    tops, lefts = (
        tile_starts(length, side) if length > side else [-((side - length) // 2)]
        for length, side in zip(shape, (rows, columns), strict=True)
    )
    return [(top, left, rows, columns) for top in tops for left in lefts]


def _probability(
    image: np.ndarray,
    indices: np.ndarray,
    windows: list[tuple[int, int, int, int]],
    background: float,
    predict: Callable[[torch.Tensor], torch.Tensor],
    config: Config,
) -> np.ndarray:
    """float32 [n, classes, rows, cols] for slices `indices` of `image`."""
    context = np.arange(-config.input.context_slices, config.input.context_slices + 1)
    neighbours = np.clip(np.asarray(indices)[:, None] + context, 0, len(image) - 1)
    height, width = image.shape[1:]
    total = np.zeros((len(indices), config.classes, height, width), np.float32)
    count = np.zeros((height, width), np.float32)
    for top, left, rows, columns in windows:
        slices = [crop_slices(image, each, (top, left, rows, columns), background) for each in neighbours]
        logits = predict(torch.from_numpy(np.stack(slices))).float()
        probability = torch.sigmoid(logits) if config.activation == "sigmoid" else torch.softmax(logits, 1)
        inside = (slice(max(0, top), top + rows), slice(max(0, left), left + columns))
        part = probability.cpu().numpy()[:, :, max(0, -top) :, max(0, -left) :]
        total[(..., *inside)] += part[:, :, : height - inside[0].start, : width - inside[1].start]
        count[inside] += 1
    return total / count


def _evaluated_part(case: CachedCase, config: Config) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image and target [slice, row, column] near the rows that can be judged, and the slices to score.

    Rows outside of those are ignored: there nobody knows what is right.
    """
    first, end = case.record.evaluated_slices
    image, target = case.stack(config.plane)
    step = config.validation.slice_step
    if config.plane == "axial":
        return image, target, np.arange(first, end, step)
    low, high = max(0, first - _MARGIN), min(image.shape[1], end + _MARGIN)
    scored = np.array(target[:, low:high])
    scored[:, : first - low] = IGNORE
    scored[:, end - low :] = IGNORE
    return image[:, low:high], scored, np.arange(0, len(image), step)
