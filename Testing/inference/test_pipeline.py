"""The whole way of a volume with real packages whose networks call everything bright a vertebra."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation
from small_packages import fields, write_package

from SpineInference.engines.engine_cache import EngineCache
from SpineInference.errors import Cancelled, SpineError
from SpineInference.models.catalog import open_set
from SpineInference.monitor import Monitor
from SpineInference.options import SegmentationOptions
from SpineInference.pipeline import segment
from SpineInference.prediction.planes import finest_first, packages_to_run, shares_of
from SpineInference.specs import PostprocessingSpec
from SpineInference.volume.geometry import PLANES, Grid

BODIES = 5
HEIGHT, PITCH, RADIUS = 24.0, 32.0, 18.0  # mm


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "bright"
    for plane in PLANES:
        # The threshold lies half-way between the z-scores of tissue and bodies, where their border is.
        write_package(folder / plane, fields(f"bright-{plane}", plane, output={"threshold": 0.82}))
    return open_set(folder)


def column(spacing=(1.0, 1.0, 1.0), direction=None, extent=(80.0, 90.0, 190.0)) -> SimpleNamespace:
    """Five bright cylinders one above the other in tissue with air around, on any grid; and their numbers."""
    direction = np.eye(3) if direction is None else direction
    # The grid's own axes follow the patient's as well as they can, so the field of view is permuted with them.
    extent = np.abs(np.round(direction)).T @ np.array(extent)
    size = np.maximum(1, np.round(extent / spacing)).astype(int)
    centre = np.array([3.0, -20.0, 500.0])
    origin = centre - direction @ ((size - 1) * spacing / 2)
    k, j, i = np.meshgrid(*(np.arange(n) for n in reversed(size)), indexing="ij")
    points = np.stack([i, j, k], -1) * spacing @ direction.T + origin - centre  # L, P, S mm
    left, posterior, superior = np.moveaxis(points, -1, 0)
    number = np.round(-superior / PITCH).astype(int) + BODIES // 2 + 1  # 1 at the top
    inside = (np.abs(superior + (number - BODIES // 2 - 1) * PITCH) < HEIGHT / 2) & (np.hypot(left, posterior) < RADIUS)
    truth = np.where(inside & (number >= 1) & (number <= BODIES), number, 0).astype(np.uint8)
    air = np.hypot(left, posterior) > 38
    values = np.where(air, 0, np.where(truth > 0, 600, 300)) + np.random.default_rng(0).normal(0, 8, truth.shape)
    scan, labels = sitk.GetImageFromArray(values.astype(np.int16)), sitk.GetImageFromArray(truth)
    for image in (scan, labels):
        image.SetSpacing([float(s) for s in spacing])
        image.SetDirection(direction.flatten())
        image.SetOrigin(origin)
    return SimpleNamespace(scan=scan, truth=labels)


def dice(labels: sitk.Image, truth: sitk.Image, value: int, number: int) -> float:
    a = sitk.GetArrayViewFromImage(labels) == value
    b = sitk.GetArrayViewFromImage(truth) == number
    return 2 * (a & b).sum() / (a.sum() + b.sum())


PERMUTED = np.eye(3)[:, [1, 2, 0]] * [1, -1, 1]
GRIDS = {
    "plain": ((1.0, 1.0, 1.0), np.eye(3)),
    "permuted and flipped": ((1.0, 1.0, 1.0), PERMUTED),
    "oblique 12": ((1.0, 1.0, 1.0), Rotation.from_euler("xy", [12, 5], degrees=True).as_matrix()),
    "fine": ((0.5, 0.6, 0.7), PERMUTED),
    "thick sagittal slices": ((0.6, 0.6, 4.0), PERMUTED),
}


@pytest.mark.parametrize("name", GRIDS)
def test_named_bodies_on_the_scans_own_grid(models, name):
    column_ = column(*GRIDS[name])
    result = segment(column_.scan, models, SegmentationOptions(top_level="L1", threads=2))
    assert Grid.of(result.labels) == Grid.of(column_.scan)
    assert result.labels.GetPixelID() == sitk.sitkUInt8
    assert [s.name for s in result.segments] == ["L1", "L2", "L3", "L4", "L5"]
    for number, found in enumerate(result.segments, start=1):
        assert dice(result.labels, column_.truth, found.label, number) > 0.95, found.name
    assert result.partial == set()
    assert result.planes == list(PLANES) and not result.notes
    assert set(result.timings) >= {"preprocessing", "region", "network, sagittal", "vertebrae", "measuring"}


def test_dilation_comes_last_and_joins_no_bodies(models):
    def labels(dilate_mm: float) -> np.ndarray:
        spec = PostprocessingSpec(dilate_mm=dilate_mm)
        result = segment(column().scan, models, SegmentationOptions(planes=("sagittal",), postprocessing=spec))
        assert len(result.measurements.vertebrae) == len(result.segments) == BODIES
        return sitk.GetArrayFromImage(result.labels)

    plain, grown = labels(0.0), labels(5.0)  # bodies are 8 mm apart
    assert (grown[plain > 0] == plain[plain > 0]).all()
    assert np.count_nonzero(grown) > 1.3 * np.count_nonzero(plain)


def test_coarse_planes_count_less_or_are_left_out(models):
    def weights(thickness: float, shown_larger: float = 1.0) -> tuple[list[float], list[str]]:
        scan, notes = column((0.8, 0.8, thickness), PERMUTED).scan, []
        packages = packages_to_run(models, SegmentationOptions(), scan, Monitor(on_note=notes.append))
        if thickness > 1:
            assert finest_first(packages[::-1], scan)[0].manifest.plane == "sagittal"
        shares = shares_of(packages, scan, shown_larger, packages[0].manifest.labels)
        return [round(weight, 2) for ((_, weight),) in shares], notes

    assert weights(1.0) == ([0.33, 0.33, 0.33], [])
    assert weights(2.0) == ([0.33, 0.33, 0.33], [])
    assert weights(4.0) == ([0.4, 0.3, 0.3], [])
    assert weights(7.0) == ([0.54, 0.23, 0.23], [])
    assert weights(2.0, shown_larger=2.0) == weights(4.0)
    alone, notes = weights(9.0)
    assert alone == [1.0] and "too thick to look at them in the coronal and axial planes" in notes[0]


def test_networks_of_a_plane_share_its_weight(models):
    scan = column((0.8, 0.8, 1.0), PERMUTED).scan
    sagittal, coronal, axial = packages_to_run(models, SegmentationOptions(), scan, Monitor())
    folds = [sagittal, sagittal, coronal, axial]
    shares = shares_of(folds, scan, 1.0, sagittal.manifest.labels)
    assert [round(weight, 3) for ((_, weight),) in shares] == [0.167, 0.167, 0.333, 0.333]


def test_networks_of_a_plane_for_different_labels_share_nothing(models):
    scan = column((0.8, 0.8, 1.0), PERMUTED).scan
    sagittal, _, axial = packages_to_run(models, SegmentationOptions(), scan, Monitor())
    (body,) = sagittal.manifest.labels
    disc = replace(body, name="Disc", value=2)
    both, discs = (
        replace(sagittal, manifest=replace(sagittal.manifest, labels=labels)) for labels in ([disc, body], [disc])
    )
    assert shares_of([both, discs, axial], scan, 1.0, [body, disc]) == [[(1, 0.5), (0, 0.5)], [(1, 0.5)], [(0, 0.5)]]


def test_body_left_out_of_names_is_in_no_output(models, monkeypatch):
    monkeypatch.setattr("SpineInference.spine.naming.PIECE_BELOW", 1.1)
    column_ = column()
    result = segment(column_.scan, models, SegmentationOptions(top_level="L2", threads=2))
    assert [found.name for found in result.segments] == ["L2", "L3", "L4", "L5"]
    assert [measured.level for measured in result.measurements.vertebrae] == ["L2", "L3", "L4", "L5"]
    values = np.unique(sitk.GetArrayViewFromImage(result.labels))
    assert values.tolist() == [0, *(found.label for found in result.segments)]


def test_few_sagittal_slices_use_their_own_plane_only(models):
    scan = column().scan
    width = scan.GetSize()[0]
    slab = scan[width // 2 - 10 : width // 2 + 10]
    result = segment(slab, models, SegmentationOptions(threads=1))
    assert result.planes == ["sagittal"] and any("too narrow" in note for note in result.notes)
    wished = segment(slab, models, SegmentationOptions(planes=PLANES, threads=1))
    assert wished.planes == list(PLANES)


def test_labels_do_not_depend_on_storage_order(models):
    straight = column().scan
    turned = sitk.Flip(sitk.PermuteAxes(straight, [2, 0, 1]), [True, False, True])
    a = segment(straight, models, SegmentationOptions(threads=1)).labels
    b = segment(turned, models, SegmentationOptions(threads=1)).labels
    back = sitk.DICOMOrient(b, "LPS")
    assert np.array_equal(sitk.GetArrayViewFromImage(a), sitk.GetArrayViewFromImage(back))


def test_two_runs_are_identical(models):
    scan = column(*GRIDS["fine"]).scan
    first, second = (
        sitk.GetArrayFromImage(segment(scan, models, SegmentationOptions(threads=2)).labels) for _ in range(2)
    )
    assert np.array_equal(first, second)


def test_bodies_cut_by_the_border_are_partial(models):
    result = segment(column(extent=(80.0, 90.0, 150.0)).scan, models, SegmentationOptions(bottom_level="L5"))
    assert result.partial == {20, 24}


def test_missing_or_wrong_level_costs_no_result(models):
    scan = column().scan
    assert [s.name for s in segment(scan, models).segments] == [f"Vertebra {n}" for n in range(1, 6)]
    result = segment(scan, models, SegmentationOptions(top_level="L4"))
    assert [s.name for s in result.segments] == [f"Vertebra {n}" for n in range(1, 6)]
    assert any("L4" in note and "numbered" in note for note in result.notes)


def test_one_plane_a_vote_and_no_region_still_work(models):
    column_ = column()
    for options in (
        SegmentationOptions(planes=("axial",)),
        SegmentationOptions(fusion="vote"),
        SegmentationOptions(restrict_to_spine=False),
    ):
        result = segment(column_.scan, models, options)
        assert len(result.segments) == BODIES
        assert dice(result.labels > 0, column_.truth > 0, 1, 1) > 0.95
        assert result.planes == list(options.planes or PLANES)


@pytest.mark.parametrize("planes", [("axial",), ("sagittal", "coronal")])
def test_a_plane_that_a_slice_does_not_show_is_refused(models, planes):
    thin = column((0.8, 0.8, 5.0), PERMUTED, extent=(5.0, 90.0, 190.0)).scan
    with pytest.raises(SpineError, match=f"does not show the {planes[-1]} plane: ask for the plane in which it lies"):
        segment(thin, models, SegmentationOptions(planes=planes))


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("thick", PLANES)
def test_every_plane_works_alone_on_thick_slices(models, plane, thick):
    spacing, extent = np.ones(3), np.array([80.0, 90.0, 190.0])
    spacing[{"sagittal": 0, "coronal": 1, "axial": 2}[thick]] = 4.0
    column_ = column(tuple(spacing), extent=extent)
    result = segment(column_.scan, models, SegmentationOptions(planes=(plane,)))
    assert len(result.segments) == BODIES and result.planes == [plane]


def test_one_slice_is_a_volume(models):
    thin = column((0.8, 0.8, 5.0), PERMUTED, extent=(5.0, 90.0, 190.0))
    assert thin.scan.GetSize()[2] == 1
    result = segment(thin.scan, models, SegmentationOptions(top_level="L1"))
    assert [s.name for s in result.segments] == ["L1", "L2", "L3", "L4", "L5"]
    assert Grid.of(result.labels) == Grid.of(thin.scan)


def test_agreement_with_a_reference_is_measured(models):
    column_ = column()
    result = segment(column_.scan, models, reference=column_.truth)
    assert set(result.dice_per_slice) == set(PLANES)
    assert all(m.dice > 0.95 for m in result.measurements.vertebrae)


def test_nothing_found_is_an_empty_explained_result(models):
    air = sitk.GetImageFromArray(np.random.default_rng(0).normal(100, 5, (60, 60, 60)).astype(np.float32))
    sagittal = [p for p in models.packages if p.manifest.plane == "sagittal"]
    blind = SimpleNamespace(name=models.name, packages=sagittal, levels=None)
    never = SegmentationOptions(postprocessing=None)
    result = segment(air, blind, never, engines=FixedEngines(0.01))
    assert not sitk.GetArrayViewFromImage(result.labels).any()
    assert result.segments == [] and result.measurements.vertebrae == []
    assert any("No vertebral body was found" in note for note in result.notes)


class FixedEngines(EngineCache):
    """Engines that give every pixel the same probability."""

    def __init__(self, value: float):
        super().__init__()
        self._value = value

    def get(self, *_):
        return SimpleNamespace(
            batch_size=2,
            probabilities=lambda batch: np.full((len(batch), 1, *batch.shape[2:]), self._value, np.float16),
        )


def test_cancel_stops_the_run_at_any_stage(models):
    scan = column().scan
    stages = []
    segment(scan, models, monitor=Monitor(on_progress=lambda p: stages.append((p.stage, p.plane))))
    assert {"preprocessing", "region", "network", "post-processing", "vertebrae", "measuring"} <= {s for s, _ in stages}
    for stop_at in dict.fromkeys(stages):
        seen = []
        monitor = Monitor(
            on_progress=lambda p, seen=seen: seen.append((p.stage, p.plane)),
            should_stop=lambda seen=seen, stop_at=stop_at: stop_at in seen,
        )
        if stop_at[0] == "measuring":
            continue  # the last step: nothing is left to stop
        with pytest.raises(Cancelled):
            segment(scan, models, monitor=monitor)


def test_reference_with_its_voxels_in_another_order(models):
    found = segment(column().scan, models)
    again = segment(column().scan, models, reference=sitk.DICOMOrient(found.labels, "PIR"))
    assert again.measurements.reference.dice == 1
    assert min(min(plane["dice"]) for plane in again.dice_per_slice.values()) == 1


def test_reference_on_another_grid_is_refused(models):
    reference = sitk.Image([4, 4, 4], sitk.sitkUInt8)
    began = Monitor(on_progress=lambda p: pytest.fail("work began"))
    with pytest.raises(SpineError, match="another grid"):
        segment(column().scan, models, reference=reference, monitor=began)


def test_a_plane_that_the_set_lacks_is_refused(models):
    only = SimpleNamespace(name="one", packages=models.packages[:1])
    others = [plane for plane in PLANES if plane != only.packages[0].manifest.plane]
    with pytest.raises(SpineError, match="no network for the"):
        segment(column().scan, only, SegmentationOptions(planes=(others[0],)))


@pytest.mark.parametrize("slices", [None, 1])
def test_small_bodies_are_found_and_measured_as_large_ones(models, slices):
    """A column of less than half the size, whole or as a single slice: the same voxels, all in its own millimetres."""
    lumbar, small = column(), column()
    found = []
    for case, size in ((lumbar, 1.0), (small, 0.45)):
        middle = case.scan.GetWidth() // 2
        span = slice(None) if slices is None else slice(middle, middle + slices)
        scan, truth = case.scan[span, :, :], case.truth[span, :, :]
        for image in (scan, truth):
            image.SetSpacing([size * mm for mm in image.GetSpacing()])
        found.append(segment(scan, models, SegmentationOptions(planes=("sagittal",)), truth))
    (large, little), ratio = found, 0.45**3
    assert [body.level for body in large.measurements.vertebrae] == [
        body.level for body in little.measurements.vertebrae
    ]
    for one, other in zip(large.measurements.vertebrae, little.measurements.vertebrae, strict=True):
        if slices is None:  # a slice cuts bodies off, whose volume then says nothing
            assert other.volume_mm3 == pytest.approx(one.volume_mm3 * ratio, rel=0.05)
        assert other.dice > 0.95
    assert sorted(found[1].labels.GetSpacing()) == pytest.approx([0.45] * 3)


@pytest.mark.parametrize("whole", [True, False])
def test_who_wants_all_of_a_scan_gets_all_of_it(models, monkeypatch, whole):
    """Where the coarse pass sees nothing, every slice is still computed for a single slice and without restriction."""
    monkeypatch.setattr("SpineInference.pipeline.find_region", lambda *_: None)
    scan = column().scan
    middle = scan.GetWidth() // 2
    scan = scan if whole else scan[middle : middle + 1, :, :]
    options = SegmentationOptions(planes=("sagittal",), restrict_to_spine=not whole)
    assert len(segment(scan, models, options).segments) == BODIES


@pytest.mark.parametrize(("most_voxels", "looks"), [(10**9, 2), (1000, 1)])
def test_large_scan_without_a_spine_is_not_looked_at_again(models, monkeypatch, most_voxels, looks):
    sizes = []
    monkeypatch.setattr("SpineInference.pipeline.find_region", lambda image, *_: sizes.append(image.GetSize()))
    monkeypatch.setattr("SpineInference.pipeline.LOOKED_AT_AGAIN", most_voxels)
    assert segment(column().scan, models, SegmentationOptions(planes=("sagittal",))).segments == []
    assert len(sizes) == looks
