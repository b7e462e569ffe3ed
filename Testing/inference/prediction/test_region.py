"""The coarse pass: where the spine is, how large its bodies are, and what need not be looked at."""

from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk
from bright_engine import BrightAndDark, BrightIsForeground, manifest

from SpineInference.monitor import Monitor
from SpineInference.prediction.region import (
    COARSE_STEP_MM,
    MARGIN_MM,
    Region,
    clear_inner_faces,
    coarse_places,
    find_region,
)
from SpineInference.prediction.slices import predict_plane
from SpineInference.volume.geometry import PLANES, SLICE_AXIS


def region_of(source: np.ndarray, spacing: tuple[float, float, float], spec, engine=None):
    image = sitk.GetImageFromArray(source)
    image.SetSpacing(spacing[::-1])
    return find_region(image, [SimpleNamespace(manifest=spec)], lambda _: engine or BrightIsForeground(), Monitor())


@pytest.mark.parametrize("plane", PLANES)
def test_far_from_the_column_little_is_looked_at(plane):
    source = np.zeros((200, 200, 200), np.float32)
    source[90:120, 90:120, 90:120] = 1
    looks = []
    for there in (source, np.zeros_like(source)):
        engine = BrightIsForeground()
        region_of(there, (1, 1, 1), manifest(plane), engine)
        looks.append(sum(shape[0] for shape in engine.shapes))
    assert looks[1] == 25, "where nothing is seen, all slices are looked at"
    assert looks[0] == 25 if plane == "axial" else looks[0] <= 16


@pytest.mark.parametrize(("spacing", "computed"), [((1.0, 1.0, 1.0), 0), ((1.3, 1.3, 1.0), 13)])
def test_slices_that_were_seen_are_not_computed_again(spacing, computed):
    """But for those on a grid that is not the network's."""
    source = np.zeros((120, 110, 100), np.float32)
    source[50:70, 45:60, :] = 1
    image, spec, engine = sitk.GetImageFromArray(source), manifest("sagittal"), BrightIsForeground()
    image.SetSpacing(spacing[::-1])
    seen = dict(predict_plane(source, spec, BrightIsForeground(), Monitor(), coarse_places(100, 1.0)))
    found = find_region(image, [SimpleNamespace(manifest=spec)], lambda _: engine, Monitor(), seen)
    assert sum(shape[0] for shape in engine.shapes) == computed
    assert found == region_of(source, spacing, spec)


@pytest.mark.parametrize("plane", PLANES)
def test_the_region_holds_the_target_with_a_margin(plane):
    source = np.zeros((120, 110, 100), np.float32)
    source[50:70, 45:60, 40:64] = 1
    spacing = (1.0, 1.25, 1.0)
    box = region_of(source, spacing, manifest(plane)).box
    inside = np.zeros(source.shape, bool)
    inside[box] = True
    assert inside[source > 0].all()
    for axis, (low, high) in enumerate([(50, 70), (45, 60), (40, 64)]):
        margin = np.ceil(MARGIN_MM / spacing[axis])
        coarse = 2 * COARSE_STEP_MM if axis == SLICE_AXIS[plane] else 1
        assert low - margin - coarse <= box[axis].start <= low - margin
        assert high + margin <= box[axis].stop <= high + margin + coarse


def test_specks_make_no_region():
    source = np.zeros((60, 60, 60), np.float32)
    assert region_of(source, (1, 1, 1), manifest("sagittal")) is None
    source[30, 30, :] = 1
    assert region_of(source, (1, 1, 1), manifest("sagittal")) is None


@pytest.mark.parametrize("plane", ["sagittal", "coronal"])
def test_what_is_seen_far_from_the_column_is_none_of_it(plane):
    source = np.zeros((160, 160, 160), np.float32)
    middle = slice(65, 95)
    source[20:50, middle, middle] = source[60:90, middle, middle] = source[100:130, middle, middle] = 1
    alone = region_of(source, (1, 1, 1), manifest(plane))
    np.moveaxis(source, SLICE_AXIS[plane], 0)[:6, 70:90, 60:80] = 1
    beside = region_of(source, (1, 1, 1), manifest(plane))
    assert (beside.vertebrae, beside.body_size) == (alone.vertebrae, alone.body_size)
    np.moveaxis(source, SLICE_AXIS[plane], 0)[:30, 20:140, 60:100] = 1
    assert region_of(source, (1, 1, 1), manifest(plane)).vertebrae[SLICE_AXIS[plane]].start == 0, "that is no crumb"


def test_what_lies_everywhere_makes_no_region():
    """As in noise, in which a network sees specks here and there, each as large as a small body."""
    source = np.zeros((200, 200, 200), np.float32)
    for corner in (4, 180):
        source[corner : corner + 9, corner : corner + 9, corner : corner + 9] = 1
    assert region_of(source, (1, 1, 1), manifest("sagittal")) is None
    source[20:180, 90:110, 90:110] = 1  # a column
    assert region_of(source, (1, 1, 1), manifest("sagittal")) is not None


def test_single_slice_does_not_widen_the_region():
    source = np.zeros((120, 110, 100), np.float32)
    source[50:70, 45:60, 40:64] = 1
    expected = region_of(source, (1, 1, 1), manifest("sagittal"))
    for index in range(int(COARSE_STEP_MM)):  # one of them is looked at
        spotted = source.copy()
        spotted[100:112, 95:107, index] = 1
        assert region_of(spotted, (1, 1, 1), manifest("sagittal")) == expected


