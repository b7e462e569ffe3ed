"""The spine phantom: reproducible, anatomically plausible, and a truth that fits the picture."""

import json
from functools import cache

import numpy as np
import pytest
import SimpleITK as sitk

from SegTraining.synthetic.spine.dataset import draw_close_recipe, write_dataset
from SegTraining.synthetic.spine.phantom import Phantom, make_phantom
from SpineInference.anatomy import LEVELS

COARSE = {"spacing": (2.0, 2.0, 2.0), "field_of_view": (200.0, 280.0, 80.0)}


@cache
def phantom(contrast: str, seed: int = 3) -> Phantom:
    return make_phantom(seed, contrast=contrast, **COARSE)


def array(image: sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(image)


def test_the_seed_decides_every_voxel():
    arguments = {"spacing": (2.0, 2.0, 4.0), "field_of_view": (100.0, 120.0, 40.0), "contrast": "T2"}
    first, second, other = (make_phantom(seed, **arguments) for seed in (5, 5, 6))
    assert np.array_equal(array(first.image), array(second.image))
    assert np.array_equal(array(first.bodies), array(second.bodies))
    assert not np.array_equal(array(first.image), array(other.image))


def test_it_is_stored_like_a_sagittal_scan():
    made = phantom("T2")
    assert made.image.GetSize() == (100, 140, 40)
    assert made.image.GetPixelID() == sitk.sitkInt16
    # Columns run to the back (+y), rows downwards (-z), slices to the right (-x).
    assert np.allclose(np.array(made.image.GetDirection()).reshape(3, 3).T, [[0, 1, 0], [0, 0, -1], [-1, 0, 0]])
    for truth in (made.bodies, made.discs, made.canal):
        assert truth.GetPixelID() == sitk.sitkUInt8
        assert truth.GetDirection() == made.image.GetDirection()
        assert truth.GetOrigin() == made.image.GetOrigin()


def test_bodies_are_in_order_and_of_plausible_size():
    bodies = phantom("T2").bodies
    labels = array(bodies)
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(bodies)
    found = sorted(shape.GetLabels())
    assert {LEVELS[name].label for name in ("T12", "L1", "L2", "L3", "L4", "L5", "S1")} <= set(found)
    heights = [shape.GetCentroid(label)[2] for label in found]
    assert heights == sorted(heights, reverse=True)
    for name in ("L1", "L2", "L3", "L4"):
        label = LEVELS[name].label
        assert 24_000 < shape.GetPhysicalSize(label) < 60_000
        pieces = sitk.ConnectedComponent(sitk.GetImageFromArray((labels == label).astype(np.uint8)), True)
        assert array(pieces).max() == 1


@pytest.mark.parametrize(("contrast", "fluid_to_body"), [("T2", (1.8, 9)), ("T1", (0.1, 0.8)), ("water", (1.5, 9))])
def test_contrast_of_canal_and_bodies(contrast: str, fluid_to_body: tuple[float, float]):
    made = phantom(contrast)
    image = array(made.image)
    ratio = image[array(made.canal) > 0].mean() / image[array(made.bodies) > 0].mean()
    assert fluid_to_body[0] < ratio < fluid_to_body[1]


def test_truth_ends_at_the_dark_cortex():
    made = make_phantom(4, contrast="T1", field_of_view=(60.0, 50.0, 60.0))
    body = made.bodies == LEVELS["L3"].label
    distance = array(
        sitk.SignedMaurerDistanceMap(body, insideIsPositive=True, squaredDistance=False, useImageSpacing=True)
    )
    image = array(made.image)
    inside, rim = image[distance > 4].mean(), image[np.abs(distance) < 0.8].mean()
    assert rim < 0.75 * inside


def test_structures_do_not_overlap():
    made = phantom("T2")
    assert (array(made.bodies > 0) + array(made.discs) + array(made.canal)).max() == 1


def test_an_oblique_scan_shows_the_same_anatomy_turned():
    arguments = {"spacing": (2.2, 2.2, 2.2), "field_of_view": (100.0, 150.0, 40.0), "contrast": "T2"}
    straight, turned = make_phantom(8, **arguments), make_phantom(8, oblique_degrees=25, **arguments)
    assert np.array_equal(array(straight.bodies), array(turned.bodies))
    a, b = (np.array(made.image.GetDirection()).reshape(3, 3) for made in (straight, turned))
    assert np.rad2deg(np.arccos((np.trace(a.T @ b) - 1) / 2)) == pytest.approx(25)
    assert np.linalg.det(b) == pytest.approx(1)


@pytest.mark.parametrize(
    ("region", "names"), [("cervical", ("C2", "C5", "T1")), ("thoracolumbar", ("T8", "T12", "L2"))]
)
def test_other_regions(region: str, names: tuple[str, ...]):
    made = make_phantom(2, (2.2, 2.2, 2.2), (120.0, 300.0, 40.0), region=region)
    assert {LEVELS[name].label for name in names} <= set(np.unique(array(made.bodies)))


def test_unknown_contrast_is_refused():
    with pytest.raises(ValueError, match="FLAIR"):
        make_phantom(1, contrast="FLAIR")


def test_close_cut_outs_show_necks_larger(tmp_path):
    recipes = [draw_close_recipe(seed) for seed in range(40)]
    assert all(len(set(recipe["spacing"])) == 1 for recipe, _ in recipes)
    assert all((larger > 1) == recipe["region"].startswith("cervic") for recipe, larger in recipes)
    write_dataset(tmp_path, 1, 0, "close", spacing=(2.0, 2.0, 2.0), field_of_view=(60.0, 60.0, 40.0))
    for part in ("imagesTr/phantom_00000_0000", "labelsTr/phantom_00000"):
        written = sitk.ReadImage(tmp_path / f"{part}.nii.gz")
        assert written.GetSpacing() == pytest.approx([2.0 * recipes[0][1]] * 3)


def test_dataset_in_nnunet_layout(tmp_path):
    write_dataset(tmp_path, 2, 40, spacing=(2.2, 2.2, 2.2), field_of_view=(100.0, 120.0, 40.0))
    assert json.loads((tmp_path / "dataset.json").read_text())["numTraining"] == 2
    names = sorted(path.name for path in (tmp_path / "labelsTr").iterdir())
    assert names == ["phantom_00040.nii.gz", "phantom_00041.nii.gz"]
    for name in names:
        scan = sitk.ReadImage(tmp_path / "imagesTr" / name.replace(".nii", "_0000.nii"))
        binary, levels = (array(sitk.ReadImage(tmp_path / part / name)) for part in ("labelsTr", "instancesTr"))
        assert scan.GetSize()[::-1] == binary.shape
        assert np.array_equal(binary > 0, levels > 0)
        assert set(np.unique(binary)) == {0, 1}
