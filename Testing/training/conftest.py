"""What many tests of the training start from: a tiny data set with its cache, and a run on it."""

from pathlib import Path

import pytest
from tiny_training import config, make_dataset


@pytest.fixture(scope="session")
def folders(tmp_path_factory) -> tuple[Path, Path]:
    """The data folder and a cache."""
    return make_dataset(tmp_path_factory.mktemp("data")), tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def whole_run(folders, tmp_path_factory) -> Path:
    """An uninterrupted run of two epochs, which nobody may change."""
    from SegTraining.training.train import train

    return train(config(), *folders, tmp_path_factory.mktemp("runs") / "whole")