def test_what_lies_beside_the_vertebrae_belongs_to_the_region():
    """Above and below them it goes on to where nothing is to be found."""
    source = np.full((120, 110, 100), 0.4, np.float32)
    source[40:60, 45:60, 40:64], source[20:95, 70:76, 48:56] = 1, 0
    several = manifest("sagittal", activation="softmax", labels=2)
    region = region_of(source, (1, 1, 1), several, BrightAndDark())
    assert (region.box[0].start, region.box[0].stop) == (40 - MARGIN_MM, 60 + MARGIN_MM)
    assert (region.box[1].start, region.box[1].stop) == (45 - MARGIN_MM, 76 + MARGIN_MM)
    assert region.vertebrae == (region.box[0], slice(45 - MARGIN_MM, 60 + MARGIN_MM), region.box[2])


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("thick", range(3))
def test_thick_slices_are_shown_at_the_size_trained(plane, thick):
    """Whatever plane looks at slices of 6 mm, it gets pixels of 1 mm, and its box is in voxels of the scan."""
    spacing = [1.0, 1.0, 1.0]
    spacing[thick] = 6.0
    source = np.zeros(np.ceil(np.array([120, 110, 100]) / spacing).astype(int), np.float32)
    low, high = np.array([(48, 72), (42, 60), (42, 66)]).T // np.array(spacing, int)
    body = tuple(map(slice, low, high))
    source[body] = 1
    engine = BrightIsForeground()
    box = region_of(source, tuple(spacing), manifest(plane), engine).box
    if thick != SLICE_AXIS[plane]:
        assert max(engine.shapes[0][2:]) >= 96
    for axis, mm in enumerate(spacing):
        assert 0 <= box[axis].start < body[axis].start and body[axis].stop < box[axis].stop <= source.shape[axis]
        margin = MARGIN_MM + (2 * COARSE_STEP_MM if axis == SLICE_AXIS[plane] else 2)
        assert (body[axis].start - box[axis].start) * mm <= margin + mm


@pytest.mark.parametrize(
    ("sees", "asked"),
    [("axial", ["axial", "sagittal"]), ("sagittal", ["axial", "sagittal"]), ("coronal", PLANES), ("", PLANES)],
)
def test_planes_are_asked_until_one_sees_the_spine(sees, asked):
    """The finest one first, here the axial; the sagittal one always."""
    image = sitk.GetImageFromArray(np.zeros((12, 40, 40), np.float32))
    image[10:30, 10:30, 2:8] = 1.0
    image.SetSpacing((1.0, 1.0, 5.0))
    used = []

    def engine_for(package):
        used.append(package.manifest.plane)
        bright = BrightIsForeground()
        if package.manifest.plane != sees:
            bright.probabilities = lambda batch: np.zeros((len(batch), 1, *batch.shape[2:]), np.float16)
        return bright

    packages = [SimpleNamespace(manifest=manifest(plane)) for plane in ("axial", "sagittal", "coronal")]
    found = find_region(image, packages, engine_for, Monitor())
    assert sorted(used) == sorted(asked) and (found is None) == (not sees)


def test_a_small_body_makes_a_region():
    """A body of 9 mm, as in a child's neck, in one or two of the slices looked at."""
    source = np.zeros((60, 60, 60), np.float32)
    for top in (10, 22, 34):
        source[top : top + 9, 20:29, 30:39] = 1
    box = region_of(source, (1.0, 1.0, 1.0), manifest("sagittal")).box
    assert box[0].start == 0 and box[0].stop >= 43


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("gap", [0, 4])
@pytest.mark.parametrize("mm", [0.5, 1.0, 1.5])
def test_the_region_tells_how_large_bodies_are(plane, gap, mm):
    """Relative to lumbar ones, whether they touch or not, and whatever specks there are."""
    source = np.zeros((120, 60, 60), np.float32)
    for top in range(10, 90, 24 + gap):
        source[top : top + 24, 15:45, 13:47] = 1
    source[110:112, 5:7, :] = 1
    image = sitk.GetImageFromArray(source)
    image.SetSpacing((mm, mm, mm))
    package = SimpleNamespace(manifest=manifest(plane))
    found = find_region(image, [package], lambda _: BrightIsForeground(), Monitor())
    # Where they touch, the shorter side in a row of them is their depth or their width.
    touching = {"sagittal": 30 / 24, "coronal": 34 / 24, "axial": 1.0}[plane] if gap == 0 else 1.0
    assert found.body_size == pytest.approx(mm * touching, abs=0.09)


def test_a_region_lies_in_the_same_place_on_a_finer_grid():
    rows, left = slice(60, 120), slice(3, 9)
    region = Region((rows, slice(20, 45), left), (rows, slice(20, 30), left), 0.5)
    finer = region.on_grid((130, 50, 9), (260, 75, 9))
    rows = slice(100, 260)
    assert finer == Region((rows, slice(30, 68), left), (rows, slice(30, 45), left), 0.5)


@pytest.mark.parametrize("slices", [1, 3, 7])
def test_a_thin_volume_is_looked_at_in_its_middle(slices):
    source = np.zeros((60, 60, slices), np.float32)
    source[20:40, 20:40, slices // 2] = 1
    box = region_of(source, (1, 1, 1), manifest("sagittal")).box
    assert box is not None and box[2] == slice(0, slices)


def test_only_the_border_of_the_scan_cuts_bodies_off():
    mask = np.ones((4, 5, 6), bool)
    clear_inner_faces(mask, (slice(0, 4), slice(2, 7), slice(1, 7)), (9, 7, 8))
    expected = np.zeros((4, 5, 6), bool)
    expected[:3, 1:, 1:5] = True
    assert np.array_equal(mask, expected)
