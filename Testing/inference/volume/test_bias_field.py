"""The bias field is found and divided out, whatever the grid, the intensity type and the thickness of the scan."""

import sys
import time

import numpy as np
import pytest
import SimpleITK as sitk

from SpineInference.errors import Cancelled
from SpineInference.monitor import Monitor
from SpineInference.volume.bias_field import correct_bias_field, shrink_factors

NOISE = 0.05


def make_scan(size, spacing, strength=1.0):
    """A trunk of muscle with a fat shell and a column of bodies and discs, seen by a coil behind it.

    Returns the image (float32), the mask of the homogeneous muscle and the log field (arrays `[k, j, i]`).
    """
    extent = np.multiply(size, spacing)
    x, y, z = (np.linspace(0, 1, n).reshape([-1 if a == i else 1 for a in (2, 1, 0)]) for i, n in enumerate(size))
    radius = (2.2 * (x - 0.5)) ** 2 + (2.2 * (y - 0.5)) ** 2 + 0 * z
    column = ((x - 0.5) * extent[0]) ** 2 + ((y - 0.6) * extent[1]) ** 2 + 0 * z < 20**2
    disc = (z * extent[2] % 35 < 8) & column
    tissue = np.select([disc, column, radius < 0.8, radius < 1], [40.0, 150.0, 100.0, 220.0], 2.0)
    field = strength * (0.3 * np.sin(np.pi * (y - 0.5)) + 0.2 * np.cos(np.pi * z) + 0.1 * x)
    noise = np.random.default_rng(1).standard_normal(tissue.shape)
    image = sitk.GetImageFromArray((tissue * (1 + NOISE * noise) * np.exp(field)).astype(np.float32))
    image.SetSpacing([float(s) for s in spacing])
    return image, (radius < 0.8) & ~column, field


def variation(image, mask):
    """Coefficient of variation (standard deviation over mean) inside `mask`."""
    values = sitk.GetArrayFromImage(image)[mask]
    return values.std() / values.mean()


def same_grid(a, b):
    return all(getattr(a, get)() == getattr(b, get)() for get in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"))


@pytest.mark.parametrize(
    ("strength", "before"), [(0.8, 0.17), (1.6, 0.36)], ids=["usual gradient", "steep gradient, dim tissue"]
)
def test_known_field_is_removed(strength, before):
    image, muscle, field = make_scan((44, 44, 28), (6.0, 6.0, 6.0), strength)
    assert variation(image, muscle) == pytest.approx(before, abs=0.03)
    corrected = correct_bias_field(image)
    assert corrected.GetPixelID() == sitk.sitkFloat32
    assert variation(corrected, muscle) < NOISE * 1.1
    removed = np.log(sitk.GetArrayFromImage(image) / sitk.GetArrayFromImage(corrected))
    assert np.corrcoef(removed[muscle], field[muscle])[0, 1] > 0.98


@pytest.mark.parametrize(
    ("size", "spacing", "shrunk"),
    [
        ((130, 130, 9), (0.35 * 4, 0.35 * 4, 4.0), [3, 3, 1]),
        ((35, 34, 39), (2.0, 2.0, 1.5), [2, 2, 3]),
        ((40, 40, 4), (3.0, 3.0, 3.0), [2, 2, 1]),
        ((60, 60, 1), (3.0, 3.0, 5.0), [2, 2, 1]),
    ],
    ids=["thick slices", "no multiple of the shrink factor", "four voxels thin", "one slice"],
)
def test_any_shape_keeps_its_grid_and_gets_flatter(size, spacing, shrunk):
    image, muscle, _ = make_scan(size, spacing)
    angle = np.deg2rad(12)
    image.SetDirection([np.cos(angle), -np.sin(angle), 0, np.sin(angle), np.cos(angle), 0, 0, 0, 1])
    image.SetOrigin((-31.5, 12.25, 700.0))
    assert shrink_factors(image) == shrunk
    corrected = correct_bias_field(image)
    assert same_grid(corrected, image)
    assert variation(corrected, muscle) < 0.5 * variation(image, muscle)


def test_shrink_factors_follow_the_spacing():
    image = sitk.Image([512, 512, 20], sitk.sitkUInt8)
    image.SetSpacing((0.35, 0.35, 4.0))
    assert shrink_factors(image) == [13, 13, 1]
    image.SetSpacing((0.35, 0.35, 1.0))
    assert shrink_factors(image) == [13, 13, 2]  # a factor of 4 would leave five slices


def test_integers_and_negative_intensities():
    image, muscle, _ = make_scan((24, 24, 16), (8.0, 8.0, 8.0))
    expected = sitk.GetArrayFromImage(correct_bias_field(image))
    whole = correct_bias_field(sitk.Cast(image * 10, sitk.sitkInt16))
    assert np.median(np.abs(sitk.GetArrayFromImage(whole) / 10 - expected)[muscle]) < 0.5
    # The lowest voxel becomes the zero of the intensities, so the shift costs no more than that voxel's value.
    shifted = correct_bias_field(image - 1000)
    assert np.median(np.abs(sitk.GetArrayFromImage(shifted) + 1000 - expected)[muscle]) < 1.0
    assert np.isfinite(sitk.GetArrayFromImage(shifted)).all()


def test_same_result_every_time():
    image, *_ = make_scan((20, 20, 14), (8.0, 8.0, 8.0))
    first, second = (sitk.GetArrayFromImage(correct_bias_field(image)) for _ in range(2))
    assert np.array_equal(first, second)


def test_scan_without_an_object_comes_back_with_a_note():
    notes = []
    empty = sitk.Image([20, 20, 10], sitk.sitkInt16)
    corrected = correct_bias_field(empty, Monitor(on_note=notes.append))
    assert not sitk.GetArrayFromImage(corrected).any()
    assert len(notes) == 1
    assert "not corrected" in notes[0]


def test_cancel_stops_the_iterations_silently(capsys):
    image, *_ = make_scan((24, 24, 16), (8.0, 8.0, 8.0))
    steps, asked = [], None

    def should_stop():
        nonlocal asked
        if len(steps) == 5 and asked is None:
            asked = time.monotonic()
        return asked is not None

    hook = sys.excepthook
    with pytest.raises(Cancelled):
        correct_bias_field(image, Monitor(on_progress=steps.append, should_stop=should_stop))
    assert time.monotonic() - asked < 1
    assert len(steps) == 5  # not one iteration more
    assert all(step.stage == "bias field" and step.total == 90 for step in steps)
    assert [step.done for step in steps] == sorted({step.done for step in steps})
    assert sys.excepthook is hook
    assert "Traceback" not in capsys.readouterr().err


def test_error_of_the_listener_is_not_swallowed():
    def broken(progress):
        if progress.done:
            raise BrokenPipeError("nobody listens")

    image, *_ = make_scan((20, 20, 14), (8.0, 8.0, 8.0))
    with pytest.raises(BrokenPipeError):
        correct_bias_field(image, Monitor(on_progress=broken))
