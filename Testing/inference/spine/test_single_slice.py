"""Size and upright position of a single slice are found where it does not tell them, and never taken to be known."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage
from small_packages import fields, write_package

from SpineInference.engines.engine_cache import EngineCache
from SpineInference.errors import SpineError
from SpineInference.measuring.measurements import as_json, as_rows
from SpineInference.measuring.remeasure import remeasure
from SpineInference.models.catalog import open_set
from SpineInference.options import SegmentationOptions
from SpineInference.pipeline import segment
from SpineInference.volume.slice_placement import PIXEL_SIZE, POSITION, mark_unknown

TAUGHT_MM2 = 24 * 30
POSITIONS = [(turns, mirrored) for mirrored in (False, True) for turns in range(4)]


class Taught:
    """A network that finds bright bodies, and is the surer the more they look as it was taught: in size, one above
    the other, the brightest one at the bottom and the canal behind."""

    batch_size = 1

    def describe(self) -> str:
        return "taught"

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        return np.stack([self._answer(image) for image in batch[:, batch.shape[1] // 2]])[:, None]

    def _answer(self, image: np.ndarray) -> np.ndarray:
        bodies, count = ndimage.label(image > 0.65)
        if count < 3:
            return np.zeros_like(image)
        numbers = np.arange(1, count + 1)
        centres = np.array(ndimage.center_of_mass(image > 0.65, bodies, numbers))
        lowest = np.argmax(ndimage.mean(image, bodies, numbers))
        canal = np.argwhere((image > 0.25) & (image < 0.5)).mean(axis=0)
        doubts = (
            np.abs(np.log(np.median(np.bincount(bodies.ravel())[1:]) / TAUGHT_MM2)),
            2 * (np.ptp(centres[:, 0]) < np.ptp(centres[:, 1])),
            centres[lowest, 0] < centres[:, 0].mean(),
            canal[1] < centres[:, 1].mean(),
        )
        return np.where(bodies > 0, 0.99 - 0.05 * min(4, sum(doubts)), 0).astype(np.float32)


class TaughtEngines(EngineCache):
    def get(self, *_):
        return Taught()


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "taught"
    scaled = {"context_slices": 1, "spacing_mm": 1.0, "intensity": {"rule": "percentile_minmax"}}
    for plane in ("sagittal", "axial"):
        write_package(folder / plane, fields(f"taught-{plane}", plane, input=scaled))
    return open_set(folder)


def column(pixel_mm: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """An upright sagittal slice of 280 x 200 mm with five bodies, and their numbers."""
    row, col = np.meshgrid(np.arange(0, 280, pixel_mm), np.arange(0, 200, pixel_mm), indexing="ij")
    number = ((row - 40) // 40).astype(int) + 1
    inside = ((row - 40) % 40 < 24) & (number >= 1) & (number <= 5) & (np.abs(col - 90) < 15)
    truth = np.where(inside, number, 0).astype(np.uint8)
    image = np.where(np.abs(col - 100) < 95, 20.0, 0.0)
    image[np.abs(col - 125) < 7] = 50
    return np.where(inside, 76 + 4 * truth, image).astype(np.uint8), truth


def as_slice(array: np.ndarray, *unknown: str, pixel_mm: float = 1.0) -> sitk.Image:
    image = sitk.GetImageFromArray(np.ascontiguousarray(array)[None])
    image.SetSpacing((pixel_mm, pixel_mm, 4.0))
    image.SetDirection((0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0))
    mark_unknown(image, *unknown)
    return image


def spoilt(array: np.ndarray, turns: int, mirrored: bool) -> np.ndarray:
    """What is put upright by so many clockwise quarter turns, and then by its mirror image."""
    return np.rot90(array[:, ::-1] if mirrored else array, turns)


def run(models, image, reference=None, **options):
    return segment(image, models, SegmentationOptions(threads=1, **options), reference, engines=TaughtEngines())


def found(result, truth: np.ndarray) -> list[int]:
    """The labels of the bodies 1, 2, ... of `truth`, each of which the result must have found nearly whole."""
    labels = sitk.GetArrayFromImage(result.labels)[0]
    numbers = []
    for number in range(1, truth.max() + 1):
        inside = labels[truth == number]
        values = np.bincount(inside)
        assert values[1:].max() > 0.8 * len(inside)
        numbers.append(int(values[1:].argmax()) + 1)
    return numbers


@pytest.mark.parametrize(("turns", "mirrored"), POSITIONS)
def test_any_position_of_a_picture_is_found(models, turns, mirrored):
    image, truth = (spoilt(array, turns, mirrored) for array in column())
    result = run(models, as_slice(image, PIXEL_SIZE, POSITION))
    placement = result.placement
    assert (placement.plane, placement.quarter_turns, placement.mirrored) == ("sagittal", turns, mirrored)
    assert found(result, truth) == [31, 32, 33, 34, 35]  # numbered from the top of the spine
    assert result.planes == ["sagittal"]


@pytest.mark.parametrize("pixel_mm", [0.4, 0.7, 1.6])
def test_any_size_of_pixels_is_found(models, pixel_mm):
    image, truth = column(pixel_mm)
    result = run(models, as_slice(image, PIXEL_SIZE, POSITION))
    assert 0.7 < result.placement.spacing_mm[0] / pixel_mm < 1.4
    assert found(result, truth) == [31, 32, 33, 34, 35]


def test_lengths_of_unknown_scale_are_left_out(models):
    image, truth = column()
    result = run(models, as_slice(image, PIXEL_SIZE, POSITION), as_slice(truth))
    for row in as_rows(result.measurements):
        lengths = [value for name, value in row.items() if name.endswith(("_mm", "_mm2", "_mm3"))]
        assert lengths and set(lengths) == {None}
        assert row["dice"] > 0.9 and abs(row["sagittal_tilt_deg"]) < 2
    summary = as_json(result.measurements)["reference"]
    assert summary["dice"] > 0.9 and summary["hd95_mm"] is summary["assd_mm"] is summary["nsd"] is None
    assert any("lengths are left out" in note and "sagittal" in note for note in result.notes)


def test_a_given_spacing_gives_lengths(models):
    image, truth = column(0.5)
    scan = as_slice(spoilt(image, 1, False), PIXEL_SIZE, POSITION)
    result = run(models, scan, spacing_mm=(0.5, 0.5))
    assert result.placement.quarter_turns == 1
    body = result.measurements.vertebrae[0]
    assert body.area_mm2 == pytest.approx(720, rel=0.05) and body.middle_height_mm == pytest.approx(24, abs=1)
    # The centre is told where the scan itself has the body.
    centre = scan.TransformPhysicalPointToIndex(body.centroid_lps_mm)
    assert spoilt(truth, 1, False)[centre[1], centre[0]] == 1


def test_a_slice_that_tells_all_is_left_alone(models):
    image, truth = column()
    scan = as_slice(image)
    result = run(models, scan)
    assert result.placement is None and found(result, truth) == [31, 32, 33, 34, 35]
    assert result.measurements.vertebrae[0].area_mm2 == pytest.approx(720, rel=0.05)
    assert not any("does not say" in note for note in result.notes)


def test_a_known_scale_is_kept_when_turned(models):
    image, _ = column()
    result = run(models, as_slice(spoilt(image, 3, False), POSITION))
    assert result.placement.quarter_turns == 3 and result.placement.spacing_mm == (1.0, 1.0)
    assert result.measurements.vertebrae[0].middle_height_mm == pytest.approx(24, abs=1)


def test_a_plane_is_as_the_user_says(models):
    result = run(models, as_slice(column()[0], PIXEL_SIZE, POSITION), plane="axial")
    assert result.planes == ["axial"] and result.placement.plane == "axial"
    with pytest.raises(SpineError, match="no network for the coronal plane"):
        run(models, as_slice(column()[0]), plane="coronal")


@pytest.mark.parametrize("options", [{"plane": "sagittal"}, {"spacing_mm": (1.0, 1.0)}])
def test_a_volume_takes_no_options_of_a_slice(models, options):
    volume = sitk.GetImageFromArray(np.stack([column()[0]] * 3))
    with pytest.raises(SpineError, match="single slice"):
        run(models, volume, **options)


def test_upright_counts_in_its_surest_size(models, monkeypatch):
    """Seen from behind and upside down vertebrae may look surer than upright ones in the first size tried."""
    longest_mm = {300: 80.0, 200: 100.0}

    def sureness(self, placement):
        position = placement.quarter_turns, placement.mirrored
        if position == (0, False):
            return longest_mm.get(round(280 * placement.spacing_mm[0]), 0.0)
        return 110.0 if position == (2, True) else 0.0

    monkeypatch.setattr("SpineInference.spine.single_slice._Search._sureness", sureness)
    placement = run(models, as_slice(column()[0], PIXEL_SIZE, POSITION)).placement
    assert (placement.quarter_turns, placement.mirrored) == (0, False)


def test_a_picture_without_a_spine_stays_upright(models):
    image, truth = column()
    image[truth > 0] = 20
    result = run(models, as_slice(spoilt(image, 1, False), PIXEL_SIZE, POSITION))
    assert not result.segments and any("No vertebral body" in note for note in result.notes)
    assert (result.placement.plane, result.placement.quarter_turns, result.placement.mirrored) == ("sagittal", 0, False)


def test_measured_again_as_in_the_run(models):
    image, _ = column()
    result = run(models, as_slice(spoilt(image, 2, True), PIXEL_SIZE, POSITION))
    names = {segment.label: segment.name for segment in result.segments}
    again = remeasure(result.labels, names, {}, placement=result.placement)["measurements"]["vertebrae"]
    assert [row["level"] for row in again] == [body.level for body in result.measurements.vertebrae]
    assert all(row["area_mm2"] is None for row in again if "area_mm2" in row)
    assert all(row["middle_height_mm"] is None for row in again)
