"""Every patient is scored by the fold that has not seen it, and the folds are one set."""

import csv
from pathlib import Path

import pytest
from tiny_training import DATASET, config, make_dataset

from SegTraining.cli import main
from SegTraining.experiments.task import run_task
from SegTraining.workflows.crossvalidate import CrossValidation, crossvalidate
from SpineInference.models.catalog import open_set

PATIENTS = {"datasets": [{"name": DATASET, "unlabelled_above": "ignore", "patient_pattern": "(.)"}]}


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    """A folder with two folds of three patients, one of whom has two scans."""
    folder = tmp_path_factory.mktemp("folds")
    make_dataset(folder, ("a", "a-again", "b", "c"))
    small = config(
        name="tiny-sagittal",
        network={"family": "fdn5", "arguments": {}},
        data=PATIENTS | {"split": {"validation": ["b"], "test": ["c"]}},
        training={"max_epochs": 1, "steps_per_epoch": 2},
    )
    wish = CrossValidation("tiny", [small], 2, folder, folder / "cache", folder / "out", folder / "set", threads=1)

    def here(tasks, on_outcome) -> None:
        for task in tasks:
            on_outcome(run_task(task))

    crossvalidate(wish, here)
    return folder


def rows_of(done: Path) -> list[dict]:
    with (done / "out" / "cases.csv").open() as file:
        return list(csv.DictReader(file))


def test_each_case_is_scored_once(done):
    rows = rows_of(done)
    assert sorted(row["case"] for row in rows) == ["a", "a-again", "b", "c"]
    assert all(row["sagittal"] for row in rows)


def test_no_fold_has_seen_whom_it_is_scored_on(done):
    folds = {one.manifest.name: one.manifest.training.details for one in open_set(done / "set").packages}
    assert list(folds) == ["tiny-sagittal-fold-0", "tiny-sagittal-fold-1"]
    for row in rows_of(done):
        details = folds[f"tiny-sagittal-fold-{row['fold']}"]
        assert row["case"] in details["test_cases"]
        assert not [case for case in details["training_cases"][DATASET] if case[0] == row["patient"]]


def test_the_scores_are_in_the_packages(done):
    for one in open_set(done / "set").packages:
        metrics = one.manifest.metrics
        assert metrics["evaluation_cases"] == one.manifest.training.details["test_cases"]


def test_too_many_folds_are_refused(tmp_path, capsys):
    make_dataset(tmp_path)
    from tiny_training import write_settings

    path = write_settings(tmp_path / "tiny.yaml")
    given = [str(path), "--data", str(tmp_path), "-o", str(tmp_path / "out"), "--models", str(tmp_path / "set")]
    for more, sentence in ((["--folds", "9"], "4 patients are too few for 9 folds"), (["--folds", "1"], "at least 2")):
        assert main(["crossvalidate", *given, *more]) == 2
        assert sentence in capsys.readouterr().err
    assert main(["crossvalidate", str(path), *given]) == 2
    assert "Two configurations are of the sagittal plane" in capsys.readouterr().err
