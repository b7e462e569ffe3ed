"""Scores of whole volumes: worked out by hand on boxes."""

import numpy as np
import pytest

from SegTraining.evaluation.bodies import BodyCount
from SegTraining.evaluation.metrics import Score, score_classes, score_slices
from SegTraining.evaluation.references import Reference
from SegTraining.evaluation.summary import ALL, Row, summaries, summarise

SPACING = (1.0, 1.0, 1.0)
SHAPE = (60, 20, 20)


def bodies(*tops: int, first_label: int = 20) -> np.ndarray:
    """Boxes of 10 x 10 x 10 voxels, one above the other, with label values of their own."""
    labels = np.zeros(SHAPE, np.uint8)
    for number, top in enumerate(tops):
        labels[top : top + 10, 5:15, 5:15] = first_label + number
    return labels


def mask(*tops: int) -> np.ndarray:
    return (bodies(*tops) > 0).astype(np.uint8)


def truth(
    labels: np.ndarray, ignored: np.ndarray | None = None, spacing=SPACING, rows: slice | None = None
) -> Reference:
    """A reference of bodies (`labels` from 20 on) or classes; by default judged in its labelled rows."""
    ignored = np.zeros(labels.shape, bool) if ignored is None else ignored
    labelled = np.flatnonzero(labels.any(axis=(1, 2)))
    rows = rows or (slice(int(labelled[0]), int(labelled[-1]) + 1) if len(labelled) else slice(0, 0))
    return Reference(labels, np.where(labels >= 20, 1, labels).astype(np.uint8), ignored, rows, spacing)


def score(prediction: np.ndarray, reference: np.ndarray, **options) -> Score:
    return score_classes(prediction, truth(reference, **options), 1)[0]


def row(case: str, dice: float | None, patient: str | None = None, label: str = "body", **counts: int) -> Row:
    return Row(case, patient or case, "A", "sagittal", label, 1.0, Score(dice=dice), BodyCount(**counts))


def test_a_perfect_result():
    assert score(mask(10, 30), mask(10, 30)) == Score(1.0, 1.0, 1.0, 0.0, 0.0, 2.0, 2.0, 0.0, 0.0)


def test_only_the_labelled_slices_are_judged():
    assert score(mask(0, 12, 30, 48), mask(12, 30)).dice == 1.0


def test_missed_and_false_bodies_lower_the_dice():
    whole = score(mask(10, 22), mask(10, 34, 46))
    assert whole.dice == pytest.approx(2 * 1 / (2 + 3)) and whole.iou == pytest.approx(1 / 4)


def test_distances_and_volumes_are_in_mm():
    found = score(mask(12), mask(10), spacing=(3.0, 1.0, 1.0))
    # Of the prediction's slices 12-21, 12-19 lie between the labelled slices; its upper face is 2 slices too low.
    assert found.hd95_mm == pytest.approx(6.0)
    assert (found.volume_ml, found.reference_ml) == pytest.approx((2.4, 3.0))
    assert (found.volume_error_ml, found.volume_error_percent) == pytest.approx((-0.6, -20))


def test_ignored_voxels_are_judged_neither_way():
    sacrum = mask(45) > 0
    assert score(mask(10, 30, 45), mask(10, 30), ignored=sacrum, rows=slice(0, 60)).dice == 1


def test_where_everything_is_labelled_all_is_judged():
    whole = truth(mask(20), rows=slice(0, 60))
    assert score_classes(mask(20, 40), whole, 1)[0].dice == pytest.approx(2 / 3)
    assert score_classes(mask(40), truth(mask(), rows=slice(0, 60)), 1)[0].dice == 0


def test_nothing_found_is_dice_zero_and_the_diagonal():
    found = score(mask(), mask(10, 30))
    assert found.dice == 0 and found.hd95_mm == pytest.approx(np.sqrt(30**2 + 20**2 + 20**2))
    assert found.volume_error_percent == -100


