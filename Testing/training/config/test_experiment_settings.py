"""An experiment file becomes exactly the configurations that it stands for, and mistakes in it are told."""

from pathlib import Path

import pytest
import yaml
from tiny_training import settings

from SegTraining.config.experiment import expand, load_experiment
from SpineInference.errors import SpineError

START = Path("prerequisites")
AXES = {
    "network": {"unet": {"network": {"family": "unet"}}, "fpn": {"network": {"family": "fpn"}}},
    "correction": {"raw": {}, "n4": {"input": {"bias_correction": True}}},
}


def write(path: Path, **content) -> Path:
    path.write_text(yaml.safe_dump({"name": "trial", "configuration": settings(), **content}, sort_keys=False), "utf-8")
    return path


def names(path: Path) -> list[str]:
    return [run.name for run in expand(load_experiment(path), START)]


def test_every_combination_is_a_run(tmp_path):
    runs = expand(load_experiment(write(tmp_path / "trial.yaml", axes=AXES)), START, {"training.seed": 7})
    assert [run.name for run in runs] == ["unet-raw", "unet-n4", "fpn-raw", "fpn-n4"]
    last = runs[-1].config
    assert (last.name, last.network.family, last.input.bias_correction) == ("trial-fpn-n4", "fpn", True)
    assert last.input.context_slices == 1 and all(run.config.training.seed == 7 for run in runs)
    assert not runs[0].config.input.bias_correction


def test_runs_can_be_left_out_and_added(tmp_path):
    extra_runs = {"fdn": {"network": {"family": "fdn5", "arguments": {}}}}
    exclude = [{"network": "fpn", "correction": "n4"}]
    path = write(tmp_path / "trial.yaml", axes=AXES, extra_runs=extra_runs, exclude=exclude)
    assert names(path) == ["unet-raw", "unet-n4", "fpn-raw", "fdn"]


def test_a_small_version_is_a_file_with_what_differs(tmp_path):
    write(tmp_path / "large.yaml", axes=AXES)
    small = {"base": "large.yaml", "name": "small", "configuration": {"training": {"max_epochs": 1}}}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump({**small, "exclude": [{"correction": "raw"}]}), "utf-8")
    runs = expand(load_experiment(tmp_path / "small.yaml"), START)
    assert [run.config.name for run in runs] == ["small-unet-n4", "small-fpn-n4"]
    assert {run.config.training.max_epochs for run in runs} == {1} and runs[0].config.training.batch_size == 4


def test_a_section_can_stand_in_a_file_of_its_own(tmp_path):
    (tmp_path / "configuration.yaml").write_text(yaml.safe_dump(settings()), "utf-8")
    content = {"base": "configuration.yaml", "training": {"max_epochs": 9}}
    (run,) = expand(
        load_experiment(write(tmp_path / "t.yaml", configuration=content, extra_runs={"one": {}})),
        START,
    )
    assert run.config.training.max_epochs == 9 and run.config.training.batch_size == 4


def test_runs_that_come_first_can_be_built_upon(tmp_path):
    weights = {"network": {"arguments": {"encoder_weights": "{prerequisites}/start/weights.safetensors"}}}
    path = write(tmp_path / "trial.yaml", prerequisites={"start": {}}, extra_runs={"random": {}, "pretrained": weights})
    start, random, pretrained = expand(load_experiment(path), tmp_path / "runs")
    assert [run.prerequisite for run in (start, random, pretrained)] == [True, False, False]
    assert pretrained.config.network.arguments["encoder_weights"] == f"{tmp_path / 'runs'}/start/weights.safetensors"
    assert "encoder_weights" not in random.config.network.arguments


@pytest.mark.parametrize(
    ("content", "part_of_message"),
    [
        ({"axes": AXES, "exclude": [{"network": "linknet"}]}, 'the axis network has no "linknet"'),
        ({"axes": AXES, "exclude": [{"networks": "unet"}]}, 'no axis "networks", perhaps network'),
        ({"axes": AXES, "extra_runs": {"unet-raw": {}}}, 'two runs would be called "unet-raw"'),
        ({}, "there is no run"),
        ({"axes": AXES, "wants": {"cpus": 2}}, "wants: this setting is called resources"),
        ({"also": {"one": {}}}, "also: this setting is called extra_runs"),
        ({"axes": AXES, "first": {"one": {}}}, "first: this setting is called prerequisites"),
        ({"axes": AXES, "evaluate": ["tests"]}, "evaluate.0"),
        ({"axis": AXES}, "no such setting, perhaps axes"),
        ({"extra_runs": {"Large": {}}}, "extra_runs.Large"),
        ({"extra_runs": {"one": {"training": {"epochs": 3}}}}, 'The run "one" of trial is wrong at training.epochs'),
    ],
)
def test_mistakes_are_told(tmp_path, content, part_of_message):
    with pytest.raises(SpineError) as told:
        names(write(tmp_path / "trial.yaml", **content))
    assert part_of_message in str(told.value)
