"""The cord inside the canal: found by a network of its own, beside those that know bodies, discs and canal."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage
from small_packages import brightness_model, contents, fields, write_package

from SpineInference.engines.engine_cache import EngineCache
from SpineInference.models.catalog import ModelSet, open_set
from SpineInference.options import SegmentationOptions
from SpineInference.pipeline import segment
from SpineInference.prediction.fusion import Fusion
from SpineInference.specs import OutputSpec
from SpineInference.volume import postprocessing

COLUMN = (
    {"name": "Body", "code": "51282000", "meaning": "Vertebra"},
    {"name": "Disc", "code": "360499006", "meaning": "Intervertebral disc"},
    {"name": "Spinal canal", "code": "61853006", "meaning": "Spinal canal"},
    {"name": "Spinal cord", "code": "2748008", "meaning": "Spinal cord"},
)
"""From the darkest to the brightest. The canal is seen where the cord is too, and surer."""
SLOPES, OFFSETS = (2.16, 8, 40, 80), (0.25, -2.2, -22, -68)


def write_model(folder: Path, name: str, plane: str, known: range) -> None:
    labels = [{"value": n + 1, "colour": [200, 50 * n, 40]} | COLUMN[n] for n in known]
    manifest = fields(name, plane, labels=labels, output={"activation": "sigmoid", "threshold": 0.6})
    manifest["input"]["intensity"] = {"rule": "minmax", "low": 0.0, "high": 100.0}
    slopes, offsets = ([values[n] for n in known] for values in (SLOPES, OFFSETS))
    model = brightness_model(tuple(slopes), tuple(offsets), alone=True)
    write_package(folder / name, manifest, contents() | {"model.onnx": model.SerializeToString()})


@pytest.fixture(scope="module", params=["a network of its own", "one network for all"])
def models(request, tmp_path_factory) -> ModelSet:
    folder = tmp_path_factory.mktemp("models") / "column"
    if request.param == "one network for all":
        write_model(folder, "all-sagittal", "sagittal", range(4))
    else:
        write_model(folder, "cord-sagittal", "sagittal", range(3, 4))
        write_model(folder, "column-sagittal", "sagittal", range(3))
    write_model(folder, "bodies-axial", "axial", range(1))
    return open_set(folder)


def spine(spacing_mm: float = 1.0, aside: int = 0) -> tuple[sitk.Image, sitk.Image]:
    """Four bodies, three discs, a canal, and a cord that ends behind the third body; both so many mm `aside`."""
    truth = np.zeros((150, 90, 60), np.uint8)
    truth[:, 58:76, 22 - aside : 38 - aside] = 61
    truth[:90, 63:71, 26 - aside : 34 - aside] = 60
    for number in range(4):
        truth[4 + 36 * number : 30 + 36 * number, 22:52, 12:48] = 20 + number
    for number in range(3):
        truth[30 + 36 * number : 40 + 36 * number, 24:50, 14:46] = 120 + number
    grey = np.select([truth == 60, truth == 61, truth > 100, truth > 0], [400, 300, 200, 100], 18).astype(np.int16)
    grey[truth == 0] += 4 * (np.indices(truth.shape).sum(axis=0) % 2)[truth == 0].astype(np.int16)
    return tuple(as_scan(array, spacing_mm) for array in (grey, truth))


def as_scan(canonical: np.ndarray, spacing_mm: float) -> sitk.Image:
    image = sitk.GetImageFromArray(canonical)
    image.SetDirection((1, 0, 0, 0, 1, 0, 0, 0, -1))
    if spacing_mm == 1:
        return image
    size = [round(length / spacing_mm) for length in image.GetSize()]
    grid = (size, sitk.Transform(), sitk.sitkNearestNeighbor, image.GetOrigin(), (spacing_mm,) * 3)
    return sitk.Resample(image, *grid, image.GetDirection())


def mask(image: sitk.Image, *values: int) -> np.ndarray:
    return np.isin(sitk.GetArrayViewFromImage(image), values)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


@pytest.mark.parametrize("fusion", ["mean", "vote"])
def test_the_cord_lies_in_the_canal(models, fusion):
    scan, truth = spine()
    options = SegmentationOptions(top_level="L1", fusion=fusion, threads=1, bias_correction=False)
    result = segment(scan, models, options, truth, engines=EngineCache())
    names = {segment.label: segment.name for segment in result.segments}
    assert names[60] == "Spinal cord" and names[61] == "Spinal canal" and len(names) == 9
    assert dice(mask(result.labels, 60), mask(truth, 60)) > 0.95
    assert dice(mask(result.labels, 60, 61), mask(truth, 60, 61)) > 0.97
    rows = {row.level: row for row in result.measurements.rows}
    assert rows["Spinal cord"].dice > 0.95 and rows["Spinal canal"].dice > 0.97
    assert result.measurements.reference.n_missed == result.measurements.reference.n_false == 0
    told = {(each.at, each.name): each.value for each in result.morphometry}
    assert told["L2", "cord_diameter"] == pytest.approx(8, abs=0.5)
    assert told["L2", "cord_area"] == pytest.approx(64, rel=0.1)
    assert told["L2", "cord_occupation"] == pytest.approx(100 * 8 / 18, abs=3)
    assert ("L4", "cord_diameter") not in told and told["L4", "canal_diameter"] == pytest.approx(18, abs=0.6)


def test_a_cord_beside_the_middle_is_found(models):
    """As in a spine that bends to a side: slices in the middle show bodies and no cord."""
    scan, truth = spine(aside=10)
    result = segment(scan, models, SegmentationOptions(top_level="L1", threads=1, bias_correction=False))
    assert dice(mask(result.labels, 60), mask(truth, 60)) > 0.95


def test_no_gap_opens_between_cord_and_canal(models):
    """Nothing between them may belong to neither, on whatever grid the borders fall."""
    scan, truth = spine(0.7)
    result = segment(scan, models, SegmentationOptions(top_level="L1", threads=1, bias_correction=False))
    inside = ndimage.binary_erosion(mask(truth, 60, 61), iterations=3)
    assert mask(result.labels, 60, 61)[inside].all()


def test_a_canal_drawn_whole_is_no_false_cord(models):
    scan, truth = spine()
    whole = sitk.GetArrayFromImage(truth)
    whole[whole == 60] = 61
    drawn = sitk.GetImageFromArray(whole)
    drawn.CopyInformation(truth)
    result = segment(scan, models, SegmentationOptions(top_level="L1", threads=1, bias_correction=False), drawn)
    rows = {row.level: row.dice for row in result.measurements.rows}
    assert rows["Spinal canal"] > 0.97 and rows["Spinal cord"] is None
    assert result.measurements.reference.n_false == 0


def test_bodies_are_as_without_the_cord(tmp_path):
    for folder, members in (("with", ("cord", "column")), ("without", ("column",))):
        for name in members:
            write_model(tmp_path / folder, f"{name}-sagittal", "sagittal", range(3, 4) if name == "cord" else range(3))
        write_model(tmp_path / folder, "bodies-axial", "axial", range(1))
    scan, _ = spine(0.7)
    found = [
        segment(
            scan, open_set(tmp_path / folder), SegmentationOptions(top_level="L1", threads=1, bias_correction=False)
        ).labels
        for folder in ("with", "without")
    ]
    assert np.array_equal(
        *(np.where(mask(labels, 20, 21, 22, 23), sitk.GetArrayFromImage(labels), 0) for labels in found)
    )
    assert dice(mask(found[0], 60, 61), mask(found[1], 61)) > 0.97


def test_cord_or_canal_decides_the_border_alone():
    fusion = Fusion((1, 1, 5), "mean", OutputSpec("sigmoid", 0.6), 2, {2: 1})
    canal, cord = np.full(5, 0.99, np.float32), np.array([0.0, 0.3, 0.55, 0.65, 0.99], np.float32)
    fusion.add(np.stack([canal, cord])[:, None], 0, 0, [(0, 1.0), (1, 1.0)])
    assert fusion.settled().classes().ravel().tolist() == [1, 1, 1, 2, 2]


@pytest.mark.parametrize(("canal", "cord"), [(1, 2), (2, 1)])
def test_crumbs_of_cord_without_a_canal_are_dropped(canal, cord):
    classes = np.zeros((40, 20, 20), np.uint8)
    classes[:30, 8:12, 8:12] = classes[36, 9, 9] = cord
    spec = postprocessing.PostprocessingSpec(min_island_mm3=20, fill_holes=True, smooth_mm=0)
    cleaned = postprocessing.apply(classes, spec, (1.0, 1.0, 1.0), holders={cord: canal})
    assert cleaned[36, 9, 9] == 0 and np.count_nonzero(cleaned == cord) == 30 * 16


def test_cord_of_a_reference_is_canal_to_who_knows_no_cord(tmp_path):
    write_model(tmp_path / "models", "column-sagittal", "sagittal", range(3))
    scan, truth = spine()
    options = SegmentationOptions(top_level="L1", threads=1, bias_correction=False)
    result = segment(scan, open_set(tmp_path / "models"), options, truth)
    rows = {row.level: row.dice for row in result.measurements.rows}
    assert rows["Spinal canal"] > 0.97 and result.measurements.reference.n_missed == 0
    assert not any("Compared as bodies" in note for note in result.notes)


def test_crumbs_of_cord_become_canal():
    classes = np.zeros((40, 20, 20), np.uint8)
    classes[:, 4:16, 4:16] = 1
    classes[:30, 8:12, 8:12] = 2
    classes[36, 9, 9] = 2
    spec = postprocessing.PostprocessingSpec(min_island_mm3=20, fill_holes=True, smooth_mm=0)
    cleaned = postprocessing.apply(classes, spec, (1.0, 1.0, 1.0), holders={2: 1})
    assert cleaned[36, 9, 9] == 1 and np.count_nonzero(cleaned == 2) == 30 * 16
    assert np.array_equal(cleaned > 0, classes > 0)


def test_each_network_counts_from_its_own_threshold():
    for rule in ("mean", "vote"):
        fusion = Fusion((1, 1, 4), rule, OutputSpec("sigmoid", 0.6), 2)
        fusion.add(np.array([0.2, 0.59, 0.61, 0.9], np.float32).reshape(1, 1, 4), 0, 0, [(0, 1.0)], 0.6)
        assert fusion.settled().classes().ravel().tolist() == [0, 0, 1, 1]
        fusion.add(np.array([0.39, 0.41, 0.0, 0.0], np.float32).reshape(1, 1, 4), 0, 0, [(1, 1.0)], 0.4)
        assert fusion.settled().classes().ravel().tolist() == [0, 2, 1, 1]
