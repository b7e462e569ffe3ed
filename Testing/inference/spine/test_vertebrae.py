"""Single bodies out of masks: synthetic columns of every shape, and the reference masks of real scans."""

import math
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from columns import CERVICAL, LUMBAR, column, oblique, scoliotic, straight
from scipy import ndimage

from SpineInference.errors import Implausible, SpineError
from SpineInference.spine.vertebrae import assign_levels, separate

DATA = Path(os.environ.get("SPINE_DATA", Path(__file__).parents[4] / "shared" / "data"))


def dilated(mask, spacing, mm):
    return ndimage.distance_transform_edt(~mask, sampling=spacing) <= mm


def bridged(labels, spacing, radius):
    """`labels` as a mask with a round bar, in front, from each body to the next."""
    mask = labels > 0
    centres = np.array(ndimage.center_of_mass(mask, labels, range(1, labels.max() + 1))) * spacing
    for upper, lower in pairwise(centres):
        rows = slice(int(upper[0] / spacing[0]), int(lower[0] / spacing[0]) + 1)
        grid = np.stack(np.indices(mask[rows].shape), axis=-1) + np.array([rows.start, 0, 0])
        from_upper = grid * np.array(spacing) - upper + [0, radius, 0]
        along = np.clip(from_upper @ (lower - upper) / np.sum((lower - upper) ** 2), 0, 1)[..., None]
        mask[rows] |= np.linalg.norm(from_upper - along * (lower - upper), axis=-1) < radius
    return mask


def assert_separated(instances, bodies, labels, least=0.85):
    """Every label is one instance, in the same order."""
    assert len(bodies) == labels.max()
    for number in range(1, labels.max() + 1):
        found, wanted = (instances == number) & (labels > 0), labels == number
        assert 2 * np.count_nonzero(found & wanted) / (found.sum() + wanted.sum()) > least


SHAPES = {
    "lumbar": (5, LUMBAR, (2.0, 2.0, 2.0), straight),
    "thick sagittal slices": (5, LUMBAR, (1.2, 1.2, 4.0), straight),
    "cervical": (6, CERVICAL, (1.0, 1.0, 1.0), straight),
    "oblique": (5, LUMBAR, (2.0, 2.0, 2.0), oblique),
    "oblique pair": (2, LUMBAR, (2.0, 2.0, 2.0), oblique),
    "scoliotic": (7, LUMBAR, (2.0, 2.0, 2.0), scoliotic),
}


@pytest.mark.parametrize("touching", ["apart", "bridged", "fused"])
@pytest.mark.parametrize("name", SHAPES)
def test_columns_of_every_shape(name, touching):
    count, size, spacing, line = SHAPES[name]
    labels = column(count, size, spacing, line)
    mask, probability = labels > 0, None
    if touching == "bridged":
        mask = bridged(labels, spacing, radius=size["height"] / 4)
    elif touching == "fused":  # the discs wholly filled, with some doubt
        probability = np.where(labels > 0, 0.95, 0.7).astype(np.float16)
        rod = size | {"height": size["height"] + size["disc"] + spacing[0]}
        mask = column(count, rod, spacing, line, disc=-spacing[0]) > 0
    if touching != "apart":
        assert ndimage.label(mask)[1] < count
    instances, bodies = separate(mask, spacing, probability)
    assert_separated(instances, bodies, labels)
    assert (instances > 0).sum() >= 0.99 * mask.sum()


def test_fused_without_a_trace_of_doubt():
    """Nothing but the length tells that a smooth rod is a pair of bodies."""
    labels = column(2, LUMBAR, (2.0, 2.0, 2.0))
    rod = column(2, LUMBAR | {"height": 36.0}, (2.0, 2.0, 2.0), disc=0) > 0
    instances, bodies = separate(rod, (2.0, 2.0, 2.0))
    assert_separated(instances, bodies, labels)


