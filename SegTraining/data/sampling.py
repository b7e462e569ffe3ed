"""Draws training samples: random crops of random slices with their neighbours, augmented.

What a sample holds depends on the seed and on its number alone, so that a resumed run goes on exactly as an
uninterrupted one, whatever the number of worker processes and of devices that share a batch.
"""

from collections.abc import Iterator

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch.utils.data import Dataset, Sampler

from ..config.config import Config
from .cache import CachedCase
from .intensity_transforms import augment

_LEAST_MARGIN, _MOST_MARGIN = 48, 112


def margin(config: Config) -> int:
    """Pixels around the crop that a sample carries, so that turning, shifting and shrinking bring in image, not air."""
    scale = config.augmentation.scale
    shrunk = 0 if scale is None else max(config.training.crop) * (1 / scale.low - 1) / 2
    return int(np.clip(np.ceil(shrunk), _LEAST_MARGIN, _MOST_MARGIN))


class PatchDataset(Dataset):
    """The training samples, without end: item `number` is image float32 [channels, *crop] and target uint8 [*crop].

    With `raw`, image and target are not augmented and `margin` larger on each side, and the value of air comes with
    them, as `augment` takes them.
    """

    def __init__(self, cases: list[CachedCase], config: Config, raw: bool = False):
        self._cases = cases
        self._config = config
        self._raw = raw
        self._margin = margin(config)
        self._case_probability = _case_probabilities(cases, config)
        # For each case and class of it: the slices that show the class.
        self._slices = [
            {
                number: np.flatnonzero(pixels)
                for number, pixels in enumerate(case.record.class_pixels[config.plane], start=1)
                if any(pixels)
            }
            for case in cases
        ]

    def __getitem__(self, number: int) -> tuple[torch.Tensor, ...]:
        training = self._config.training
        rng = np.random.default_rng((training.seed, number))
        image, target, background = self._sample(rng)
        raw = torch.from_numpy(image), torch.from_numpy(target), torch.tensor(background, dtype=torch.float32)
        if self._raw:
            return raw
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        settings, spacing_mm = self._config.augmentation, self._config.input.spacing_mm
        batch = augment(*(part[None] for part in raw), training.crop, settings, generator, spacing_mm)
        return batch[0][0], batch[1][0]

    def _sample(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
        """Image [channels, rows, cols], target [rows, cols], `margin` larger than the crop, and the value of air."""
        number = int(rng.choice(len(self._cases), p=self._case_probability))
        case = self._cases[number]
        image, target = case.stack(self._config.plane)
        shown = 0
        if rng.random() < self._config.training.foreground_fraction and self._slices[number]:
            shown = int(rng.choice(list(self._slices[number])))
        index = int(rng.choice(self._slices[number][shown]) if shown else rng.integers(len(image)))
        centre = self._centre(rng, target[index], shown)
        slabs = self._slabs(rng, index, len(image))
        rows, columns = (side + 2 * self._margin for side in self._config.training.crop)
        window = (centre[0] - rows // 2, centre[1] - columns // 2, rows, columns)
        background = case.record.background
        slices = crop_slices(image, slabs.ravel(), window, background).reshape(*slabs.shape, rows, columns)
        return slices.mean(axis=1), crop_slices(target, np.array([index]), window, 0)[0], background

    def _centre(self, rng: np.random.Generator, target: np.ndarray, shown: int) -> tuple[int, int]:
        """The middle of the crop: so that it holds a random pixel of the class `shown`, or anywhere (0); little air."""
        pixel = [int(rng.integers(length)) for length in target.shape]
        if shown:
            rows, columns = np.nonzero(target == shown)
            chosen = rng.integers(len(rows))
            # The target may lie anywhere in the middle half of the crop, not only at its centre.
            offsets = [rng.integers(-(side // 4), side // 4 + 1) for side in self._config.training.crop]
            pixel = [int(rows[chosen] + offsets[0]), int(columns[chosen] + offsets[1])]
        return tuple(
            _within(middle, length, side)
            for middle, length, side in zip(pixel, target.shape, self._config.training.crop, strict=True)
        )

    def _slabs(self, rng: np.random.Generator, index: int, count: int) -> np.ndarray:
        """For each channel the slices [channels, n] whose mean it is: one, or those that a thick slice would hold."""
        context = self._config.input.context_slices
        thick, single = self._config.augmentation.thick_slices, self._config.augmentation.single_slice
        if single is not None and rng.random() < single.p:
            return np.full((2 * context + 1, 1), index)
        step = 1
        if thick is not None and rng.random() < thick.p:
            step = int(rng.integers(round(thick.low), round(thick.high) + 1))
        middles = index + step * np.arange(-context, context + 1)
        return np.clip(middles[:, None] + np.arange(step) - step // 2, 0, count - 1)


def _within(middle: int, length: int, side: int) -> int:
    """`middle` moved so that at most a tenth of a crop of `side` pixels reaches beyond an image of `length`."""
    low, high = side // 2 - side // 10, length - side // 2 + side // 10
    return min(max(middle, low), high) if low <= high else length // 2


def crop_slices(
    stack: np.ndarray, indices: np.ndarray, window: tuple[int, int, int, int], pad_value: float
) -> np.ndarray:
    """Slices `indices` of `stack` [slice, row, column] inside `window` (top, left, rows, columns), contiguous.

    The window may reach beyond the slice: there the value is `pad_value`. float16 becomes float32.
    """
    top, left, rows, columns = window
    kind = np.float32 if stack.dtype == np.float16 else stack.dtype
    result = np.full((len(indices), rows, columns), pad_value, kind)
    first_row, first_column = max(0, top), max(0, left)
    last_row, last_column = min(stack.shape[1], top + rows), min(stack.shape[2], left + columns)
    if first_row < last_row and first_column < last_column:
        inside = (slice(first_row - top, last_row - top), slice(first_column - left, last_column - left))
        for channel, index in enumerate(indices):
            result[(channel, *inside)] = stack[index, first_row:last_row, first_column:last_column]
    return result


def _case_probabilities(cases: list[CachedCase], config: Config) -> np.ndarray:
    datasets = {dataset.name: dataset for dataset in config.data.datasets}
    counts = {name: sum(case.record.dataset == name for case in cases) for name in datasets}
    weights = []
    for case in cases:
        name = case.record.dataset
        share = datasets[name].sampling_weight or counts[name]
        weights.append(share / counts[name])
    return np.array(weights) / np.sum(weights)


class StepBatchSampler(Sampler):
    """The numbers of the samples of each training step of an epoch, going on from the steps that `module` has done.

    Processes that share a batch take every n-th of its samples. Lightning would tell samplers the epoch
    (`set_epoch`), but tells the first one after a resume wrongly.
    """

    def __init__(self, config: Config, module: LightningModule):
        self._training = config.training
        self._module = module

    def __iter__(self) -> Iterator[list[int]]:
        rank, size = self._module.global_rank, self._training.batch_size
        for step in range(self._module.steps_done, self._module.steps_done + len(self)):
            yield list(range(step * size + rank, (step + 1) * size, self._training.devices))

    def __len__(self) -> int:
        return self._training.steps_per_epoch
