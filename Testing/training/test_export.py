"""Export of a trained network to a package: exact, small, without a trace of this machine."""

import json
import logging
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from small_packages import TINY_UNET

from SegTraining.export import onnx_export
from SegTraining.export.engine_agreement import engine_difference
from SegTraining.export.onnx_export import export_package
from SpineInference import networks
from SpineInference.engines.onnx_engine import OnnxEngine
from SpineInference.errors import SpineError
from SpineInference.models.manifest import TrainingStatement
from SpineInference.models.model_package import ModelPackage
from SpineInference.models.weights import read_weights
from SpineInference.specs import InputSpec, IntensityRule, LabelSpec, NetworkSpec, OutputSpec

FIELDS = {
    "name": "tiny",
    "title": "Tiny",
    "description": "For tests",
    "task": "vertebral bodies",
    "anatomy": "spine",
    "modality": "MR",
    "plane": "coronal",
    "labels": [LabelSpec(1, "body", (1, 2, 3), "51282000", "Vertebra")],
    "input": InputSpec(1, 1.0, IntensityRule()),
    "network": NetworkSpec("unet", TINY_UNET | {"encoder_weights": None}),
    "training": TrainingStatement("noise", "none", "2026-11-20"),
    "licence": "Apache-2.0",
}


def trained(classes: int = 1) -> torch.nn.Module:
    """A network whose weights and statistics are not those it was initialised with."""
    torch.manual_seed(1)
    torch.set_num_threads(1)
    network = networks.build("unet", 3, classes, **TINY_UNET)
    for _ in range(3):
        network(torch.randn(2, 3, 32, 32) + 1)
    with torch.no_grad():
        network.segmentation_head[0].weight.mul_(20)
    return network.train()  # as training leaves it


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> ModelPackage:
    return export_package(
        trained(), FIELDS, tmp_path_factory.mktemp("models") / "tiny", card=lambda manifest: f"# {manifest.title}\n"
    )


def test_the_package_is_complete(package):
    assert set(package.manifest.files) == {"model.onnx", "README.md"}
    assert package.manifest.training.details["storage"] == "float16"
    assert package.manifest.made_with["torch"] == torch.__version__.split("+")[0]
    assert package.manifest.network.arguments == TINY_UNET, "a package never asks for weights from elsewhere"
    assert [path.name for path in package.path.parent.iterdir()] == ["tiny"]


def test_the_manifest_tells_whether_half_the_digits_do(package, tmp_path, monkeypatch):
    told = package.manifest.training.details["bfloat16"]
    assert 0 < told["largest_difference"] < 0.5 and 0.9 < told["dice"] <= 1
    for tolerance in (0.0, 1.0):
        monkeypatch.setattr(onnx_export, "BFLOAT16_TOLERANCE", tolerance)
        made = export_package(trained(), FIELDS, tmp_path / "p")
        assert made.manifest.network.bfloat16 == (tolerance == 1)


def test_the_file_holds_every_weight(package):
    assert engine_difference(package) <= 1e-3
    state, weights = trained().state_dict(), read_weights(package)
    assert set(weights) == set(state)
    kernels = {name for name, array in weights.items() if array.dtype == np.float16}
    assert kernels == {name for name, tensor in state.items() if tensor.ndim >= 2}
    for name, array in weights.items():
        np.testing.assert_array_equal(array, state[name].numpy().astype(array.dtype))


def test_engine_computes_what_the_network_does(package):
    noise = torch.randn(1, 3, 64, 32)
    with torch.inference_mode():
        expected = torch.sigmoid(trained().eval()(noise)).numpy()
    assert expected.std() > 0.05
    np.testing.assert_allclose(OnnxEngine(package, 1).probabilities(noise.numpy()), expected, atol=0.02)


def test_half_precision_halves_the_file(package):
    parameters = sum(parameter.numel() for parameter in trained().parameters())
    assert len(package.read("model.onnx")) < 2.4 * parameters + 30_000


