"""A scan that a surface coil hides is evened out without being asked, which is told; any other stays as it is."""

import numpy as np
import pytest
import SimpleITK as sitk
from small_packages import fields, write_package

from SpineInference.models.catalog import open_set
from SpineInference.options import SegmentationOptions
from SpineInference.pipeline import segment
from SpineInference.prediction.region import coarse_places
from SpineInference.prediction.slices import predict_plane

BODIES = 4


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return open_set(package(tmp_path_factory.mktemp("models")))


def package(folder, **changes):
    """A network that calls everything bright a vertebra."""
    write_package(folder / "bright", fields("bright", output={"threshold": 0.75}, **changes))
    return folder / "bright"


def column(ratio: float) -> tuple[sitk.Image, np.ndarray]:
    """Bright bodies in front of a thick bright back, `[I, P, L]` of 1 mm; a coil receives the back `ratio` to 1."""
    i, p, _ = np.indices((150, 150, 24))
    bodies = (np.abs(p - 60) < 16) & (i % 35 > 8) & (i < BODIES * 35)
    values = np.where(p > 100, 350, 250) + np.where(bodies, 450, 0) + np.random.default_rng(0).normal(0, 6, p.shape)
    values *= (1 + ((149 - p) / 149) ** 2 * (ratio ** (2 / 3) - 1)) ** -1.5
    image = sitk.GetImageFromArray(np.maximum(values, 0).astype(np.int16))
    image.SetDirection((1, 0, 0, 0, 1, 0, 0, 0, -1))
    return image, bodies


def run(scan, models, **options):
    return segment(scan, models, SegmentationOptions(planes=("sagittal",), threads=1, **options))


def told(result) -> list[str]:
    return [note for note in result.notes if note.startswith("Uneven brightness")]


def overlap(result, bodies) -> float:
    found = sitk.GetArrayViewFromImage(result.labels) > 0
    return 2 * (found & bodies).sum() / (found.sum() + bodies.sum())


def test_shaded_scan_is_evened_out_and_told(models):
    scan, bodies = column(20.0)
    result = run(scan, models)
    assert overlap(result, bodies) > 0.85
    assert overlap(run(scan, models, bias_correction=False), bodies) < 0.7
    (note,) = told(result)
    assert f"about {result.shading_removed:.0f} to 1" in note and 5 < result.shading_removed < 40


def test_coronal_slices_can_judge_too(tmp_path):
    """Of them only some layers are looked at, which the coil receives differently loud."""
    write_package(tmp_path / "bright", fields("bright", "coronal", output={"threshold": 0.75}))
    scan, bodies = column(20.0)
    result = segment(scan, open_set(tmp_path), SegmentationOptions(planes=("coronal",), threads=1))
    assert told(result) and overlap(result, bodies) > 0.8


def test_even_scan_is_left_alone(models):
    scan, bodies = column(1.0)
    results = run(scan, models), run(scan, models, bias_correction=False)
    assert same(*results) and not told(results[0]) and results[0].shading_removed is None
    assert overlap(results[0], bodies) > 0.9


def test_off_leaves_a_shaded_scan(models):
    result = run(column(20.0)[0], models, bias_correction=False)
    assert not told(result) and result.shading_removed is None


def test_two_runs_are_identical(models):
    scan, _ = column(20.0)
    assert same(run(scan, models), run(scan, models))


@pytest.mark.parametrize("changes", [{"modality": "CT"}, {"labels": [fields()["labels"][0] | {"code": "1"}]}])
def test_other_models_see_the_scan_as_it_is(tmp_path, changes):
    result = run(column(20.0)[0], open_set(package(tmp_path, **changes)))
    assert not told(result) and result.shading_removed is None


def same(first, second) -> bool:
    return np.array_equal(*(sitk.GetArrayViewFromImage(result.labels) for result in (first, second)))


def test_what_was_asked_about_is_looked_at_once(models, monkeypatch):
    """The slices by which a scan is judged are some of those by which the spine is found."""
    asked: list[tuple[str, list[int]]] = []

    def ask(volume, manifest, engine, monitor, indices, stage):
        asked.append((stage, list(indices)))
        return predict_plane(volume, manifest, engine, monitor, indices, stage)

    for place in ("lighting", "region"):
        monkeypatch.setattr(f"SpineInference.prediction.{place}.predict_plane", ask)
    assert run(column(20.0)[0], models).shading_removed is not None
    assert [stage for stage, _ in asked] == ["shading", "region", "region"]
    places = coarse_places(24, 1.0)
    assert len(asked[0][1]) == 2 * len(places) and asked[1][1] == asked[2][1] == [], "it was asked about all of them"
