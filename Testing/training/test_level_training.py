"""The network that recognises levels: what it learns from, that it learns, and the package that comes of it."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch
import yaml

from SegTraining.cli import main
from SegTraining.config.levels import LevelConfig, LevelTraining, load_level_config
from SegTraining.data.datasets import find_cases
from SegTraining.levels.augmentation import augment_patches
from SegTraining.levels.patches import L5, NO_VERTEBRA, S1, draw_patches, phantom_scan, read_scan
from SegTraining.levels.train import fit, targets
from SegTraining.synthetic.spine.dataset import write_dataset
from SpineInference.errors import SpineError
from SpineInference.models.model_package import ModelPackage
from SpineInference.spine.level_recognition import PAD_VALUE

SEED_OF_LUMBAR = 4  # the regions of the spine take turns


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    size = {"spacing": (1.5, 1.5, 3.0), "field_of_view": (150.0, 240.0, 30.0)}
    write_dataset(folder / "Dataset900_Phantom", count=2, seed=1, **size)
    return folder


def settings(**changes) -> dict:
    return {
        "name": "tiny-levels",
        **dict.fromkeys(("title", "description", "anatomy", "modality", "licence", "data_statement"), "a test"),
        "data": {"datasets": [{"name": "Dataset900_Phantom"}], "split": {"validation": ["phantom_00002"]}},
        "phantoms": {"training": 1, "validation": 1, "seed": SEED_OF_LUMBAR},
        "training": {"copies": 1, "phantom_copies": 1, "batches": 2, "batch_size": 4},
    } | changes


def test_the_preset_is_sound():
    config = load_level_config("vertebral-levels")
    assert config.input.channels == 3
    assert config.lowest_level == {"Dataset503_SPIDER": "L5"}


def test_bodies_beyond_the_labelled_ones_are_placed(data):
    """What is expected above the first and below the last labelled body, against the truth."""
    config = LevelConfig.model_validate(settings())
    case = find_cases(config.data.datasets[0], data)[0]
    truth = read_scan(case, config)
    labels = sitk.ReadImage(str(case.labels))
    array = sitk.GetArrayFromImage(labels)
    top = min(set(truth.centres) & set(np.unique(array[array > 0]).tolist()))
    array[(array == S1) | (array == top) | (array == top + 1)] = 0
    shortened = sitk.GetImageFromArray(array)
    shortened.CopyInformation(labels)
    sitk.WriteImage(shortened, str(case.labels))
    try:
        guessed = read_scan(case, config)
    finally:
        sitk.WriteImage(labels, str(case.labels))
    for value in (S1, top + 1):
        away = (guessed.centres[value] - truth.centres[value]) * truth.spacing
        assert np.linalg.norm(away) < 9, f"{value} is {away} mm off"
    assert NO_VERTEBRA not in truth.centres or truth.centres[NO_VERTEBRA][0] > truth.centres[S1][0]


def test_patches_come_in_copies_some_off_the_spine():
    config = LevelConfig.model_validate(settings())
    scan = phantom_scan(SEED_OF_LUMBAR, config)
    patches, values = draw_patches(scan, config.input, 4, np.random.default_rng(0))
    assert patches.shape == (len(values), 3, 64, 64)
    assert (values == L5).sum() == 4
    assert (values == NO_VERTEBRA).sum() >= len(scan.centres)
    again, _ = draw_patches(phantom_scan(SEED_OF_LUMBAR, config), config.input, 4, np.random.default_rng(0))
    assert (patches == again).all()


def test_labels_without_levels_need_the_lowest_one(data):
    config = LevelConfig.model_validate(settings())
    case = find_cases(config.data.datasets[0], data)[0]
    anonymous = type(case)(**vars(case) | {"labels_are_instances": False})
    with pytest.raises(SpineError, match="lowest_level"):
        read_scan(anonymous, config)
    told = LevelConfig.model_validate(settings(lowest_level={"Dataset900_Phantom": "L5"}))
    assert L5 in read_scan(anonymous, told).centres


def test_anchors_have_one_answer_others_are_alike():
    table = targets()
    assert torch.allclose(table.sum(1), torch.ones(len(table)))
    assert table[L5, L5] > 0.95 and table[S1, S1] > 0.95
    assert table[21, 20] == table[21, 22] > 0.1 and table[23, 24] < 0.01


def test_augmented_patches_keep_the_ends_of_scans():
    patches = torch.rand(16, 3, 64, 64)
    patches[:, :, 50:] = PAD_VALUE
    first, second = (augment_patches(patches, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first, second)
    assert (first[:, :, 50:] == PAD_VALUE).all()
    seen = (first != PAD_VALUE).float().mean((1, 2, 3))
    assert seen.max() == 50 / 64 and seen.min() < 50 / 64
    assert not torch.equal(first, augment_patches(patches, torch.Generator().manual_seed(2)))


def test_the_network_learns():
    """Bright above the middle is L5, below it S1."""
    patches = torch.randn(40, 3, 64, 64) * 0.2
    values = torch.tensor([L5, S1] * 20)
    patches[values == L5, :, 16:28, 24:40] += 2
    patches[values == S1, :, 36:48, 24:40] += 2
    spec = LevelTraining(batches=40, batch_size=16)
    network = fit(patches.half(), values, torch.zeros(40, dtype=torch.bool), spec)
    with torch.no_grad():
        assert (network(patches)[:, :, 0, 0].argmax(1) == values).float().mean() > 0.9


@pytest.mark.slow
def test_levels_command_makes_a_package(data, tmp_path):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(settings()))
    output = tmp_path / "tiny-levels"
    assert main(["levels", str(tmp_path / "tiny.yaml"), "--data", str(data), "-o", str(output)]) == 0
    package = ModelPackage.open(output)
    assert package.manifest.recognises_levels
    assert package.size_bytes < 1_000_000
    assert package.manifest.metrics["validation"]["scans"] == 1
    assert package.manifest.training.details["validation_cases"] == ["phantom_00002"]


def test_a_misspelt_setting_is_an_error(tmp_path, capsys):
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(settings(patch_milimetres=2)))
    assert main(["levels", str(tmp_path / "wrong.yaml"), "--data", str(tmp_path)]) == 2
    assert "patch_milimetres" in capsys.readouterr().err
