"""The weights in a package's files, by the names that they have in the network's state dict: what torch needs."""

import json

import numpy as np

from ..errors import SpineError
from .model_package import ONNX, SAFETENSORS, ModelPackage
from .weight_files import protobuf_fields

NETWORK_PREFIX, HALF_SUFFIX = "network.", ".half"
"""What `model.onnx` adds to a weight's name: all weights are below "network.", and float16 ones end with ".half"."""

# Numbers of fields and types in onnx.proto.
_MODEL_GRAPH, _GRAPH_INITIALIZER = 7, 5
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_RAW_DATA = 1, 2, 8, 9
_ONNX_TYPES = {1: np.float32, 7: np.int64, 10: np.float16}

_SAFETENSORS_TYPES = {"F32": np.float32, "I64": np.int64, "F16": np.float16}


def read_weights(package: ModelPackage) -> dict[str, np.ndarray]:
    """Every weight of the package as it is stored: kernels in float16 or float32, vectors float32, counters int64.

    Raises SpineError for files that are not those that the manifest lists, or that store numbers in another way.
    """
    # Packages of schema 1 hold them twice, and their ONNX file lacks those that only training uses.
    name = SAFETENSORS if SAFETENSORS in package.manifest.files else ONNX
    read = _safetensors_weights if name == SAFETENSORS else _onnx_weights
    try:
        return read(package.read(name))
    except (ValueError, KeyError, TypeError) as error:
        raise SpineError(
            f'{name} of the model "{package.manifest.name}" stores weights in a way that only the CPU can use '
            f"({error}): choose the device cpu, or export the model again."
        ) from None


def _onnx_weights(data: bytes) -> dict[str, np.ndarray]:
    weights = {}
    for model_field, graph in protobuf_fields(memoryview(data)):
        if model_field == _MODEL_GRAPH:
            for graph_field, tensor in protobuf_fields(graph):
                if graph_field == _GRAPH_INITIALIZER:
                    weights |= _onnx_tensor(tensor)
    return weights


def _onnx_tensor(tensor: memoryview) -> dict[str, np.ndarray]:
    """The tensor by its name in the network; nothing for a constant of the graph."""
    fields = list(protobuf_fields(tensor))
    values = dict(fields)
    name = bytes(values.get(_TENSOR_NAME, b"")).decode()
    if not name.startswith(NETWORK_PREFIX):
        return {}
    shape = [value for number, value in fields if number == _TENSOR_DIMS]
    numbers = np.frombuffer(values[_TENSOR_RAW_DATA], _ONNX_TYPES[values[_TENSOR_TYPE]])
    return {name.removeprefix(NETWORK_PREFIX).removesuffix(HALF_SUFFIX): numbers.reshape(shape).copy()}


def _safetensors_weights(data: bytes) -> dict[str, np.ndarray]:
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:begin])
    header.pop("__metadata__", None)
    weights = {}
    for name, tensor in header.items():
        first, last = (begin + offset for offset in tensor["data_offsets"])
        numbers = np.frombuffer(data[first:last], _SAFETENSORS_TYPES[tensor["dtype"]])
        weights[name] = numbers.reshape(tensor["shape"]).copy()
    return weights
