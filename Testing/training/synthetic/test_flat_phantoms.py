"""Generated bone scans and radiographs: reproducible, their truth fits the picture, training takes them as they are."""

import csv
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import yaml
from scipy import ndimage
from tiny_training import settings

from SegTraining.cli import main
from SegTraining.config.config import Config, load_config
from SegTraining.data.datasets import split_cases
from SegTraining.data.prepare import prepare
from SegTraining.reporting.inspect import examine
from SegTraining.synthetic.planar import skeleton
from SegTraining.synthetic.planar.dataset import KINDS, write_flat_dataset
from SegTraining.synthetic.planar.radiograph import STRUCTURES, Radiograph, make_radiograph
from SegTraining.synthetic.planar.scintigraphy import BoneScan, make_scans
from SegTraining.synthetic.planar.solids import Film, ellipsoid, filled, tube
from SegTraining.training.train import train

RIGHT_LUNG, LEFT_LUNG, HEART = 1, 2, 3


@cache
def radiograph(seed: int = 3) -> Radiograph:
    return make_radiograph(seed, size=256, pixel_mm=1.4)


@cache
def scans(seed: int = 3) -> dict[str, BoneScan]:
    return make_scans(seed, rows=512, cols=128, pixel_mm=4.4)


def bone(name: str) -> int:
    return skeleton.STRUCTURES[name]


def middle(mask: np.ndarray) -> tuple[float, float]:
    return ndimage.center_of_mass(mask)


def test_ray_lengths_through_tube_and_ball():
    film = Film(200, 200, 0.5, top=50)
    across = film.sums(tube([(-40, 0, 0), (-10, 0, 0), (0, 0, 0), (40, 0, 0)], 10, 0.25))[0]
    assert across[100, 100] == pytest.approx(20, rel=0.03)
    assert across[112, 100] == pytest.approx(2 * np.sqrt(100 - 6.25**2), rel=0.05)
    # Along the rays it is a disc as thick as it is long.
    along = film.sums(tube([(0, -40, 0), (0, 0, 0), (0, 40, 0)], 10, 0.25))[0]
    assert along[100, 100] == pytest.approx(80, rel=0.03)
    ball = film.sums(ellipsoid((5, 0, 5), (20, 30, 10), 1.0))[0]
    assert ball.sum() * 0.25 == pytest.approx(4 / 3 * np.pi * 20 * 30 * 10, rel=0.03)
    assert np.allclose(middle(ball), (89.5, 109.5), atol=0.5)


def test_outline_is_filled_beyond_the_picture():
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    inside = filled(50 + 30 * np.cos(angle), 70 + 40 * np.sin(angle), (100, 100))
    rows, cols = np.indices(inside.shape)
    expected = ((rows - 50) / 30) ** 2 + ((cols - 70) / 40) ** 2 < 1
    assert (inside != expected).mean() < 0.005


def test_the_seed_decides_every_pixel():
    again, other = make_radiograph(3, 256, 1.4), make_radiograph(4, 256, 1.4)
    assert np.array_equal(again.image, radiograph().image) and np.array_equal(again.truth, radiograph().truth)
    assert not np.array_equal(other.truth, again.truth)
    repeated, stranger = make_scans(3, 512, 128, 4.4), make_scans(4, 512, 128, 4.4)
    for view, scan in scans().items():
        assert np.array_equal(repeated[view].image, scan.image) and np.array_equal(repeated[view].truth, scan.truth)
        assert not np.array_equal(stranger[view].truth, scan.truth)


