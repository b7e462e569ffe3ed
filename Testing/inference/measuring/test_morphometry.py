"""Deformities, slips and curves of generated spines, whose shape is known exactly."""

import csv
import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import SimpleITK as sitk
from generated_spine import generated_bodies, measured, scoliotic_seeds, true_coronal_curve, true_measures

from SegTraining.synthetic.spine.grid import rotation
from SpineInference.anatomy import LEVELS
from SpineInference.measuring.measurements import measure
from SpineInference.measuring.morphometry import tables
from SpineInference.measuring.morphometry.alignment import meyerding_grade
from SpineInference.measuring.morphometry.coronal import largest_curve
from SpineInference.measuring.morphometry.deformity import deformities
from SpineInference.measuring.morphometry.measure import CUT_OFF, DEFINITIONS, DOUBTFUL_BODY, THICK_SLICES, Measure
from SpineInference.measuring.morphometry.spine_measures import spine_measures

THICK = (0.8, 0.8, 4.0)
HEIGHTS = "anterior_height", "middle_height", "posterior_height"


@cache
def spine(region, spacing=(1.0, 1.0, 1.0), seed=5, disease=0.3):
    return generated_bodies(seed, spacing, (100.0, 190.0, 72.0), region, disease)


@cache
def measures(region, spacing=(1.0, 1.0, 1.0), seed=5, disease=0.3):
    return measured(spine(region, spacing, seed, disease)[0])


def errors(found, truth, *names):
    known = true_measures(truth)
    return [abs(each.value - known[key]) for key, each in found.items() if each.name in names and not each.marks]


@pytest.mark.parametrize(
    ("spacing", "most_mm", "most_deg"), [((1.0, 1.0, 1.0), 0.4, 1.0), (THICK, 0.4, 1.0)], ids=["isotropic", "thick"]
)
@pytest.mark.parametrize(("region", "worse"), [("lumbar", 1.0), ("thoracic", 1.0), ("cervical", 1.5)])
def test_heights_angles_and_slips(region, worse, spacing, most_mm, most_deg):
    found, truth = measures(region, spacing), spine(region, spacing)[1]
    for names, most in (
        (HEIGHTS, most_mm),
        (("slip",), most_mm),
        (("disc_angle", "segmental_angle"), most_deg),
    ):
        off = errors(found, truth, *names)
        assert len(off) >= 4 and np.mean(off) < worse * most, (names, np.round(off, 2))


@pytest.mark.parametrize("region", ["lumbar", "cervical"])
def test_the_table_has_the_same_heights(region):
    labels = spine(region)[0]
    bodies = [level for level in LEVELS.values() if (sitk.GetArrayViewFromImage(labels) == level.label).any()]
    rows = measure(labels, bodies, set()).vertebrae
    found = measures(region)
    assert any(row.anterior_height_mm for row in rows)
    for row in rows:
        for name in HEIGHTS:
            own = found.get((row.level, name))
            assert getattr(row, f"{name}_mm") == (own and own.value)


def test_lordosis_of_the_loins():
    found = measured(generated_bodies(8, (1.0, 1.0, 1.0), (120.0, 270.0, 72.0), "lumbar", 0.0)[0])
    truth = spine("lumbar", seed=8, disease=0.0)[1]
    assert errors(found, truth, "lumbar_lordosis") == pytest.approx([0, 0], abs=1.5)
    assert found["L1-S1", "lumbar_lordosis"].value > 20


def same(found, others, mm=0.05, deg=0.1):
    assert found.keys() == others.keys()
    for key, each in found.items():
        tolerance = {"mm": mm, "deg": deg, "%": 1.0}.get(each.definition.unit, 0.02)
        other = others[key].value
        assert (
            other == pytest.approx(each.value, abs=tolerance) if isinstance(each.value, float) else other == each.value
        )


def test_a_turned_person_has_the_same_measures():
    labels = spine("lumbar")[0]
    turn = rotation(np.random.default_rng(1), 20)
    turned = sitk.Image(labels)
    turned.SetDirection((turn @ np.reshape(labels.GetDirection(), (3, 3))).ravel().tolist())
    turned.SetOrigin((turn @ labels.GetOrigin()).tolist())
    same(measures("lumbar"), measured(turned), mm=0.2, deg=0.5)


def test_axes_of_the_array_do_not_matter():
    labels = sitk.PermuteAxes(sitk.Flip(spine("lumbar")[0], [True, False, True]), [2, 0, 1])
    same(measures("lumbar"), measured(labels))


