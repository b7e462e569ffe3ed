"""Every network becomes a package that torch and onnxruntime agree on, at sizes that the export has not seen."""

import numpy as np
import onnx
import pytest
import torch
from network_cases import FAMILIES, SMALL, settle, small

from SegTraining.export.engine_agreement import TOLERANCE
from SegTraining.export.onnx_export import export_package
from SpineInference import networks
from SpineInference.engines.devices import choose_device
from SpineInference.engines.onnx_engine import OnnxEngine
from SpineInference.engines.torch_engine import TorchEngine
from SpineInference.errors import SpineError
from SpineInference.models.manifest import TrainingStatement
from SpineInference.models.weights import read_weights
from SpineInference.specs import InputSpec, IntensityRule, LabelSpec, NetworkSpec, OutputSpec

# Exporting takes seconds each: of networks that differ in filters or depth only, one stands for all.
ALIKE = {"fdn5", "fdn11", "fdn11e", "fdn13", "fdn16", "fdn16e", "fdn16be"} | {
    "custom-v1",
    "custom-v2",
    "custom-v3-large64",
    "custom-v3-small32",
    "custom-v3-small64",
}
FIELDS = {
    "name": "small",
    "title": "Small",
    "description": "For tests",
    "task": "vertebral bodies",
    "anatomy": "spine",
    "modality": "MR",
    "plane": "sagittal",
    "labels": [LabelSpec(1, "body", (1, 2, 3), "51282000", "Vertebra")],
    "training": TrainingStatement("noise", "none", "2026-11-21"),
    "licence": "Apache-2.0",
}


def fields(network: torch.nn.Module, family: str, arguments: dict, **changes) -> dict:
    spec = InputSpec(0, 1.0, IntensityRule(), pad_multiple=network.pad_multiple)
    return FIELDS | {"input": spec, "network": NetworkSpec(family, arguments)} | changes


def assert_agreement(package, channels: int, classes: int) -> None:
    onnx_engine, torch_engine = OnnxEngine(package, threads=1), TorchEngine(package, choose_device("cpu"))
    multiple = package.manifest.input.pad_multiple
    step = max(32, multiple)
    for rows, cols in ((step, 5 * step), (3 * step + multiple, 2 * step + 3 * multiple)):
        noise = np.random.default_rng(rows).normal(size=(1, channels, rows, cols)).astype(np.float32)
        expected = torch_engine.probabilities(noise)
        assert expected.shape == (1, classes, rows, cols)
        assert expected.std() > 0.05, "constant output would agree too"
        np.testing.assert_allclose(onnx_engine.probabilities(noise), expected, atol=TOLERANCE)


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - ALIKE))
def test_torch_and_onnxruntime_agree(family, tmp_path):
    network, arguments = settle(small(family)), SMALL.get(family, {})
    package = export_package(network, fields(network, family, arguments), tmp_path / "p")
    assert_agreement(package, channels=1, classes=1)
    weights = read_weights(package)
    assert {name: array.shape for name, array in weights.items()} == {
        name: tuple(tensor.shape) for name, tensor in network.state_dict().items()
    }
    model = onnx.load_from_string(package.read("model.onnx"))
    assert [entry.domain for entry in model.opset_import] == [""], "onnxruntime of any machine must know every operator"


def test_several_classes_and_channels(tmp_path):
    arguments = {"width": 4, "upsampling": "bilinear"}
    network = settle(small("poster-unet", 3, 3, **arguments), in_channels=3)
    changes = {
        "input": InputSpec(1, 1.0, IntensityRule(), pad_multiple=16),
        "output": OutputSpec("softmax"),
        "labels": [LabelSpec(value, f"label {value}", (1, 2, 3), "51282000", "Vertebra") for value in (1, 2)],
    }
    package = export_package(network, fields(network, "poster-unet", arguments, **changes), tmp_path / "p")
    assert_agreement(package, channels=3, classes=3)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "encoder"), [("pspnet", "resnet50"), ("unet", "inceptionv4")])
def test_the_networks_of_the_thesis(family, encoder, tmp_path):
    torch.manual_seed(0)
    network = settle(networks.build(family, 1, 1, encoder=encoder))
    asked = {"encoder": encoder, "encoder_weights": "imagenet", "encoder_weights_sha256": "0" * 64}
    package = export_package(network, fields(network, family, asked), tmp_path / "p")
    assert package.manifest.network.arguments == {"encoder": encoder}, "it forgets where its encoder came from"
    assert_agreement(package, channels=1, classes=1)


@pytest.mark.slow
@pytest.mark.parametrize("family", sorted(SMALL))
def test_networks_of_full_width_are_exported(family, tmp_path):
    torch.manual_seed(0)
    network = settle(networks.build(family, 1, 1))
    package = export_package(network, fields(network, family, {}), tmp_path / "p")
    assert_agreement(package, channels=1, classes=1)


def test_a_pad_multiple_that_the_network_cannot_do_with(tmp_path):
    network = settle(small("segnet"))
    wrong = fields(network, "segnet", SMALL["segnet"], input=InputSpec(0, 1.0, IntensityRule(), pad_multiple=16))
    with pytest.raises(SpineError, match=r"segnet .* multiples of 32, not of 16"):
        export_package(network, wrong, tmp_path / "p")
    assert not list(tmp_path.iterdir())
