"""Evaluation through the runtime's own pipeline, with a model made by hand that finds what is bright."""

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
from onnx import TensorProto, helper, numpy_helper
from tiny_training import DATASET, make_case, make_dataset, write_case

from SegTraining.cli import main
from SegTraining.evaluation_folder import NETWORK
from SegTraining.examples import read_examples
from SegTraining.network_pictures import read_network_pictures
from SpineInference.networks import build

FAMILY = "custom-v1"


def bright_onnx() -> bytes:
    """Sigmoid of twice the slice's own normalised value minus 2: the blocks lie at 1.3 and more, all else below 0.5."""
    kernel = np.zeros((1, 3, 1, 1), np.float32)
    kernel[0, 1] = 4
    weights = [numpy_helper.from_array(kernel, "kernel"), numpy_helper.from_array(np.float32([-4]), "bias")]
    nodes = [
        helper.make_node("Conv", ["slices", "kernel", "bias"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["p"]),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", count, "rows", "cols"])
        for name, count in (("slices", 3), ("p", 1))
    ]
    graph = helper.make_graph(nodes, "bright", ends[:1], ends[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()


def write_model(folder: Path, plane: str) -> None:
    files = {
        "model.onnx": bright_onnx(),
        "model.safetensors": safetensors.torch.save(build(FAMILY, 3, 1).state_dict()),
    }
    manifest = {
        "schema_version": 1,
        "name": f"bright-{plane}",
        "title": "Bright",
        "description": "",
        "task": "segmentation",
        "anatomy": "blocks",
        "modality": "MR",
        "plane": plane,
        "labels": [{"value": 1, "name": "Block", "colour": [9, 8, 7], "code": "51282000", "meaning": "Vertebra"}],
        "input": {
            "context_slices": 1,
            "spacing_mm": 1.0,
            "intensity": {"rule": "percentile_zscore", "low": 0.5, "high": 99.5},
        },
        "network": {"family": FAMILY, "arguments": {}},
        "postprocessing": {"min_island_mm3": 500.0},
        "training": {"data": "none", "recipe": "none", "date": "2026-11-21"},
        "licence": "Apache-2.0",
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    data = make_dataset(folder / "data", names=("a", "b"))
    image, labels = make_case(2)
    write_case(data / DATASET, "unlabelled", image, np.zeros_like(labels))
    for plane in ("sagittal", "axial"):
        write_model(folder / "models" / plane, plane)
    model = ["--model", str(folder / "models"), "--data", str(data), "--dataset", DATASET]
    assert main(["evaluate", *model, "--whole-volume", "--threads", "1", "-o", str(folder / "scores")]) == 0
    return folder / "scores"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_case_has_a_score_for_each_plane_and_for_all(evaluated):
    found = {(row["case"], row["planes"]): row for row in rows(evaluated / "cases.csv")}
    assert set(found) == {(c, p) for c in ("a", "b", "unlabelled") for p in ("sagittal", "axial", "fused")}
    for (case, _), row in found.items():
        if case == "unlabelled":
            assert row["dice"] == row["hd95_mm"] == row["volume_error_percent"] == ""
        else:
            assert float(row["dice"]) > 0.9 and (row["bodies"], row["found"], row["spurious"]) == ("2", "2", "0")
            assert abs(float(row["volume_error_percent"])) < 20 and float(row["reference_ml"]) == pytest.approx(6.144)


def test_slices_lie_along_the_models_plane_and_empty_ones_have_no_dice(evaluated):
    found = [row for row in rows(evaluated / "slices.csv") if row["case"] == "a"]
    planes = {planes: {r["slice_plane"] for r in found if r["planes"] == planes} for planes in ("axial", "fused")}
    assert planes == {"axial": {"axial"}, "fused": {"sagittal", "coronal", "axial"}}
    sagittal = [row for row in found if row["planes"] == "sagittal"]
    assert [row["slice"] for row in sagittal] == [str(n) for n in range(1, 37)]
    by_slice = {int(row["slice"]): row for row in sagittal}
    assert by_slice[1]["dice"] == "" and float(by_slice[18]["dice"]) > 0.9
    assert (by_slice[18]["reference_pixels"], by_slice[18]["mm"]) == (str(2 * 12 * 16), "17.0")


def test_the_summary_counts_what_could_not_be_judged(evaluated):
    summary = json.loads((evaluated / "summary.json").read_text("utf-8"))
    assert summary["cases"] == ["a", "b", "unlabelled"] and summary["nsd_tolerance_mm"] == 1.0
    fused = next(result for result in summary["results"] if result["planes"] == "fused")
    assert (fused["cases"], fused["not_judged"], fused["missed"], fused["label"]) == (3, 1, 0, "Block")
    assert fused["dice_ci95"][0] <= fused["dice"] <= fused["dice_ci95"][1]


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
