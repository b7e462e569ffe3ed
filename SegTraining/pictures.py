"""Pictures of training samples, to see with one's own eyes what the network is taught."""

from pathlib import Path

import numpy as np

from .cache import CachedCase
from .config import Config
from .sampling import Batches
from .targets import IGNORE


def show_augmentations(cases: list[CachedCase], config: Config, path: Path, batches: int = 4) -> None:
    """Write a picture of the first training samples: the middle channel, target contour red, ignored voxels blue."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    drawn = Batches(cases, config)
    count = config.training.batch_size
    figure, axes = pyplot.subplots(batches, count, figsize=(2 * count, 2.2 * batches), squeeze=False)
    for row in range(batches):
        image, target = drawn[row]
        for axis, sample, truth in zip(axes[row], image.numpy(), target.numpy(), strict=True):
            axis.imshow(sample[len(sample) // 2], cmap="gray")
            axis.imshow(np.where(truth == IGNORE, 1.0, np.nan), cmap="winter", vmin=0, vmax=2, alpha=0.25)
            if (truth == 1).any():
                axis.contour(truth == 1, [0.5], colors="red", linewidths=0.6)
            axis.axis("off")
    figure.tight_layout(pad=0.2)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
