"""The validation of a training: the Dice of whole volumes, by which the best epoch is chosen."""

import torch
from tiny_training import config

from SegTraining.data.cache import CachedCase
from SegTraining.data.prepare import prepare
from SegTraining.training.validation import validate


def cases(folders) -> list[CachedCase]:
    return prepare(config(), *folders)["training"]


def test_validation_scores_truth_with_one(folders):
    case = cases(folders)[0]
    for plane in ("sagittal", "coronal", "axial"):
        setting = config(plane=plane, input={"context_slices": 0}, validation={"slice_step": 1})
        # The labelled blocks of the tiny data set are the brightest; the unlabelled topmost one is as bright.
        assert validate(case, lambda image: image - 1.2, setting).dice > 0.97
        assert validate(case, lambda image: image * 0 - 1, setting).dice == 0
        assert validate(case, lambda image: image * 0 + 1, setting).dice < 0.5


def test_validation_goes_by_the_packaged_threshold(folders):
    case = cases(folders)[0]

    def unsure_around_the_blocks(image: torch.Tensor) -> torch.Tensor:
        """Probability 0.55 where nothing is, and more in the blocks."""
        return torch.where(image > 1.2, 1.0, torch.logit(torch.tensor(0.55)))

    for threshold, low, high in ((0.5, 0, 0.5), (0.6, 0.97, 1)):
        setting = config(threshold=threshold, input={"context_slices": 0}, validation={"slice_step": 1})
        assert low < validate(case, unsure_around_the_blocks, setting).dice <= high


def test_validation_on_a_canvas_sees_tiles(folders):
    case = cases(folders)[0]
    sizes = set()

    def predict(image: torch.Tensor) -> torch.Tensor:
        sizes.add(tuple(image.shape[2:]))
        return image - 1.2

    for canvas in ([32, 32], [96, 96]):
        whole, tiled = (
            validate(case, predict, config(input={"context_slices": 0, **spec}, training={"crop": canvas})).dice
            for spec in ({}, {"canvas": canvas})
        )
        assert tiled == whole and sizes == {(64, 64), tuple(canvas)}
        sizes.clear()