def test_thin_mask_is_not_cut_at_waists():
    """As a network draws bodies of which it is not sure: here of the neck, 9.5 mm deep and 15 mm high."""
    labels = column(3, {"height": 15.0, "depth": 9.5, "width": 13.0, "disc": 4.0}, (1.0, 1.0, 1.0))
    for number in range(1, 4):
        middle = int(np.flatnonzero((labels == number).any(axis=(1, 2))).mean())
        for row in labels[middle - 1 : middle + 2]:
            row[(row == number) & ~ndimage.binary_erosion(row == number, iterations=2)] = 0
    assert_separated(*separate(labels > 0, (1.0, 1.0, 1.0)), labels)


def test_pieces_of_one_body_become_one():
    """A body parted by a dark line, across or along, and a crumb beside it stay one body."""
    labels = column(4, LUMBAR, (2.0, 2.0, 2.0))
    mask = labels > 0
    middle = np.round(ndimage.center_of_mass(mask, labels, [2, 3])).astype(int)
    mask[middle[0][0]] &= labels[middle[0][0]] != 2
    mask[:, :, middle[1][2]] &= labels[:, :, middle[1][2]] != 3
    assert ndimage.label(mask)[1] == 6
    instances, bodies = separate(mask, (2.0, 2.0, 2.0))
    assert_separated(instances, bodies, labels)


def test_only_what_is_clearly_no_vertebra_is_dropped():
    labels = column(4, LUMBAR, (2.0, 2.0, 2.0), margin=45)
    mask = labels > 0
    mask[30:42, 30:42, -8:] = True  # a blob 60 mm beside the column
    mask[np.unravel_index(labels.argmax(), labels.shape)[0] + 16, 40, 40] = True  # a crumb in a disc
    instances, bodies = separate(mask, (2.0, 2.0, 2.0))
    assert_separated(instances, bodies, labels, least=0.999)
    assert not instances[:, :, -8:].any()


def test_bodies_cut_by_the_border_stay_and_are_told():
    """A slice of 4 mm of a body at the top and half a body at the bottom."""
    labels = column(5, LUMBAR, (2.0, 2.0, 2.0))
    rows = np.flatnonzero((labels == 1).any(axis=(1, 2)))[-2], np.flatnonzero((labels == 5).any(axis=(1, 2)))[7]
    labels = labels[rows[0] : rows[1]]
    instances, bodies = separate(labels > 0, (2.0, 2.0, 2.0))
    assert_separated(instances, bodies, labels, least=0.999)
    assert [body.touches_border for body in bodies] == [True, False, False, False, True]


