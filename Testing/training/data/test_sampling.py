"""Training samples: what they depend on, what they show, and that inference shows a network the same slices."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from handmade_models import BRIGHT, write_model
from tiny_training import DATASET, config
from torch.utils.data import DataLoader

from SegTraining.data.cache import CachedCase
from SegTraining.data.prepare import prepare
from SegTraining.data.sampling import PatchDataset
from SegTraining.training.validation import validate
from SpineInference.models.model_package import ModelPackage
from SpineInference.monitor import Monitor
from SpineInference.prediction.slices import predict_plane
from SpineInference.volume.geometry import PLANES, SLICE_AXIS


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


def test_thick_slices_are_means_and_as_far_apart(folders):
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


def test_thick_slices_come_with_their_p(folders):
    case = cases(folders)[0]
    case.image = np.broadcast_to(np.arange(case.image.shape[2], dtype=np.float16), case.image.shape)
    thick = {"thick_slices": {"p": 0.3, "low": 3, "high": 3}}
    first, second = (PatchDataset([case], config(augmentation=thick), raw=True) for _ in range(2))
    # Neighbours are one slice apart, or three; of samples at the ends of the stack some are less.
    apart = np.array([np.ptp(first[number][0].amax(dim=(1, 2)).numpy()) for number in range(600)])
    assert np.mean(apart > 2.5) == pytest.approx(0.3, abs=0.075)
    assert all(np.ptp(second[n][0].amax(dim=(1, 2)).numpy()) == apart[n] for n in range(20))


def test_a_single_slice_stands_in_for_its_neighbours(folders):
    case = cases(folders)[0]
    case.image = np.broadcast_to(np.arange(case.image.shape[2], dtype=np.float16), case.image.shape)
    samples = PatchDataset([case], config(augmentation={"single_slice": {"p": 0.3}}), raw=True)
    alike = [float(np.ptp(samples[number][0].amax(dim=(1, 2)).numpy())) == 0 for number in range(600)]
    assert np.mean(alike) == pytest.approx(0.3, abs=0.075)


def test_a_sample_brings_what_shrinking_shows(folders):
    def side(low: float) -> int:
        settings = config(augmentation={"scale": {"p": 1, "low": low, "high": 1.2}})
        return PatchDataset(cases(folders), settings, raw=True)[0][0].shape[1]

    crop = config().training.crop[0]
    assert side(0.8) == crop + 2 * 48
    assert side(0.35) * 0.35 >= crop


# ---- parity with inference


class Recorder:
    """An engine that notes which slices it is shown: of each pass the largest value of every channel."""

    batch_size = 7

    def __init__(self):
        self.channels: dict[int, tuple[int, ...]] = {}

    def look(self, batch: np.ndarray | torch.Tensor) -> None:
        for each in np.asarray(batch).max(axis=(2, 3)).astype(int).tolist():
            self.channels[each[len(each) // 2]] = tuple(each)

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        self.look(batch)
        return np.zeros((len(batch), 1, *batch.shape[2:]), np.float32)

    def logits(self, image: torch.Tensor) -> torch.Tensor:
        self.look(image)
        return image[:, :1] * 0


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("context", [0, 1, 2])
def test_training_and_inference_see_same_neighbours(folders, tmp_path, plane, context):
    """Also at the ends of the stack, where neighbours are missing."""
    setting = config(
        plane=plane,
        data={"datasets": [{"name": DATASET, "unlabelled_above": "background"}]},
        input={"context_slices": context},
        augmentation={"thick_slices": None},
        training={"crop": [32, 32], "foreground_fraction": 0.0},
        validation={"slice_step": 1},
    )
    case = prepare(setting, *folders)["training"][0]
    axis = SLICE_AXIS[plane]
    count = case.image.shape[axis]
    # Every slice holds its own number, from 1; air is 0.
    numbers = np.arange(1, count + 1, dtype=np.float16).reshape([-1 if n == axis else 1 for n in range(3)])
    case.image = np.broadcast_to(numbers, case.image.shape)
    case.record = replace(case.record, background=0.0)

    training, validation, inference = Recorder(), Recorder(), Recorder()
    samples = PatchDataset([case], setting, raw=True)
    for sample in range(10 * count):
        training.look(samples[sample][0][None])
    validate(case, validation.logits, setting)
    manifest = ModelPackage.open(write_model(tmp_path / "model", plane, BRIGHT)).manifest
    manifest = replace(manifest, input=replace(manifest.input, context_slices=context))
    volume = np.array(case.image, np.float32)
    assert len(list(predict_plane(volume, manifest, inference, Monitor()))) == count

    expected = {
        n: tuple(int(np.clip(n + step, 1, count)) for step in range(-context, context + 1)) for n in range(1, count + 1)
    }
    assert inference.channels == expected
    assert training.channels == expected and validation.channels == expected
