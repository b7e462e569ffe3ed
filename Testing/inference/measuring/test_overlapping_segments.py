"""Segments that overlap, drawn or as a reference: each is measured and compared whole."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SpineInference.app.background_tasks import run
from SpineInference.errors import SpineError
from SpineInference.files.reading import read_labels
from SpineInference.files.slicer_segmentation import describe_layers
from SpineInference.measuring.remeasure import remeasure
from SpineInference.monitor import Monitor

SHAPE = (40, 24, 24)  # canonical [I, P, L]


def box(top: int, height: int) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[top : top + height, 4:20, 4:20] = True
    return mask


L1, L2 = box(4, 14), box(14, 20)  # 4 slices belong to both


def image(*layers: np.ndarray) -> sitk.Image:
    images = [sitk.GetImageFromArray(layer.astype(np.uint16)) for layer in layers]
    for each in images:
        each.SetSpacing((1, 1, 2))
        each.SetDirection((1, 0, 0, 0, 1, 0, 0, 0, -1))
    return images[0] if len(images) == 1 else sitk.Compose(images)


def segmentation(path: Path, layers: sitk.Image, segments: list[tuple[int, int]]) -> Path:
    """As 3D Slicer writes it: layer and value of each segment stand in the header."""
    for number, (layer, value) in enumerate(segments):
        for what, text in (("ID", f"s{number}"), ("Layer", str(layer)), ("LabelValue", str(value))):
            layers.SetMetaData(f"Segment{number}_{what}", text)
    sitk.WriteImage(layers, str(path), True)
    return path


def by_level(result: dict) -> dict[str, dict]:
    return {row["level"]: row for row in result["measurements"]["vertebrae"]}


def test_each_segment_is_measured_whole():
    rows = by_level(remeasure(image(L1 * 20, L2 * 21), {21: "L2", 20: "L1"}, {}))
    assert list(rows) == ["L1", "L2"]
    assert [rows[name]["volume_mm3"] for name in rows] == [L1.sum() * 2, L2.sum() * 2]
    assert rows["L1"]["middle_height_mm"] == pytest.approx(28, abs=1.5)


@pytest.mark.parametrize("swapped", [False, True])
def test_overlapping_reference_is_compared_whole(swapped):
    reference = image(L2 * 2, L1 * 1) if swapped else image(L1 * 1, L2 * 2)
    apart = remeasure(image(L1 * 20 + (L2 & ~L1) * 21), {20: "L1", 21: "L2"}, {}, reference)
    rows, shared = by_level(apart), int((L1 & L2).sum())
    assert (rows["L1"]["reference_label"], rows["L1"]["dice"]) == (1, 1.0)
    expected = 2 * (L2.sum() - shared) / (2 * L2.sum() - shared)
    assert (rows["L2"]["reference_label"], rows["L2"]["dice"]) == (2, round(expected, 4))
    assert by_level(remeasure(image(L1 * 20, L2 * 21), {20: "L1", 21: "L2"}, {}, reference))["L2"]["dice"] == 1.0
    assert apart["measurements"]["reference"]["n_missed"] == 0
    assert set(apart["dice_per_slice"]["axial"]["dice"]) == {1.0}


def test_slicer_segmentation_has_a_value_for_each_segment(tmp_path):
    path = segmentation(tmp_path / "a.seg.nrrd", image(L1 * 20, L2 * 21), [(0, 20), (1, 21)])
    read = sitk.GetArrayFromImage(read_labels(path, overlapping=True))
    assert np.array_equal(read[..., 0], L1 * 20) and np.array_equal(read[..., 1], L2 * 21)
    with pytest.raises(SpineError, match="segments overlap"):
        read_labels(path)
    same_value = segmentation(tmp_path / "b.seg.nrrd", image(L1 * 1, L2 * 1), [(1, 1), (0, 1)])
    read = sitk.GetArrayFromImage(read_labels(same_value, overlapping=True))
    assert np.array_equal(read[..., 0], L1 * 2) and np.array_equal(read[..., 1], L2 * 1)


def test_layers_that_do_not_overlap_are_one_label_map(tmp_path):
    path = segmentation(tmp_path / "a.seg.nrrd", image(L1 * 1, (L2 & ~L1) * 1), [(0, 1), (1, 1)])
    assert np.array_equal(sitk.GetArrayFromImage(read_labels(path)), L1 + (L2 & ~L1) * 2)


def test_background_task_measures_layers(tmp_path):
    for name, layers in (("labels", image(L1 * 20, L2 * 21)), ("reference", image(L1 * 1, L2 * 2))):
        sitk.WriteImage(describe_layers(layers), str(tmp_path / f"{name}.nrrd"))
    segments = {"labels": str(tmp_path / "labels.nrrd"), "reference": str(tmp_path / "reference.nrrd")}
    segments |= {"bodies": [[20, "L1"], [21, "L2"]], "structures": []}
    result = run(json.dumps({"kind": "measure", "segments": segments}).encode(), Monitor())
    assert [row["dice"] for row in result["measurements"]["vertebrae"]] == [1.0, 1.0]


@pytest.mark.parametrize("shape", [(1, 1, 1), (9, 1, 1), (1, 9, 1), (1, 1, 9), (5, 5, 1), (1, 5, 5), (5, 1, 5)])
def test_points_lines_and_planes_are_measured(shape):
    mask = np.zeros(SHAPE, np.uint16)
    mask[tuple(slice(9, 9 + length) for length in shape)] = 1
    body = image(box(4, 14) * 20)
    compared = remeasure(body, {20: "L1"}, {}, image(mask))["measurements"]
    assert 0 < compared["vertebrae"][0]["dice"] < 0.1 and compared["reference"]["hd95_mm"] > 1
    drawn = remeasure(image(mask), {1: "L1"}, {}, body)["measurements"]["vertebrae"][0]
    assert drawn["volume_mm3"] == 2 * np.prod(shape) and 0 < drawn["dice"] < 0.1
    assert remeasure(image(mask), {}, {1: "Mark"}, image(mask))["measurements"]["structures"][0]["dice"] == 1.0
    json.dumps(compared, allow_nan=False), json.dumps(drawn, allow_nan=False)