def test_an_oblique_grid_has_the_same_measures():
    """The same person on a grid that is turned by 10 degrees: other voxels, the same bones."""
    labels = spine("lumbar")[0]
    grid = sitk.Image([120, 210, 90], sitk.sitkUInt8)
    turn = rotation(np.random.default_rng(2), 10) @ np.reshape(labels.GetDirection(), (3, 3))
    middle = labels.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in labels.GetSize()])
    grid.SetDirection(turn.ravel().tolist())
    grid.SetOrigin((middle - turn @ [(n - 1) / 2 for n in grid.GetSize()]).tolist())
    oblique = measured(sitk.Resample(labels, grid, sitk.Transform(), sitk.sitkNearestNeighbor))
    both = [(a.value, oblique[k].value, a.definition.unit) for k, a in measures("lumbar").items() if k in oblique]
    for unit, most in (("mm", 0.2), ("deg", 0.5)):
        off = [abs(a - b) for a, b, of in both if of == unit and a is not None and b is not None]
        assert len(off) > 8 and np.mean(off) < most


def test_what_the_scan_cuts_off_is_not_told():
    labels = spine("lumbar")[0]
    whole = measures("lumbar")
    l2 = np.argwhere(sitk.GetArrayViewFromImage(labels) == LEVELS["L2"].label)
    cut = measured(labels[:, int(l2[:, 1].mean()) :, :])
    assert cut["L2", "anterior_height"].value is None and CUT_OFF in cut["L2", "anterior_height"].marks
    assert cut["L2-L3", "segmental_angle"].value is None and CUT_OFF in cut["L2-L3", "segmental_angle"].marks
    assert cut["L2-L3", "disc_angle"].value == pytest.approx(whole["L2-L3", "disc_angle"].value, abs=1)
    assert not any(mark == CUT_OFF for mark in cut["L3", "anterior_height"].marks)


def test_an_empty_border_of_the_scan_is_beyond_its_end():
    """As correction of distortion leaves it: the voxels go on, but there is nothing in them."""
    labels = spine("lumbar")[0]
    l2 = np.argwhere(sitk.GetArrayViewFromImage(labels) == LEVELS["L2"].label)
    top = int(l2[:, 1].mean())
    voxels, shown = np.full(labels.GetSize()[::-1], 100, np.int16), sitk.GetArrayFromImage(labels)
    voxels[:, :top], shown[:, :top] = 0, 0
    scan, cut = sitk.GetImageFromArray(voxels), sitk.GetImageFromArray(shown)
    for image in (scan, cut):
        image.CopyInformation(labels)
    table = measure(cut, [LEVELS["L2"], LEVELS["L3"]], set(), picture=scan)
    assert [row.partial for row in table.vertebrae] == [True, False]
    assert [row.middle_height_mm is None for row in table.vertebrae] == [True, False]
    found = {(each.at, each.name): each for each in spine_measures(cut, table.vertebrae, picture=scan)}
    assert found["L2", "anterior_height"].value is None and CUT_OFF in found["L2", "anterior_height"].marks
    assert found["L3", "anterior_height"].value and not found["L3", "anterior_height"].marks


@pytest.mark.parametrize(("slice_mm", "tells"), [(3.0, True), (5.0, False)])
def test_thick_slices_across_the_spine_tell_no_heights(slice_mm, tells):
    found = measures("lumbar", (0.8, slice_mm, 0.8))
    resting_on_endplates = [each for each in found.values() if each.kind in ("body", "level", "curve")]
    assert len(resting_on_endplates) > 10
    for each in resting_on_endplates:
        assert (THICK_SLICES in each.marks) != tells and (each.value is None or tells)


def test_what_rests_on_a_doubtful_body_is_marked():
    labels = spine("lumbar")[0]
    rows = measure(labels, [LEVELS["L2"], LEVELS["L3"], LEVELS["L4"]], set()).vertebrae
    doubtful = [replace(row, quality=0.5 if row.level == "L3" else 0.95) for row in rows]
    marked = {each.at for each in spine_measures(labels, doubtful) if DOUBTFUL_BODY in each.marks}
    assert {"L3", "L2-L3", "L3-L4"} <= marked and not {"L2", "L4"} & marked


