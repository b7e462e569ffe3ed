"""State dicts of other libraries become packages that compute the same, by a description."""

import functools

import numpy as np
import pytest
import torch
import yaml

from SegTraining.cli import main
from SpineInference.engines.devices import choose_device
from SpineInference.engines.onnx_engine import OnnxEngine
from SpineInference.engines.torch_engine import TorchEngine
from SpineInference.models.model_package import ModelPackage

TOLERANCE = 5e-3
"""Of probabilities: packages store kernels in half precision."""

DESCRIPTION = {
    "name": "ours",
    "network": {"library": "smp", "name": "Unet", "arguments": {"encoder_name": "resnet18", "encoder_depth": 3}},
    "weights": "ours.pth",
    "plane": "axial",
    "input": {"context_slices": 1, "spacing_mm": 0.8, "orientation": "RAS", "intensity": {"rule": "zscore"}},
    "activation": "softmax",
    "model_info": {
        "title": "Ours",
        "anatomy": "lumbar spine",
        "modality": "MR",
        "licence": "internal",
        "data_statement": "40 scans of our hospital",
        "labels": [{"name": "Vertebra"}, {"name": "Disc", "code": "360499006", "meaning": "Intervertebral disc"}],
    },
}


@functools.cache
def unet() -> torch.nn.Module:
    import segmentation_models_pytorch as smp

    torch.manual_seed(0)
    decoder = {"encoder_depth": 3, "decoder_channels": (64, 32, 16), "decoder_attention_type": "scse"}
    return smp.Unet("resnet18", encoder_weights=None, in_channels=3, classes=3, **decoder).eval()


def arguments(**more) -> dict:
    given = {"encoder_name": "resnet18", "encoder_depth": 3, "decoder_channels": [64, 32, 16]}
    return {"library": "smp", "name": "Unet", "arguments": given | {"decoder_attention_type": "scse"} | more}


def described(folder, state, **changes) -> int:
    """The exit code of the command, with this file of weights and changes of the description."""
    torch.save(state, folder / "ours.pth")
    (folder / "ours.yaml").write_text(yaml.safe_dump(DESCRIPTION | changes))
    return main(["import-network", str(folder / "ours.yaml"), "-o", str(folder / "p")])


def assert_same(network: torch.nn.Module, folder, channels: int) -> None:
    package = ModelPackage.open(folder)
    images = np.random.default_rng(1).normal(size=(2, channels, 64, 96)).astype(np.float32)
    with torch.inference_mode():
        expected = torch.softmax(network(torch.from_numpy(images)), 1).numpy()
    assert expected.std() > 0.01
    for engine in (OnnxEngine(package, threads=1), TorchEngine(package, choose_device("cpu"))):
        np.testing.assert_allclose(engine.probabilities(images), expected, atol=TOLERANCE)


def test_a_network_of_smp(tmp_path, capsys):
    weights = {f"model.{name}": tensor for name, tensor in unet().state_dict().items()}
    words = {"network": arguments(encoder_weights="imagenet"), "state_dict": "state_dict", "prefix": "model."}
    assert described(tmp_path, {"state_dict": weights, "epoch": 3}, **words) == 0, capsys.readouterr().err
    assert_same(unet(), tmp_path / "p", channels=3)
    manifest = ModelPackage.open(tmp_path / "p").manifest
    assert (manifest.input.orientation, manifest.plane, manifest.vertebra_class) == ("RAS", "axial", 1)
    assert [(label.value, label.code) for label in manifest.labels] == [(1, "51282000"), (2, "360499006")]


def test_a_network_of_monai(tmp_path, capsys):
    nets = pytest.importorskip("monai.networks.nets")
    shape = {"channels": [4, 8, 16], "strides": [2, 2], "num_res_units": 1, "norm": "batch"}
    torch.manual_seed(0)
    network = nets.UNet(spatial_dims=2, in_channels=1, out_channels=3, **shape).eval()
    words = {
        "network": {"library": "monai", "name": "UNet", "arguments": shape | {"spatial_dims": 2}},
        "input": {"spacing_mm": 1.0, "pad_multiple": 16},
    }
    assert described(tmp_path, network.state_dict(), **words) == 0, capsys.readouterr().err
    assert_same(network, tmp_path / "p", channels=1)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"network": arguments(encoder_depth=4, decoder_channels=[64, 32, 16, 16])},
            "holds another network than described",
        ),
        ({"network": arguments(pretrained=True)}, '"pretrained" is no argument that shapes Unet'),
        ({"network": arguments(encoder_name="hf-hub:them/code")}, "is not the name of an encoder"),
        ({"network": arguments() | {"name": "os.system"}}, '"os.system" is no network of smp'),
        ({"network": arguments() | {"library": "ours"}}, "wrong at network.library"),
        ({"state_dict": "model.weights"}, 'has no "model.weights"'),
        ({"input": DESCRIPTION["input"] | {"orientation": "XYZ"}}, "three letters"),
        ({"plane": "sagital"}, "wrong at plane"),
        ({"weights": "absent.pth"}, 'no file "'),
    ],
)
def test_descriptions_that_do_not_fit(changes, sentence, tmp_path, capsys):
    words = {"network": arguments()} | changes
    assert described(tmp_path, unet().state_dict(), **words) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
    assert not (tmp_path / "p").exists()


def test_a_network_that_does_not_fit_its_slices(tmp_path, capsys):
    words = {"input": DESCRIPTION["input"] | {"pad_multiple": 4, "canvas": [36, 36]}}
    assert described(tmp_path, unet().state_dict(), network=arguments(), **words) == 2
    assert "multiples of 8, not of 4" in capsys.readouterr().err


def test_a_whole_network_is_not_unpickled(tmp_path, capsys):
    assert described(tmp_path, unet(), network=arguments()) == 2
    assert "could run code: it is not opened; save the state dict alone" in capsys.readouterr().err


def test_where_the_state_dict_lies_is_advised(tmp_path, capsys):
    assert described(tmp_path, {"net": unet().state_dict(), "epoch": 1}, network=arguments()) == 2
    assert "set state_dict to net" in capsys.readouterr().err
