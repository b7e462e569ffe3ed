"""A mask pushed through the geometry and back, for every kind of grid that scanners make."""

import itertools
import math

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from SpineInference.errors import SpineError
from SpineInference.prediction.fusion import Fused, Fusion
from SpineInference.prediction.regridding import to_scan_grid
from SpineInference.specs import OutputSpec
from SpineInference.volume.geometry import (
    Grid,
    canonical,
    canonical_spacing,
    check_geometry,
    check_grid,
    crop,
    plane_grid,
    reorient,
    resample,
    restore,
    same_grid,
    spacing_ipl,
    working_grid,
)

IDENTITY = np.eye(3)


def tilted(degrees: float) -> np.ndarray:
    return Rotation.from_euler("zyx", [degrees, degrees / 2, -degrees / 3], degrees=True).as_matrix()


GRIDS = {  # name: (size x, y, z; spacing mm; direction)
    "plain": ((40, 50, 60), (1.0, 1.0, 1.0), IDENTITY),
    "flipped": ((40, 50, 60), (1.0, 1.0, 1.0), np.diag([-1.0, 1.0, -1.0])),
    "permuted": ((60, 50, 24), (0.9, 0.9, 1.2), IDENTITY[:, [1, 2, 0]]),
    "permuted and flipped": ((60, 50, 24), (0.9, 1.1, 1.2), (IDENTITY[:, [1, 2, 0]] * [1, -1, -1])),
    "oblique 12": ((50, 44, 60), (1.0, 1.0, 1.0), tilted(12)),
    "oblique 40": ((50, 44, 60), (1.0, 1.0, 1.0), tilted(40)),
    "anisotropic": ((160, 150, 12), (0.35, 0.35, 4.0), IDENTITY[:, [1, 2, 0]]),
    "non-square": ((64, 200, 30), (1.0, 0.5, 1.0), IDENTITY),
    "larger than 512": ((600, 530, 6), (0.4, 0.4, 3.0), IDENTITY[:, [1, 2, 0]]),
    "one slice": ((90, 80, 1), (0.8, 0.8, 5.0), IDENTITY[:, [1, 2, 0]]),
    "four voxels thin": ((90, 80, 4), (0.8, 0.8, 5.0), IDENTITY[:, [1, 2, 0]]),
}


def make(name: str) -> sitk.Image:
    """A uint8 image on the grid: two ellipsoids of different labels, of which the first touches a border."""
    size, spacing, direction = GRIDS[name]
    k, j, i = np.meshgrid(*(np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in reversed(size)), indexing="ij")
    labels = np.zeros(k.shape, np.uint8)
    labels[(k / 0.8) ** 2 + ((j + 0.6) / 0.5) ** 2 + ((i - 0.1) / 0.6) ** 2 < 1] = 20
    labels[(k / 0.7) ** 2 + ((j - 0.5) / 0.3) ** 2 + ((i + 0.2) / 0.5) ** 2 < 1] = 21
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing(spacing)
    image.SetDirection(direction.flatten())
    image.SetOrigin((-31.25, 12.5, 700.125))
    return image


@pytest.mark.parametrize("name", GRIDS)
def test_reorient_equals_the_filter_of_simpleitk(name):
    image = make(name)
    for letters in itertools.product("RL", "AP", "SI"):
        for orientation in map("".join, itertools.permutations(letters)):
            expected, found = sitk.DICOMOrient(image, orientation), reorient(image, orientation)
            assert np.array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(expected))
            assert same_grid(found, Grid.of(expected))
            assert (found.GetSize(), found.GetDirection()) == (expected.GetSize(), expected.GetDirection())


def dice(a: sitk.Image, b: sitk.Image) -> float:
    a, b = sitk.GetArrayViewFromImage(a) > 0, sitk.GetArrayViewFromImage(b) > 0
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize("name", GRIDS)
def test_canonical_and_back_is_voxel_identical(name):
    scan = make(name)
    back = restore(canonical(scan), like=scan)
    assert Grid.of(back) == Grid.of(scan)
    assert np.array_equal(sitk.GetArrayViewFromImage(back), sitk.GetArrayViewFromImage(scan))


