"""Volume Dice of a network on cached cases, quickly: what early stopping and the best checkpoint go by."""

from collections.abc import Callable

import numpy as np
import torch

from .cache import CachedCase
from .config import Config
from .sampling import cut
from .targets import IGNORE

_MARGIN = 32
_PIXELS_AT_ONCE = 400_000


@torch.inference_mode()
def volume_dice(case: CachedCase, predict: Callable[[torch.Tensor], torch.Tensor], config: Config) -> float | None:
    """Dice of one case, the mean over the classes, each over the whole volume; ignored voxels are left out.

    Every `slice_step`-th slice counts. A class that is neither there nor found is left out too, and without any class
    there is no Dice (None). `predict` maps float32 [n, channels, rows, cols] to logits [n, classes, rows, cols].
    """
    image, target, indices = _judged_part(case, config)
    rows, columns = (-(-side // config.input.pad_multiple) * config.input.pad_multiple for side in image.shape[1:])
    window = (-((rows - image.shape[1]) // 2), -((columns - image.shape[2]) // 2), rows, columns)
    context = np.arange(-config.input.context_slices, config.input.context_slices + 1)
    numbers = range(1, len(config.card.labels) + 1)
    overlap, both = np.zeros(len(numbers)), np.zeros(len(numbers))
    at_once = max(1, _PIXELS_AT_ONCE // (rows * columns))
    for start in range(0, len(indices), at_once):
        chunk = indices[start : start + at_once]
        slices = [
            cut(image, np.clip(index + context, 0, len(image) - 1), window, case.record.background) for index in chunk
        ]
        truth = cut(target, chunk, window, IGNORE)
        found = _labels(predict(torch.from_numpy(np.stack(slices)))).cpu().numpy()
        found[truth == IGNORE] = IGNORE
        for position, number in enumerate(numbers):
            overlap[position] += np.count_nonzero((found == number) & (truth == number))
            both[position] += np.count_nonzero(found == number) + np.count_nonzero(truth == number)
    return float(np.mean(2 * overlap[both > 0] / both[both > 0])) if both.any() else None


def _labels(logits: torch.Tensor) -> torch.Tensor:
    """The number of the likeliest class, 0 for the background: uint8 [n, rows, cols]."""
    likeliest = logits[:, 0] > 0 if logits.shape[1] == 1 else logits.argmax(1)
    return likeliest.to(torch.uint8)


def _judged_part(case: CachedCase, config: Config) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image and target [slice, row, column] near the rows that can be judged, and the slices to score.

    Rows outside of those are ignored: there nobody knows what is right.
    """
    first, end = case.record.judged_rows
    image, target = case.stack(config.plane)
    step = config.validation.slice_step
    if config.plane == "axial":
        return image, target, np.arange(first, end, step)
    low, high = max(0, first - _MARGIN), min(image.shape[1], end + _MARGIN)
    scored = np.array(target[:, low:high])
    scored[:, : first - low] = IGNORE
    scored[:, end - low :] = IGNORE
    return image[:, low:high], scored, np.arange(0, len(image), step)
