"""The 8-bit version of a package: close to the original, measured on validation cases, refused when it is not good."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from handmade_models import BRIGHT, Rule, onnx_graph, write_model
from onnx import TensorProto, helper, numpy_helper
from tiny_training import make_dataset, settings

from SegTraining.config.config import Config
from SegTraining.data.datasets import split_cases
from SegTraining.evaluation import quantisation
from SegTraining.evaluation.quantisation import add_int8, quantise, runtime_slices
from SegTraining.export.onnx_export import write_files
from SpineInference.engines.onnx_engine import OnnxEngine
from SpineInference.errors import SpineError
from SpineInference.models.model_package import ModelPackage

CONFIG = Config.model_validate(settings(plane="axial"))
TOO_MUCH = Rule(("Block",), (16.0,), (-2.0,))
"""Finds more than what is bright."""


def layered_graph() -> bytes:
    """The rule BRIGHT in four convolutions of 1 x 1, the first three with rectifiers."""
    middle_channel = np.tile([0.0, 1.0, 0.0], (4, 1))
    kernels = [middle_channel, np.full((4, 4), 0.25), np.eye(4)[::-1], np.full((1, 4), 4.0)]
    weights = [
        numpy_helper.from_array(kernel.astype(np.float32)[:, :, None, None], f"kernel{n}")
        for n, kernel in enumerate(kernels)
    ]
    nodes, value = [], "slices"
    for n in range(len(kernels)):
        last = n == len(kernels) - 1
        bias = ["offset"] if last else []
        nodes.append(helper.make_node("Conv", [value, f"kernel{n}", *bias], [f"conv{n}"], name=f"Conv{n}"))
        value = "p" if last else f"relu{n}"
        nodes.append(helper.make_node("Sigmoid" if last else "Relu", [f"conv{n}"], [value], name=f"Act{n}"))
    weights.append(numpy_helper.from_array(np.array([-8], np.float32), "offset"))
    shapes = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", channels, "rows", "cols"])
        for name, channels in (("slices", 3), ("p", 1))
    ]
    graph = helper.make_graph(nodes, "layers", shapes[:1], shapes[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("data"))


@pytest.fixture
def package(tmp_path) -> ModelPackage:
    """A package that finds the blocks of the data set."""
    plain = ModelPackage.open(write_model(tmp_path / "plain", "axial", BRIGHT))
    (tmp_path / "layered").mkdir()
    contents = {name: plain.read(name) for name in plain.manifest.files} | {"model.onnx": layered_graph()}
    return write_files(tmp_path / "layered", plain.manifest, contents)


def bytes_of(package: ModelPackage) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in package.path.iterdir()}


def outputs(model: bytes, slices: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {"slices": slices})[0]


def test_inner_convolutions_are_integers():
    random = np.random.default_rng(0)
    slices = [random.random((1, 3, 24, 32), np.float32) for _ in range(4)]
    int8 = quantise(layered_graph(), slices)
    full, found = outputs(layered_graph(), slices[0]), outputs(int8, slices[0])
    assert full.std() > 0.2 and 0 < np.abs(found - full).max() < 0.1
    model = onnx.load_from_string(int8)
    kernels = [t for t in model.graph.initializer if t.data_type == TensorProto.INT8 and len(t.dims) == 4]
    assert len(kernels) == 2
    assert max(int(np.abs(numpy_helper.to_array(kernel)).max()) for kernel in kernels) <= 64, "7 bits"
    assert [entry.domain for entry in model.opset_import] == [""]


def test_calibration_uses_slices_of_the_runtime(package, data):
    slices = runtime_slices(package, split_cases(CONFIG.data, data)["training"])
    assert 16 < len(slices) <= 32, "some of both cases"
    assert {each.shape[:2] for each in slices} == {(1, 3)} and {each.dtype for each in slices} == {np.dtype("float32")}
    assert max(each.max() for each in slices) > 0.9, "normalised as the model's manifest says"


def test_good_int8_version_is_added_with_measures(package, data):
    without = bytes_of(package)
    made = add_int8(package, CONFIG, data)
    measured = made.manifest.metrics["int8"]
    assert measured["validation_cases"] == ["c"] and measured["validation_dice_full_precision"] > 0.8
    assert measured["validation_dice"] == pytest.approx(measured["validation_dice_full_precision"], abs=0.005)
    assert measured["speed_ratio"] > 0
    assert f"Dice {measured['validation_dice']:.4f}" in made.read("README.md").decode()
    assert made.read("model.onnx") == without["model.onnx"] and made.path == package.path
    random = np.random.default_rng(0).random((1, 3, 32, 32), np.float32)
    assert "int8" in OnnxEngine(made, 1, int8=True).describe()
    np.testing.assert_allclose(
        OnnxEngine(made, 1, int8=True).probabilities(random), OnnxEngine(made, 1).probabilities(random), atol=0.15
    )


def test_int8_that_loses_too_much_is_refused(package, data, monkeypatch):
    monkeypatch.setattr(quantisation, "quantise", lambda *_: onnx_graph(TOO_MUCH))
    before = bytes_of(package)
    with pytest.raises(
        SpineError, match=r"loses more than 0\.005 of Dice .* \(0\.\d+ after 1\.0000 in full precision\)"
    ):
        add_int8(package, CONFIG, data)
    assert bytes_of(package) == before
    assert "int8" not in json.loads(before["manifest.json"])["metrics"]


def test_int8_needs_validation_cases(package, data):
    content = settings(plane="axial", data={"split": {"test": ["d"]}})
    with pytest.raises(SpineError, match="no validation cases"):
        add_int8(package, Config.model_validate(content), data)
