"""The device picker: what is chosen and why, with computers of every kind stood in for."""

import sys
import types

import numpy as np
import pytest

from SpineInference.engines import devices
from SpineInference.engines.devices import choose_device, list_devices
from SpineInference.errors import SpineError


class FakeTensor:
    """The few operations of the self-test."""

    def __init__(self, array):
        self.array = array

    def to(self, device):
        return self

    def __getitem__(self, key):
        return FakeTensor(self.array[key])

    def cpu(self):
        return self

    def numpy(self):
        return self.array


def convolve(image, kernel):
    windows = np.lib.stride_tricks.sliding_window_view(image.array, kernel.array.shape[2:], axis=(2, 3))
    return FakeTensor(windows.sum((-1, -2)))


def computer(monkeypatch, gpus=(), mps=False, driver=True, torch=True, **broken):
    """A computer with these GPUs (names), and torch with the functions of `broken` exchanged."""
    fake = types.SimpleNamespace(
        __version__="2.0",
        from_numpy=broken.get("from_numpy", FakeTensor),
        nn=types.SimpleNamespace(functional=types.SimpleNamespace(conv2d=broken.get("conv2d", convolve))),
        cuda=types.SimpleNamespace(
            is_available=lambda: bool(gpus),
            device_count=lambda: len(gpus),
            get_device_properties=lambda i: types.SimpleNamespace(name=gpus[i], total_memory=8 * 2**30),
        ),
        backends=types.SimpleNamespace(mps=types.SimpleNamespace(is_available=lambda: mps)),
    )
    monkeypatch.setitem(sys.modules, "torch", fake if torch else None)
    monkeypatch.setattr(devices.importlib.util, "find_spec", lambda name: fake if torch else None)
    monkeypatch.setattr(devices, "_gpu_may_exist", lambda: driver)


def test_without_torch_the_cpu_is_chosen(monkeypatch):
    computer(monkeypatch, torch=False)
    device = choose_device()
    assert (device.kind, str(device)) == ("cpu", "cpu")
    assert "PyTorch is not installed" in device.reason


def test_without_a_driver_torch_is_not_imported(monkeypatch):
    computer(monkeypatch, driver=False)
    monkeypatch.delitem(sys.modules, "torch")
    device = choose_device()
    assert device.kind == "cpu" and "no driver" in device.reason
    assert "torch" not in sys.modules


def test_the_cpu_can_be_asked_for(monkeypatch):
    computer(monkeypatch, ["A100"])
    assert choose_device("cpu").kind == "cpu"
    assert "asked for" in choose_device("CPU").reason


def test_a_gpu_is_chosen_with_its_name_and_memory(monkeypatch):
    computer(monkeypatch, ["RTX 3060", "A100"])
    assert str(choose_device()) == str(choose_device("cuda")) == "cuda:0"
    assert "RTX 3060 with 8 GB" in choose_device().reason
    assert (str(choose_device("cuda:1")), choose_device("cuda:1").name) == ("cuda:1", "A100")
    assert [str(device) for device in list_devices()] == ["cuda:0", "cuda:1", "cpu"]


def test_an_apple_gpu(monkeypatch):
    computer(monkeypatch, mps=True)
    assert str(choose_device()) == str(choose_device("mps")) == "mps"
    with pytest.raises(SpineError, match='"cuda" cannot be used'):
        choose_device("cuda")


def no_kernel(image, kernel):
    raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nCUDA kernel errors ...")


def no_bridge(array):
    raise RuntimeError("Numpy is not available")


def wrong_numbers(image, kernel):
    return FakeTensor(np.zeros((1, 1, 6, 6), np.float32))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (
            {"conv2d": no_kernel},
            "failed its test (CUDA error: no kernel image is available for execution on the device)",
        ),
        ({"from_numpy": no_bridge}, "failed its test (Numpy is not available)"),
        ({"conv2d": wrong_numbers}, "it computes wrong numbers"),
    ],
)
def test_a_gpu_that_fails_its_test_is_not_used(monkeypatch, broken, reason):
    computer(monkeypatch, ["Old GPU"], **broken)
    assert choose_device().kind == "cpu"
    assert reason in choose_device().reason
    assert [device.kind for device in list_devices()] == ["cpu"]
    with pytest.raises(SpineError) as error:
        choose_device("cuda")
    assert reason in str(error.value) and "use auto or cpu" in str(error.value)


def test_a_broken_torch_is_survived(monkeypatch, tmp_path):
    computer(monkeypatch)
    monkeypatch.delitem(sys.modules, "torch")
    (tmp_path / "torch.py").write_text("raise OSError('libcudart.so.12: cannot open shared object file')")
    monkeypatch.syspath_prepend(str(tmp_path))
    device = choose_device()
    assert device.kind == "cpu" and "libcudart" in device.reason


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ("gpu", '"gpu" is not a device: use auto, cpu, cuda, cuda:N or mps'),
        ("cuda:x", "is not a device"),
        ("cpu:1", "is not a device"),
        ("cuda:2", "GPU number 2 does not exist, there is 1"),
        ("mps", "finds no GPU that it can use"),
    ],
)
def test_wishes_that_cannot_be_met(monkeypatch, wish, message):
    computer(monkeypatch, ["A100"])
    with pytest.raises(SpineError, match=message):
        choose_device(wish)


def test_this_computer_always_has_a_device():
    assert list_devices()[-1].kind == "cpu"
    assert choose_device() == list_devices()[0] or choose_device().kind == "cpu"