def test_every_orientation_becomes_one_canonical_array():
    reference = canonical(make("plain"))
    for order in itertools.permutations(range(3)):
        for flips in itertools.product([False, True], repeat=3):
            scan = sitk.Flip(sitk.PermuteAxes(make("plain"), order), flips)
            oriented = canonical(scan)
            assert np.array_equal(sitk.GetArrayViewFromImage(oriented), sitk.GetArrayViewFromImage(reference))
            assert np.allclose(oriented.GetOrigin(), reference.GetOrigin())


@pytest.mark.parametrize("name", GRIDS)
def test_canonical_axes_run_down_back_and_left(name):
    scan = make(name)
    oriented = canonical(scan)
    direction = np.array(oriented.GetDirection()).reshape(3, 3)  # columns: where x, y, z go in L, P, S
    assert np.all(np.diag(direction) * [1, 1, -1] > 0.5)
    assert spacing_ipl(oriented) == pytest.approx(canonical_spacing(scan))


def fused(*probabilities: np.ndarray) -> Fused:
    """A single member's opinion: one probability `[I, P, L]` for each label."""
    output = OutputSpec("sigmoid" if len(probabilities) == 1 else "softmax")
    fusion = Fusion(probabilities[0].shape, "mean", output, len(probabilities))
    fusion.add(np.stack(probabilities), 0, slice(None), [(number, 1.0) for number in range(len(probabilities))])
    return fusion.settled()


@pytest.mark.parametrize("name", GRIDS)
def test_labels_return_from_the_working_grid(name):
    """Copied where nothing was resampled; Dice >= 0.98 where the working grid is coarser (1 mm)."""
    scan = make(name)
    oriented = canonical(scan)
    working = working_grid(oriented, 1.0)
    labels = resample(oriented, working, nearest=True)
    probability = resample(sitk.Cast(oriented > 0, sitk.sitkFloat32), working)
    fusion = fused(sitk.GetArrayViewFromImage(probability))
    back = to_scan_grid(sitk.GetArrayFromImage(labels) * fusion.classes(), fusion.classes(), fusion, labels, scan)
    assert Grid.of(back) == Grid.of(scan)
    assert back.GetPixelID() == sitk.sitkUInt8
    if same_grid(oriented, working):
        assert np.array_equal(sitk.GetArrayViewFromImage(back), sitk.GetArrayViewFromImage(scan))
    else:
        assert dice(back, scan) >= 0.98
        assert dice(back == 20, scan == 20) >= 0.98


