"""Agreement of masks: known shapes, the rules for empty masks, and the mean of slices that flatters."""

import itertools
import math

import numpy as np
import pytest

from SpineInference.measuring.metrics import agreement_of, dice, labelled_slices, surface_distances

SPACING = (3.0, 1.0, 0.5)
THICK = (0.5, 0.5, 4.0)
EMPTY = np.zeros((4, 6, 8), bool)


def block(rows=slice(2, 8), shape=(10, 12, 14)):
    mask = np.zeros(shape, bool)
    mask[rows, 3:9, 4:10] = True
    return mask


def box(shape, *corners, spacing=THICK):
    """A mask of `shape` (mm) that holds the box between two corners (mm)."""
    mask = np.zeros([round(mm / step) for mm, step in zip(shape, spacing, strict=True)], bool)
    spans = zip(*corners, spacing, strict=True)
    mask[tuple(slice(round(low / step), round(high / step)) for low, high, step in spans)] = True
    return mask


def ball(centre, radius=20.0, spacing=THICK, size_mm=60):
    grid = np.meshgrid(
        *((np.arange(-size_mm / 2, size_mm / 2, step) - mm) for step, mm in zip(spacing, centre, strict=True)),
        indexing="ij",
    )
    return sum(x * x for x in grid) <= radius**2


def test_equal_masks():
    agreement = agreement_of(block(), block(), SPACING)
    assert (agreement.dice, agreement.hd95_mm, agreement.assd_mm, agreement.nsd) == (1, 0, 0, 1)


def test_a_shift_is_measured_in_millimetres():
    moved = np.roll(block(), 1, axis=0)
    agreement = agreement_of(block(), moved, SPACING)
    assert agreement.dice == dice(block(), moved) == pytest.approx(5 / 6)
    assert agreement.iou == pytest.approx(5 / 7)
    assert agreement.hd95_mm == 3.0
    assert agreement_of(block(), np.roll(block(), 2, axis=2), SPACING).hd95_mm == 1.0
    assert agreement.nsd < agreement_of(block(), moved, SPACING, tolerance_mm=3.0).nsd == 1


def test_surface_areas_of_a_box():
    """However thick the slices are: 2 x (20 x 15 + 20 x 20 + 15 x 20) mm2."""
    one = box((40, 40, 40), (10, 10, 8), (30, 25, 28))
    surface, _ = surface_distances(one, one, THICK)
    assert surface.area == pytest.approx(2 * (20 * 15 + 20 * 20 + 15 * 20), rel=0.05)


def test_a_box_that_is_too_long_in_thick_slices():
    """Worked out by hand: a box of 20 x 20 x 40 mm is found 3 mm too long, across columns of 0.5 mm.

    Of the prediction's 4360 mm2, the four new walls (360 mm2) are 0 to 3 mm off and the new face (800) is 3 mm off; of
    the reference's 4000, its face is as far off as its points are from its border, 3 mm at most.
    """
    found = agreement_of(
        box((40, 40, 56), (10, 10, 8), (33, 30, 48)), box((40, 40, 56), (10, 10, 8), (30, 30, 48)), THICK
    )
    assert found.assd_mm == pytest.approx((360 * 1.5 + 800 * 3 + 1896) / 8360, rel=0.02)
    assert found.nsd == pytest.approx(1 - (240 + 800 + 18 * 38) / 8360, abs=0.02)
    assert found.hd95_mm == 3.0


def test_a_ball_is_as_far_off_along_any_axis():
    """Counting surface voxels, the two would differ by a factor of two."""
    across, within = (agreement_of(ball(shift), ball((0, 0, 0)), THICK) for shift in ((0, 0, 4), (4, 0, 0)))
    assert across.assd_mm == pytest.approx(within.assd_mm, rel=0.1)


def test_surfaces_against_all_pairs_of_elements():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 6, 7, 8)) > 0.6
    faces = np.prod(SPACING) / SPACING

    def elements(mask):
        padded = np.pad(mask, 1).astype(int)
        places, areas = [], []
        for corner in itertools.product(*map(range, np.array(padded.shape) - 1)):
            cube = padded[tuple(slice(start, start + 2) for start in corner)]
            vector = [np.diff(cube, axis=axis).sum() / 4 * faces[axis] for axis in range(3)]
            if np.any(vector):
                places.append(np.array(corner) * SPACING)
                areas.append(np.linalg.norm(vector))
        return np.array(places), np.array(areas)

    (places_a, areas_a), (places_b, areas_b) = elements(a), elements(b)
    apart = np.linalg.norm(places_a[:, None] - places_b[None], axis=-1)
    nearest = apart.min(axis=1), apart.min(axis=0)
    found = surface_distances(a, b, SPACING)
    for surface, distances, areas in zip(found, nearest, (areas_a, areas_b), strict=True):
        assert surface.distances_mm == pytest.approx(np.sort(distances))
        assert surface.areas.sum() == pytest.approx(areas.sum())
        assert surface.distances_mm @ surface.areas == pytest.approx(distances @ areas)
    mean = (nearest[0] @ areas_a + nearest[1] @ areas_b) / (areas_a.sum() + areas_b.sum())
    assert agreement_of(a, b, SPACING).assd_mm == pytest.approx(mean)


def test_the_surface_of_a_radiograph_is_its_outline():
    reference, prediction = np.zeros((2, 1, 40, 40), bool)
    reference[0, 10:30, 10:30] = prediction[0, 10:30, 14:30] = True
    found = agreement_of(prediction, reference, SPACING)
    volume = agreement_of(*(np.repeat(mask, 40, axis=0) for mask in (prediction, reference)), SPACING)
    assert found.hd95_mm == volume.hd95_mm == 2.0 and found.assd_mm > 0.2
    inside = np.zeros_like(reference)
    inside[0, 11:29, 11:29] = True
    assert agreement_of(inside, reference, (1.0, 1.0, 1.0)).assd_mm == pytest.approx(1.0, abs=0.05)


def test_both_empty_is_not_judged():
    assert dice(EMPTY, EMPTY) is agreement_of(EMPTY, EMPTY, SPACING) is None


@pytest.mark.parametrize("missed", [True, False])
def test_one_empty_is_as_bad_as_can_be(missed):
    full = ~EMPTY
    agreement = agreement_of(EMPTY, full, SPACING) if missed else agreement_of(full, EMPTY, SPACING)
    diagonal = math.hypot(4 * 3, 6 * 1, 8 * 0.5)
    assert (agreement.dice, agreement.nsd) == (0, 0)
    assert agreement.hd95_mm == agreement.assd_mm == pytest.approx(diagonal)


def test_a_dice_per_slice_flatters():
    """The measure of the thesis: a mean over slices in which two empty slices count as perfect.

    With three of four slices empty, a volume Dice of 0.750 is told as 0.938.
    """
    reference, prediction = np.zeros((2, 40, 40, 40), bool)
    reference[:10, :20, :20] = True
    prediction[:10, 5:25, :20] = True
    eps = 1.0
    per_slice = [
        (2 * (p & r).sum() + eps) / (p.sum() + r.sum() + eps) for p, r in zip(prediction, reference, strict=True)
    ]
    assert np.mean(per_slice) == pytest.approx(0.938, abs=0.001)
    assert dice(prediction, reference) == pytest.approx(0.750)


def test_only_labelled_slices_are_judged():
    reference, prediction = block(slice(3, 6)), block(slice(0, 6))
    within = labelled_slices(reference)
    assert within == slice(3, 6)
    assert dice(prediction[within], reference[within]) == 1 > dice(prediction, reference)
    assert labelled_slices(EMPTY) == slice(0, 4)
