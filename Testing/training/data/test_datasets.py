"""Data sets: found, divided by patient, prepared once, and never teaching what nobody labelled."""

import numpy as np
import pytest
import SimpleITK as sitk
from tiny_training import DATASET, as_image, make_case, make_dataset, settings, write_case

from SegTraining.config.config import Config
from SegTraining.config.data import Data, Dataset
from SegTraining.data.cache import CachedCase
from SegTraining.data.datasets import find_cases, split_cases
from SegTraining.data.prepare import prepare
from SegTraining.data.targets import IGNORE, training_target
from SpineInference.errors import SpineError


def data(split: dict, **dataset) -> Data:
    return Data.model_validate({"datasets": [{"name": DATASET, **dataset}], "split": split})


def names(parts: dict) -> dict[str, list[str]]:
    return {part: [case.name for case in cases] for part, cases in parts.items()}


def test_cases_are_found_and_split_by_the_lists(tmp_path):
    parts = split_cases(data({"validation": ["b"], "test": ["d"]}), make_dataset(tmp_path))
    assert names(parts) == {"training": ["a", "c"], "validation": ["b"], "test": ["d"]}


def test_weight_0_is_not_trained_on_but_validated(tmp_path):
    make_dataset(tmp_path)
    make_dataset(tmp_path, ("e",), dataset="Other")
    datasets = [{"name": DATASET, "sampling_weight": 0}, {"name": "Other"}]
    parts = split_cases(Data.model_validate({"datasets": datasets, "split": {"validation": ["b"]}}), tmp_path)
    assert names(parts) == {"training": ["e"], "validation": ["b"], "test": []}
    with pytest.raises(SpineError, match="some weight"):
        split_cases(data({"validation": ["b"]}, sampling_weight=0), tmp_path)


def test_instances_are_preferred_to_the_plain_mask(tmp_path):
    folder = make_dataset(tmp_path, ("a",))
    assert find_cases(Dataset(name=DATASET), folder)[0].labels_are_instances
    (folder / DATASET / "instancesTr" / "a.nii.gz").unlink()
    assert not find_cases(Dataset(name=DATASET), folder)[0].labels_are_instances


def test_a_patient_in_two_parts_is_leakage(tmp_path):
    folder = make_dataset(tmp_path, ("p1_before", "p1_after", "p2_before"))
    with pytest.raises(SpineError, match='patient "p1"'):
        split_cases(data({"validation": ["p1_after"]}, patient_pattern=r"^(p\d+)_"), folder)


def test_folds_keep_patients_whole_and_cover_all(tmp_path):
    folder = make_dataset(tmp_path, tuple(f"p{i}_{when}" for i in range(6) for when in ("x", "y")))
    seen: list[str] = []
    for fold in range(3):
        split = {"folds": 3, "fold": fold, "test": ["p0_x", "p0_y"]}
        parts = split_cases(data(split, patient_pattern=r"^(p\d+)_"), folder)
        validation = {case.patient for case in parts["validation"]}
        assert validation.isdisjoint(case.patient for case in parts["training"])
        seen += sorted(validation)
    assert sorted(seen) == ["p1", "p2", "p3", "p4", "p5"]


def test_fractions_are_of_whole_patients(tmp_path):
    folder = make_dataset(tmp_path, tuple(f"p{i}_{when}" for i in range(10) for when in ("x", "y")))
    split = {"validation_fraction": 0.25, "test_fraction": 0.2, "seed": 3}
    parts = split_cases(data(split, patient_pattern=r"^(p\d+)_"), folder)
    assert {part: len(cases) for part, cases in parts.items()} == {"training": 12, "validation": 4, "test": 4}
    assert names(parts) == names(split_cases(data(split, patient_pattern=r"^(p\d+)_"), folder))
    assert names(parts) != names(split_cases(data({**split, "seed": 4}, patient_pattern=r"^(p\d+)_"), folder))


