"""Data sets in every layout, with one class or several, become the same kind of prepared cases."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from tiny_training import as_image, make_case, settings

from SegTraining.config.config import Config
from SegTraining.config.data import Dataset
from SegTraining.data.cache import CachedCase
from SegTraining.data.datasets import find_cases
from SegTraining.data.prepare import prepare
from SpineInference.errors import SpineError

TWO = [
    {"name": "Lung", "code": "39607008", "meaning": "Lung", "values": [1]},
    {"name": "Heart", "code": "80891009", "meaning": "Heart", "values": [2, 3]},
]


def config(dataset: dict, labels: list[dict] | None = None, **changes) -> Config:
    content = settings(data={"datasets": [{"name": "set", **dataset}], "split": {}}, **changes)
    if labels is not None:
        content["model_info"] = {**content["model_info"], "labels": labels}
    return Config.model_validate(content)


def prepared(folder: Path, *arguments, **changes) -> dict[str, CachedCase]:
    cases = prepare(config(*arguments, **changes), folder, folder / "cache")["training"]
    return {case.record.name: case for case in cases}


def write(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(as_image(array), str(path))


def picture(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))


def radiograph(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A 16 bit image [rows, cols] with two bright fields, and its mask: 1 and 2."""
    image = np.random.default_rng(seed).normal(20000, 500, (64, 48))
    mask = np.zeros(image.shape, np.uint8)
    mask[20:40, 5:20], mask[30:50, 25:40] = 1, 2
    image[mask > 0] += 20000
    return image.astype(np.uint16), mask


def test_msd_with_two_images_of_one_name(tmp_path):
    folder = tmp_path / "data" / "A"
    folder.mkdir(parents=True)
    pairs = [{"image": f"imagesTr/a{suffix}", "label": "labelsTr/a.nii.gz"} for suffix in (".nii.gz", ".nii")]
    (folder / "dataset.json").write_text(json.dumps({"training": pairs}))
    with pytest.raises(SpineError, match='two images for the case "a"'):
        find_cases(Dataset(name="A", layout="msd"), tmp_path / "data")


def test_msd_takes_the_pairs_of_its_description(tmp_path):
    image, labels = make_case(0)
    write(tmp_path / "set/imagesTr/spine_1.nii.gz", image)
    write(tmp_path / "set/labelsTr/spine_1.nii.gz", labels)
    write(tmp_path / "set/imagesTr/not_listed.nii.gz", image)
    pair = {"image": "./imagesTr/spine_1.nii.gz", "label": "./labelsTr/spine_1.nii.gz"}
    (tmp_path / "set/dataset.json").write_text(json.dumps({"training": [pair]}), "utf-8")
    cases = prepared(tmp_path, {"layout": "msd"})
    assert list(cases) == ["spine_1"] and ((cases["spine_1"].target[:] == 1) == (labels > 0)).all()
    (tmp_path / "set/labelsTr/spine_1.nii.gz").unlink()
    with pytest.raises(SpineError, match=r"labelsTr.*does not exist"):
        prepared(tmp_path, {"layout": "msd"})


def test_patterns_find_pairs_by_the_name_of_the_case(tmp_path):
    image, labels = make_case(0)
    for name in ("p1", "p[2]"):
        write(tmp_path / f"set/{name}/t2_512.nrrd", image)
        write(tmp_path / f"set/{name}/mask.nrrd", labels)
    dataset = {"layout": "pairs", "images": "{case}/t2*.nrrd", "masks": "{case}/mask.nrrd"}
    found = find_cases(Dataset(name="set", **dataset), tmp_path)
    assert [(case.name, case.labels.parent.name) for case in found] == [("p1", "p1"), ("p[2]", "p[2]")]
    assert [case.name for case in find_cases(Dataset(name="set", exclude=["p1"], **dataset), tmp_path)] == ["p[2]"]
    with pytest.raises(SpineError, match='no case "p3"'):
        find_cases(Dataset(name="set", exclude=["p3"], **dataset), tmp_path)
    write(tmp_path / "set/p1/t2_256.nrrd", image)
    with pytest.raises(SpineError, match="make it more exact"):
        find_cases(Dataset(name="set", **dataset), tmp_path)


def test_a_case_needs_exactly_one_mask(tmp_path):
    image, mask = radiograph()
    picture(tmp_path / "set/images/a.png", image)
    dataset = Dataset(name="set", layout="images2d")
    with pytest.raises(SpineError, match="has no label maps"):
        find_cases(dataset, tmp_path)
    picture(tmp_path / "set/masks/a.png", mask)
    picture(tmp_path / "set/masks/a.tif", mask)
    with pytest.raises(SpineError, match="has 2 label maps"):
        find_cases(dataset, tmp_path)


@pytest.mark.parametrize(("suffix", "depth"), [("png", np.uint8), ("png", np.uint16), ("tif", np.uint16)])
def test_picture_is_a_volume_of_one_slice(tmp_path, suffix, depth):
    image, mask = radiograph()
    picture(tmp_path / f"set/images/a.{suffix}", (image >> 8 if depth == np.uint8 else image).astype(depth))
    picture(tmp_path / "set/masks/a.png", mask)
    case = prepared(tmp_path, {"layout": "images2d"}, TWO)["a"]
    stack, target = case.stack("sagittal")
    assert stack.shape == (1, *mask.shape) and (target[0] == mask).all()
    assert stack[0][mask > 0].min() > stack[0][mask == 0].max()
    assert case.record.class_pixels["sagittal"] == [[300], [300]]


