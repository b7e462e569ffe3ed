"""Segments that somebody has corrected are measured as those of a run are."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
from background_process import send

from SpineInference.anatomy import LEVELS
from SpineInference.errors import SpineError
from SpineInference.measuring.measurements import as_json, measure
from SpineInference.measuring.remeasure import remeasure

NAMES = ("L1", "L2", "L3")


def drawn() -> sitk.Image:
    """Three boxes in a scan that was acquired from bottom to top; the lowest reaches its border."""
    labels = np.zeros((60, 30, 20), np.uint8)
    for place, name in enumerate(reversed(NAMES)):
        labels[20 * place : 20 * place + 14, 8:24, 3:18] = LEVELS[name].label
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing((2.0, 2.0, 1.5))
    return image


def names(image: sitk.Image) -> dict[int, str]:
    present = set(np.unique(sitk.GetArrayViewFromImage(image)).tolist())
    return {segment.label: segment.name for segment in reversed(LEVELS.values()) if segment.label in present}


def test_the_table_is_that_of_a_run():
    measured = remeasure(drawn(), names(drawn()), {})
    expected = measure(drawn(), [LEVELS[name] for name in NAMES], {LEVELS["L3"].label})
    assert measured["measurements"] == as_json(expected) and measured["dice_per_slice"] is None
    assert [row["level"] for row in measured["measurements"]["vertebrae"]] == list(NAMES)
    assert [row["partial"] for row in measured["measurements"]["vertebrae"]] == [False, False, True]


def test_corrected_new_and_erased_segments():
    array = sitk.GetArrayFromImage(drawn())
    array[array == LEVELS["L3"].label] = 0
    array[20:34, 8:16] = 7 * (array[20:34, 8:16] > 0)
    corrected = sitk.GetImageFromArray(array)
    corrected.CopyInformation(drawn())
    bodies = {LEVELS["L1"].label: "L1", LEVELS["L2"].label: "L2", LEVELS["L3"].label: "L3"}
    rows = remeasure(corrected, bodies, {7: "Spur"})["measurements"]
    assert [row["level"] for row in rows["vertebrae"]] == ["L1", "L2"]
    assert [row["level"] for row in rows["structures"]] == ["Spur"]
    assert rows["vertebrae"][1]["volume_mm3"] == rows["structures"][0]["volume_mm3"] == 14 * 8 * 15 * 6


def test_a_reference_may_come_later():
    measured = remeasure(drawn(), names(drawn()), {}, drawn())
    assert measured["measurements"]["reference"]["dice"] == 1
    assert set(measured["dice_per_slice"]) == {"sagittal", "coronal", "axial"}
    other = sitk.Image([4, 4, 4], sitk.sitkUInt8)
    with pytest.raises(SpineError, match="another grid"):
        remeasure(drawn(), names(drawn()), {}, other)


def test_nothing_left_is_an_error():
    with pytest.raises(SpineError, match="nothing is left"):
        remeasure(drawn() * 0, names(drawn()), {7: "Spur"})


def test_remeasure_in_the_worker(tmp_path):
    path = str(tmp_path / "labels.nrrd")
    sitk.WriteImage(drawn(), path)
    answer = send(
        json.dumps(
            {"kind": "measure", "segments": {"labels": path, "bodies": [*names(drawn()).items()], "structures": []}}
        )
    )
    assert answer == {"event": "result"} | json.loads(json.dumps(remeasure(drawn(), names(drawn()), {})))
    assert "needs" in send('{"kind": "measure"}')["message"]
    missing = {"labels": str(tmp_path / "gone.nrrd"), "bodies": [], "structures": []}
    assert "gone.nrrd" in send(json.dumps({"kind": "measure", "segments": missing}))["message"]
