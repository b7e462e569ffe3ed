"""Dimensions of analytic bodies on tilted, thick-sliced and flipped grids."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from SpineInference.anatomy import LEVELS
from SpineInference.measuring.body_shape import SUPERIOR, shape_of
from SpineInference.measuring.measurements import measure

HEIGHT, DEPTH, WIDTH = 26.0, 34.0, 46.0


def axes_tilted(sagittal, coronal):
    """Rows: posterior, left and superior of a body whose axis has these projected angles, in LPS."""
    up = np.array([np.tan(np.radians(coronal)), -np.tan(np.radians(sagittal)), 1.0])
    up /= np.linalg.norm(up)
    back = np.array([0, 1.0, 0]) - up * up[1]
    back /= np.linalg.norm(back)
    return np.stack([back, np.cross(back, up), up])


def body(spacing, sagittal=0.0, coronal=0.0, kind="box", wedge=0.0, off_grid=0.3):
    """Boolean array and its steps: a box, or an elliptic cylinder, `wedge` mm lower in front than behind."""
    steps = np.array([[0, 0, -spacing[0]], [0, spacing[1], 0], [spacing[2], 0, 0]], float)
    size = np.ceil(64 / np.array(spacing)).astype(int)
    grid = np.stack(np.indices(size), axis=-1) - (size - 1) / 2 - off_grid
    u, v, w = np.moveaxis(grid @ steps @ axes_tilted(sagittal, coronal).T, -1, 0)
    across = (
        (np.abs(u) < DEPTH / 2) & (np.abs(v) < WIDTH / 2)
        if kind == "box"
        else np.hypot(2 * u / DEPTH, 2 * v / WIDTH) < 1
    )
    return across & (np.abs(w) < HEIGHT / 2 + wedge * u / DEPTH / 2), steps


def heights(mask, steps):
    """Of the row that the table has for the body."""
    image = sitk.GetImageFromArray(mask.astype(np.uint8) * LEVELS["L3"].label)
    spacing = np.linalg.norm(steps, axis=1)
    image.SetSpacing(spacing[::-1].tolist())
    image.SetDirection((steps / spacing[:, None])[::-1].T.ravel().tolist())
    [row] = measure(image, [LEVELS["L3"]], set()).vertebrae
    return [row.anterior_height_mm, row.middle_height_mm, row.posterior_height_mm]


@pytest.mark.parametrize("kind", ["box", "cylinder"])
@pytest.mark.parametrize("tilts", [(0, 0), (12, 0), (-25, 8), (40, -15), (-35, 20)])
def test_known_dimensions(kind, tilts):
    mask, steps = body((1.0, 0.9, 0.8), *tilts, kind=kind)
    shape = shape_of(mask, steps, SUPERIOR)
    assert heights(mask, steps) == pytest.approx([HEIGHT] * 3, abs=0.7)
    assert (shape.depth_mm, shape.width_mm) == pytest.approx((DEPTH, WIDTH), abs=0.7)
    assert (shape.sagittal_tilt_deg, shape.coronal_tilt_deg) == pytest.approx(tilts, abs=0.7)


@pytest.mark.parametrize("tilts", [(0, 0), (12, 5), (40, -15), (-35, 20)])
@pytest.mark.parametrize("thick_axis", [0, 2])
def test_thick_slices(thick_axis, tilts):
    """Across slices of 4 mm a length is known to half a slice, a height not at all; within them as well as ever."""
    spacing = [0.8, 0.8, 0.8]
    spacing[thick_axis] = 4.0
    mask, steps = body(spacing, *tilts)
    shape = shape_of(mask, steps, SUPERIOR)
    assert heights(mask, steps) == (pytest.approx([HEIGHT] * 3, abs=0.7) if thick_axis == 2 else [None] * 3)
    assert shape.depth_mm == pytest.approx(DEPTH, abs=0.7)
    assert shape.width_mm == pytest.approx(WIDTH, abs=0.7 if thick_axis == 0 else 2.1)
    assert (shape.sagittal_tilt_deg, shape.coronal_tilt_deg) == pytest.approx(tilts, abs=2)


def test_a_wedge_is_measured_in_front_and_behind():
    """4 mm lower in front than behind, as a fracture leaves it."""
    mask, steps = body((1.0, 1.0, 1.0), sagittal=15, wedge=4.0)
    assert heights(mask, steps) == pytest.approx([HEIGHT - 2, HEIGHT, HEIGHT + 2], abs=0.5)
    assert shape_of(mask, steps, SUPERIOR).sagittal_tilt_deg == pytest.approx(15, abs=1)


def test_noise_on_the_border_changes_little():
    mask, steps = body((1.0, 1.0, 1.0), sagittal=20)
    rng = np.random.default_rng(3)
    border = ndimage.binary_dilation(mask) & ~ndimage.binary_erosion(mask)
    noisy = np.where(border, rng.random(mask.shape) < 0.5, mask)
    assert heights(noisy, steps) == pytest.approx(heights(mask, steps), abs=1)
    assert shape_of(noisy, steps, SUPERIOR).sagittal_tilt_deg == pytest.approx(20, abs=2)


def test_the_cut_at_the_border_is_no_endplate():
    """Half of the body lies above the scan: the one endplate that is left tells the tilt."""
    mask, steps = body((1.0, 1.0, 1.0), sagittal=20)
    shape = shape_of(mask[mask.shape[0] // 2 :], steps, SUPERIOR)
    assert shape.sagittal_tilt_deg == pytest.approx(20, abs=7)


def test_beyond_45_degrees_the_spine_shows_the_way():
    mask, steps = body((1.0, 1.0, 1.0), sagittal=60)
    upwards = axes_tilted(45, 0)[2]
    assert shape_of(mask, steps, upwards).sagittal_tilt_deg == pytest.approx(60, abs=1)


def test_any_orientation_of_the_array():
    mask, steps = body((1.0, 0.9, 0.8), sagittal=12, coronal=5)
    flipped = shape_of(mask[:, ::-1].transpose(2, 0, 1), (steps * [[1], [-1], [1]])[[2, 0, 1]], SUPERIOR)
    straight = shape_of(mask, steps, SUPERIOR)
    assert list(vars(flipped).values()) == pytest.approx(list(vars(straight).values()), abs=0.05)


@pytest.mark.parametrize("axis, lost", [(2, {"width_mm", "coronal_tilt_deg"}), (1, {"depth_mm", "sagittal_tilt_deg"})])
def test_a_single_slice_tells_nothing_across_itself(axis, lost):
    mask, steps = body((1.0, 1.0, 1.0), sagittal=12 if axis == 2 else 0)
    one = np.take(mask, [mask.shape[axis] // 2], axis=axis)
    shape = vars(shape_of(one, steps, SUPERIOR))
    assert {name for name, value in shape.items() if value is None} == lost
    assert heights(one, steps) == (pytest.approx([HEIGHT] * 3, abs=0.7) if axis == 2 else [None] * 3)


def test_a_sheet_has_no_shape():
    """One voxel thick from front to back: its axis is the patient's posterior, and nothing can be told."""
    sheet = np.zeros((12, 3, 12), bool)
    sheet[1:-1, 1, 1:-1] = True
    steps = np.array([[0, 0, -1.0], [0, 1.0, 0], [1.0, 0, 0]])
    assert set(vars(shape_of(sheet, steps, np.array([0, 1.0, 0.3]))).values()) == {None}


def test_a_handful_of_voxels_has_no_shape():
    mask = np.zeros((5, 5, 5), bool)
    mask[2, 2, 2] = True
    assert set(vars(shape_of(mask, np.eye(3), SUPERIOR)).values()) == {None}
