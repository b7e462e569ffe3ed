"""The command line: from a data set to an evaluated package and a report; mistakes are told in a sentence."""

import csv
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_training import DATASET, make_dataset, write_settings

from SegTraining.cli import _parser, main
from SegTraining.commands.examples import EXAMPLES
from SegTraining.config.presets import PRESETS
from SpineInference.models.model_package import ModelPackage


def test_help_is_fast_and_imports_nothing_heavy():
    code = "import sys; from SegTraining.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "print([m for m in ('torch', 'numpy', 'pydantic', 'SimpleITK', 'yaml') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "show-augmentations" in found and found.strip().endswith("[]")


def test_help_has_examples_that_work_and_all_presets(capsys):
    parser = _parser()
    (commands,) = (action.choices for action in parser._actions if action.dest == "command")
    for example in (line for lines in EXAMPLES.values() for line in lines):
        program, name, *arguments = shlex.split(example)
        parser.parse_args([name, *arguments])
        assert program == "segtraining" and example in commands[name].format_help()
    named = {path for path in PRESETS.rglob("*.yaml") if re.search("^name:", path.read_text("utf-8"), re.MULTILINE)}
    told = set(re.findall(r"[\w/-]+", parser.format_help().partition("presets of")[2]))
    assert len(named) > 12 and {path.relative_to(PRESETS).with_suffix("").as_posix() for path in named} <= told
    assert set(EXAMPLES) <= set(commands)


@pytest.mark.parametrize(
    ("arguments", "part_of_message"),
    [
        (["prepare", "no-such-preset", "--data", "."], "no configuration"),
        (["prepare", "vertebral-bodies-axial", "--data", "nowhere"], "--data"),
        (["prepare", "vertebral-bodies-axial", "--data", ".", "--set", "training.seed"], "KEY=VALUE"),
        (["evaluate", "--model", "x", "--data", "."], "--split"),
        (["package", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_end_with_a_sentence_and_code_2(arguments, part_of_message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert part_of_message in message and "Traceback" not in message
    assert not list(tmp_path.iterdir())


def test_without_data_folder_it_says_how_to_give_one(capsys, monkeypatch):
    monkeypatch.delenv("SPINE_DATA", raising=False)
    assert main(["prepare", "vertebral-bodies-axial"]) == 2
    assert "SPINE_DATA" in capsys.readouterr().err


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """The folder in which a user has trained, with data/ and runs/tiny."""
    folder = tmp_path_factory.mktemp("user")
    config = str(write_settings(folder / "tiny.yaml"))
    longer = ["--set", "training.steps_per_epoch=30", "--set", "training.crop=[64, 64]"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("SPINE_DATA", str(make_dataset(folder / "data")))
        assert main(["prepare", config]) == 0
        assert main(["train", config, *longer]) == 0
    return folder


@pytest.fixture
def user_folder(trained, monkeypatch) -> Path:
    """The same as the working folder."""
    monkeypatch.chdir(trained)
    monkeypatch.setenv("SPINE_DATA", str(trained / "data"))
    return trained


@pytest.mark.slow
def test_from_a_run_to_a_package_and_predictions(user_folder, capsys):
    assert main(["show-augmentations", "tiny.yaml", "-o", "samples.png"]) == 0
    assert Path("samples.png").stat().st_size > 10_000
    assert main(["package", "runs/tiny"]) == 0
    assert main(["evaluate", "tiny.yaml", "--split", "test", "--model", "models/tiny", "-o", "scores"]) == 0
    summary = json.loads(Path("scores/summary.json").read_text("utf-8"))
    assert summary["cases"] == ["d"] and summary["results"][0]["planes"] == "sagittal"
    assert main(["package", "runs/tiny", "--evaluation", "scores/summary.json"]) == 0
    assert main(["predict", "--run", "runs/tiny", "--split", "test", "-o", "predictions"]) == 0
    assert [path.name for path in Path("predictions").iterdir()] == ["d.nii.gz"]
    manifest = ModelPackage.open("models/tiny").manifest
    assert set(manifest.training.details["bfloat16"]) == {"largest_difference", "dice"}
    assert manifest.metrics["evaluation"][0]["dataset"] == DATASET
    assert manifest.training.details["training_cases"] == {DATASET: ["a", "b"]}
    assert str(user_folder) not in Path("models/tiny/manifest.json").read_text("utf-8")
    assert "Dice" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_is_evaluated_as_it_is_and_reported(user_folder):
    for split in ("test", "training"):
        assert main(["evaluate", "--run", "runs/tiny", "--split", split, "--whole-volume"]) == 0
    assert main(["report", "runs/tiny", "-o", "report.html"]) == 0
    with Path("report-tables/scores.csv").open(newline="", encoding="utf-8") as file:
        scores = {row["Cases of"]: row for row in csv.DictReader(file)}
    assert scores["training"]["n"] == "2" and float(scores["test"]["Dice"]) > 0.5
    html = Path("report.html").read_text("utf-8")
    assert html.count("<h3>Activation maps: sagittal</h3>") == 1 and "Loss and validation Dice" in html
    assert str(user_folder) not in html
