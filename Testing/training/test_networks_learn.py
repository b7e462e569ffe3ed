"""Every kind of network learns a small case with the training that there is, well beyond where it starts."""

import csv
from pathlib import Path

import pytest
from tiny_training import make_dataset, settings

from SegTraining.config import Config
from SegTraining.train import train

SLIM = {
    "encoder": "tu-resnet18",
    "encoder_arguments": {"channels": [16, 32, 48, 64], "layers": [1, 1, 1, 1], "stem_type": "deep", "stem_width": 8},
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tuple[Path, Path]:
    return make_dataset(tmp_path_factory.mktemp("data")), tmp_path_factory.mktemp("cache")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "arguments"),
    [
        ("unet", SLIM),
        ("fpn", SLIM),
        ("linknet", SLIM),
        ("pspnet", SLIM),
        ("segnet", {"width": 8}),
        ("dln11", {}),
        ("urinet", {"width": 8}),
        ("poster-unet", {"width": 4}),
        ("residual-unet", {"filters": [8, 16, 24], "blocks": [1, 2, 2]}),
        ("custom-v1", {}),
        ("custom-v3-small32", {}),
        ("fdn11", {}),
    ],
)
def test_a_network_learns(family, arguments, folders, tmp_path):
    training = {"max_epochs": 2, "steps_per_epoch": 40, "crop": [64, 64]}
    content = settings(plane="axial", network={"family": family, "arguments": arguments}, training=training)
    run = train(Config.model_validate(content), *folders, tmp_path / "run")
    first, last = csv.DictReader((run / "metrics.csv").open(encoding="utf-8"))
    assert float(last["loss"]) < 0.7 * float(first["loss"])
    assert float(last["validation_dice"]) > 0.8
