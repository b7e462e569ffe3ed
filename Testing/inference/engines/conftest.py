"""A tiny network in a package, and a CUDA that computes on the CPU."""

import contextlib

import pytest
import torch
from small_packages import TINY_UNET, fields

from SegTraining.export.onnx_export import export_package
from SpineInference import networks
from SpineInference.engines.devices import Device


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A tiny random U-Net whose probabilities are spread over 0..1."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    network = networks.build("unet", 3, 1, **TINY_UNET).eval()
    with torch.inference_mode():
        deviation = network(torch.randn(4, 3, 64, 64)).std()
        network.segmentation_head[0].weight.mul_(2 / deviation)
    manifest = fields(network={"family": "unet", "arguments": TINY_UNET})
    return export_package(network, manifest, tmp_path_factory.mktemp("models") / "tiny")


class _Stream:
    def wait_stream(self, other): ...
    def synchronize(self): ...


@pytest.fixture
def fake_cuda(monkeypatch):
    """Lets the CUDA path run on the CPU: streams and pinned memory do nothing, "cuda:0" is the CPU."""
    empty = torch.empty
    monkeypatch.setattr(Device, "__str__", lambda self: "cpu")
    monkeypatch.setattr(torch, "empty", lambda *args, pin_memory=False, **keywords: empty(*args, **keywords))
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda self, stream: None)
    for name in ("Stream", "current_stream"):
        monkeypatch.setattr(torch.cuda, name, lambda *_: _Stream())
    for name in ("stream", "device"):
        monkeypatch.setattr(torch.cuda, name, lambda *_: contextlib.nullcontext())
