"""Encoders begin with the weights they are told: random ones, those of a file, or published ones, for any channels."""

import hashlib
import pickle
from pathlib import Path

import huggingface_hub
import pytest
import safetensors.torch
import torch
from network_cases import SLIM_ENCODER

from SpineInference import networks
from SpineInference.errors import SpineError


def encoder(in_channels: int = 3, family: str = "unet", **arguments) -> torch.nn.Module:
    torch.set_num_threads(1)
    return networks.build(family, in_channels, 1, encoder="resnet18", **arguments).encoder.eval()


@pytest.fixture(scope="module")
def pretrained() -> torch.nn.Module:
    """What stands for an encoder that somebody trained on RGB images."""
    torch.manual_seed(3)
    network = encoder().train()
    for _ in range(2):
        network(torch.randn(2, 3, 32, 32))
    return network.eval()


@pytest.fixture(scope="module")
def weights(pretrained, tmp_path_factory) -> Path:
    """Its file as it is published: with the classifier that it was trained with."""
    path = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
    safetensors.torch.save_file(pretrained.state_dict() | {"fc.weight": torch.zeros(10, 512)}, path)
    return path


def test_weights_of_a_file_are_taken_as_they_are(pretrained, weights):
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        for found, expected in zip(encoder(3, encoder_weights=str(weights))(images), pretrained(images), strict=True):
            torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_grey_image_acts_alike_in_any_channels(pretrained, weights, channels):
    grey = torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        found = encoder(channels, encoder_weights=str(weights))(grey.expand(-1, channels, -1, -1))
        expected = pretrained(grey.expand(-1, 3, -1, -1))
    for one, other in zip(found[1:], expected[1:], strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_one_channel_gets_the_sum_over_rgb(pretrained, weights):
    kernel = encoder(1, encoder_weights=str(weights)).conv1.weight
    torch.testing.assert_close(kernel, pretrained.conv1.weight.sum(1, keepdim=True))


@pytest.mark.parametrize("family", ["fpn", "linknet", "pspnet"])
def test_every_network_of_the_library_takes_them(pretrained, weights, family):
    found = encoder(3, family, encoder_weights=str(weights)).state_dict()
    expected = pretrained.state_dict()
    assert len(found) > 50
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, expected[name])


def test_encoders_of_timm_take_files_too(tmp_path):
    arguments = SLIM_ENCODER
    network = networks.build("unet", 3, 1, **arguments)
    path = tmp_path / "slim.safetensors"
    safetensors.torch.save_file({n.removeprefix("model."): t for n, t in network.encoder.state_dict().items()}, path)
    again = networks.build("unet", 3, 1, **arguments, encoder_weights=str(path))
    for name, tensor in again.encoder.state_dict().items():
        torch.testing.assert_close(tensor, network.encoder.state_dict()[name])


def test_without_weights_every_build_is_another_one():
    assert not torch.equal(encoder().conv1.weight, encoder().conv1.weight)


@pytest.mark.parametrize("name", ["resnet18", "inceptionv4"])
def test_random_kernels_are_those_of_he(name):
    torch.manual_seed(0)
    network = networks.build("linknet", 1, 1, encoder=name, encoder_depth=3)
    for kernel in (each for each in network.encoder.parameters() if each.ndim == 4 and each.numel() > 20_000):
        fans = (kernel[0].numel(), kernel.shape[0] * kernel[0, 0].numel())
        assert min(abs(kernel.std() / (2 / fan) ** 0.5 - 1) for fan in fans) < 0.05


# ---- published weights


@pytest.fixture
def hub(monkeypatch, weights):
    """The hub, as far as it is asked: the list of what was asked for, each answered with the file `weights`."""
    asked = []

    def download(repository, name, revision):
        asked.append((repository, name, revision))
        return str(weights)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    return asked


def test_published_weights_come_in_a_pinned_revision(hub, pretrained):
    found = encoder(3, encoder_weights="imagenet")
    torch.testing.assert_close(found.conv1.weight, pretrained.conv1.weight)
    ((repository, name, revision),) = hub
    assert (repository, name) == ("smp-hub/resnet18.imagenet", "model.safetensors")
    assert len(revision) == 40


def test_published_weights_of_timm(hub, pretrained):
    network = networks.build("unet", 3, 1, encoder="tu-resnet18", encoder_weights="imagenet")
    torch.testing.assert_close(network.encoder.model.conv1.weight, pretrained.conv1.weight)
    assert hub[0][0].startswith("timm/resnet18")


def test_offline_weights_error_says_where_they_are(monkeypatch):
    def download(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    with pytest.raises(SpineError, match="cannot be downloaded") as refused:
        networks.build("unet", 1, 1, encoder="resnet50", encoder_weights="imagenet")
    message = str(refused.value)
    assert "https://huggingface.co/smp-hub/resnet50.imagenet/resolve/" in message
    assert message.endswith("give the path of that file as encoder_weights.")


# ---- refused


def refuse(message: str, **arguments) -> None:
    with pytest.raises(SpineError, match=message) as refused:
        networks.build("unet", 1, 1, **({"encoder": "resnet18"} | arguments))
    assert "\n" not in str(refused.value)


def test_weights_that_nobody_published():
    refuse('no weights "imagenot" of the encoder "resnet18": known are imagenet', encoder_weights="imagenot")


def test_a_file_that_is_not_there(tmp_path):
    refuse("cannot be read", encoder_weights=str(tmp_path / "absent.safetensors"))


def test_weights_of_another_encoder(weights):
    refuse('not those of the encoder "resnet34"', encoder="resnet34", encoder_weights=str(weights))


def test_a_file_with_another_sha_256(weights):
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    encoder(1, encoder_weights=str(weights), encoder_weights_sha256=digest.upper())
    refuse("do not have the SHA-256", encoder_weights=str(weights), encoder_weights_sha256="0" * 64)


class _Harm:
    def __reduce__(self):
        return Path.touch, (Path("harm"),)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin"])
def test_files_of_torch_are_not_even_opened(pretrained, tmp_path, suffix):
    path = tmp_path / f"weights{suffix}"
    torch.save(pretrained.state_dict(), path)
    refuse("are a pickle, which can run code", encoder_weights=str(path))


def test_a_pickle_in_disguise(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(pickle.dumps(_Harm()))
    refuse("hold something else than tensors", encoder_weights=str(path))
    assert not Path("harm").exists()
