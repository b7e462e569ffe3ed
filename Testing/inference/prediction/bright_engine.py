"""An engine whose answer is known, and what it is asked with."""

from types import SimpleNamespace

import numpy as np

from SpineInference.specs import InputSpec, IntensityRule


class BrightIsForeground:
    """Says 1 where the middle channel is above 0.5; remembers what shapes it was asked for."""

    batch_size = 3

    def __init__(self):
        self.shapes = []

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        self.shapes.append(batch.shape)
        assert batch.dtype == np.float32
        middle = batch.shape[1] // 2
        return (batch[:, middle : middle + 1] > 0.5).astype(np.float16)


class BrightAndDark(BrightIsForeground):
    """Softmax over the background, what is bright, and what is darker than 0.2."""

    def probabilities(self, batch):
        bright = super().probabilities(batch)
        dark = (batch[:, batch.shape[1] // 2][:, None] < 0.2).astype(np.float16)
        return np.concatenate([1 - bright - dark, bright, dark], axis=1)


def manifest(
    plane: str,
    context: int = 1,
    canvas: tuple[int, int] | None = None,
    activation: str = "sigmoid",
    labels: int = 1,
    **spec,
):
    return SimpleNamespace(
        plane=plane,
        labels=[None] * labels,
        vertebra_class=1,
        classes=labels + (activation == "softmax"),
        input=InputSpec(context, 1.0, IntensityRule(), canvas=canvas, **spec),
        output=SimpleNamespace(activation=activation),
    )


def volume(shape=(50, 41, 23), seed=1) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, np.float32)
