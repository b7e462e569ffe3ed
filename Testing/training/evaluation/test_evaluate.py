"""Evaluation through the runtime's own pipeline, with models made by hand that go by brightness."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from handmade_models import BOTH_ALONE, BRIGHT, DISC_ALONE, LEVELS, ORGAN, write_model
from tiny_training import DATASET, as_image, make_case, make_dataset, write_case

from SegTraining.cli import main
from SegTraining.config.data import Dataset, Label
from SegTraining.data.datasets import find_cases
from SegTraining.evaluation.evaluate import evaluate
from SegTraining.evaluation.examples import read_examples
from SegTraining.evaluation.output import NETWORK
from SegTraining.evaluation.predicted_classes import predict
from SegTraining.reporting.activation_maps import read_network_pictures
from SpineInference.anatomy import CANAL_CODE, CORD_CODE
from SpineInference.engines.engine_cache import EngineCache
from SpineInference.errors import Implausible
from SpineInference.models.catalog import open_set
from SpineInference.options import SegmentationOptions


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    data = make_dataset(folder / "data", names=("a", "b"))
    image, labels = make_case(2)
    write_case(data / DATASET, "unlabelled", image, np.zeros_like(labels))
    for plane in ("sagittal", "axial"):
        write_model(folder / "models" / plane, plane, BRIGHT)
    model = ["--model", str(folder / "models"), "--data", str(data), "--dataset", DATASET]
    assert main(["evaluate", *model, "--whole-volume", "--threads", "1", "-o", str(folder / "scores")]) == 0
    return folder / "scores"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_score_for_each_plane_and_for_all(evaluated):
    found = {(row["case"], row["planes"]): row for row in rows(evaluated / "cases.csv")}
    assert set(found) == {(c, p) for c in ("a", "b", "unlabelled") for p in ("sagittal", "axial", "fused")}
    for (case, _), row in found.items():
        if case == "unlabelled":
            assert row["dice"] == row["hd95_mm"] == row["volume_error_percent"] == row["bodies"] == ""
        else:
            assert float(row["dice"]) > 0.9 and (row["bodies"], row["found"], row["spurious"]) == ("2", "2", "0")
            assert abs(float(row["volume_error_percent"])) < 20 and float(row["reference_ml"]) == pytest.approx(6.144)


def test_slices_lie_along_the_models_plane(evaluated):
    found = [row for row in rows(evaluated / "slices.csv") if row["case"] == "a"]
    planes = {planes: {r["slice_plane"] for r in found if r["planes"] == planes} for planes in ("axial", "fused")}
    assert planes == {"axial": {"axial"}, "fused": {"sagittal", "coronal", "axial"}}
    sagittal = [row for row in found if row["planes"] == "sagittal"]
    assert [row["slice"] for row in sagittal] == [str(n) for n in range(1, 37)]
    by_slice = {int(row["slice"]): row for row in sagittal}
    assert by_slice[1]["dice"] == "" and float(by_slice[18]["dice"]) > 0.9
    assert (by_slice[18]["reference_pixels"], by_slice[18]["mm"]) == (str(2 * 12 * 16), "17.0")


def test_what_could_not_be_judged_is_counted(evaluated):
    summary = json.loads((evaluated / "summary.json").read_text("utf-8"))
    assert summary["cases"] == ["a", "b", "unlabelled"] and summary["nsd_tolerance_mm"] == 1.0
    fused = next(result for result in summary["results"] if result["planes"] == "fused")
    assert (fused["cases"], fused["not_judged"], fused["missed"], fused["label"]) == (3, 1, 0, "Block")
    assert fused["dice_ci95"] is None and fused["dice_min"] <= fused["dice"] <= fused["dice_max"]


def test_each_body_has_a_line_and_each_level_a_mean(evaluated):
    found = rows(evaluated / "bodies.csv")
    assert len(found) == 2 * 2 * 3 and {row["case"] for row in found} == {"a", "b"}
    summary = json.loads((evaluated / "summary.json").read_text("utf-8"))
    fused = [row for row in summary["levels"] if row["planes"] == "fused"]
    of_level = [float(row["dice"]) for row in found if row["planes"] == "fused" and row["level"] == fused[0]["level"]]
    assert fused[0]["dice"] == pytest.approx(np.mean(of_level), abs=1e-3) and fused[0]["bodies"] == 2
    worst = [row["dice"] for row in summary["worst_bodies"] if row["planes"] == "fused"]
    assert worst == sorted(worst) and worst[0] == min(float(row["dice"]) for row in found if row["planes"] == "fused")


def test_what_the_report_shows_is_kept(evaluated):
    examples = read_examples(evaluated / "examples.npz")
    assert {example.planes for example in examples} == {"sagittal", "axial", "fused"}
    sagittal = next(example for example in examples if example.planes == "sagittal")
    assert not sagittal.judged.all(), "the topmost block is not labelled, so nobody can judge it"
    pictures = read_network_pictures(evaluated / NETWORK.format(plane="axial"))
    assert pictures.case == "a" and pictures.kernels.ndim == 3
    assert all(maps.shape[1:] == pictures.input.shape for maps in pictures.layers.values())


@pytest.mark.parametrize(
    ("arguments", "part_of_message"),
    [
        (["--dataset", DATASET], "--model"),
        (["--model", "a", "--run", "b"], "--model"),
        (["--run", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_are_told_before_any_work(arguments, part_of_message, tmp_path, capsys):
    assert main(["evaluate", "--data", str(tmp_path), *arguments]) == 2
    assert part_of_message in capsys.readouterr().err


def test_an_implausible_spine_is_nothing_found(tmp_path, caplog):
    bodies = 160
    labels = np.zeros((7 * bodies, 12, 12), np.uint8)
    for body in range(bodies):
        labels[7 * body + 1 : 7 * body + 6, 1:11, 1:11] = body % 5 + 1
    two_of_them = np.where(np.arange(len(labels)) < 14, labels.T, 0).T
    image = np.where(labels, 100, 40).astype(np.int16)
    image += np.random.default_rng(0).integers(0, 3, image.shape, np.int16)
    image[:, [0, -1]] = 0  # air
    write_case(tmp_path / DATASET, "a", image, two_of_them)
    write_case(tmp_path / DATASET, "b", *make_case(2))
    model_set = open_set(write_model(tmp_path / "model", "axial", BRIGHT))
    cases = find_cases(Dataset(name=DATASET), tmp_path)
    evaluate(model_set, cases, tmp_path / "scores", options=SegmentationOptions(threads=1))
    assert "The mask falls into 160 bodies" in caplog.text
    hopeless, usual = rows(tmp_path / "scores" / "cases.csv")
    assert [hopeless[key] for key in ("dice", "bodies", "found", "spurious")] == ["0.0", "2", "0", "0"]
    assert float(hopeless["seconds"]) > 0 and usual["found"] == "2"
    evaluate(model_set, cases[:1], tmp_path / "hopeless", options=SegmentationOptions(threads=1))  # not an error
    with pytest.raises(Implausible):  # whoever wants the segmentation is told
        predict(cases[0].read_image(), model_set, SegmentationOptions(threads=1), EngineCache())


def three_levels(shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Canonical image [I, P, L] of two structures of their own brightness, and their values 5 and 7."""
    labels = np.zeros(shape, np.uint8)
    rows, columns = slice(shape[1] // 5, 3 * shape[1] // 5), shape[2]
    labels[:, rows, columns // 9 : 7 * columns // 18] = 5
    labels[:, rows, 5 * columns // 9 : 5 * columns // 6] = 7
    return (np.select([labels == 5, labels == 7], [55, 100], 20) + 0.0).astype(np.int16), labels


def test_several_labels_have_scores_of_their_own(tmp_path):
    image, labels = three_levels((20, 40, 36))
    write_case(tmp_path / DATASET, "a", image, labels)
    for plane in ("sagittal", "axial"):
        write_model(tmp_path / "models" / plane, plane, LEVELS)
    cases = find_cases(Dataset(name=DATASET), tmp_path)
    classes = (Label(name="Disc", values=(5,)), Label(name="Canal", values=(7,)))
    summary = evaluate(
        open_set(tmp_path / "models"), cases, tmp_path / "scores", classes, False, SegmentationOptions(threads=1)
    )
    dice = {result["label"]: result["dice"] for result in summary["results"]}
    assert set(dice) == {"Disc", "Canal", "all"} and min(dice.values()) > 0.95
    assert {row["bodies"] for row in rows(tmp_path / "scores" / "cases.csv")} == {""}
    labels_of_slices = {row["label"] for row in rows(tmp_path / "scores" / "slices.csv")}
    assert labels_of_slices == {"Disc", "Canal"}


def test_planes_are_judged_on_the_labels_they_know(tmp_path):
    image, labels = three_levels((20, 40, 36))
    write_case(tmp_path / DATASET, "a", image, labels)
    write_model(tmp_path / "models" / "sagittal", "sagittal", BOTH_ALONE)
    write_model(tmp_path / "models" / "axial", "axial", DISC_ALONE)
    cases = find_cases(Dataset(name=DATASET, unlabelled=()), tmp_path)
    classes = (Label(name="Disc", values=(5,)), Label(name="Canal", values=(7,)))
    options = SegmentationOptions(threads=1)
    evaluate(open_set(tmp_path / "models"), cases, tmp_path / "scores", classes, True, options)
    found = {(row["planes"], row["label"]): float(row["dice"]) for row in rows(tmp_path / "scores" / "cases.csv")}
    assert set(found) == {(p, "Disc") for p in ("sagittal", "axial", "fused")} | {
        (p, "Canal") for p in ("sagittal", "fused")
    }
    assert min(found["sagittal", "Disc"], found["sagittal", "Canal"], found["fused", "Canal"]) > 0.95
    unlabelled = [replace(cases[0], dataset=Dataset(name=DATASET, unlabelled=("Canal",), background_labels=(7,)))]
    evaluate(open_set(tmp_path / "models"), unlabelled, tmp_path / "fewer", classes, False, options)
    assert {row["label"] for row in rows(tmp_path / "fewer" / "cases.csv")} == {"Disc"}


def test_cord_counts_as_canal_where_nobody_drew_it(tmp_path):
    image, labels = three_levels((20, 40, 36))
    write_case(tmp_path / DATASET, "a", image, labels)
    folder = write_model(tmp_path / "model", "axial", replace(LEVELS, labels=("Canal", "Cord")))
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    for label, (code, meaning) in zip(manifest["labels"], (CANAL_CODE, CORD_CODE), strict=True):
        label |= {"code": code, "meaning": meaning}
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    classes = tuple(
        Label(name=name, code=code, meaning=meaning, values=values)
        for name, (code, meaning), values in (("Canal", CANAL_CODE, (5, 7)), ("Cord", CORD_CODE, ()))
    )
    cases = find_cases(Dataset(name=DATASET, unlabelled=("Cord",)), tmp_path)
    evaluate(open_set(folder), cases, tmp_path / "scores", classes, False, SegmentationOptions(threads=1))
    [row] = rows(tmp_path / "scores" / "cases.csv")
    assert row["label"] == "Canal" and float(row["dice"]) > 0.95


def test_a_radiograph_has_no_bodies(tmp_path):
    image, labels = three_levels((1, 80, 72))
    write_model(tmp_path / "model", "axial", ORGAN)
    found = predict(as_image(image), open_set(tmp_path / "model"), SegmentationOptions(threads=1), EngineCache())
    assert found.instances is None and found.classes.shape == labels.shape
    assert np.array_equal(found.classes > 0, labels == 7)


def test_the_grid_of_the_scan_is_kept(tmp_path):
    image, labels = three_levels((20, 40, 36))
    scan = as_image(image, "RAS")
    scan.SetSpacing((0.5, 1.0, 2.0))
    write_model(tmp_path / "model", "axial", LEVELS)
    found = predict(scan, open_set(tmp_path / "model"), SegmentationOptions(threads=1), EngineCache()).classes
    assert found.shape == sitk.GetArrayFromImage(as_image(image)).shape
    assert np.mean((found == 1) == (labels == 5)) > 0.97 and np.mean((found == 2) == (labels == 7)) > 0.97