def test_the_dens_belongs_to_c2():
    labels = column(4, CERVICAL, (1.0, 1.0, 1.0), margin=30)
    rows, depth, width = (np.flatnonzero((labels == 1).any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    grid = np.indices(labels.shape)
    across = np.hypot(grid[1] - depth.mean(), grid[2] - width.mean())
    neck = 4.0 + 1.2 * np.clip((rows[0] - grid[0] - 3) / 6, 0, 1)  # narrow where it leaves the body
    labels[(grid[0] < rows[0]) & (grid[0] >= rows[0] - 18) & (across < neck)] = 1
    instances, bodies = separate(labels > 0, (1.0, 1.0, 1.0))
    assert_separated(instances, bodies, labels, least=0.999)


def slice_of_outlines(outlines, spacing=1.0):
    """Labels 1..n [I, P, 1] of sagittal outlines [points, 3]: how far down, front and back, in mm."""
    labels = np.zeros([math.ceil(mm / spacing) for mm in (max(o[-1][0] for o in outlines) + 20, 120)] + [1], np.uint8)
    rows, columns = (spacing * (np.arange(length) + 0.5) for length in labels.shape[:2])
    for number, outline in enumerate(outlines, start=1):
        at, front, back = np.array(outline, float).T
        inside = (columns > np.interp(rows, at, front)[:, None]) & (columns < np.interp(rows, at, back)[:, None])
        labels[inside & ((rows > at[0]) & (rows < at[-1]))[:, None], 0] = number
    return labels


@pytest.mark.parametrize("count, lean", [(5, 0.15), (2, -0.3)])
def test_slice_beside_the_middle_is_not_cut(count, lean):
    """There bodies are narrow, as high as ever and waisted; between them are open discs."""
    waisted = [(0, 60, 73), (9, 63, 71), (14, 64, 70), (19, 63, 71), (28, 60, 73)]
    tops = 12 + 36.5 * np.arange(count)
    outlines = [np.add(waisted, [top, lean * top, lean * top]) for top in tops]
    labels = slice_of_outlines(outlines)
    assert_separated(*separate(labels > 0, (1.0, 1.0, 4.0)), labels, least=0.999)


def test_without_a_waist_a_high_body_stays_whole():
    """Two bodies beside the middle, twice as high as thick, nearly touching; doubt across the upper one."""
    bulging = [(0, 62, 68), (8, 56, 70), (18, 54, 72), (28, 58, 74), (34, 64, 70)]
    labels = slice_of_outlines([np.add(bulging, [12, 0, 0]), np.add(bulging, [46.5, 6, 6])])
    likely = np.where(labels > 0, 0.97, 0.0)
    likely[28:32] = np.minimum(likely[28:32], 0.65)
    assert_separated(*separate(labels > 0, (1.0, 1.0, 4.0), likely), labels, least=0.999)


@pytest.mark.parametrize("scale", [0.6, 1.0])
@pytest.mark.parametrize("base", [40, 45])
def test_the_dens_belongs_to_c2_in_a_slice(base, scale):
    """A dens nearly as thick as the body, with and without a narrow base: as long as two bodies and a disc."""
    c2 = [(12, 43, 51), (16, 41, 51), (24, base, 51), (29, 37, 52), (41, 36, 52)]
    others = [[(46 + 18 * number, 36, 51), (59 + 18 * number, 36, 51)] for number in range(5)]
    labels = slice_of_outlines([np.multiply(scale, outline) for outline in [c2, *others]], spacing=0.75)
    assert_separated(*separate(labels > 0, (0.75, 0.75, 4.0)), labels, least=0.999)


@pytest.mark.parametrize("scale", [0.3, 1.7])
def test_small_and_large_spines_are_cut_alike(scale):
    labels = column(5, LUMBAR, (2.0, 2.0, 2.0))
    rod = column(5, LUMBAR | {"height": 38.0}, (2.0, 2.0, 2.0), disc=-2.0) > 0
    probability = np.where(labels > 0, 0.95, 0.8).astype(np.float16)
    for mask in (rod, bridged(labels, (2.0, 2.0, 2.0), radius=7)):
        expected, _ = separate(mask, (2.0, 2.0, 2.0), probability)
        instances, _ = separate(mask, (2.0 * scale,) * 3, probability)
        assert np.mean(instances[mask] == expected[mask]) > 0.99


@pytest.mark.parametrize("axis", [1, 2])
def test_scan_of_one_slice(axis):
    """A radiograph is a volume of one sagittal or coronal slice, whose thickness says nothing."""
    spacing = (1.0, 1.0, 1.0)
    labels = column(5, LUMBAR, spacing)
    labels = np.take(labels, [labels.shape[axis] // 2], axis=axis)
    instances, bodies = separate(dilated(labels > 0, spacing, 4.5), spacing)
    assert_separated(instances, bodies, labels)
    assert not any(body.touches_border for body in bodies)


def test_empty_full_and_single():
    instances, bodies = separate(np.zeros((5, 6, 7), bool), (1.0, 1.0, 1.0))
    assert bodies == [] and instances.shape == (5, 6, 7) and not instances.any()
    instances, bodies = separate(np.ones((5, 6, 7), bool), (1.0, 1.0, 1.0))
    assert (instances == 1).all() and bodies[0].touches_border and bodies[0].centroid == (2.0, 2.5, 3.0)
    labels = column(1, LUMBAR, (2.0, 2.0, 2.0))
    instances, bodies = separate(labels > 0, (2.0, 2.0, 2.0))
    assert (instances == labels).all() and bodies[0].voxels == labels.sum() and not bodies[0].touches_border


def test_noise_is_refused():
    noise = ndimage.gaussian_filter(np.random.default_rng(0).random((100, 100, 50)), 1.5)
    with pytest.raises(Implausible, match=r"The mask falls into \d+ bodies, more than any spine has"):
        separate(noise > np.quantile(noise, 0.99), (1.0, 1.0, 1.0))


def test_a_large_scan():
    labels = column(8, LUMBAR, (1.0, 1.0, 1.0), margin=10)
    mask = np.zeros((381, 381, 77), bool)
    mask[20 : 20 + labels.shape[0], 150 : 150 + labels.shape[1], : labels.shape[2]] = bridged(labels, (1, 1, 1), 6)
    _, bodies = separate(mask, (1.0, 1.0, 1.0))
    assert len(bodies) == 8


def names(*arguments):
    return [segment.name for segment in assign_levels(*arguments)]


def test_levels_from_the_top_and_from_the_bottom():
    assert names(3, "C7") == ["C7", "T1", "T2"]
    assert names(4, None, "s1") == ["L3", "L4", "L5", "S1"]
    assert names(2, "L4", "L5") == ["L4", "L5"]
    assert names(3) == ["Vertebra 1", "Vertebra 2", "Vertebra 3"]
    assert [segment.label for segment in assign_levels(2)] == [31, 32]
    assert names(0, "C2") == names(0, "L1", "L5") == names(0) == []


def test_l6_only_where_the_user_says_so():
    assert names(3, "L4") == ["L4", "L5", "S1"]
    assert names(3, None, "L6") == ["L4", "L5", "L6"]
    assert names(2, "L6") == ["L6", "S1"]
    assert names(7, "L1", "S1") == ["L1", "L2", "L3", "L4", "L5", "L6", "S1"]


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        ((4, "L4"), "4 vertebrae counted from L4 down go beyond S1"),
        ((3, None, "C2"), "3 vertebrae counted from C2 up go beyond C1"),
        ((3, "L1", "L5"), "From L1 to L5 there are 5 vertebrae but 3 were found"),
        ((3, "L5", "L1"), "From L5 to L1 there are 0 vertebrae but 3 were found"),
        ((3, "B7"), '"B7" is not a vertebral level'),
        ((0, None, "B7"), '"B7" is not a vertebral level'),
    ],
)
def test_levels_that_cannot_be(arguments, complaint):
    with pytest.raises(SpineError, match=complaint):
        assign_levels(*arguments)


@pytest.mark.data
@pytest.mark.parametrize(
    "case, thickened_mm",
    [
        ("Dataset501_Chu/instancesTr/chu_14", 3),
        ("Dataset502_MyoSegmenTUM/instancesTr/myosegmentum_22", 0),  # with crumbs
        ("Dataset502_MyoSegmenTUM/instancesTr/myosegmentum_01", 3),
    ],
)
def test_reference_masks_of_real_scans(case, thickened_mm):
    """The bodies that the references tell apart are found in their union, even when that is thickened to touch."""
    path = DATA / f"{case}.nii.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there: set SPINE_DATA to the folder of the real scans")
    image = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPI")
    labels = sitk.GetArrayFromImage(image)
    (box,) = ndimage.find_objects((labels > 0).astype(int))
    labels = np.unique(np.pad(labels[box], 5), return_inverse=True)[1].reshape([s.stop - s.start + 10 for s in box])
    spacing = image.GetSpacing()[::-1]
    instances, bodies = separate(dilated(labels > 0, spacing, thickened_mm), spacing)
    assert_separated(instances, bodies, labels, least=0.97)


@pytest.mark.parametrize(
    ("spacing", "first", "partial"), [(1.0, 1, True), (1.0, 2, False), (0.5, 2, True), (4.0, 1, False)]
)
def test_what_ends_at_the_border_may_go_on_beyond_it(spacing, first, partial):
    """Smoothing moves ends by a voxel or two."""
    mask = np.zeros((40, 30, 30), bool)
    mask[first : first + 14, 8:22, 8:22] = True
    body = separate(mask, (spacing, 2.0, 2.0))[1][0]
    assert body.touches_border == partial
