"""The table of a result, with and without a reference, in any orientation."""

import csv
import json

import numpy as np
import pytest
import SimpleITK as sitk

from SpineInference.anatomy import LEVELS, Segment
from SpineInference.errors import SpineError
from SpineInference.measuring.measurements import as_json, as_rows, measure, write_csv

SEGMENTS = [LEVELS[name] for name in ("L1", "L2", "L3", "L4")]
SPACING, FIRST = 1.5, np.array([-44.25, -29.25, 60.75])  # the voxel at the right, anterior, superior corner, LPS mm
CENTRES = [(0.0, 0.0, 42.0 - 33 * number) for number in range(4)]


def column(skip=(), shift=0.0):
    """A canonical label map with boxes of 24 x 33 x 45 mm (S, P, L) around `CENTRES`."""
    grid = np.stack(np.indices((104, 40, 60)), axis=-1)[..., ::-1] * SPACING * np.array([1, 1, -1]) + FIRST
    labels = np.zeros(grid.shape[:3], np.uint8)
    for segment, centre in zip(SEGMENTS, CENTRES, strict=True):
        inside = (np.abs(grid - centre - [0, 0, shift]) < [22.5, 16.5, 12]).all(axis=-1)
        labels[inside & (segment.name not in skip)] = segment.label
    return image_of(labels)


def image_of(labels):
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing([SPACING] * 3)
    image.SetOrigin(FIRST.tolist())
    image.SetDirection([1, 0, 0, 0, 1, 0, 0, 0, -1])
    return image


def values(image):
    return sitk.GetArrayFromImage(image)


def test_each_vertebra_is_measured():
    measurements = measure(column(), SEGMENTS, partial={23})
    assert [m.level for m in measurements.vertebrae] == ["L1", "L2", "L3", "L4"]
    assert [m.label for m in measurements.vertebrae] == [20, 21, 22, 23]
    assert [m.partial for m in measurements.vertebrae] == [False, False, False, True]
    assert measurements.reference is None
    for m, centre in zip(measurements.vertebrae, CENTRES, strict=True):
        assert m.volume_mm3 == pytest.approx(24 * 33 * 45)
        lengths = m.anterior_height_mm, m.middle_height_mm, m.posterior_height_mm, m.depth_mm, m.width_mm
        assert lengths == pytest.approx((24, 24, 24, 33, 45), abs=0.1)
        assert m.centroid_lps_mm == pytest.approx(centre)
        assert m.dice is m.hd95_mm is m.assd_mm is m.reference_label is None


@pytest.mark.parametrize("axis", [1, 2], ids=["behind", "beside"])
def test_pieces_one_beside_the_other_are_measured(axis):
    """Such as something else in an axial slice."""
    array = np.zeros((20, 40, 40), np.uint8)
    for number, segment in enumerate(SEGMENTS[:2]):
        place = [slice(6, 14)] * 3
        place[axis] = slice(6 + 16 * number, 14 + 16 * number)
        array[tuple(place)] = segment.label
    rows = measure(image_of(array), SEGMENTS[:2], set()).vertebrae
    assert [row.volume_mm3 for row in rows] == [12**3, 12**3]


def test_the_quality_is_rounded_down():
    rows = measure(column(), SEGMENTS, set(), quality=[0.7999, 0.8, 0.817, 1.0]).vertebrae
    assert [row.quality for row in rows] == [0.79, 0.8, 0.81, 1.0]


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "PIR", "SRA"])
def test_the_orientation_of_the_scan_does_not_matter(orientation):
    straight = as_rows(measure(column(), SEGMENTS, set()))
    turned = as_rows(measure(sitk.DICOMOrient(column(), orientation), SEGMENTS, set()))
    for row, other in zip(straight, turned, strict=True):
        assert list(row.values()) == pytest.approx(list(other.values()), abs=0.01)


