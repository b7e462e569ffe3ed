"""Training runs, tiny ones: they learn, repeat exactly, and go on exactly."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from tiny_training import DATASET, make_dataset, settings
from torch.utils.data import DataLoader

from SegTraining.config.config import Config
from SegTraining.data.cache import CachedCase
from SegTraining.data.prepare import prepare
from SegTraining.data.sampling import PatchDataset
from SegTraining.training.train import train
from SegTraining.training.validation import validate
from SpineInference.errors import SpineError


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tuple[Path, Path]:
    """The data folder and a cache."""
    return make_dataset(tmp_path_factory.mktemp("data")), tmp_path_factory.mktemp("cache")


def config(**changes) -> Config:
    return Config.model_validate(settings(**changes))


def weights(run_folder: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(run_folder / "weights.safetensors")


def last_state(run_folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(run_folder / "last.ckpt", weights_only=True)["state_dict"]


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def run(folders, tmp_path_factory) -> Path:
    """An uninterrupted run of two epochs."""
    return train(config(), *folders, tmp_path_factory.mktemp("runs") / "whole")


def test_a_run_leaves_what_is_needed(run):
    result = json.loads((run / "result.json").read_text("utf-8"))
    fingerprint = json.loads((run / "fingerprint.json").read_text("utf-8"))
    assert (run / "config.yaml").exists() and set(result["dice"]) == {"c"}
    assert fingerprint["training_cases"] == {DATASET: ["a", "b"]} and fingerprint["test_cases"] == ["d"]
    rows = list(csv.DictReader((run / "metrics.csv").open(encoding="utf-8")))
    assert [row["epoch"] for row in rows] == ["1", "2"] and float(rows[0]["loss"]) > 0
    assert not list(run.glob("*.tmp"))


def test_two_runs_are_identical(run, folders, tmp_path):
    again = train(config(), *folders, tmp_path / "again")
    assert same(last_state(run), last_state(again)) and same(weights(run), weights(again))
    other = train(config(training={"seed": 1}), *folders, tmp_path / "other")
    assert not same(last_state(run), last_state(other))


class PulledPlug(Exception):
    pass


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_a_resumed_run_equals_an_uninterrupted_one(folders, tmp_path, schedule):
    kind = {"name": schedule, "warmup_steps": 2}
    whole = train(config(schedule=kind), *folders, tmp_path / "whole")
    stopped = tmp_path / "stopped"

    calls = []

    def pull_the_plug(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise PulledPlug
        return validate(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("SegTraining.training.module.validate", pull_the_plug)
        with pytest.raises(PulledPlug):
            train(config(schedule=kind), *folders, stopped)
    train(config(schedule=kind), *folders, stopped, resume=True)
    assert same(last_state(whole), last_state(stopped)) and same(weights(whole), weights(stopped))
    epochs = [row["epoch"] for row in csv.DictReader((stopped / "metrics.csv").open(encoding="utf-8"))]
    assert epochs == ["1", "2"]


def test_a_folder_with_a_run_is_not_overwritten(run, folders):
    with pytest.raises(SpineError, match="--resume"):
        train(config(), *folders, run)


def test_resuming_with_other_settings_or_without_a_run_is_refused(run, folders, tmp_path):
    with pytest.raises(SpineError, match="differs"):
        train(config(optimiser={"learning_rate": 0.5}), *folders, run, resume=True)
    with pytest.raises(SpineError, match="no checkpoint"):
        train(config(), *folders, tmp_path / "nothing", resume=True)


def test_early_stopping_without_validation_is_refused(folders, tmp_path):
    training = {"early_stopping_epochs": 2}
    with pytest.raises(SpineError, match="validation cases"):
        train(config(training=training, data={"split": {}}), *folders, tmp_path / "run")


def test_time_ends_training(folders, tmp_path):
    training = {"max_epochs": 500, "max_minutes": 1e-6}
    folder = train(config(training=training), *folders, tmp_path / "run")
    assert len((folder / "metrics.csv").read_text("utf-8").splitlines()) == 2


@pytest.mark.slow
def test_training_learns(folders, tmp_path):
    training = {"max_epochs": 2, "steps_per_epoch": 30, "crop": [64, 64]}
    folder = train(config(plane="axial", training=training), *folders, tmp_path / "run")
    assert json.loads((folder / "result.json").read_text("utf-8"))["validation_dice"] > 0.8


def cases(folders) -> list[CachedCase]:
    return prepare(config(), *folders)["training"]


def test_a_sample_depends_on_seed_and_number_only(folders):
    first, second = PatchDataset(cases(folders), config()), PatchDataset(cases(folders), config())
    second[0], second[1]
    assert all(torch.equal(a, b) for a, b in zip(first[2], second[2], strict=True))
    assert not torch.equal(first[2][0], first[3][0])
    image, target = first[2]
    assert image.shape == (3, 64, 32) and target.shape == (64, 32) and image.dtype == torch.float32


def test_worker_processes_draw_the_same_samples(folders):
    samples = PatchDataset(cases(folders), config())
    (drawn,) = DataLoader(samples, batch_sampler=[[0, 5]], num_workers=1)
    for position, number in enumerate((0, 5)):
        assert all(torch.equal(batch[position], part) for batch, part in zip(drawn, samples[number], strict=True))


def test_most_samples_show_the_target_and_some_do_not(folders):
    samples = PatchDataset(cases(folders), config(training={"foreground_fraction": 0.7}))
    with_target = sum(int((samples[number][1] == 1).any()) for number in range(100))
    assert 70 <= with_target < 100


def test_thick_slices_are_means_of_thin_ones_and_as_far_apart(folders):
    case = cases(folders)[0]
    position = np.arange(case.image.shape[2], dtype=np.float16)
    case.image = np.broadcast_to(position, case.image.shape)
    thick = {"thick_slices": {"p": 1, "low": 3, "high": 3}}
    samples = PatchDataset([case], config(augmentation=thick), raw=True)
    largest = np.array([samples[number][0].amax(dim=(1, 2)).tolist() for number in range(30)])
    middle = (largest[:, 0] >= 1) & (largest[:, 2] <= position[-1] - 1)  # not where the scan ends
    assert middle.any() and np.allclose(np.diff(largest[middle], axis=1), 3, atol=1e-2)
    assert np.allclose(largest[middle] % 1, 0, atol=1e-2)  # three slices are centred on one of them
    alone = PatchDataset([case], config(augmentation={"thick_slices": None}), raw=True)
    assert np.allclose(np.diff(alone[0][0].amax(dim=(1, 2))), 1)


def test_validation_scores_the_truth_with_one_and_leaves_out_what_nobody_labelled(folders):
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


def test_validation_on_a_canvas_sees_larger_slices_as_tiles(folders):
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