@pytest.mark.parametrize("seed", range(5))
def test_lungs_are_dark_between_what_is_bright(seed):
    made = radiograph(seed)
    assert made.image.dtype == np.uint16 and np.ptp(made.image.astype(int)) > 40_000
    assert set(np.unique(made.truth)) == {0, *STRUCTURES.values()}
    lungs = np.isin(made.truth, (RIGHT_LUNG, LEFT_LUNG, 6, 7))
    image = made.image.astype(float)
    assert image[lungs].mean() < 0.75 * image[made.truth == HEART].mean()
    # Also right at their border, wherever one goes out of them.
    rim = lungs & ~ndimage.binary_erosion(lungs, iterations=5)
    around = ndimage.binary_dilation(lungs, iterations=5) & ~lungs
    assert image[rim].mean() < 0.93 * image[around].mean()
    assert ndimage.label(lungs)[1] == 2 and 25_000 < lungs.sum() * 1.4**2 < 60_000


def test_radiograph_is_seen_from_the_front():
    truth = radiograph().truth
    (_, right), (_, left), (_, heart) = (middle(truth == value) for value in (RIGHT_LUNG, LEFT_LUNG, HEART))
    assert right < heart < left and heart > 128
    assert (truth == RIGHT_LUNG).sum() > (truth == LEFT_LUNG).sum()
    for name in ("Right", "Left"):
        whole, over = (STRUCTURES[f"{name} clavicle{part}"] for part in ("", " over the lung"))
        own = truth == {"Right": RIGHT_LUNG, "Left": LEFT_LUNG}[name]
        assert middle(truth == over)[0] < middle(own)[0] and middle(truth == whole)[0] < middle(own)[0]
        assert ndimage.binary_dilation(own, iterations=2)[truth == over].any()


@pytest.mark.parametrize("seed", range(5))
def test_the_skeleton_is_hot(seed):
    for scan in scans(seed).values():
        assert scan.image.dtype == np.uint16
        assert set(np.unique(scan.truth)) == {0, *skeleton.STRUCTURES.values()}
        counts = scan.image.astype(float)
        near = ndimage.binary_dilation(scan.truth > 0, iterations=6)
        beside = near & ~ndimage.binary_dilation(scan.truth > 0, iterations=2)
        assert counts[scan.truth > 0].mean() > 2 * counts[beside].mean()
        assert counts[~ndimage.binary_dilation(near, iterations=25)].mean() < 0.5


def test_what_lies_near_the_camera_is_seen_best():
    front, back = scans()["anterior"], scans()["posterior"]

    def brightness(scan: BoneScan, name: str) -> float:
        return scan.image[scan.truth == bone(name)].mean()

    assert brightness(front, "Sternum") > 2 * brightness(front, "Thoracic spine")
    assert brightness(back, "Lumbar spine") > 1.2 * brightness(front, "Lumbar spine")
    assert brightness(back, "Left scapula") > brightness(front, "Left scapula")


def test_from_behind_left_is_left():
    for view, sign in (("anterior", 1), ("posterior", -1)):
        truth = scans()[view].truth
        for name in ("scapula", "femur", "ribs", "humerus"):
            left, right = (middle(truth == bone(f"{side} {name}"))[1] for side in ("Left", "Right"))
            assert sign * (left - right) > 10
        heights = [middle(truth == bone(name))[0] for name in ("Skull", "Thoracic spine", "Sacrum", "Left femur")]
        assert heights == sorted(heights)


COUNTS = {"scintigraphy": 8, "radiograph": 4}
"""Pictures: two of each patient, and one."""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for kind, count in COUNTS.items():
        assert main(["phantom", str(folder / kind), "--kind", kind, "--count", str(count), "--seed", "5"]) == 0
    return folder


def config(folder: Path, data_folder: Path, kind: str, **changes) -> Config:
    """What a user writes: the data set's own settings, and what is not said there."""
    own = {key: value for key, value in settings().items() if key not in ("plane", "model_info", "data", "input")}
    own["data"] = {"split": {"validation_fraction": 0.25, "test_fraction": 0.25}}
    for key, value in changes.items():
        own[key] = {**own.get(key, {}), **value}
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump({"base": str(data_folder / kind / "dataset.yaml"), **own}), "utf-8")
    return load_config(path)