def test_fewer_training_cases_are_some_of_the_more(tmp_path):
    folder = make_dataset(tmp_path, tuple("abcdefgh"))
    chosen = [
        {case.name for case in split_cases(data({"validation": ["a"], "training_cases": n}), folder)["training"]}
        for n in (2, 5, 7)
    ]
    assert [len(some) for some in chosen] == [2, 5, 7] and chosen[0] < chosen[1] < chosen[2]


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"validation": ["z"]}, '"z"'),
        ({"validation": ["a"], "test": ["a"]}, "for validation and for test"),
        ({"test": ["a", "b", "c", "d"]}, "no case for training"),
        ({"folds": 5}, "4 patients are too few for 5 folds"),
        ({"folds": 4, "test": ["a"]}, "3 patients are too few for 4 folds"),
        ({"validation_fraction": 0.1}, "0.1 of the patients is none"),
        ({"validation": ["a"], "training_cases": 4}, "only 3 cases"),
    ],
)
def test_impossible_splits_are_told(tmp_path, split, message):
    with pytest.raises(SpineError, match=message):
        split_cases(data(split), make_dataset(tmp_path))


def test_missing_data_is_told(tmp_path):
    with pytest.raises(SpineError, match="--data"):
        find_cases(Dataset(name="Dataset999_Nothing"), tmp_path)
    folder = make_dataset(tmp_path, ("a",))
    for part in ("labelsTr", "instancesTr"):
        (folder / DATASET / part / "a.nii.gz").unlink()
    with pytest.raises(SpineError, match="no label map"):
        find_cases(Dataset(name=DATASET), folder)


@pytest.mark.parametrize("change", ["size", "origin", "spacing", "flip"])
def test_labels_on_another_grid_are_refused(tmp_path, change):
    folder = make_dataset(tmp_path, ("a",))
    path = str(folder / DATASET / "instancesTr" / "a.nii.gz")
    labels = sitk.ReadImage(path)
    if change == "size":
        labels = labels[1:]
    elif change == "origin":
        labels.SetOrigin((0.0, 5.0, 0.0))
    elif change == "spacing":
        labels.SetSpacing((1.0, 1.0, 1.2))
    else:
        labels = sitk.Flip(labels, (False, True, False))
    sitk.WriteImage(labels, path)
    with pytest.raises(SpineError, match="same grid"):
        find_cases(Dataset(name=DATASET), folder)[0].read()