def test_classes_that_meet_leave_no_gap_and_no_seam():
    """A ball of three sectors, one of them in two halves with values of their own, from 1 mm back to 0.4 mm."""
    down, back, left = np.indices((100, 100, 100)) * 0.4 - 19.8
    radius = np.hypot(np.hypot(down, back), left)
    sector = 1 + (np.degrees(np.arctan2(back - 0.1, left - 0.2)) // 120 + 3).astype(int) % 3
    truth = np.where(radius < 16, np.where((sector == 1) & (down > 0), 4, sector), 0).astype(np.uint8)
    scan = sitk.GetImageFromArray(truth)
    scan.SetSpacing((0.4, 0.4, 0.4))
    scan.SetDirection((1, 0, 0, 0, 1, 0, 0, 0, -1))
    class_of = np.array([0, 1, 2, 3, 1], np.uint8)
    working = working_grid(scan, 1.0)

    def share(number: int) -> np.ndarray:
        mask = sitk.GetImageFromArray((class_of[truth] == number).astype(np.float32))
        mask.CopyInformation(scan)
        return sitk.GetArrayFromImage(resample(mask, working))

    fusion = fused(*(share(number) for number in (1, 2, 3)))
    classes = fusion.classes()
    labels = classes.copy()
    labels[20:][classes[20:] == 1] = 4
    found = to_scan_grid(labels, classes, fusion, resample(scan, working, nearest=True), scan)
    assert Grid.of(found) == Grid.of(scan)
    assert (sitk.GetArrayViewFromImage(found)[radius < 14] > 0).all()
    for value in (1, 2, 3, 4):
        assert dice(found == value, scan == value) > 0.97


def test_a_cropped_region_returns_to_its_place():
    scan = make("oblique 12")
    oriented = canonical(scan)
    region = crop(oriented, (slice(5, 50), slice(0, 44), slice(7, 50)))
    array = sitk.GetArrayFromImage(region)
    fusion = fused((array > 0).astype(np.float32))
    back = to_scan_grid(array, fusion.classes(), fusion, region, scan)
    expected = sitk.GetArrayFromImage(oriented)
    outside = np.ones(expected.shape, bool)
    outside[5:50, 0:44, 7:50] = False
    expected[outside] = 0
    assert np.array_equal(sitk.GetArrayFromImage(canonical(back)), expected)


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("plane", ["sagittal", "coronal", "axial"])
def test_plane_grids_cover_the_same_field_of_view(name, plane):
    oriented = canonical(make(name))
    grid = plane_grid(oriented, plane, 1.0)
    in_plane = {"sagittal": (1, 2), "coronal": (0, 2), "axial": (0, 1)}[plane]  # x = L, y = P, z = I
    for axis in range(3):
        extent = grid.size[axis] * grid.spacing[axis]
        assert extent == pytest.approx(oriented.GetSize()[axis] * oriented.GetSpacing()[axis])
        if axis in in_plane and oriented.GetSize()[axis] > 1:
            assert abs(grid.spacing[axis] - 1.0) <= 0.2
        if axis not in in_plane:
            assert grid.size[axis] == oriented.GetSize()[axis]
    # The outer corner of the first voxel stays where it was.
    middle = resample(oriented, grid)
    corner = middle.TransformContinuousIndexToPhysicalPoint([-0.5] * 3)
    assert corner == pytest.approx(oriented.TransformContinuousIndexToPhysicalPoint([-0.5] * 3))


def test_coarsening_does_not_alias():
    """A fine checkerboard becomes its mean, not a moire of its extremes."""
    board = np.indices((40, 40, 40)).sum(axis=0) % 2 * 100.0
    image = sitk.GetImageFromArray(board.astype(np.float32))
    image.SetSpacing((0.33, 0.33, 0.33))
    coarse = sitk.GetArrayFromImage(resample(canonical(image), working_grid(canonical(image), 1.0)))
    assert np.abs(coarse[2:-2, 2:-2, 2:-2] - 50).max() < 5


@pytest.mark.parametrize(
    ("direction", "spacing", "said"),
    [
        ((1, 0.2, 0, 0, 1, 0, 0, 0, 1), (1, 1, 1), "right angles"),
        ((1, 0, 0, 0, 1, 0, 0, 0, 1), (1, math.inf, 1), "spacing"),
    ],
)
def test_grids_that_cannot_be_trusted_are_refused(direction, spacing, said):
    image = make("plain")
    image.SetSpacing(spacing)
    image.SetDirection(direction)
    with pytest.raises(SpineError, match=said):
        check_geometry(image)


@pytest.mark.parametrize(
    ("size", "spacing", "said"),
    [
        ((256, 256, 180), (60, 60, 60), "none of a person"),
        ((512, 512, 30), (400, 400, 4000), "none of a person"),
        ((30, 30, 30), (60, 60, 60), "none of a person"),  # not far across, but a vertebra is no larger than a voxel
        ((1000, 1000, 1000), (2.9, 2.9, 2.9), "none of a person"),
        ((512, 512, 1), (140, 140, 1), "none of a person"),
        ((256, 256, 20), (0.0006, 0.0006, 0.004), "too small"),
        ((512, 512, 1900), (1.5, 1.5, 1), None),
        ((256, 256, 3), (1.9, 1.9, 60), None),
        ((4000, 5000, 1), (1, 1, 1), None),
        ((1, 1, 1), (1, 1, 1), None),
    ],
)
def test_lengths_of_a_person(size, spacing, said):
    grid = Grid(size, spacing, (0, 0, 0), tuple(np.eye(3).ravel()))
    if said is None:
        check_grid(grid)
    else:
        with pytest.raises(SpineError, match=said):
            check_grid(grid)


@pytest.mark.parametrize("mm", [math.nan, math.inf, -1e11])
def test_position_in_no_scanner(mm):
    with pytest.raises(SpineError, match="position of the scan"):
        check_grid(Grid((9, 9, 9), (1, 1, 1), (0, mm, 0), tuple(np.eye(3).ravel())))