@pytest.mark.parametrize(
    ("kind", "parts", "size"), [("scintigraphy", [4, 2, 2], (256, 1024)), ("radiograph", [2, 1, 1], (512, 512))]
)
def test_the_data_set_is_read_without_a_fault(kind, parts, size, data, tmp_path):
    settings = config(tmp_path, data, kind)
    facts, faults = examine(settings, data)
    assert faults == [] and len(facts) == COUNTS[kind]
    assert {fact.size[:2] for fact in facts} == {size} and facts[0].spacing[0] == KINDS[kind].pixel_mm
    assert len({fact.case.patient for fact in facts}) == 4
    found = split_cases(settings.data, data)
    assert [len(found[part]) for part in ("training", "validation", "test")] == parts


def test_a_larger_data_set_holds_the_smaller_one(data, tmp_path):
    write_flat_dataset(tmp_path / "some", "scintigraphy", 3, 5)
    names = sorted(path.name for path in (tmp_path / "some/images").iterdir())
    assert names == ["patient_00005_anterior.png", "patient_00005_posterior.png", "patient_00006_anterior.png"]
    for part in ("images", "masks"):
        for name in names:
            assert (tmp_path / "some" / part / name).read_bytes() == (data / "scintigraphy" / part / name).read_bytes()


def test_no_images_are_refused(tmp_path, capsys):
    assert main(["phantom", str(tmp_path / "none"), "--kind", "radiograph", "--count", "0"]) == 2
    assert "--count 1 or more" in capsys.readouterr().err and not (tmp_path / "none").exists()


@pytest.mark.parametrize(("kind", "says"), [("radiograph", "leave it out"), ("spine", "cervical")])
def test_a_region_that_does_not_exist_is_refused(tmp_path, capsys, kind, says):
    assert main(["phantom", str(tmp_path / "none"), "--kind", kind, "--region", "leg", "--count", "1"]) == 2
    assert says in capsys.readouterr().err and not (tmp_path / "none").exists()


def lungs_alone(data: Path) -> dict:
    """What makes the many labels of the radiographs a mask of the lungs."""
    dataset = yaml.safe_load((data / "radiograph/dataset.yaml").read_text())["data"]["datasets"][0]
    labels = [{"name": "Lungs", "code": "39607008", "meaning": "Lung", "values": [1, 2, 6, 7]}]
    return {"model_info": {"labels": labels}, "data": {"datasets": [{**dataset, "background_labels": [3, 4, 5]}]}}


def test_the_lungs_alone_can_be_had(data, tmp_path):
    cases = prepare(config(tmp_path, data, "radiograph", **lungs_alone(data)), data, tmp_path / "cache")["training"]
    for case in cases:
        truth = sitk.GetArrayFromImage(sitk.ReadImage(str(data / f"radiograph/masks/{case.record.name}.png")))
        assert np.array_equal(case.stack("sagittal")[1][0] == 1, np.isin(truth, (RIGHT_LUNG, LEFT_LUNG, 6, 7)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "spacing_mm", "side", "dice"), [("radiograph", 5.6, 64, 0.85), ("scintigraphy", 4.4, 128, 0.75)]
)
def test_a_network_learns_it(kind, spacing_mm, side, dice, data, tmp_path):
    own = config(
        tmp_path,
        data,
        kind,
        **(lungs_alone(data) if kind == "radiograph" else {"model_info": {"labels": [{"name": "Skeleton"}]}}),
        input={"spacing_mm": spacing_mm},
        network={"family": "poster-unet", "arguments": {"width": 4}},
        training={"max_epochs": 3, "steps_per_epoch": 20, "crop": [side, side]},
    )
    run = train(own, data, tmp_path / "cache", tmp_path / "run")
    epochs = list(csv.DictReader((run / "metrics.csv").open(encoding="utf-8")))
    assert float(epochs[-1]["loss"]) < 0.7 * float(epochs[0]["loss"])
    assert float(epochs[-1]["validation_dice"]) > dice
