"""Pictures of training samples, to see with one's own eyes what the network is taught."""

from pathlib import Path

import numpy as np

from SpineInference.writing import atomic

from .cache import CachedCase
from .config import Config
from .sampling import Samples
from .targets import IGNORE

_COLOURS = ("red", "yellow", "cyan", "magenta", "lime", "orange")


def show_augmentations(cases: list[CachedCase], config: Config, path: Path, rows: int = 4) -> None:
    """Write a picture of the first training samples: the middle channel, classes in colours, ignored voxels blue."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    samples = Samples(cases, config)
    columns = config.training.batch_size
    figure, axes = pyplot.subplots(rows, columns, figsize=(2 * columns, 2.2 * rows), squeeze=False)
    for number, axis in enumerate(axes.flat):
        image, target = samples[number]
        show(axis, image[len(image) // 2].numpy(), target.numpy())
    with atomic(path) as aside:
        figure.tight_layout(pad=0.2)
        figure.savefig(aside, dpi=100)
    pyplot.close(figure)


def show(axis, image: np.ndarray, target: np.ndarray) -> None:
    """Draw the slice `image` [rows, cols] with the contours of `target` on a matplotlib `axis`."""
    axis.imshow(image, cmap="gray")
    axis.imshow(np.where(target == IGNORE, 1.0, np.nan), cmap="winter", vmin=0, vmax=2, alpha=0.25)
    for value in np.unique(target[(target > 0) & (target != IGNORE)]).tolist():
        axis.contour(target == value, [0.5], colors=_COLOURS[(value - 1) % len(_COLOURS)], linewidths=0.6)
    axis.axis("off")
