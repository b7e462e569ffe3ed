"""A set of models goes on learning from a folder of corrected cases, without a configuration."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_training import DATASET, make_case, make_dataset, write_case

from SegTraining.cli import main
from SegTraining.export.package import package
from SpineInference.models.catalog import open_set
from SpineInference.models.catalog_file import BUNDLED
from SpineInference.models.model_package import pack

FAST = ["--epochs", "1", "--threads", "1"]
FEW = [
    text
    for change in ("steps_per_epoch=2", "batch_size=2", "precision=32-true")
    for text in ("--set", f"training.{change}")
]


@pytest.fixture(scope="module")
def start(whole_run, tmp_path_factory) -> Path:
    """A set of one plane and the network for levels."""
    folder = tmp_path_factory.mktemp("start") / "start"
    package(whole_run, folder / "tiny")
    shutil.copytree(BUNDLED / "vertebral-levels-mr", folder / "vertebral-levels-mr")
    return folder


@pytest.fixture(scope="module")
def tuned(start, tmp_path_factory, capfd_said) -> Path:
    """The folder in which a set was tuned with four of five cases; what was said is in `said`."""
    folder = tmp_path_factory.mktemp("tuned")
    data = make_dataset(folder, ("a", "b", "c", "d", "e")) / DATASET
    arguments = ["--from", str(start), "--data", str(data), "--zip", str(folder / "set.zip"), "--name", "mine"]
    with capfd_said(folder / "said"):
        assert main(["finetune", *arguments, *places(folder), *FAST, *FEW]) == 0
    return folder


@pytest.fixture(scope="module")
def capfd_said():
    """Writes into a file what is printed."""
    from contextlib import contextmanager, redirect_stdout

    @contextmanager
    def said(path: Path):
        with path.open("w") as file, redirect_stdout(file):
            yield

    return said


def places(folder: Path) -> list[str]:
    return ["-o", str(folder / "set"), "--work", str(folder / "work"), "--cache", str(folder / "cache")]


def test_the_set_keeps_its_network_for_levels(tuned, start):
    models = open_set(tuned / "set")
    assert [one.manifest.name for one in models.packages] == ["mine-sagittal"]
    assert models.levels.manifest == open_set(start).levels.manifest
    assert [one.manifest.name for one in open_set(tuned / "set.zip").packages] == ["mine-sagittal"]


def test_the_inherited_split_is_blanked(tuned):
    details = open_set(tuned / "set").packages[0].manifest.training.details
    learned, aside = details["training_cases"][DATASET], details["test_cases"]
    assert len(learned) == 4 and len(aside) == 1 and not details["validation_cases"]
    assert sorted(learned + aside) == ["a", "b", "c", "d", "e"]


def test_the_gain_is_told(tuned):
    [case] = open_set(tuned / "set").packages[0].manifest.training.details["test_cases"]
    said = (tuned / "said").read_text().splitlines()
    table = said[said.index("Dice of cases that were not learned from:") :]
    assert table[2].startswith(case) and table[3].startswith("mean") and len(table[3].split()) == 4
    scores = [json.loads((tuned / "work" / name / "summary.json").read_text()) for name in ("before", "after")]
    assert [score["cases"] for score in scores] == [[case], [case]]


def test_the_card_says_what_it_learned(tuned):
    card = (tuned / "set" / "mine-sagittal" / "README.md").read_text()
    assert f"Fine-tuned with 4 cases of 4 patients ({DATASET})." in card
    assert "the training started from the model tiny" in card and "Before the fine-tuning, Dice on the same" in card


def test_cases_that_have_changed_are_not_passed_over(tuned, start, tmp_path, capsys):
    shutil.copytree(tuned, tmp_path / "again", copy_function=shutil.copy2)
    data = tmp_path / "again" / DATASET
    write_case(data, "a", *make_case(8))
    arguments = [
        "--from",
        str(start),
        "--data",
        str(data),
        "--name",
        "mine",
        "--work",
        str(tmp_path / "again" / "work"),
    ]
    assert main(["finetune", *arguments, "-o", str(tmp_path / "set"), *FAST, *FEW]) == 2
    assert "was made with other cases" in capsys.readouterr().err


def test_a_zip_learns_from_all_of_few_cases(start, tmp_path, capsys):
    data = make_dataset(tmp_path, ("a", "b")) / DATASET
    others = make_other_cases(tmp_path)
    pack(start, tmp_path / "start.zip")
    arguments = ["--from", str(tmp_path / "start.zip"), "--data", str(data), "--test", str(others), "--name", "mine"]
    assert main(["finetune", *arguments, *places(tmp_path), *FAST, *FEW]) == 0
    said = capsys.readouterr().out
    assert "too few to keep one aside" in said and "other " in said
    assert open_set(tmp_path / "set").packages[0].manifest.training.details["test_cases"] == []


def make_other_cases(folder: Path) -> Path:
    write_case(folder / "Dataset002_Others", "other", *make_case(9))
    return folder / "Dataset002_Others"


def test_what_cannot_be_used_is_refused_first(start, tmp_path, capsys):
    data = make_dataset(tmp_path / "data") / DATASET
    image, labels = make_case(7)
    unlabelled = tmp_path / "unlabelled"
    write_case(unlabelled, "bare", image, np.zeros_like(labels))
    (tmp_path / "there").mkdir()
    manifest = shutil.copytree(start, tmp_path / "turned") / "tiny" / "manifest.json"
    manifest.write_text(manifest.read_text("utf-8").replace('"LPI"', '"RPI"'), "utf-8")
    good = ["--from", str(start), "--data", str(data)]
    for arguments, sentence in (
        ([*good[:2], "--data", str(tmp_path)], "has no folder imagesTr"),
        ([*good[:2], "--data", str(unlabelled)], 'Nothing is labelled in the case "bare"'),
        (["--from", "no-such-model", *good[2:]], 'There is no model "no-such-model"'),
        (["--from", str(tmp_path / "turned"), *good[2:]], "made with orientation, which training does not know"),
        ([*good, "--planes", "axial"], "has no network for the axial plane"),
        ([*good, "--planes", "oblique"], '"oblique" is no plane'),
        ([*good, "--held-out", "z"], 'The case "z" is not in the folder'),
        ([*good, "--held-out", "a", "b", "c", "d"], "No case is left to learn from"),
        ([*good, "--test", str(data), "--held-out", "a"], "which is learned from"),
        ([*good, "--minutes", "0"], "--minutes must be more than 0"),
        ([*good, "-o", str(tmp_path / "there")], "is there already"),
    ):
        folders = [] if "-o" in arguments else ["-o", str(tmp_path / "set")]
        work = ["--work", str(tmp_path / "work"), "--cache", str(tmp_path / "cache")]
        assert main(["finetune", *arguments, *folders, *work]) == 2
        assert sentence in capsys.readouterr().err
    assert not (tmp_path / "work").exists()