def test_given_pixel_size_is_resampled_to_the_input(tmp_path):
    image, mask = radiograph()
    picture(tmp_path / "set/images/a.png", image)
    picture(tmp_path / "set/masks/a.png", mask)
    case = prepared(tmp_path, {"layout": "images2d", "spacing_mm": 0.25}, TWO, input={"spacing_mm": 0.5})["a"]
    assert case.record.shape == [32, 24, 1] and case.record.spacing_mm[:2] == [0.5, 0.5]


def test_mask_takes_the_place_of_its_radiograph(tmp_path):
    image, mask = radiograph()
    (tmp_path / "set/images").mkdir(parents=True)
    volume = sitk.GetImageFromArray(image[None])
    volume.SetSpacing((0.5, 0.5, 1.0))
    volume.SetMetaData("0008|0060", "DX")
    sitk.WriteImage(volume, str(tmp_path / "set/images/a.dcm"))
    picture(tmp_path / "set/masks/a.png", mask)
    case = prepared(tmp_path, {"layout": "images2d"}, TWO, input={"spacing_mm": 0.5})["a"]
    stack, target = case.stack("sagittal")
    assert len(stack) == 1 and (target[0] == mask).all()


def test_coloured_picture_or_other_plane_is_refused(tmp_path):
    image, mask = radiograph()
    picture(tmp_path / "set/images/a.png", image)
    picture(tmp_path / "set/masks/a.png", mask)
    with pytest.raises(SpineError, match='set "plane: sagittal"'):
        prepared(tmp_path, {"layout": "images2d"}, TWO, plane="axial")
    colours = sitk.GetImageFromArray(np.stack([image, image // 2, image], -1), isVector=True)
    sitk.WriteImage(colours, str(tmp_path / "set/images/a.png"))
    with pytest.raises(SpineError, match="in colour"):
        prepared(tmp_path, {"layout": "images2d"}, TWO)


def test_a_mask_of_another_size_is_refused(tmp_path):
    image, mask = radiograph()
    picture(tmp_path / "set/images/a.png", image)
    picture(tmp_path / "set/masks/a.png", mask[1:])
    with pytest.raises(SpineError, match="same grid"):
        prepared(tmp_path, {"layout": "images2d"}, TWO)


def test_value_of_no_label_is_refused(tmp_path):
    image, mask = radiograph()
    mask[0, :4] = [3, 4, 4, 5]
    picture(tmp_path / "set/images/a.png", image)
    picture(tmp_path / "set/masks/a.png", mask)
    with pytest.raises(SpineError, match=r'"a".*value 4 .*ignore_labels'):
        prepared(tmp_path, {"layout": "images2d"}, TWO)
    spoken_of = {"layout": "images2d", "ignore_labels": [4], "background_labels": [5]}
    target = prepared(tmp_path, spoken_of, TWO)["a"].stack("sagittal")[1][0]
    assert target[0, :5].tolist() == [2, 255, 255, 0, 0]


def test_label_values_of_a_data_set(tmp_path):
    image, mask = radiograph()
    picture(tmp_path / "set/images/a.png", image)
    picture(tmp_path / "set/masks/a.png", np.array([0, 7, 1], np.uint8)[mask])
    other = {"layout": "images2d", "label_values": {"Lung": [7], "Heart": [1]}}
    assert np.array_equal(prepared(tmp_path, other, TWO)["a"].stack("sagittal")[1][0], mask)
    with pytest.raises(SpineError, match=r"value 7 .* stands for no class"):
        prepared(tmp_path, {"layout": "images2d"}, TWO)


@pytest.mark.parametrize(
    ("label_values", "message"),
    [
        ({"Lungs": [1]}, 'name "Lungs", which is no label of model_info: perhaps Lung'),
        ({"Lung": [2]}, "differ from each other"),
        ({"Lung": [0]}, "greater than 0"),
        ({"Lung": 1}, "valid tuple"),
    ],
)
def test_values_of_labels_that_cannot_be_meant(label_values, message):
    with pytest.raises(ValueError, match=message):
        config({"layout": "images2d", "label_values": label_values}, TWO)


def test_same_image_in_two_parts_is_leakage(tmp_path):
    image, mask = radiograph()
    for name in ("a", "b", "c"):
        picture(tmp_path / f"set/images/{name}.png", radiograph(1)[0] if name == "c" else image)
        picture(tmp_path / f"set/masks/{name}.png", mask)
    content = config({"layout": "images2d"}, TWO).model_dump(mode="json")
    content["data"]["split"] = {"validation": ["b"]}
    with pytest.raises(SpineError, match=r'"a".*"b".*same image'):
        prepare(Config.model_validate(content), tmp_path, tmp_path / "cache")
    content["data"]["split"] = {"validation": ["c"]}
    prepare(Config.model_validate(content), tmp_path, tmp_path / "cache")


def test_thesis_normalisation_is_min_max(tmp_path):
    image, labels = make_case(0)
    write(tmp_path / "set/imagesTr/a_0000.nii.gz", image)
    write(tmp_path / "set/labelsTr/a.nii.gz", labels)
    found = [
        prepared(tmp_path, {}, input={"intensity": {"rule": rule}})["a"].image[:].astype(float)
        for rule in ("thesis", "minmax")
    ]
    expected = (image - image.min()) / (int(image.max()) - int(image.min()))
    assert all(np.allclose(array, expected, atol=1e-3) for array in found)
