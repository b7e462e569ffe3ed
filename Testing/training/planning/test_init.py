"""Configurations that are derived from a folder of scans and masks."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import yaml
from tiny_training import DATASET, as_image, make_case, make_dataset

from SegTraining.cli import main
from SegTraining.config.config import Config, load_config
from SegTraining.data.datasets import split_cases
from SegTraining.planning.folders import understand
from SpineInference.errors import SpineError

NAMES = ("a", "b", "c", "d", "e", "f")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Six cases with pixels of 1 mm, in slices of 4 mm from left to right."""
    folder = tmp_path_factory.mktemp("data")
    make_dataset(folder, NAMES)
    for path in (folder / DATASET).rglob("*.nii.gz"):
        image = sitk.ReadImage(str(path))
        image.SetSpacing((4.0, 1.0, 1.0))
        sitk.WriteImage(image, str(path))
    return folder


@pytest.fixture(scope="module")
def written(data, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    assert main(["init", str(data / DATASET), "-o", str(folder), "--name", "mine", "--memory", "8"]) == 0
    return folder


def of(written: Path, plane: str = "sagittal") -> Config:
    return load_config(written / f"mine-{plane}.yaml")


def test_blurred_planes_get_no_network(written):
    assert [path.name for path in written.iterdir()] == ["mine-sagittal.yaml"]


def test_the_values_follow_from_the_data(written, data):
    config = of(written)
    assert config.input.spacing_mm == 1.0 and config.training.crop == (64, 64)
    assert config.augmentation.thick_slices.high == 5
    parts = split_cases(config.data, data)
    assert {part: len(cases) for part, cases in parts.items()} == {"training": 4, "validation": 1, "test": 1}


def test_every_value_says_why(written):
    lines = (written / "mine-sagittal.yaml").read_text().splitlines()
    settings = [number for number, line in enumerate(lines) if line.strip() and not line.strip().startswith(("#", "-"))]
    bare = [lines[number] for number in settings if lines[number][-1] != ":" and "#" not in lines[number - 1]]
    assert not bare


def test_what_is_written_can_be_trained(data, written, tmp_path):
    short = ["--set", "training.max_epochs=1", "--set", "training.steps_per_epoch=2", "--set", "training.threads=1"]
    folders = ["--data", str(data), "--cache", str(tmp_path / "cache"), "-o", str(tmp_path / "run")]
    assert main(["train", str(written / "mine-sagittal.yaml"), *folders, *short]) == 0


def test_planes_can_be_asked_for(data, tmp_path):
    wish = ["init", str(data / DATASET), "-o", str(tmp_path), "--planes", "axial,coronal"]
    assert main(wish) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blocks-axial.yaml", "blocks-coronal.yaml"]


def test_classes_come_with_codes_and_colours(data, tmp_path):
    shutil.copytree(data / DATASET, tmp_path / "d")
    labels = {"background": 0, "L1": 1, "L2": 2, "discs": 3, "thing": 4}
    (tmp_path / "d" / "dataset.json").write_text(json.dumps({"labels": labels}))
    body, disc, thing = understand(tmp_path / "d").labels
    assert (body.name, body.code, body.values) == ("Vertebra", "51282000", (1, 2))
    assert (disc.code, disc.values, thing.code) == ("360499006", (3,), "91723000")
    assert len({label.colour for label in (body, disc, thing)}) == 3


def arrange(folder: Path, kind: str) -> Path:
    image, labels = make_case(1)
    for name in ("a", "b"):
        places = {
            "two folders": (f"images/{name}.nii.gz", f"masks/{name}.nii.gz"),
            "case folders": (f"{name}/t2.nrrd", f"{name}/mask.nrrd"),
        }[kind]
        for place, array in zip(places, (image, (labels > 0).astype(np.uint8)), strict=True):
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            sitk.WriteImage(as_image(array), str(folder / place))
    return folder


@pytest.mark.parametrize("kind", ["two folders", "case folders"])
def test_other_layouts_are_understood(tmp_path, kind):
    from SegTraining.data.datasets import find_cases

    found = understand(arrange(tmp_path / "d", kind))
    assert [case.name for case in find_cases(found.dataset, tmp_path)] == ["a", "b"]
    assert found.labels[0].name == "Vertebral body"


def test_bad_folders_are_refused(tmp_path, data):
    (tmp_path / "empty").mkdir()
    several = arrange(tmp_path / "several", "two folders")
    for path in (several / "masks").iterdir():
        labels = sitk.ReadImage(str(path))
        labels[0, 0, 0] = 7
        sitk.WriteImage(labels, str(path))
    for folder, sentence in (
        (tmp_path / "nowhere", "There is no folder"),
        (tmp_path / "empty", "is not understood"),
        (several, "Nobody says what the values 1, 7"),
    ):
        with pytest.raises(SpineError, match=sentence):
            understand(folder)
    assert main(["init", str(tmp_path / "empty")]) == 2


def test_nothing_is_overwritten(data, written, capsys):
    before = (written / "mine-sagittal.yaml").read_text()
    assert main(["init", str(data / DATASET), "-o", str(written), "--name", "mine"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (written / "mine-sagittal.yaml").read_text() == before
    assert yaml.safe_load(before)["name"] == "mine-sagittal"
