"""Several classes, on single images: sampled alike, trained, validated, packaged, and found as the user runs it."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from tiny_training import settings

from SegTraining.config.config import Config
from SegTraining.data.prepare import prepare
from SegTraining.data.sampling import PatchDataset
from SegTraining.data.targets import IGNORE
from SegTraining.export.package import package
from SegTraining.training.train import train
from SegTraining.training.validation import validate
from SpineInference.app.requests import Request
from SpineInference.app.runner import Runner
from SpineInference.engines.onnx_engine import OnnxEngine
from SpineInference.monitor import Monitor
from SpineInference.options import SegmentationOptions

LABELS = [
    {"name": "Field", "code": "1", "meaning": "Field", "values": [1]},
    {"name": "Spot", "code": "2", "meaning": "Spot", "values": [2]},
]


def config(**changes) -> Config:
    data = {"datasets": [{"name": "set", "layout": "images2d"}], "split": {"validation": ["c"]}}
    content = settings(**{"data": data, "input": {"context_slices": 0}, "loss": {"two_sided_dice": 1.0}, **changes})
    content["model_info"]["labels"] = LABELS
    return Config.model_validate(content)


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tuple[Path, Path]:
    """Radiograph-like pictures with a large bright field and a small brighter spot; the data folder and a cache."""
    folder = tmp_path_factory.mktemp("data")
    for number, name in enumerate("abc"):
        rng = np.random.default_rng(number)
        mask = np.zeros((96, 80), np.uint8)
        top, left = rng.integers(8, 30, 2)
        mask[top : top + 40, left : left + 30] = 1
        mask[top + 50 : top + 56, left : left + 6] = 2
        image = rng.normal(10000, 1000, mask.shape) + np.array([0, 15000, 35000])[mask]
        for part, array in (("images", image.astype(np.uint16)), ("masks", mask)):
            (folder / "set" / part).mkdir(parents=True, exist_ok=True)
            sitk.WriteImage(sitk.GetImageFromArray(array), str(folder / "set" / part / f"{name}.png"))
    return folder, tmp_path_factory.mktemp("cache")


def test_small_class_is_shown_as_often_as_a_large_one(folders):
    samples = PatchDataset(
        prepare(config(), *folders)["training"], config(training={"foreground_fraction": 1.0}), raw=True
    )
    centres = [target[60:100, 52:76].unique().tolist() for _, target, _ in (samples[n] for n in range(60))]
    assert sum(2 in values for values in centres) > 20


def test_validation_is_the_mean_over_the_classes(folders):
    (case,) = prepare(config(), *folders)["validation"]
    truth = torch.from_numpy(np.array(case.stack("sagittal")[1]))

    def logits_of(labels: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.one_hot(labels.long(), 3).permute(0, 3, 1, 2).float()

    def missing_the_spot(image: torch.Tensor) -> torch.Tensor:
        return logits_of(torch.where(truth == 2, 0, truth))

    setting = config(input={"context_slices": 0, "pad_multiple": 16}, validation={"slice_step": 1})
    assert validate(case, lambda image: logits_of(truth), setting).dice == 1
    assert validate(case, missing_the_spot, setting).dice == 0.5
    assert IGNORE not in truth


def test_package_has_probabilities_of_all_classes(folders, tmp_path):
    run = train(config(), *folders, tmp_path / "run")
    made = package(run, tmp_path / "package")
    assert [(label.value, label.name) for label in made.manifest.labels] == [(1, "Field"), (2, "Spot")]
    assert made.manifest.output.activation == "softmax"
    found = OnnxEngine(made, threads=1).probabilities(np.zeros((1, 1, 64, 64), np.float32))
    assert found.shape == (1, 3, 64, 64) and np.allclose(found.sum(axis=1), 1, atol=1e-3)


@pytest.mark.slow
def test_every_class_is_learnt_and_found_in_a_picture(folders, tmp_path):
    training = {"max_epochs": 2, "steps_per_epoch": 60, "crop": [64, 64]}
    folder = train(config(training=training), *folders, tmp_path / "run")
    assert json.loads((folder / "result.json").read_text("utf-8"))["validation_dice"] > 0.8

    package(folder, tmp_path / "package")
    picture, mask = (folders[0] / "set" / part / "c.png" for part in ("images", "masks"))
    model = str(tmp_path / "package")
    options = SegmentationOptions(model, device="cpu", threads=1, spacing_mm=(1.0, 1.0))
    written = Runner().run(Request(str(picture), str(tmp_path / "c"), options, str(mask)), Monitor())
    files = {kind: written.folder / name for kind, name in written.record.contents.items()}
    truth = sitk.GetArrayFromImage(sitk.ReadImage(mask))
    with files["measurements"].open(newline="", encoding="utf-8") as file:
        rows = {row["level"]: row for row in csv.DictReader(file)}
    for value, name in enumerate(("Field", "Spot"), start=1):
        assert float(rows[name]["dice"]) > 0.8
        assert abs(float(rows[name]["area_mm2"]) - (truth == value).sum()) < 0.25 * (truth == value).sum()
