"""Pictures of training samples, to see with one's own eyes what the network is taught."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from SpineInference.files.atomic import atomic

from ..config.config import Config
from ..data.cache import CachedCase
from ..data.sampling import PatchDataset
from ..data.targets import IGNORE, is_target

_COLOURS = ("red", "yellow", "cyan", "magenta", "lime", "orange")


@dataclass(frozen=True, eq=False)
class Thumbnail:
    """A slice to be drawn: image and label map [rows, cols], and how much higher than wide a pixel is."""

    title: str
    image: np.ndarray
    labels: np.ndarray
    aspect: float


def contact_sheet(thumbnails: list[Thumbnail], path: Path) -> None:
    """Write one picture of all `thumbnails`, each in its own grey scale, with the contours of its labels."""
    columns = min(8, len(thumbnails))
    rows = math.ceil(len(thumbnails) / columns)
    figure, axes = _figure(rows, columns)
    for axis in axes.flat:
        axis.axis("off")
    for axis, thumbnail in zip(axes.flat, thumbnails, strict=False):
        image = np.clip(thumbnail.image, *np.percentile(thumbnail.image, (1, 99)))
        show(axis, image, thumbnail.labels, thumbnail.aspect)
        axis.set_title(thumbnail.title, fontsize=6)
    _save(figure, path)


def show_augmentations(cases: list[CachedCase], config: Config, path: Path, rows: int = 4) -> None:
    """Write a picture of the first training samples: the middle channel, classes in colours, ignored voxels blue."""
    samples = PatchDataset(cases, config)
    figure, axes = _figure(rows, config.training.batch_size)
    for number, axis in enumerate(axes.flat):
        image, target = samples[number]
        show(axis, image[len(image) // 2].numpy(), target.numpy())
    _save(figure, path)


def show(axis, image: np.ndarray, target: np.ndarray, aspect: float = 1.0) -> None:
    """Draw the slice `image` [rows, cols] with the contours of `target` on a matplotlib `axis`."""
    axis.imshow(image, cmap="gray", aspect=aspect)
    if (target == IGNORE).any():
        axis.imshow(np.where(target == IGNORE, 1.0, np.nan), cmap="winter", vmin=0, vmax=2, alpha=0.25, aspect=aspect)
    for value in np.unique(target[is_target(target)]).tolist():
        axis.contour(target == value, [0.5], colors=_COLOURS[(value - 1) % len(_COLOURS)], linewidths=0.6)
    axis.axis("off")


def _figure(rows: int, columns: int):
    """A matplotlib figure and its axes [rows, columns], made without `pyplot`, which would look for a screen."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2 * columns, 2.2 * rows))
    return figure, figure.subplots(rows, columns, squeeze=False)


def _save(figure, path: Path) -> None:
    figure.tight_layout(pad=0.2)
    with atomic(path) as aside:
        figure.savefig(aside, dpi=100, format="png")