def test_above_the_topmost_body_is_ignored_with_tilt():
    labels = np.zeros((60, 40, 40), np.uint8)
    for column in range(10, 30):
        labels[20 + column // 4 : 35 + column // 4, column, 10:30] = 18
    dataset = Dataset(name="x", unlabelled_above="ignore")
    target = training_target(labels, (1.0, 1.0, 1.0), dataset)
    highest = 20 + 10 // 4
    assert (target[:highest] == IGNORE).all()
    for column in (10, 20, 29):
        surface = 20 + column // 4
        assert (target[:surface, column, 15] == IGNORE).all()
        assert (target[surface:, column, 15] != IGNORE).all()
    assert ((target == 1) == (labels > 0)).all()


def test_below_the_lowest_body_is_ignored():
    labels = np.zeros((100, 8, 8), np.uint8)
    labels[20:30, 2:6, 2:6] = 24
    target = training_target(labels, (2.0, 1.0, 1.0), Dataset(name="x", ignore_below_mm=35))
    assert (target[:20] == 0).all()
    assert (target[30:48] == IGNORE).all()
    assert (target[48:] == 0).all()


def test_ignored_labels_are_neither_target_nor_rest():
    labels = np.zeros((20, 8, 8), np.uint8)
    labels[4:8], labels[12:16] = 24, 26
    target = training_target(labels, (1.0, 1.0, 1.0), Dataset(name="x", ignore_labels=(26,)))
    assert (target[4:8] == 1).all() and (target[12:16] == IGNORE).all() and (target[16:] == 0).all()


def test_body_is_what_lies_in_front_of_the_canal():
    labels = np.zeros((60, 60, 9), np.uint8)
    labels[10:30, 10:50] = 1  # a body and behind it, from 35 on, its spinous process ...
    labels[5:28, 30:35] = 3  # ... between them the canal, which was not drawn in the lowest two rows
    dataset = Dataset(name="x", body_in_front_of=3)
    target = training_target(labels, (1.0, 1.0, 1.0), dataset)
    assert (target[10:28, 10:30] == 1).all() and not (target[:, 30:] == 1).any()
    assert not target[10:28, 30:].any()
    assert (target[29, 10:28] == 1).all() and (target[29, 28:30] == IGNORE).all() and not target[29, 30:].any()
    # Far below the last of the canal nobody knows where a body ends.
    labels[45:55, 10:50] = 1
    assert (training_target(labels, (1.0, 1.0, 1.0), dataset)[45:55, 10:50] == IGNORE).all()


def prepared(folder, cache, **changes) -> dict[str, list[CachedCase]]:
    return prepare(Config.model_validate(settings(**changes)), folder, cache)


def test_canal_is_not_looked_for_among_the_instances(tmp_path):
    """The value of the canal in the label map of classes is that of a vertebra among the instances."""
    images = {name: make_case(number)[0] for number, name in enumerate("ab")}
    folder = tmp_path / DATASET
    instances = np.zeros(images["a"].shape, np.uint8)
    instances[4:20, 4:30, 4:12], instances[24:36, 4:30, 4:12] = 3, 4
    classes = (instances > 0).astype(np.uint8)
    classes[:, 20:24] = 3  # the canal
    instances[:, 20:24] = 0
    for part in ("imagesTr", "instancesTr", "labelsTr"):
        (folder / part).mkdir(parents=True)
    for name, image in images.items():
        sitk.WriteImage(as_image(image), folder / "imagesTr" / f"{name}_0000.nii.gz")
        sitk.WriteImage(as_image(instances), folder / "instancesTr" / f"{name}.nii.gz")
        sitk.WriteImage(as_image(classes), folder / "labelsTr" / f"{name}.nii.gz")
    data = {"datasets": [{"name": DATASET, "body_in_front_of": 3}], "split": {"validation": ["b"]}}
    (case,) = prepared(tmp_path, tmp_path / "cache", data=data)["training"]
    target = case.target[:]
    assert (target[4:20, 4:20, 4:12] == 1).all() and (target[24:36, 4:20, 4:12] == 1).all()
    assert not (target[:, 20:] == 1).any()


def test_prepared_cases_are_canonical_and_normalised(tmp_path):
    image, labels = make_case(0)
    folder = make_dataset(tmp_path / "data")
    for orientation, name in (("RAS", "e"), ("PIR", "f")):
        for part, array, file in (("imagesTr", image, f"{name}_0000"), ("instancesTr", labels, name)):
            path = folder / DATASET / part / f"{file}.nii.gz"
            sitk.WriteImage(as_image(array, orientation), str(path))
    cases = {case.record.name: case for case in prepared(folder, tmp_path / "cache")["training"]}
    assert (cases["a"].target[:] == cases["e"].target[:]).all() and (cases["a"].target[:] == cases["f"].target[:]).all()
    assert (cases["a"].image[:] == cases["e"].image[:]).all()
    assert ((cases["a"].target[:] == 1) == (labels > 0)).all()
    assert cases["a"].image.dtype == np.float16 and abs(float(cases["a"].image[labels > 0].mean())) < 3
    stack, _ = cases["a"].stack("coronal")
    assert stack.shape == (40, 64, 36)
    assert cases["a"].record.class_pixels["axial"][0][25] == 16 * 16


def test_cache_is_reused_until_something_changes(tmp_path):
    folder, cache = make_dataset(tmp_path / "data"), tmp_path / "cache"

    def written() -> dict[str, int]:
        return {case.record.name: (case.folder / "image.npy").stat().st_mtime_ns for case in opened["training"]}

    opened = prepared(folder, cache)
    first = written()
    opened = prepared(folder, cache, plane="axial")
    assert written() == first
    image, labels = make_case(9)
    write_case(folder / DATASET, "a", image, labels)
    opened = prepared(folder, cache)
    assert written()["a"] != first["a"] and written()["b"] == first["b"]
    opened = prepared(folder, cache, input={"intensity": {"rule": "percentile_minmax", "low": 1, "high": 99}})
    assert opened["training"][0].image.min() >= 0 and opened["training"][0].image.max() <= 1


def test_a_case_without_labels_cannot_be_trained_on(tmp_path):
    folder = make_dataset(tmp_path / "data")
    image, labels = make_case(0)
    write_case(folder / DATASET, "a", image, labels * 0)
    with pytest.raises(SpineError, match='"a" has no labelled voxel'):
        prepared(folder, tmp_path / "cache")
