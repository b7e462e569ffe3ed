"""Weights are read from the files of a package without the libraries that wrote them."""

import numpy as np
import pytest
import safetensors.numpy
from onnx import TensorProto, helper, numpy_helper
from small_packages import contents_of_schema_1, onnx_model, write_package

from SpineInference.errors import SpineError
from SpineInference.models.model_package import ModelPackage
from SpineInference.models.weights import read_weights


def package_with(folder, *tensors: TensorProto) -> ModelPackage:
    model = onnx_model()
    model.graph.initializer.extend(tensors)
    return ModelPackage.open(write_package(folder, files={"model.onnx": model.SerializeToString()}))


def test_weights_of_onnx(tmp_path):
    kernel = np.arange(12, dtype=np.float16).reshape(2, 3, 1, 2)
    bias, counter = np.array([0.5, -3], np.float32), np.array(7, np.int64)
    package = package_with(
        tmp_path / "p",
        numpy_helper.from_array(kernel, "network.head.weight.half"),
        numpy_helper.from_array(bias, "network.head.bias"),
        numpy_helper.from_array(counter, "network.norm.num_batches_tracked"),
        numpy_helper.from_array(bias, "val_7"),
    )
    weights = read_weights(package)
    assert set(weights) == {"head.weight", "head.bias", "norm.num_batches_tracked"}
    for name, expected in zip(weights, (kernel, bias, counter), strict=True):
        assert weights[name].dtype == expected.dtype
        np.testing.assert_array_equal(weights[name], expected)


def test_weights_of_safetensors(tmp_path):
    package = ModelPackage.open(write_package(tmp_path / "p", files=contents_of_schema_1()))
    expected = safetensors.numpy.load(package.read("model.safetensors"))
    weights = read_weights(package)
    assert set(weights) == set(expected)
    np.testing.assert_array_equal(weights["kernel"], expected["kernel"])


@pytest.mark.parametrize(
    "tensor",
    [
        helper.make_tensor("network.a", TensorProto.FLOAT, [2], [1.0, 2.0]),  # not as raw bytes
        TensorProto(name="network.a", data_type=TensorProto.FLOAT, dims=[3], raw_data=bytes(8)),
        helper.make_tensor("network.a", TensorProto.BFLOAT16, [2], bytes(4), raw=True),
    ],
)
def test_weights_stored_in_another_way(tmp_path, tensor):
    with pytest.raises(SpineError, match="only the CPU can use"):
        read_weights(package_with(tmp_path / "p", tensor))
