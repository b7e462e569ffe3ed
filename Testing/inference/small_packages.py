"""Model packages for tests, made by hand in milliseconds: one convolution and an activation, no torch needed."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHANNELS = 3
TINY_UNET = {
    "encoder": "tu-resnet18",
    "encoder_depth": 3,
    "encoder_arguments": {
        "channels": [8, 16, 32, 64],
        "layers": [1, 1, 1, 1],
        "stem_type": "deep",
        "stem_width": 4,
    },
}
"""Arguments of a U-Net that is built in a moment."""


def fields(name: str = "small-sagittal", plane: str = "sagittal", **changes) -> dict:
    """The fields of a valid manifest, without `files`."""
    return {
        "schema_version": 2,
        "name": name,
        "title": f"Small {plane}",
        "description": "For tests",
        "task": "vertebral bodies",
        "anatomy": "spine",
        "modality": "MR",
        "plane": plane,
        "labels": [
            {"value": 1, "name": "body", "colour": [9, 8, 7], "code": "51282000", "meaning": "Vertebra"},
        ],
        "input": {
            "context_slices": 1,
            "spacing_mm": 1.0,
            "intensity": {"rule": "percentile_zscore", "low": 0.5, "high": 99.5},
        },
        "network": {"family": "unet", "arguments": {}},
        "training": {"data": "none", "recipe": "none", "date": "2026-11-20"},
        "licence": "Apache-2.0",
    } | changes


def onnx_model(weight: float = 0.5, offset: float = 0.0) -> onnx.ModelProto:
    """Sigmoid of a 1 x 1 convolution: [n, 3, rows, cols] -> [n, 1, rows, cols]."""
    return _model([np.full(CHANNELS, weight)], [offset], helper.make_node("Sigmoid", ["logits"], ["p"]))


def brightness_model(slopes: tuple[float, ...], offsets: tuple[float, ...], alone: bool = False) -> onnx.ModelProto:
    """Of slope * value of the middle channel + offset, for each output, the softmax: classes of brightness. If `alone`,
    the sigmoid of each."""
    kernels = [np.array([0.0, slope, 0.0]) for slope in slopes]
    activation = ("Sigmoid", {}) if alone else ("Softmax", {"axis": 1})
    return _model(kernels, offsets, helper.make_node(activation[0], ["logits"], ["p"], **activation[1]))


def _model(kernels: Sequence[np.ndarray], offsets: Sequence[float], activation: onnx.NodeProto) -> onnx.ModelProto:
    kernel = np.stack(kernels)[:, :, np.newaxis, np.newaxis].astype(np.float32)
    weights = [
        numpy_helper.from_array(kernel, "kernel"),
        numpy_helper.from_array(np.array(offsets, np.float32), "offsets"),
    ]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["slices", "kernel", "offsets"], ["logits"]), activation],
        "small",
        [helper.make_tensor_value_info("slices", TensorProto.FLOAT, ["n", CHANNELS, "rows", "cols"])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n", len(kernels), "rows", "cols"])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def contents() -> dict[str, bytes]:
    """The files of a sound package but the manifest."""
    return {"model.onnx": onnx_model().SerializeToString()}


def contents_of_schema_1() -> dict[str, bytes]:
    """The same as the first packages had them, with the weights in a file of their own."""
    import safetensors.numpy  # only here: Testing/run_in_slicer.py does without it

    weights = {"kernel": np.full((1, CHANNELS, 1, 1), 0.5, np.float32)}
    return contents() | {"model.safetensors": safetensors.numpy.save(weights)}


def write_package(folder: Path, manifest: dict | None = None, files: dict[str, bytes] | None = None) -> Path:
    """Write a package whose hashes are right, whatever its files hold: what somebody who means harm would do."""
    manifest, files = manifest or fields(), contents() if files is None else files
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "manifest.json").write_text(json.dumps({"files": hashes} | manifest))
    return folder
