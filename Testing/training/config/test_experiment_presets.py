"""The experiments of the documents are all there, each as what it is, and the report finds them by their names."""

from itertools import product
from pathlib import Path

import pytest

from SegTraining.config.config import PRESETS
from SegTraining.config.experiment import ExperimentRun, expand, load_experiment
from SegTraining.reporting import published as published
from SegTraining.reporting.runs import ARCHITECTURES, ENCODERS
from SegTraining.synthetic.planar.skeleton import STRUCTURES

EXPERIMENTS = ("thesis-grid", "fdn-family", "xray-segnet", "xray-robustness")


def runs(preset: str) -> dict[str, ExperimentRun]:
    return {run.name: run for run in expand(load_experiment(preset), Path("prerequisites")) if not run.prerequisite}


@pytest.mark.parametrize("small", ["", "small/"])
def test_thesis_grid_has_all_runs_of_its_tables(small):
    found = runs(f"{small}thesis-grid")
    grid = product(("unet", "fpn", "linknet", "pspnet"), ("random", "resnet50", "inceptionv4"), ("raw", "n4"))
    planes = ("sagittal", "coronal", "axial")
    custom = ("v1", "v2", "v3-large32", "v3-large64", "v3-small32", "v3-small64")
    expected = {"-".join((*values, plane)) for values in grid for plane in planes}
    assert set(found) == expected | {f"custom-{version}" for version in custom} and len(found) == 78
    table = set()
    for run in found.values():
        config = run.config
        plane = run.name.split("-")[-1] if run.name in expected else "sagittal"
        assert run.name.startswith(config.network.family) and config.plane == plane
        arguments = config.network.arguments
        if run.name in expected:
            start = ENCODERS[arguments["encoder"]] if "encoder_weights" in arguments else "Random"
            table.add((ARCHITECTURES[config.network.family], start, config.input.bias_correction))
        assert config.input.canvas == config.training.crop and config.input.intensity.rule == "thesis"
        changes = config.augmentation.model_dump(exclude_none=True)
        assert len(changes) == 9 and {each["p"] for each in changes.values()} == {0.5}
    assert table == set(published.GRID)


def test_only_the_large_grid_starts_from_imagenet():
    own = "prerequisites/phantom-{}/weights.safetensors"
    for preset, weights in (("thesis-grid", "imagenet"), ("small/thesis-grid", own)):
        for name, run in runs(preset).items():
            arguments = run.config.network.arguments
            expected = weights.format(arguments["encoder"]) if "resnet50" in name or "inceptionv4" in name else None
            assert arguments.get("encoder_weights") == expected


@pytest.mark.parametrize("small", ["", "small/"])
def test_the_fdn_family_has_every_network_of_its_table(small):
    found = runs(f"{small}fdn-family").values()
    assert sorted(run.config.network.family for run in found) == sorted(f for f, *_ in published.SKELETON.values())
    assert load_experiment(f"{small}fdn-family").evaluate == ("training", "validation", "test")


def test_left_scapula_alone_is_what_was_published():
    whole, scapula = runs("fdn-family"), runs("fdn-scapula")
    assert list(whole) == list(scapula)
    config = scapula["fdn13"].config
    ((label,), (dataset,)) = config.model_info.labels, config.data.datasets
    assert label.values == (STRUCTURES["Left scapula"],)
    assert {*label.values, *dataset.background_labels} == set(STRUCTURES.values())
    assert config.augmentation.horizontal_flip is None and config.augmentation.rotation is not None
    assert any("left scapula" in sentence for sentence in whole["fdn13"].config.differences)
    assert not any("scapula" in sentence for sentence in config.differences)


def test_an_epoch_has_the_slices_that_the_thesis_counts():
    """2686 sagittal, 2276 coronal and 2130 axial slices of 14 patients, 12 of them for training, in batches of 8."""
    found = runs("thesis-grid")
    for plane, slices in (("sagittal", 2686), ("coronal", 2276), ("axial", 2130)):
        assert found[f"unet-random-raw-{plane}"].config.training.steps_per_epoch == round(slices * 12 / 14 / 8)
    assert {run.config.training.steps_per_epoch for run in runs("small/thesis-grid").values()} == {25}


@pytest.mark.parametrize("preset", [*EXPERIMENTS, *(f"small/{name}" for name in EXPERIMENTS)])
def test_what_is_not_as_published_is_said(preset):
    assert all(run.config.differences for run in runs(preset).values())


@pytest.mark.parametrize("small", ["", "small/"])
def test_the_segnet_is_trained_as_published(small):
    (run,) = runs(f"{small}xray-segnet").values()
    config = run.config
    assert (config.network.family, config.optimiser.name, config.training.batch_size) == ("segnet", "sgd", 6)
    assert config.optimiser.momentum > 0 and not config.optimiser.nesterov
    if not small:
        assert config.training.steps_per_epoch * config.training.max_epochs == pytest.approx(5000, rel=0.01)


@pytest.mark.parametrize("small", ["", "small/"])
def test_poster_runs_differ_in_noise_and_cases_only(small):
    found = {name: run.config for name, run in runs(f"{small}xray-robustness").items()}
    sizes = [5, 10, 15, 20, 25, 45, 65, 85, 105]
    assert list(found) == ["baseline", "noise-both", "noise-validation", *(f"size-{n}" for n in sizes)]
    assert all(any(config.name.endswith(f"-{name}") for config in found.values()) for name in published.ROBUSTNESS)
    assert [found[f"size-{n}"].data.split.training_cases for n in sizes] == sizes
    noise = 5000 / 65535
    for name, config in found.items():
        assert config.network.family == "poster-unet" and config.loss.two_sided_dice == 1
        assert config.classes == 3, "of the poster, the background being one"
        taught = config.augmentation.gaussian_noise
        assert (taught is not None) == (name == "noise-both")
        assert taught is None or (taught.p, taught.low, taught.high) == (0.5, *[pytest.approx(noise, abs=1e-4)] * 2)
        expected = pytest.approx(noise, abs=1e-4) if name.startswith("noise") else None
        assert config.validation.noisy_copies == expected


def test_small_presets_are_small_and_need_no_gpu():
    for preset in EXPERIMENTS:
        full = runs(preset)
        for name, run in runs(f"small/{preset}").items():
            config, large = run.config, full[name].config
            assert config.training.accelerator == "cpu" and config.training.threads == 1
            pixels, many = (c.training.crop[0] * c.training.crop[1] for c in (config, large))
            steps, most = (c.training.steps_per_epoch * c.training.max_epochs for c in (config, large))
            assert pixels <= many / 16 and steps <= most / 20
            assert config.name != large.name
        assert (PRESETS / "small" / f"{preset}.yaml").read_text("utf-8").count("\n") < 60


def test_the_ablation_differs_in_what_teaches_only():
    found = {name: run.config.model_dump() for name, run in runs("vertebral-bodies-ablation").items()}
    taught = {
        name: [dataset.pop("sampling_weight") > 0 for dataset in config["data"]["datasets"]]
        for name, config in found.items()
    }
    assert taught == {
        "both": [True] * 6,
        "patients": [True] * 3 + [False] * 3,
        "phantoms": [False] * 3 + [True] * 3,
    }
    both, *others = ({**config, "name": None} for config in found.values())
    assert all(other == both for other in others) and both["fine_tuning"] is None
