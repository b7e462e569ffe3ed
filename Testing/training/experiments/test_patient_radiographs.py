"""The experiments on radiographs of patients: who is in which part, and that they run to their reports."""

import csv
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import yaml

from SegTraining.cli import main
from SegTraining.config.config import Config, load_config
from SegTraining.config.experiment import expand, load_experiment
from SegTraining.data.datasets import split_cases
from SegTraining.synthetic.planar.radiograph import make_radiograph

EXPERIMENTS = ("xray-segnet-patients", "xray-robustness-patients")
DATASET = "Dataset520_ChestXray"
SIZES = (5, 10, 15, 20, 25, 45)
SIDE, PIXEL_MM = 64, 5.6


def runs(preset: str) -> dict[str, Config]:
    return {run.name: run.config for run in expand(load_experiment(preset), Path("prerequisites"))}


def test_all_runs_are_asked_about_the_same_patients():
    common = load_config("xray-lungs")
    for config in (config for preset in EXPERIMENTS for config in runs(preset).values()):
        split = config.data.split.model_copy(update={"training_cases": None})
        assert config.data.datasets == common.data.datasets and split == common.data.split
        assert config.model_info == common.model_info and config.input == common.input
        assert config.differences


def test_the_runs_differ_as_their_names_say():
    found = runs("xray-robustness-patients")
    assert list(found) == ["baseline", "noise-both", "noise-validation", *(f"size-{n}" for n in SIZES), "augmented"]
    assert [found[f"size-{n}"].data.split.training_cases for n in SIZES] == list(SIZES)
    for name, config in found.items():
        taught = config.augmentation.model_dump(exclude_none=True)
        assert len(taught) == {"noise-both": 1, "augmented": len(taught)}.get(name, 0)
        assert (config.validation.noisy_copies is not None) == name.startswith("noise")
    networks = [(config.network.family, config.optimiser.name) for config in runs("xray-segnet-patients").values()]
    assert networks == [("segnet", "sgd"), ("segnet", "adamw")]


def test_absent_radiographs_are_told_in_a_sentence(tmp_path, capsys):
    assert main(["train", "xray-lungs", "--data", str(tmp_path), "-o", str(tmp_path / "run")]) == 2
    told = capsys.readouterr().err.strip()
    assert DATASET in told and "--data" in told and told.count("\n") == 0 and not (tmp_path / "run").exists()


@pytest.mark.data
def test_no_patient_is_on_two_sides(spine_data):
    folder = spine_data / DATASET
    if not folder.is_dir():
        pytest.skip(f"{DATASET} is not in {spine_data}")
    with (folder / "cases.csv").open(newline="", encoding="utf-8") as file:
        patient_of = {row["case"]: row["patient"] for row in csv.DictReader(file)}
    smaller: set[str] = set()
    for name, config in runs("xray-robustness-patients").items():
        parts = split_cases(config.data, spine_data)
        patients = [{patient_of[case.name] for case in cases} for cases in parts.values()]
        assert not any(one & other for one in patients for other in patients if one is not other)
        assert [len(each) for each in patients[1:]] == [6, 12]
        if name.startswith("size-"):
            assert smaller < (smaller := {case.name for case in parts["training"]})
    assert [len(parts[part]) for part in ("training", "validation", "test")] == [51, 11, 21]


@pytest.fixture(scope="module")
def generated(tmp_path_factory) -> Path:
    """Data with two generated radiographs of each of eight patients, laid out as those of the patients are."""
    data = tmp_path_factory.mktemp("data")
    for part in ("imagesTr", "labelsTr"):
        (data / DATASET / part).mkdir(parents=True)
    for number in range(16):
        made, name = make_radiograph(number, 4 * SIDE, PIXEL_MM / 4), f"p{number // 2}_{number:03d}"
        image, lungs = (made.image >> 8).astype(np.uint8), np.isin(made.truth, (1, 2, 6, 7)).astype(np.uint8)
        for file, array in ((f"imagesTr/{name}_0000.png", image), (f"labelsTr/{name}.png", lungs)):
            sitk.WriteImage(sitk.GetImageFromArray(array[::4, ::4].copy()), str(data / DATASET / file))
    return data


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "only", "table"),
    [
        ("xray-segnet-patients", ("segnet",), "xray"),
        ("xray-robustness-patients", ("noise-both", "size-5"), "robustness"),
    ],
)
def test_they_run_to_their_report(preset, only, table, generated, tmp_path):
    (dataset,) = load_config("xray-lungs").data.model_dump(mode="json")["datasets"]
    smaller = {
        "data": {"datasets": [{**dataset, "spacing_mm": PIXEL_MM}]},
        "input": {"spacing_mm": PIXEL_MM},
        "network": {"arguments": {"width": 4}},
        "training": {"crop": [SIDE, SIDE], "steps_per_epoch": 2, "max_epochs": 1},
    }
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump({"base": preset, "name": "own", "configuration": smaller}), "utf-8")
    output = tmp_path / "out"
    folders = ["--data", str(generated), "--cache", str(tmp_path / "cache"), "-o", str(output)]
    assert main(["experiment", str(own), *folders, "--only", *only]) == 0
    assert (output / "report.html").stat().st_size > 10_000
    with (output / "report-tables" / f"{table}.csv").open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(only)
