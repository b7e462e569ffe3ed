"""Agreement of masks: known shapes, the rules for empty masks, and the mean of slices that flatters."""

import math

import numpy as np
import pytest

from SpineInference.measuring.metrics import (
    agreement_of,
    assd_mm,
    dice,
    hd95_mm,
    labelled_slices,
    nsd,
    surface_distances,
    volume_dice_within,
)

SPACING = (3.0, 1.0, 0.5)
EMPTY = np.zeros((4, 6, 8), bool)


def block(rows=slice(2, 8), shape=(10, 12, 14)):
    mask = np.zeros(shape, bool)
    mask[rows, 3:9, 4:10] = True
    return mask


def test_equal_masks():
    agreement = agreement_of(block(), block(), SPACING)
    assert (agreement.dice, agreement.hd95_mm, agreement.assd_mm, agreement.nsd) == (1, 0, 0, 1)


def test_a_shift_is_measured_in_millimetres():
    moved = np.roll(block(), 1, axis=0)
    assert dice(block(), moved) == pytest.approx(5 / 6)
    assert agreement_of(block(), moved, SPACING).iou == pytest.approx(5 / 7)
    assert hd95_mm(block(), moved, SPACING) == 3.0
    assert hd95_mm(block(), np.roll(block(), 2, axis=2), SPACING) == 1.0
    assert nsd(block(), moved, SPACING) < nsd(block(), moved, SPACING, tolerance_mm=3.0) == 1


def test_distances_against_all_pairs_of_surface_voxels():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 6, 7, 8)) > 0.6
    from_a, from_b = surface_distances(a, b, SPACING)

    def surface(mask):
        padded = np.pad(mask, 1)
        inner = np.ones_like(mask)
        for axis in range(3):
            for shift in (-1, 1):
                inner &= np.roll(padded, shift, axis)[1:-1, 1:-1, 1:-1]
        return np.argwhere(mask & ~inner) * SPACING

    apart = np.linalg.norm(surface(a)[:, None] - surface(b)[None], axis=-1)
    assert np.sort(from_a) == pytest.approx(np.sort(apart.min(axis=1)))
    assert np.sort(from_b) == pytest.approx(np.sort(apart.min(axis=0)))
    both = np.concatenate([from_a, from_b])
    assert assd_mm(a, b, SPACING) == pytest.approx(both.mean())
    assert hd95_mm(a, b, SPACING) == pytest.approx(max(np.percentile(from_a, 95), np.percentile(from_b, 95)))


def test_the_surface_of_a_radiograph_is_its_outline():
    reference, prediction = np.zeros((2, 1, 40, 40), bool)
    reference[0, 10:30, 10:30] = prediction[0, 10:30, 14:30] = True
    found = agreement_of(prediction, reference, SPACING)
    volume = agreement_of(*(np.repeat(mask, 40, axis=0) for mask in (prediction, reference)), SPACING)
    assert found.hd95_mm == volume.hd95_mm == 2.0 and found.assd_mm > 0.2
    inside = np.zeros_like(reference)
    inside[0, 11:29, 11:29] = True
    assert assd_mm(inside, reference, (1.0, 1.0, 1.0)) == pytest.approx(1.0, abs=0.05)


def test_both_empty_is_not_judged():
    assert dice(EMPTY, EMPTY) is None
    assert hd95_mm(EMPTY, EMPTY, SPACING) is assd_mm(EMPTY, EMPTY, SPACING) is nsd(EMPTY, EMPTY, SPACING) is None


@pytest.mark.parametrize("missed", [True, False])
def test_one_empty_is_as_bad_as_can_be(missed):
    full = ~EMPTY
    agreement = agreement_of(EMPTY, full, SPACING) if missed else agreement_of(full, EMPTY, SPACING)
    diagonal = math.hypot(4 * 3, 6 * 1, 8 * 0.5)
    assert (agreement.dice, agreement.nsd) == (0, 0)
    assert agreement.hd95_mm == agreement.assd_mm == pytest.approx(diagonal)


def test_a_dice_per_slice_flatters_where_the_volume_is_wrong():
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
    assert labelled_slices(reference) == slice(3, 6)
    assert volume_dice_within(prediction, reference) == 1 > dice(prediction, reference)
    assert labelled_slices(EMPTY) == slice(0, 4)
    assert volume_dice_within(EMPTY, EMPTY) is None
    assert volume_dice_within(~EMPTY, EMPTY) == 0