def test_an_oblique_scan_tilts_nothing_but_its_header():
    """The same voxels, acquired along axes turned by 12 degrees: the bodies lean by as much."""
    labels = column()
    turn = np.radians(12)
    turned = np.array([[1, 0, 0], [0, np.cos(turn), np.sin(turn)], [0, -np.sin(turn), np.cos(turn)]])
    labels.SetDirection((turned @ np.reshape(labels.GetDirection(), (3, 3))).ravel().tolist())
    for m in measure(labels, SEGMENTS, set()).vertebrae:
        assert m.sagittal_tilt_deg == pytest.approx(-12, abs=0.5)
        assert m.coronal_tilt_deg == pytest.approx(0, abs=0.5)


def test_a_reference_with_other_names_for_the_bodies():
    reference = column()
    renamed = np.select([values(reference) == 20 + n for n in range(4)], [7, 3, 9, 1])
    summary = measure(column(), SEGMENTS, set(), image_of(renamed.astype(np.float32)))
    assert [m.reference_label for m in summary.vertebrae] == [7, 3, 9, 1]
    assert [(m.dice, m.hd95_mm, m.assd_mm) for m in summary.vertebrae] == [(1, 0, 0)] * 4
    assert (summary.reference.dice, summary.reference.n_missed, summary.reference.n_false) == (1, 0, 0)


def test_a_mask_as_reference_is_separated_first():
    mask = image_of((values(column(shift=1.5)) > 0).astype(np.uint8))
    measurements = measure(column(), SEGMENTS, set(), mask)
    assert [m.reference_label for m in measurements.vertebrae] == [1, 2, 3, 4]
    for m in measurements.vertebrae:
        assert m.dice == pytest.approx(1 - 1.5 / 24, abs=0.01)
        assert m.hd95_mm == 1.5


def test_missed_and_false_bodies():
    found = column(skip=["L2"])
    measurements = measure(found, SEGMENTS, set(), column(skip=["L3"]))
    assert (measurements.reference.n_missed, measurements.reference.n_false) == (1, 1)
    assert measurements.reference.dice == pytest.approx(2 / 3, abs=0.01)
    false = measurements.vertebrae[2]
    diagonal = SPACING * np.linalg.norm(values(found).shape)
    assert (false.dice, false.reference_label) == (0, None)
    assert false.hd95_mm == false.assd_mm == pytest.approx(diagonal)
    lost = measurements.vertebrae[1]
    assert lost.volume_mm3 == 0 and lost.middle_height_mm is lost.centroid_lps_mm is lost.dice is None


@pytest.mark.parametrize("labelled", [{61}, {120, 121}, {61, 120, 121}, set()])
def test_discs_are_judged_only_where_the_reference_has_discs(labelled):
    labels = values(column())
    labels[:, 34:36], labels[22:26, 10:30, 20:40], labels[44:48, 10:30, 20:40] = 61, 120, 121
    reference = np.where(np.isin(labels, [61, 120, 121]) & ~np.isin(labels, list(labelled)), 0, labels)
    structures = [Segment(value, str(value), (0, 0, 0), "", "", False) for value in (120, 121, 61)]
    measurements = measure(image_of(labels), SEGMENTS, set(), image_of(reference), structures)
    assert {row.label for row in measurements.structures if row.dice is not None} == labelled
    assert (measurements.reference.n_missed, measurements.reference.n_false) == (0, 0)
    assert measurements.reference.dice == 1


def test_unlabelled_levels_are_not_judged():
    measurements = measure(column(), SEGMENTS, set(), column(skip=["L1", "L4"]))
    assert [m.dice for m in measurements.vertebrae] == [None, 1, 1, None]
    assert (measurements.reference.dice, measurements.reference.n_false) == (1, 0)


def test_one_reference_body_is_matched_once():
    """A body found in two halves: the larger one is it, the other one is false."""
    labels = values(column())
    lower = labels == 21
    lower[: np.flatnonzero(lower.any(axis=(1, 2)))[10]] = False
    labels[labels == 22] = 0
    labels[lower] = 22
    measurements = measure(image_of(labels), SEGMENTS, set(), column(skip=["L3"]))
    assert [m.reference_label for m in measurements.vertebrae] == [20, 21, None, 23]
    assert (measurements.reference.n_missed, measurements.reference.n_false) == (0, 1)


