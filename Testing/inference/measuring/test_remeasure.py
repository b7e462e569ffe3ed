"""Segments that somebody has corrected are measured as those of a run are."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
from background_process import send

from SpineInference.anatomy import CANAL_LABEL, DISC_OFFSET, LEVELS
from SpineInference.errors import SpineError
from SpineInference.measuring.measurements import as_json, measure
from SpineInference.measuring.morphometry.measure import NO_SCAN
from SpineInference.measuring.remeasure import remeasure
from SpineInference.placement import SlicePlacement

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


def test_what_no_vertebra_can_be_is_told_before_it_is_measured():
    """A stray stroke at the other end of the scan, or a threshold that has filled it, in place of a body."""
    array = np.zeros((400, 30, 20), np.uint8)
    array[10:24, 8:24, 3:18] = LEVELS["L1"].label
    array[60:74, 8:24, 3:18] = LEVELS["L2"].label
    array[390, 10, 10] = LEVELS["L2"].label
    image = sitk.GetImageFromArray(array)
    with pytest.raises(SpineError, match="L2 reaches over 331 mm, farther than any vertebra: erase"):
        remeasure(image, names(image), {})
    unknown = SlicePlacement("sagittal", (1.0, 1.0), has_scale=False)
    image = sitk.GetImageFromArray(array[:, :, 10:11])
    assert len(remeasure(image, names(image), {}, placement=unknown)["measurements"]["vertebrae"]) == 2


def test_a_reference_may_come_later():
    measured = remeasure(drawn(), names(drawn()), {}, drawn())
    assert measured["measurements"]["reference"]["dice"] == 1
    assert set(measured["dice_per_slice"]) == {"sagittal", "coronal", "axial"}
    other = sitk.Image([4, 4, 4], sitk.sitkUInt8)
    with pytest.raises(SpineError, match="another grid"):
        remeasure(drawn(), names(drawn()), {}, other)


def with_discs() -> tuple[sitk.Image, dict[int, str], sitk.Image]:
    """Discs between the boxes of `drawn` and a canal behind them, their names, and a T2-weighted scan of them."""
    array = sitk.GetArrayFromImage(drawn())
    array[:, 25:29, 5:16] = CANAL_LABEL
    signal = np.where(array == CANAL_LABEL, 1000, 300).astype(np.int16)
    names, discs = {CANAL_LABEL: "Spinal canal"}, ((14, "L2", 600), (34, "L1", 250))
    for first, above, brightness in discs:
        inside = slice(first, first + 6), slice(8, 24), slice(3, 18)
        array[inside], signal[inside] = DISC_OFFSET + LEVELS[above].label, brightness
        names[DISC_OFFSET + LEVELS[above].label] = f"Disc below {above}"
    labels, scan = (sitk.GetImageFromArray(each) for each in (array, signal))
    for image in (labels, scan):
        image.CopyInformation(drawn())
    return labels, names, scan


def signals(answer: dict) -> dict[str, tuple]:
    rows = [row for row in answer["morphometry"]["measures"] if row["measure"] == "disc_signal"]
    return {row["at"]: (row["value"], *row["marks"]) for row in rows}


def test_the_scan_tells_the_signal_of_discs(tmp_path):
    labels, structures, scan = with_discs()
    told = signals(remeasure(labels, names(drawn()), structures, scan=scan))
    assert {at: value for at, (value, *_) in told.items()} == {"L1-L2": 0.25, "L2-L3": 0.6}
    paths = {"labels": str(tmp_path / "labels.nrrd"), "scan": str(tmp_path / "scan.nrrd")}
    for image, path in zip((labels, scan), paths.values(), strict=True):
        sitk.WriteImage(image, path)
    segments = {"bodies": [*names(drawn()).items()], "structures": [*structures.items()]} | paths
    assert signals(send(json.dumps({"kind": "measure", "segments": segments}))).keys() == told.keys()


def test_without_the_scan_a_mark_says_so():
    labels, structures, scan = with_discs()
    assert signals(remeasure(labels, names(drawn()), structures)) == {"L1-L2 to L2-L3": (None, NO_SCAN)}
    with pytest.raises(SpineError, match="another grid than the segments"):
        remeasure(labels, names(drawn()), structures, scan=scan[:-1])


def test_a_body_at_an_empty_border_is_partial():
    signal = np.random.default_rng(0).integers(100, 900, drawn().GetSize()[::-1]).astype(np.int16)
    signal[54:] = 0  # where L1 ends
    scan = sitk.GetImageFromArray(signal)
    scan.CopyInformation(drawn())
    with_scan, without = (
        {row["level"]: row["partial"] for row in answer["measurements"]["vertebrae"]}
        for answer in (remeasure(drawn(), names(drawn()), {}, scan=scan), remeasure(drawn(), names(drawn()), {}))
    )
    assert with_scan["L1"] and not without["L1"] and not with_scan["L2"]


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
