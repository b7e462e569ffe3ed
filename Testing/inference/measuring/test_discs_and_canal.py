"""Discs and canal of generated spines and of a column of boxes, whose measures are known exactly."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import SimpleITK as sitk
from generated_discs import generated_column, true_soft_measures
from generated_spine import measured

from SegTraining.synthetic.spine.grid import rotation
from SpineInference.anatomy import CANAL_LABEL, DISC_OFFSET, LEVELS
from SpineInference.measuring.measurements import measure
from SpineInference.measuring.morphometry import tables
from SpineInference.measuring.morphometry.canal import canal_centreline
from SpineInference.measuring.morphometry.measure import CUT_OFF, DOUBTFUL_BODY, NO_FLUID, NO_SCAN, NOT_T2, THICK_SLICES
from SpineInference.measuring.morphometry.spine_measures import spine_measures

THICK = (0.8, 0.8, 4.0)
HEIGHTS = "anterior_disc_height", "middle_disc_height", "posterior_disc_height"


@cache
def column(region, spacing=(1.0, 1.0, 1.0)):
    return generated_column(5, spacing, (100.0, 150.0, 64.0), region, 0.3)


@cache
def measures(region, spacing=(1.0, 1.0, 1.0)):
    found = measured(column(region, spacing)[0])
    return {key: each for key, each in found.items() if each.kind in ("disc", "canal")}


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), THICK], ids=["isotropic", "thick"])
@pytest.mark.parametrize("region", ["lumbar", "cervical"])
def test_heights_diameters_and_areas(region, spacing):
    found, spine = measures(region, spacing), column(region, spacing)[1]
    wanted = list(dict.fromkeys(at for at, _ in found))[1:9]
    known = true_soft_measures(spine, wanted)
    for names, most in ((HEIGHTS, 0.4), (("canal_diameter",), 0.6), (("canal_area",), 12.0)):
        off = [abs(found[key].value - true) for key, true in known.items() if key[1] in names and not found[key].marks]
        assert len(off) >= 4 and np.mean(off) < most, (names, np.round(off, 2))


def same(found, others, mm, mm2):
    compared = [(each, others[key]) for key, each in found.items() if isinstance(each.value, float) and key in others]
    for unit, most in (("mm", mm), ("mm2", mm2)):
        values = [(a.value, b.value) for a, b in compared if a.definition.unit == unit and b.value is not None]
        assert len(values) > 5 and np.abs(np.subtract(*zip(*values, strict=True))).mean() < most


def test_position_and_array_do_not_matter():
    labels = column("lumbar")[0]
    turn = rotation(np.random.default_rng(1), 20)
    turned = sitk.PermuteAxes(sitk.Flip(labels, [True, False, True]), [2, 0, 1])
    turned.SetDirection((turn @ np.reshape(turned.GetDirection(), (3, 3))).ravel().tolist())
    turned.SetOrigin((turn @ turned.GetOrigin()).tolist())
    others = measured(turned)
    assert measures("lumbar").keys() <= others.keys()
    same(measures("lumbar"), others, 0.02, 0.2)


def test_an_oblique_grid_has_the_same_measures():
    labels = column("lumbar")[0]
    grid = sitk.Image([110, 170, 80], sitk.sitkUInt8)
    turn = rotation(np.random.default_rng(2), 10) @ np.reshape(labels.GetDirection(), (3, 3))
    middle = labels.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in labels.GetSize()])
    grid.SetDirection(turn.ravel().tolist())
    grid.SetOrigin((middle - turn @ [(n - 1) / 2 for n in grid.GetSize()]).tolist())
    same(measures("lumbar"), measured(sitk.Resample(labels, grid, sitk.Transform(), sitk.sitkNearestNeighbor)), 0.2, 3)


def test_the_centreline_runs_down_the_canal():
    labels, spine = column("lumbar")
    line, course = np.array(canal_centreline(labels, 4.0)), spine.sac.course
    assert np.all(np.diff(line[:, 2]) < 0) and np.ptp(line[:, 2]) > 140
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    assert steps == pytest.approx(np.full(len(steps), 4.0), abs=0.1)
    middle = [course.at(course.canal_x, line[:, 2]), course.at(course.canal_y, line[:, 2])]
    # Where it is flat in front its middle lies a little further back.
    assert np.abs(line[:, :2].T - middle)[:, 2:-2].max() < 1.5
    assert canal_centreline(labels == 1) == []


BODY, DISC, WIDTH, DEPTH = 24, 8, 44, 32


def boxes(narrow_at=None, bulge_mm=0):
    """L2 to L4 and their discs, each a box, and a canal of 26 x 16 mm (8 mm deep at `narrow_at`), voxels of 1 mm."""
    array = np.zeros((130, 80, 70), np.uint8)  # from the feet to the head, from front to back, from right to left
    height, depth, width = np.indices(array.shape)
    inside = (np.abs(width - 34.5) < WIDTH / 2) & (np.abs(depth - 23.5) < DEPTH / 2)
    canal = ((width - 34.5) / 13) ** 2 + ((depth - 49.5) / 8) ** 2 < 1
    array[canal & (height > 3) & (height < 126)] = CANAL_LABEL
    top = 120
    for name in ("L1", "L2", "L3", "L4"):
        if name != "L1":
            array[inside & (height < top) & (height >= top - BODY)] = LEVELS[name].label
            top -= BODY
        own = (height < top) & (height >= top - DISC)
        if name == narrow_at:
            array[own & (np.abs(depth - 49.5) >= 4.5) & (array == CANAL_LABEL)] = 0
        reach = (np.abs(width - 34.5) < 5) & (depth >= 39) & (depth < 39.5 + bulge_mm)
        array[own & (inside | reach)] = DISC_OFFSET + LEVELS[name].label
        top -= DISC
    return sitk.GetImageFromArray(array)


def box_measures(labels, qualities=None, picture=None):
    present = set(np.unique(sitk.GetArrayViewFromImage(labels)).tolist())
    bodies = [level for level in LEVELS.values() if level.label in present]
    rows = measure(labels, bodies, set()).vertebrae
    rows = [replace(row, quality=(qualities or {}).get(row.level, 0.95)) for row in rows]
    return {(each.at, each.name): each for each in spine_measures(labels, rows, picture=picture)}


def test_a_column_of_boxes():
    found = box_measures(boxes())
    for name in HEIGHTS:
        assert found["L2-L3", name].value == pytest.approx(DISC, abs=0.15) and not found["L2-L3", name].marks
    assert found["L2-L3", "disc_height_index"].value == pytest.approx(DISC / BODY, abs=0.01)
    assert found["L2-L3", "disc_volume"].value == WIDTH * DEPTH * DISC
    assert found["L3", "canal_diameter"].value == pytest.approx(16, abs=0.3)
    assert found["L3", "canal_area"].value == pytest.approx(np.pi * 13 * 8, rel=0.02)
    start, end = np.array(found["L2-L3", "middle_disc_height"].lines[0])
    assert np.linalg.norm(start - end) == pytest.approx(DISC, abs=0.2)


def test_the_narrowest_level():
    found = box_measures(boxes("L3"))
    assert found["L3-L4", "canal_diameter"].value == pytest.approx(8, abs=0.5)
    assert found["L3", "canal_diameter"].value > 15
    told = next(each for each in found.values() if each.name == "narrowest_level")
    assert told.value == "L3-L4" and told.lines == found["L3-L4", "canal_diameter"].lines


def test_a_bulge_narrows_the_canal_not_the_disc():
    found, whole = box_measures(boxes(bulge_mm=6)), box_measures(boxes())
    for name in HEIGHTS:
        assert found["L3-L4", name].value == pytest.approx(whole["L3-L4", name].value, abs=0.15)
    assert found["L3-L4", "canal_diameter"].value < whole["L3-L4", "canal_diameter"].value - 2


def test_discs_at_the_ends_have_one_body():
    found = box_measures(boxes())
    assert found["L1-L2", "middle_disc_height"].value == pytest.approx(DISC, abs=0.15)
    assert found["L4-L5", "disc_height_index"].value == pytest.approx(DISC / BODY, abs=0.01)


def test_discs_of_numbered_vertebrae():
    array = sitk.GetArrayFromImage(boxes())
    for number, name in enumerate(("L1", "L2", "L3", "L4")):
        array[array == LEVELS[name].label] = 30 + number
        array[array == DISC_OFFSET + LEVELS[name].label] = DISC_OFFSET + 30 + number
    labels = sitk.GetImageFromArray(array)
    row = measure(boxes(), [LEVELS["L2"], LEVELS["L3"], LEVELS["L4"]], set()).vertebrae
    rows = [replace(each, level=f"Vertebra {n}", label=30 + n) for n, each in enumerate(row, start=1)]
    places = dict.fromkeys(each.at for each in spine_measures(labels, rows) if each.name == "disc_volume")
    assert list(places) == ["above Vertebra 1", "Vertebra 1-Vertebra 2", "Vertebra 2-Vertebra 3", "below Vertebra 3"]


def test_what_a_narrow_scan_cuts_off_is_not_told():
    found, whole = box_measures(boxes()[26:44, :, :]), box_measures(boxes())
    for key in (("L3", "canal_area"), ("L2-L3", "disc_volume")):
        assert found[key].value is None and found[key].marks == (CUT_OFF,)
    for key in (("L3", "canal_diameter"), ("L2-L3", "posterior_disc_height")):
        assert found[key].value == pytest.approx(whole[key].value, abs=0.1) and not found[key].marks
    text = tables.as_text([each for each in found.values() if each.at == "L2-L3" and each.kind == "disc"])
    assert text.rstrip().endswith("; not measured Disc volume (cut off by the scan)")


def test_a_disc_at_the_border_has_no_height():
    found = box_measures(boxes()[:, :, 20:])  # through the disc below L4
    assert found["L4-L5", "middle_disc_height"].value is None
    assert CUT_OFF in found["L4-L5", "middle_disc_height"].marks
    assert not found["L3-L4", "middle_disc_height"].marks


def test_thick_axial_slices_tell_the_canal_but_no_discs():
    found = measures("lumbar", (0.8, 5.0, 0.8))
    assert all(each.value is None and THICK_SLICES in each.marks for key, each in found.items() if key[1] in HEIGHTS)
    known = true_soft_measures(column("lumbar")[1], ["L3"])
    assert found["L3", "canal_diameter"].value == pytest.approx(known["L3", "canal_diameter"], abs=1)


def test_a_single_slice_has_neither_area_nor_volume():
    found = box_measures(boxes()[34:35, :, :])
    assert found["L2-L3", "middle_disc_height"].value == pytest.approx(DISC, abs=0.15)
    assert found["L3", "canal_diameter"].value == pytest.approx(16, abs=0.3)
    assert not [key for key in found if key[1] in ("canal_area", "disc_volume")]


def test_what_rests_on_a_doubtful_body_is_marked():
    found = box_measures(boxes(), {"L2": 0.5})
    marked = {at for (at, name), each in found.items() if "disc_height" in name and DOUBTFUL_BODY in each.marks}
    assert marked == {"L1-L2", "L2-L3"}
    assert DOUBTFUL_BODY in found["L2", "canal_diameter"].marks and not found["L4", "canal_diameter"].marks


def test_without_a_scale_there_are_no_lengths():
    found = measured(boxes(), has_scale=False)
    left = {each.name for each in found.values() if each.kind in ("disc", "canal")}
    assert left == {"disc_height_index", "disc_signal", "narrowest_level"}


def brightness(labels, fluid=1000, marrow=400):
    array = sitk.GetArrayFromImage(labels)
    signal = np.where(array == CANAL_LABEL, fluid, np.where(array > 0, marrow, 50))
    for name, disc in (("L1", 700), ("L2", 500), ("L3", 200), ("L4", 100)):
        signal[array == DISC_OFFSET + LEVELS[name].label] = disc
    picture = sitk.GetImageFromArray(signal.astype(np.int16))
    picture.CopyInformation(labels)
    return picture


def test_the_signal_of_discs():
    labels = boxes()
    found = box_measures(labels, picture=brightness(labels))
    assert found["L2-L3", "disc_signal"].value == pytest.approx(0.5, abs=0.01)
    assert found["L3-L4", "disc_signal"].value == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("reason", [NOT_T2, NO_FLUID, NO_SCAN])
def test_why_there_is_no_signal(reason):
    labels = boxes()
    picture = None if reason == NO_SCAN else brightness(labels, fluid=150)
    if reason == NO_FLUID:
        labels = sitk.Mask(labels, labels != CANAL_LABEL)
    told = [each for each in box_measures(labels, picture=picture).values() if each.name == "disc_signal"]
    assert [(each.value, each.marks) for each in told] == [(None, (reason,))]
    assert reason in tables.as_text(told)


def test_tables_hold_them():
    found = list(measures("lumbar").values())
    back = tables.from_json(tables.as_json(found))
    assert [(each.kind, each.at, each.name, each.lines) for each in back] == [
        (each.kind, each.at, each.name, each.lines) for each in found
    ]
    text = tables.as_text(found)
    assert "Spinal canal" in text and "mm²" in text and "mm³" in text


def test_bodies_alone_have_none_of_them():
    labels = boxes()
    labels = sitk.Mask(labels, sitk.BinaryThreshold(labels, 1, 30))
    assert canal_centreline(labels) == []
    assert not [each for each in box_measures(labels).values() if each.kind in ("disc", "canal")]
