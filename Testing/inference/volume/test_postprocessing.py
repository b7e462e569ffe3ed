"""Each step from what fusion has decided to clean classes, and their order."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from SpineInference.errors import Cancelled
from SpineInference.measuring.metrics import dice
from SpineInference.monitor import Monitor
from SpineInference.specs import PostprocessingSpec
from SpineInference.volume import postprocessing

ISO = (1.0, 1.0, 1.0)
NOTHING = PostprocessingSpec(min_island_mm3=0, fill_holes=False, smooth_mm=0, interpolate_slices=False)


def ellipsoid(shape=(40, 44, 36), spacing=ISO, radii=(14.0, 17.0, 13.0), centre=None):
    centre = (np.array(shape) - 1) / 2 * spacing if centre is None else np.array(centre)
    offset = np.stack(np.indices(shape), axis=-1) * np.array(spacing) - centre
    return np.linalg.norm(offset / np.array(radii), axis=-1) < 1


def test_islands_are_measured_in_cubic_millimetres():
    mask = np.zeros((20, 20, 20), bool)
    mask[1:9, 1:9, 1:9] = True
    mask[12:14, 12:14, 12:14] = True
    mask[14, 14, 14] = True  # hangs on the island by a corner
    spacing = (2.0, 1.0, 0.5)  # a voxel of 1 mm3
    assert postprocessing.remove_small_islands(mask, spacing, 9).sum() == 8**3 + 9
    assert postprocessing.remove_small_islands(mask, spacing, 9.1).sum() == 8**3
    assert not postprocessing.remove_small_islands(mask, spacing, 1000).any()
    assert mask.sum() == 8**3 + 9


def test_enclosed_holes_are_filled():
    body = ellipsoid()
    mask = body.copy()
    mask[15:22, 18:25, 14:20] = False
    assert (postprocessing.fill_holes(mask, ISO) == body).all()


def test_basivertebral_vein_is_filled_but_no_disc():
    """Both reach out of the body sideways; only the small one is closed in each sagittal slice."""
    body = np.zeros((60, 40, 30), bool)
    body[5:55, 5:35, 5:25] = True
    mask = body.copy()
    mask[15:20, 15:24, :] = False
    mask[35:40, 10:30, :] = False
    expected = body.copy()
    expected[35:40, 10:30, :] = False
    assert (postprocessing.fill_holes(mask, ISO) == expected).all()
    assert (postprocessing.fill_holes(mask, (1.0, 1.2, 1.0)) == mask).all()  # 54 mm2


def test_a_small_disc_is_no_vein():
    """Two bodies of 9 mm that touch in front and behind of a disc of 2.5 x 8 mm, in one slice and in many."""
    for slices in (1, 12):
        mask = np.zeros((60, 40, slices), bool)
        mask[10:51, 10:30] = True
        mask[28:33, 12:28] = False
        assert (postprocessing.fill_holes(mask, (0.5, 0.5, 1.0)) == mask)[:, :, 0].all()


@pytest.mark.parametrize("millimetres", [0.5, 0.7])
def test_small_bodies_are_smoothed_and_filled_less(millimetres):
    """The same voxels give the same mask, however small they are."""
    rough = ellipsoid() ^ (np.random.default_rng(0).random((40, 44, 36)) > 0.97)
    rough[18:22, 15:30, :] = False  # 60 pixels
    spec = PostprocessingSpec(min_island_mm3=1000, min_island_share=0.2, fill_holes=True, smooth_mm=1.2)

    def cleaned(mm: float, smooth_mm: float = 1.2) -> np.ndarray:
        return postprocessing.apply(rough.view(np.uint8), replace(spec, smooth_mm=smooth_mm), (mm,) * 3, 1)

    assert (cleaned(millimetres) == cleaned(0.9)).all()
    assert (cleaned(millimetres) != cleaned(millimetres, smooth_mm=4.0)).any()


def test_the_spinal_canal_and_bays_stay_open():
    ring = np.zeros((30, 30, 30), bool)
    ring[5:25, 5:25, 5:25] = True
    ring[:, 10:20, 10:20] = False  # open above and below, a hole in every axial slice
    bay = np.zeros((30, 30, 30), bool)
    bay[5:25, 5:25, :] = True
    bay[12:15, :12] = False
    for mask in (ring, bay):
        assert (postprocessing.fill_holes(mask, ISO) == mask).all()


def test_a_scan_of_one_slice_has_holes_too():
    mask = np.zeros((40, 1, 40), bool)
    mask[5:35, :, 5:35] = True
    holed = mask.copy()
    holed[10:30, :, 10:30] = False
    assert (postprocessing.fill_holes(holed, ISO) == mask).all()


@pytest.mark.parametrize("spacing", [ISO, (0.5, 0.5, 3.0)])
def test_smoothing_takes_roughness_and_keeps_the_volume(spacing):
    shape = tuple(int(40 / mm) for mm in spacing)
    truth = ellipsoid(shape, spacing)
    rng = np.random.default_rng(1)
    border = ndimage.binary_dilation(truth) & ~ndimage.binary_erosion(truth)
    rough = np.where(border, rng.random(shape) < 0.5, truth)
    smooth = postprocessing.smooth_border(rough, spacing, 1.5)
    assert smooth.sum() == pytest.approx(rough.sum(), rel=0.01)
    assert dice(smooth, truth) > dice(rough, truth) + 0.005


@pytest.mark.parametrize("spacing", [(1.5, 0.75, 0.75), (0.75, 0.75, 1.5)])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_smoothing_is_isotropic_in_millimetres(spacing, axis):
    """A plate of 6 mm stays and one of 1.5 mm goes, whichever way it lies and however the voxels are shaped."""
    shape = tuple(int(48 / mm) for mm in spacing)
    for thickness, stays in [(6.0, True), (1.5, False)]:
        mask = ellipsoid(shape, spacing, (14.0, 11.0, 14.0), (24, 12, 24))
        corner, size = np.array([15.0, 27.0, 15.0]), np.array([18.0, 18.0, 18.0])
        size[axis] = thickness
        plate = tuple(
            slice(round(start / mm), round((start + length) / mm))
            for start, length, mm in zip(corner, size, spacing, strict=True)
        )
        mask[plate] = True
        left = postprocessing.smooth_border(mask, spacing, 2.0)[plate].mean()
        assert left > 0.7 if stays else left < 0.1


def test_smoothing_does_not_shrink_a_body_at_the_border():
    mask = ellipsoid()[20:]
    smooth = postprocessing.smooth_border(mask, ISO, 2.0)
    assert (smooth[0] ^ mask[0]).sum() < 0.05 * mask[0].sum()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_that_were_not_computed_are_interpolated(axis):
    body = ellipsoid()
    missing = np.arange(body.shape[axis]) % 4 != 0
    mask = body.copy()
    np.moveaxis(mask, axis, 0)[missing] = False
    filled = postprocessing.interpolate_slices(mask, ISO, axis, missing)
    assert dice(filled, body) > 0.95
    np.moveaxis(mask, axis, 0)[:] = np.moveaxis(body, axis, 0)
    computed = np.moveaxis(filled, axis, 0)[~missing]
    assert (computed == np.moveaxis(body, axis, 0)[~missing]).all()


def test_interpolated_outlines_lie_between_neighbours():
    """Between a disc of 4 mm and one of 10 mm radius lie discs of 6 and 8 mm; the spacing within the slice counts."""
    shape, spacing = (60, 30, 4), (0.5, 1.0, 2.0)
    grid = np.indices(shape[:2]) * np.array(spacing[:2])[:, None, None] - 14.5
    distance = np.hypot(*grid)
    mask = np.zeros(shape, bool)
    mask[:, :, 0], mask[:, :, 3] = distance < 4, distance < 10
    filled = postprocessing.interpolate_slices(mask, spacing, axis=2)
    for index, radius in ((1, 6), (2, 8)):
        assert filled[:, :, index].sum() * 0.5 == pytest.approx(np.pi * radius**2, rel=0.08)


def test_wide_gaps_and_ends_stay_empty():
    mask = np.zeros((30, 20, 30), bool)
    mask[10:20, 5:15, [5, 20]] = True
    assert (postprocessing.interpolate_slices(mask, ISO, axis=2) == mask).all()
    filled = postprocessing.interpolate_slices(mask, (1.0, 1.0, 0.5), axis=2)
    assert filled[:, :, 6:20].any(axis=(0, 1)).all()
    assert not filled[:, :, :5].any() and not filled[:, :, 21:].any()


def test_a_slice_known_to_be_empty_stays_so():
    mask = np.zeros((20, 20, 7), bool)
    mask[5:15, 5:15, [1, 5]] = True
    missing = np.array([False, False, True, False, True, False, False])
    assert (postprocessing.interpolate_slices(mask, ISO, 2, missing) == mask).all()


def test_discs_are_no_missing_slices():
    """An axial slice without vertebra between two with one is a disc, never a slice that dropped out."""
    mask = np.zeros((40, 20, 20), bool)
    mask[5:15, 5:15, 5:15] = mask[20:30, 5:15, 5:15] = True
    result = postprocessing.apply(mask.astype(np.uint8), replace(NOTHING, interpolate_slices=True), ISO, 1)
    assert (result == mask).all()


def test_all_steps_in_order():
    """A body with a slice that dropped out, a hole, a rough border, and an island: as good as new."""
    body = ellipsoid()
    classes = body.astype(np.uint8)
    classes[:, :, 17] = 0
    classes[18:22, 20:24, 10:14] = 0
    classes[1:4, 1:4, 1:4] = 1
    given = classes.copy()
    spec = PostprocessingSpec(min_island_mm3=100, fill_holes=True, smooth_mm=1.0, interpolate_slices=True)
    stages = []
    monitor = Monitor(on_progress=lambda step: stages.append((step.stage, step.done, step.total)))
    result = postprocessing.apply(classes, spec, ISO, 1, monitor)
    assert dice(result, body) > 0.99 and not result[:5, :5, :5].any()
    assert (classes == given).all()
    assert stages[0] == ("post-processing", 0, 2) and stages[-1] == ("post-processing", 2, 2)


def test_nothing_asked_for_changes_nothing():
    classes = np.random.default_rng(0).integers(0, 4, (5, 6, 7), np.uint8)
    assert (postprocessing.apply(classes, NOTHING, ISO, 2) == classes).all()


def test_classes_are_cleaned_without_mixing():
    """A shell around a core of another class, with a gap between, and an island of each."""
    classes = np.zeros((30, 30, 30), np.uint8)
    classes[4:26, 4:26, 4:26] = 1
    classes[6:24, 6:24, 6:24] = 0
    classes[8:22, 8:22, 8:22] = 2
    expected = classes.copy()
    expected[6:24, 6:24, 6:24] = np.where(classes[6:24, 6:24, 6:24] == 2, 2, 1)
    classes[1, 1, 1:3] = 1
    classes[1, 28, 1:3] = 2
    spec = replace(NOTHING, fill_holes=True, min_island_mm3=10)
    assert (postprocessing.apply(classes, spec, ISO) == expected).all()


def test_projection_fills_holes_of_vertebrae_only():
    ring = np.zeros((40, 1, 40), np.uint8)
    ring[5:35, :, 5:35] = 1
    full = ring.copy()
    ring[10:30, :, 10:30] = 0
    assert (postprocessing.apply(ring, replace(NOTHING, fill_holes=True), ISO) == ring).all()
    assert (postprocessing.apply(ring, replace(NOTHING, fill_holes=True), ISO, 1) == full).all()


def test_sagittal_slice_fills_holes_of_vertebrae():
    tube = np.zeros((30, 30, 30), np.uint8)
    tube[5:25, 5:25, 5:25] = 1
    closed = tube.copy()
    tube[13:17, 13:17, :] = 0  # open to both sides
    assert (postprocessing.apply(tube, replace(NOTHING, fill_holes=True), ISO) == tube).all()
    assert (postprocessing.apply(tube, replace(NOTHING, fill_holes=True), ISO, 1) == closed).all()


def test_empty_masks_pass_every_step():
    spec = PostprocessingSpec(min_island_mm3=100, fill_holes=True, smooth_mm=1.0, interpolate_slices=True)
    assert not postprocessing.apply(np.zeros((6, 1, 7), np.uint8), spec, ISO).any()


def test_can_be_cancelled():
    with pytest.raises(Cancelled):
        spec = replace(NOTHING, fill_holes=True)
        postprocessing.apply(np.ones((4, 4, 4), np.uint8), spec, ISO, 1, Monitor(should_stop=lambda: True))


def test_island_limit_follows_small_bodies():
    """A cervical body in one slice of 4 mm has 600 mm3: a limit made for lumbar ones must not take it."""
    mask = np.zeros((120, 40, 1), bool)
    for top in (5, 30, 55, 80):
        mask[top : top + 15, 10:25] = True
    mask[110:113, 30:32] = True  # a speck
    cleaned = postprocessing.remove_small_islands(mask, (0.8, 0.8, 4.0), 1000.0, 0.1)
    assert cleaned[:100].sum() == 4 * 15 * 15 and not cleaned[100:].any()


def test_island_limit_stays_beside_large_bodies():
    mask = np.zeros((60, 40, 40), bool)
    mask[5:30, 5:35, 5:35], mask[45:54, 10:19, 10:19] = True, True  # 729 mm3: no vertebra beside a lumbar one
    cleaned = postprocessing.remove_small_islands(mask, (1.0, 1.0, 1.0), 1000.0, 0.1)
    assert cleaned[:40].sum() == mask[:40].sum() and not cleaned[40:].any()


def test_many_specks_do_not_lower_the_island_limit():
    mask = np.zeros((80, 80, 1), bool)
    mask[::4, 60:80:4] = True
    mask[10:60, 10:50] = True
    cleaned = postprocessing.remove_small_islands(mask, (1.0, 1.0, 4.0), 1000.0, 0.1)
    assert cleaned[:, :55].sum() == 50 * 40 and not cleaned[:, 55:].any()


def test_specks_alone_are_no_bodies():
    mask = np.zeros((60, 60, 1), bool)
    mask[5:55:10, 10:16] = True
    assert not postprocessing.remove_small_islands(mask, (1.0, 1.0, 4.0), 1000.0, 0.1).any()


def test_discs_are_as_small_as_the_bodies_beside_them():
    classes = np.zeros((80, 30, 30), np.uint8)
    for number in range(4):
        classes[3 + 19 * number : 17 + 19 * number, 8:22, 8:22] = 1  # bodies of a neck: 14 mm
        classes[18 + 19 * number : 22 + 19 * number, 9:21, 9:21] = 2
    spec = replace(NOTHING, min_island_mm3=1000, min_island_share=0.2, smooth_mm=1.2)
    cleaned = postprocessing.apply(classes, spec, ISO, 1)
    kept = (cleaned == 2) & (classes == 2)
    assert ndimage.label(cleaned == 2)[1] == 4 and kept.sum() > 0.93 * (classes == 2).sum()
    assert not (postprocessing.apply(classes, spec, ISO) == 2).any()  # of anything else they would be specks