def test_two_bodies_in_one_are_doubtful():
    array = sitk.GetArrayFromImage(spine("thoracic")[0])
    t7, t8 = (np.argwhere(array == LEVELS[name].label) for name in ("T7", "T8"))
    between = slice(t7[:, 1].min() + 6, t8[:, 1].max() - 6), slice(t7[:, 2].min() + 3, t7[:, 2].max() - 3)
    array[:, *between][np.isin(array[:, *between], [0, LEVELS["T8"].label])] = LEVELS["T7"].label
    array[array == LEVELS["T8"].label] = LEVELS["T7"].label
    merged = sitk.GetImageFromArray(array)
    merged.CopyInformation(spine("thoracic")[0])
    found = measured(merged)
    assert DOUBTFUL_BODY in found["T7", "anterior_height"].marks
    assert DOUBTFUL_BODY not in found["T6", "anterior_height"].marks


def test_without_a_scale_there_are_no_millimetres():
    found = measured(spine("lumbar")[0], has_scale=False)
    assert not [each for each in found.values() if each.definition.unit == "mm"]
    assert {"wedge_ratio", "slip_percent", "disc_angle"} <= {each.name for each in found.values()}


def test_a_single_sagittal_slice():
    labels, truth = spine("lumbar")
    middle = int(np.median(np.argwhere(sitk.GetArrayViewFromImage(labels) > 0)[:, 0]))
    found = measured(labels[:, :, middle : middle + 1])
    assert np.mean(errors(found, truth, "anterior_height", "posterior_height")) < 1
    assert np.mean(errors(found, truth, "disc_angle")) < 3
    assert not [each for each in found.values() if each.name.startswith("coronal")]


def dented(labels, backwards_mm):
    """With a Schmorl node in the upper endplate of L3, so far behind the middle."""
    array = sitk.GetArrayFromImage(labels)
    body = np.argwhere(array == LEVELS["L3"].label)
    middle, top = body.mean(axis=0), body[:, 1].min()
    grid = np.stack(np.indices(array.shape), axis=-1)
    node = np.linalg.norm(grid - [middle[0], top, middle[2] + backwards_mm], axis=-1) < 7
    array[node & (array == LEVELS["L3"].label)] = 0
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(labels)
    return image


def test_a_node_does_not_tilt_an_endplate():
    """A Schmorl node in the front half, as one sees it in every tenth spine."""
    found = measured(dented(spine("lumbar")[0], -9))
    off = found["L2-L3", "disc_angle"].value - measures("lumbar")["L2-L3", "disc_angle"].value
    assert abs(off) < 1


def test_an_endplate_reaches_from_lip_to_lip():
    """The lower endplate of an L5 that rises from its front to a hollow close before its posterior lip."""
    labels = spine("lumbar")[0]
    array = sitk.GetArrayFromImage(labels)
    body = np.argwhere(array == LEVELS["L4"].label)
    front, back = body[:, 2].min(), body[:, 2].max()
    depths = (np.arange(array.shape[2]) - front) / (back - front)
    hollow_mm = np.interp(depths, [0.0, 0.65, 0.85, 1.0], [0.0, 5.0, 0.0, 0.0])
    for left, behind in {(left, behind) for left, _, behind in body}:
        column = array[left, :, behind]
        lowest = np.flatnonzero(column == LEVELS["L4"].label).max()
        column[round(lowest - hollow_mm[behind]) + 1 : lowest + 1] = 0
    hollowed = sitk.GetImageFromArray(array)
    hollowed.CopyInformation(labels)
    off = measured(hollowed)["L4-L5", "disc_angle"].value - measures("lumbar")["L4-L5", "disc_angle"].value
    assert abs(off) < 3


def test_a_node_in_the_middle_does_not_lower_a_body():
    at = "L3", "middle_height"
    assert measured(dented(spine("lumbar")[0], 0))[at].value == pytest.approx(measures("lumbar")[at].value, abs=0.5)


def test_truth_is_that_of_very_fine_voxels():
    labels, truth = generated_bodies(5, (0.4, 0.4, 0.4), (60.0, 110.0, 72.0), disease=0.3)
    found, known = measured(labels), true_measures(truth)
    assert [found["L3", name].value for name in HEIGHTS] == pytest.approx(
        [known["L3", name] for name in HEIGHTS], abs=0.15
    )


HEALTHY = [(22.0, 21.0, 22.0), (23.0, 22.0, 23.0), (24.0, 23.0, 24.0), (25.0, 24.0, 25.0), (26.0, 25.0, 26.0)]


