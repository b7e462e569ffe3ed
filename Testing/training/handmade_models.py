"""Model packages that tell structures by their brightness: made by hand in milliseconds, without training or torch."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
from onnx import TensorProto, helper, numpy_helper

from SpineInference.networks import build

FAMILY = "custom-v1"
"""What the manifest names; its random weights are only looked at, the ONNX graph is what computes."""


@dataclass(frozen=True)
class Rule:
    """The logit of output k is slope[k] * normalised value + offset[k]."""

    labels: tuple[str, ...]
    slopes: tuple[float, ...]
    offsets: tuple[float, ...]
    vertebrae: bool = False
    """Whether the labels are coded as vertebrae, and as tissue otherwise."""
    alone: bool = False
    """Whether each label is found by itself; a single one always is."""

    @property
    def code(self) -> dict[str, str]:
        code, meaning = ("51282000", "Vertebra") if self.vertebrae else ("85756007", "Tissue")
        return {"code": code, "meaning": meaning}

    @property
    def activation(self) -> str:
        return "sigmoid" if self.alone or len(self.labels) == 1 else "softmax"


BRIGHT = Rule(("Block",), (16.0,), (-8.0,), vertebrae=True)
"""What is brighter than the middle between the darkest and the brightest voxel."""

ORGAN = Rule(("Organ",), (16.0,), (-8.0,))
"""The same, but nothing to be separated."""

BOTH_ALONE = Rule(("Disc", "Canal"), (8.0, 32.0), (-2.0, -24.0), alone=True)
"""The same, each found by itself; canal is surer where both are."""
DISC_ALONE = Rule(("Disc",), (8.0,), (-2.0,))
"""What BOTH_ALONE says of the first of its labels."""

LEVELS = Rule(("Disc", "Canal"), (0.0, 16.0, 32.0), (0.0, -4.0, -16.0))
"""Disc above a quarter, Canal above three quarters of the way from the darkest to the brightest voxel."""


def onnx_graph(rule: Rule) -> bytes:
    """[n, 3, rows, cols] -> probabilities [n, outputs, rows, cols]; only the middle channel counts."""
    kernel = np.zeros((len(rule.slopes), 3, 1, 1), np.float32)
    kernel[:, 1, 0, 0] = rule.slopes
    weights = [
        numpy_helper.from_array(kernel, "kernel"),
        numpy_helper.from_array(np.array(rule.offsets, np.float32), "offsets"),
    ]
    last = helper.make_node("Sigmoid", ["logits"], ["p"])
    if rule.activation == "softmax":
        last = helper.make_node("Softmax", ["logits"], ["p"], axis=1)
    slices = helper.make_tensor_value_info("slices", TensorProto.FLOAT, ["n", 3, "rows", "cols"])
    output = helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n", len(rule.slopes), "rows", "cols"])
    first = helper.make_node("Conv", ["slices", "kernel", "offsets"], ["logits"])
    graph = helper.make_graph([first, last], "brightness", [slices], [output], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()


def write_model(folder: Path, plane: str, rule: Rule) -> Path:
    files = {
        "model.onnx": onnx_graph(rule),
        "model.safetensors": safetensors.torch.save(build(FAMILY, 3, len(rule.slopes)).state_dict()),
    }
    look = {"colour": [9, 8, 7]} | rule.code
    manifest = {
        "schema_version": 1,
        "name": f"bright-{plane}",
        "title": "Bright",
        "description": "",
        "task": "segmentation",
        "anatomy": "blocks",
        "modality": "MR",
        "plane": plane,
        "labels": [{"value": value, "name": name} | look for value, name in enumerate(rule.labels, start=1)],
        "input": {
            "context_slices": 1,
            "spacing_mm": 1.0,
            "intensity": {"rule": "minmax", "low": 0.0, "high": 100.0},
        },
        "network": {"family": FAMILY, "arguments": {}},
        "output": {"activation": rule.activation},
        "postprocessing": {"min_island_mm3": 500.0},
        "training": {"data": "none", "recipe": "none", "date": "2026-11-21"},
        "licence": "Apache-2.0",
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