def test_without_reference_nothing_is_judged():
    assert score(mask(10), mask()) == Score()
    assert score_slices(mask(10), truth(mask()), ("axial",)) == []


def test_each_class_has_a_score_of_its_own():
    reference = mask(10, 40) + (bodies(25) > 0) * np.uint8(2)
    prediction = np.where(reference == 2, 3, reference).astype(np.uint8)
    body, disc, canal, none = score_classes(prediction, truth(reference), 4)
    assert body.dice == 1 and disc.dice == 0
    assert canal.dice == 0 and canal.volume_error_percent is None  # invented
    assert none == Score()


def test_an_empty_slice_has_no_dice():
    prediction, reference = mask(10), mask(10)
    prediction[10:20, :, 15], prediction[10:20, :, 14] = prediction[10:20, :, 14], 0
    prediction[12, 5, 2] = 1
    found = score_slices(prediction, truth(reference, spacing=(1.0, 1.0, 2.0)), ("sagittal",))
    assert [s.slice for s in found] == list(range(1, 21)) and found[3].mm == 6.0
    by_slice = {s.slice: s.dice for s in found}
    assert by_slice[1] is None and by_slice[3] == 0 and by_slice[6] == 1
    assert by_slice[15] == 0 and by_slice[16] == 0  # missed, invented
    assert (found[5].reference_pixels, found[5].predicted_pixels) == (100, 100)


def test_axial_slices_are_numbered_from_the_top():
    found = score_slices(mask(10), truth(mask(10, 12)), ("axial",))
    assert (found[0].slice, found[0].mm, found[-1].slice) == (11, 10.0, 22)


def test_summary_means_over_cases():
    values = (0.9, 0.8, 0.95, 0.4)
    rows = [row(str(d), d, bodies=5, found=5 if d > 0.5 else 3, spurious=0, instance_dice=d) for d in values]
    summary = summarise([*rows, row("empty", None)])
    assert summary["cases"] == 5 and summary["not_judged"] == 1
    assert summary["dice"] == pytest.approx(np.mean(values), abs=1e-4)
    assert summary["dice_sd"] == pytest.approx(np.std(values, ddof=1), abs=1e-4)
    assert summary["dice_ci95"] is None, "four patients are too few"
    assert (summary["bodies"], summary["found"], summary["found_rate"]) == (20, 18, 0.9)
    assert (summary["dice_min"], summary["dice_max"]) == (0.4, 0.95) and summary["hd95_mm"] is None


def test_summary_of_many_patients_has_an_interval():
    summary = summarise([row(str(n), 0.9 + 0.005 * n) for n in range(12)])
    low, high = summary["dice_ci95"]
    assert 0.9 < low < summary["dice"] < high < 0.955


def test_volume_errors_do_not_cancel_out():
    rows = [
        Row(c, c, "A", "axial", "body", 1.0, Score(volume_error_percent=e), BodyCount())
        for c, e in (("a", 20.0), ("b", -20.0))
    ]
    summary = summarise(rows)
    assert summary["volume_error_percent"] == 0 and summary["volume_error_percent_magnitude"] == 20


def test_several_labels_have_rows_and_a_mean():
    rows = [row("a", 0.8), row("a", 0.6, label="disc"), row("b", 0.9), row("b", None, label="disc")]
    dice = {r["label"]: r["dice"] for r in summaries(rows)}
    assert dice == {"body": pytest.approx(0.85), "disc": 0.6, ALL: pytest.approx(0.8)}


def test_several_data_sets_have_rows_and_one_for_all():
    other = Row("c", "c", "B", "sagittal", "body", 1.0, Score(dice=0.5), BodyCount())
    found = {r["dataset"]: (r["cases"], r["dice"]) for r in summaries([row("a", 0.8), row("b", 0.6), other])}
    assert found == {"A": (2, 0.7), "B": (1, 0.5), ALL: (3, pytest.approx(0.6333))}