def test_a_badly_overlapping_body_keeps_its_dice():
    """15 mm off, of 24: matched, but by the rule of `matching` neither found nor right."""
    measurements = measure(column(), SEGMENTS, set(), column(shift=-15.0))
    assert [m.reference_label for m in measurements.vertebrae] == [20, 21, 22, 23]
    assert [m.dice for m in measurements.vertebrae] == pytest.approx([9 / 24] * 4)
    assert (measurements.reference.n_missed, measurements.reference.n_false) == (4, 3)  # L4's centre is not judged


@pytest.mark.parametrize("size", [(1, 1, 1), (1, 1, 2), (1, 1, 30), (9, 1, 9)])
def test_a_degenerate_reference_gives_numbers(size):
    reference = np.zeros_like(values(column()))
    reference[tuple(slice(20, 20 + length) for length in size)] = 1
    measurements = measure(column(), SEGMENTS, set(), image_of(reference))
    assert measurements.reference.dice < 0.1 and measurements.reference.n_missed == 1
    json.dumps(as_json(measurements), allow_nan=False)


def test_empty_result_and_empty_reference():
    nothing = image_of(np.zeros_like(values(column())))
    measurements = measure(nothing, [], set(), nothing)
    assert measurements.vertebrae == [] and measurements.reference.dice is None
    measurements = measure(nothing, [], set(), column())
    assert (measurements.reference.dice, measurements.reference.n_missed) == (0, 4)
    measurements = measure(column(), SEGMENTS, set(), nothing)
    assert (measurements.reference.dice, measurements.reference.n_false) == (0, 4)


def test_a_reference_on_another_grid_is_refused():
    scan, smaller, moved, nearly = column(), column(), column(), column()
    smaller = sitk.RegionOfInterest(smaller, [60, 40, 103], [0, 0, 0])
    moved.SetOrigin((FIRST + 2).tolist())
    for reference in (smaller, moved):
        with pytest.raises(SpineError, match="the reference mask lies on another grid than the scan: resample"):
            measure(scan, SEGMENTS, set(), reference)
    nearly.SetOrigin((FIRST + 1e-4).tolist())  # as other programs round it
    assert measure(scan, SEGMENTS, set(), nearly).reference.dice == 1


@pytest.mark.parametrize("orientation", ["LPS", "PIR", "SRA"])
def test_a_reference_with_its_voxels_in_another_order(orientation):
    """As converters from DICOM to NIfTI change it."""
    assert measure(column(), SEGMENTS, set(), sitk.DICOMOrient(column(), orientation)).reference.dice == 1


def test_an_image_is_no_reference():
    image = image_of(np.random.default_rng(0).normal(size=values(column()).shape).astype(np.float32))
    with pytest.raises(SpineError, match=r"the reference mask holds .* different grey values: give a label map"):
        measure(column(), SEGMENTS, set(), image)


@pytest.mark.parametrize("with_reference", [False, True])
def test_table_as_csv_and_json(tmp_path, with_reference):
    measurements = measure(column(skip=["L2"]), SEGMENTS, {20}, column() if with_reference else None)
    write_csv(measurements, tmp_path / "table.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["level"] for row in table] == ["L1", "L2", "L3", "L4"]
    assert [row["partial"] for row in table] == ["yes", "no", "no", "no"]
    assert table[1]["middle_height_mm"] == "" and float(table[0]["volume_mm3"]) > 30000
    assert ("dice" in table[0]) == with_reference
    content = json.loads(json.dumps(as_json(measurements), allow_nan=False))
    assert [row["level"] for row in content["vertebrae"]] == ["L1", "L2", "L3", "L4"]
    assert content["reference"] == ({**content["reference"], "n_missed": 1} if with_reference else None)


def test_a_table_without_vertebrae_has_its_heading(tmp_path):
    nothing = image_of(np.zeros_like(values(column())))
    write_csv(measure(nothing, [], set()), tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text(encoding="utf-8").startswith("level,label,partial,volume_mm3,")