@pytest.mark.parametrize(
    ("heights", "kind", "grade"),
    [
        ((24.0, 23.0, 24.0), "none", 0),
        ((18.0, 22.0, 24.0), "wedge", 2),
        ((19.0, 22.0, 24.0), "wedge", 1),
        ((24.0, 14.0, 24.0), "biconcave", 3),
        ((16.0, 16.5, 17.0), "crush", 2),
    ],
)
def test_deformities(heights, kind, grade):
    bodies = list(HEALTHY)
    bodies[2] = heights
    found = deformities(bodies)
    assert (found[2].kind, found[2].grade) == (kind, grade)
    assert [each.grade for number, each in enumerate(found) if number != 2] == [0] * 4


def test_grades_of_generated_fractures():
    right = []
    for seed, region in ((204, "lumbar"), (210, "lumbar"), (201, "thoracic"), (209, "thoracic")):
        labels, truth = spine(region, (1.0, 1.0, 2.0), seed, 1.0)
        found = measured(labels)
        bodies = [body for body in truth.bodies if (body.name, "genant_grade") in found]
        grades = [each.grade for each in deformities([body.heights for body in bodies])]
        right += [
            found[body.name, "genant_grade"].value == grade
            for body, grade in zip(bodies, grades, strict=True)
            if body.fracture
        ]
    assert len(right) >= 8 and np.mean(right) >= 0.75, right


@pytest.mark.parametrize(
    ("percent", "grade"), [(0, 0), (7.9, 0), (-12, 1), (24, 1), (26, 2), (60, 3), (99, 4), (120, 5)]
)
def test_meyerding(percent, grade):
    assert meyerding_grade(percent) == grade


def test_the_largest_coronal_curve():
    tilts = np.array([-5.0, -12.0, -4.0, 3.0, 11.0, 4.0])
    centres = np.column_stack([np.cumsum(-30 * np.sin(np.radians(tilts))), -30.0 * np.arange(6)])
    curve = largest_curve(list(tilts), list(tilts), centres)
    assert (curve.upper, curve.lower, curve.angle) == (1, 4, 23)
    assert curve.apex in (2, 3) and curve.convex_to_left


def test_the_curve_of_a_scoliotic_spine():
    [seed] = scoliotic_seeds("thoracolumbar", 100, 1)
    labels, truth = generated_bodies(seed, region="thoracolumbar", disease=1.0)
    found = measured(labels)
    whole = {at for (at, name), each in found.items() if name == "middle_height" and each.value is not None}
    curve, names = true_coronal_curve(truth, whole)
    [cobb] = [each for each in found.values() if each.name == "coronal_cobb"]
    assert curve.angle > 10 and cobb.value == pytest.approx(curve.angle, abs=2.5)
    apex, side = found[cobb.at, "coronal_apex"].value.split(", convex to the ")
    assert apex in names[curve.apex - 1 : curve.apex + 2]
    assert side == ("left" if curve.convex_to_left else "right")
    middle = labels.GetWidth() // 2
    narrow = measured(labels[middle - 9 : middle + 9, :, :], partial=names)
    [cobb] = [each for each in narrow.values() if each.name == "coronal_cobb"]
    told = narrow[cobb.at, "coronal_apex"]
    assert cobb.value == pytest.approx(curve.angle, abs=8) and told.value is None and CUT_OFF in told.marks


def test_tables_tell_the_same(tmp_path):
    found = list(measures("lumbar").values())
    tables.write_csv(found, tmp_path / "a.csv")
    tables.write_json(found, tmp_path / "a.json")
    rows = list(csv.DictReader((tmp_path / "a.csv").open(encoding="utf-8")))
    content = json.loads((tmp_path / "a.json").read_text())
    back = tables.from_json(content)
    assert len(rows) == len(back) == len(found) and "research" in content["use"]
    assert [row["at"] for row in rows] == [each.at for each in back] == [each.at for each in found]
    assert back[0].value == pytest.approx(found[0].value, abs=0.01) and back[0].lines == found[0].lines
    text = tables.as_text(found)
    assert "L3-L4: Slip" in text and "not for clinical use" in text


def test_every_measure_names_its_source():
    assert all(each.source and each.title for each in DEFINITIONS.values())
    assert tables.value_text(Measure("level", "L4-L5", "slip", -0.04)) == "0.0 mm"