def test_old_onnxruntime_reads_it(package):
    model = onnx.load_from_string(package.read("model.onnx"))
    assert model.ir_version <= 10 and model.opset_import[0].version <= 20
    assert [entry.domain for entry in model.opset_import] == [""]
    shape = [dim.dim_param or dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    assert shape == ["n", 3, "rows", "cols"]


def test_onnxruntime_folds_casts_and_batch_norm(package, tmp_path):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    onnxruntime.InferenceSession(package.read("model.onnx"), options, providers=["CPUExecutionProvider"])
    operators = {node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node}
    assert "Conv" in operators or "FusedConv" in operators
    assert not operators & {"Cast", "BatchNormalization"}


def test_no_trace_of_this_machine(package):
    places = [Path.cwd(), Path.home(), package.path.parent, Path(torch.__file__).parents[1]]
    for name in (*package.manifest.files, "manifest.json"):
        content = (package.path / name).read_bytes()
        for trace in (*map(str, places), "site-packages", ".py", "stack_trace", "Traceback"):
            assert trace.encode() not in content, f"{name} holds {trace}"


def test_softmax_on_a_fixed_canvas_in_single_precision(tmp_path):
    manifest = FIELDS | {
        "input": InputSpec(1, 1.0, IntensityRule(), canvas=(64, 96)),
        "output": OutputSpec("softmax"),
    }
    package = export_package(trained(classes=2), manifest, tmp_path / "p", storage="float32")
    assert engine_difference(package) <= 1e-3
    model = onnx.load_from_string(package.read("model.onnx"))
    shape = [dim.dim_param or dim.dim_value for dim in model.graph.output[0].type.tensor_type.shape.dim]
    assert shape == ["n", 2, 64, 96]
    assert not any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in model.graph.initializer)


def test_engines_that_disagree_in_half_precision_get_single(tmp_path, monkeypatch, caplog):
    differences = iter([0.034, 4e-6])
    monkeypatch.setattr(onnx_export, "engine_difference", lambda package: next(differences))
    with caplog.at_level(logging.INFO, "SegTraining"):
        package = export_package(trained(), FIELDS, tmp_path / "p")
    assert package.manifest.training.details["storage"] == "float32" and "stored as float32" in caplog.text
    assert {array.dtype for array in read_weights(package).values() if array.ndim >= 2} == {np.dtype(np.float32)}


# ---- refused, with nothing written


def refuse(tmp_path, message, network=None, changes=None, storage=None):
    with pytest.raises(SpineError, match=message):
        export_package(network or trained(), FIELDS | (changes or {}), tmp_path / "p", storage)
    assert not list(tmp_path.iterdir())


def test_engines_that_disagree(tmp_path, monkeypatch):
    monkeypatch.setattr(
        onnx_export._Probabilities, "forward", lambda self, slices: self.network(slices).sigmoid() * 0.9
    )
    refuse(tmp_path, 'torch and the engines of the CPU disagree on "tiny"')


def test_weights_that_are_not_numbers(tmp_path):
    broken = trained()
    with torch.no_grad():
        broken.segmentation_head[0].weight[0, 0, 0, 0] = float("nan")
    refuse(tmp_path, "segmentation_head.0.weight hold NaN", broken)


def test_weights_too_large_for_half_precision(tmp_path):
    large = trained()
    with torch.no_grad():
        large.segmentation_head[0].weight[0, 0, 0, 0] = 1e6
    refuse(tmp_path, "store them as float32", large, storage="float16")
    assert export_package(large, FIELDS, tmp_path / "p").manifest.training.details["storage"] == "float32"


def test_a_network_that_is_not_the_one_named(tmp_path):
    spec = NetworkSpec("unet", TINY_UNET | {"decoder_channels": [32, 16, 8]})
    refuse(tmp_path, "not the one that the manifest", changes={"network": spec})


def test_an_invalid_manifest(tmp_path):
    refuse(tmp_path, "plane must be one of", changes={"plane": "oblique"})


def test_the_manifest_is_plain_json(package):
    manifest = json.loads((package.path / "manifest.json").read_text())
    assert manifest["labels"][0]["colour"] == [1, 2, 3]
    assert next(iter(manifest)) == "name"
