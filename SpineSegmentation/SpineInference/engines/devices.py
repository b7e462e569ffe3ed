"""Where the networks run: which device, and why. A choice that the user can read and overrule.

The CPU has engines of its own, so PyTorch is imported only where a GPU may be there for it.
"""

import ctypes
import importlib.util
import os
import platform
import sys
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..errors import SpineError
from ..options import Precision


@dataclass(frozen=True)
class Device:
    """A device: `name` as its maker calls it, `reason` a sentence that says why it was chosen.

    `precision`: see `options.SegmentationOptions`.
    """

    kind: Literal["cpu", "cuda", "mps"]
    index: int
    name: str
    reason: str
    precision: Precision = "auto"

    def __str__(self) -> str:
        return f"cuda:{self.index}" if self.kind == "cuda" else self.kind


class _Unusable(Exception):
    """Why there is no GPU to use, as the part of a sentence."""


def choose_device(wish: str = "auto", precision: Precision = "auto") -> Device:
    """The device for "auto", "cpu", "cuda", "cuda:N" or "mps", which computes with this `precision`.

    "auto" takes a GPU that passes a small test, else the CPU, and never fails. Raises SpineError for a device that
    was asked for and cannot be used, and for a wish that is none of these.
    """
    kind, _, index = wish.strip().lower().partition(":")
    if kind not in ("auto", "cpu", "cuda", "mps") or (index and (kind != "cuda" or not index.isdecimal())):
        raise SpineError(f'"{wish}" is not a device: use auto, cpu, cuda, cuda:N or mps.')
    if kind == "cpu":
        return replace(_cpu("the CPU was asked for"), precision=precision)
    try:
        return replace(_gpu(kind, int(index or 0)), precision=precision)
    except _Unusable as problem:
        if kind == "auto":
            return replace(_cpu(str(problem)), precision=precision)
        raise SpineError(f'The device "{wish}" cannot be used: {problem}; use auto or cpu.') from None


def list_devices() -> list[Device]:
    """The CPU and every GPU that passes its test, the one that "auto" takes first."""
    devices = []
    try:
        devices.append(_gpu("auto", 0))
        if devices[0].kind == "cuda":
            devices += [_gpu("cuda", i) for i in range(1, _torch().cuda.device_count())]
    except _Unusable:
        pass
    return [*devices, _cpu("always there")]


def _cpu(reason: str) -> Device:
    return Device("cpu", 0, f"CPU ({platform.machine()})", reason)


def _gpu(kind: str, index: int) -> Device:
    """The GPU of that kind ("auto": whichever is there), tested. Raises _Unusable."""
    if importlib.util.find_spec("torch") is None:
        raise _Unusable("PyTorch is not installed, which a GPU needs")
    if not _gpu_may_exist():
        raise _Unusable("there is no driver of a supported GPU on this computer")
    torch = _torch()
    if kind != "mps" and torch.cuda.is_available():
        count = torch.cuda.device_count()
        if index >= count:
            raise _Unusable(f"GPU number {index} does not exist, there {'is' if count == 1 else 'are'} {count}")
        _self_test(torch, f"cuda:{index}")
        properties = torch.cuda.get_device_properties(index)
        memory = f"{properties.total_memory / 2**30:.0f} GB"
        return Device("cuda", index, properties.name, f"{properties.name} with {memory} passed its test")
    if kind != "cuda" and torch.backends.mps.is_available():
        _self_test(torch, "mps")
        return Device("mps", 0, "Apple GPU", "the Apple GPU passed its test")
    raise _Unusable(f"PyTorch {torch.__version__} finds no GPU that it can use")


def _gpu_may_exist() -> bool:
    # Importing torch costs seconds and half a gigabyte, so the driver is looked for first.
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return os.path.exists("/dev/kfd")  # an AMD GPU, which torch drives under the name cuda
    return True


def _torch() -> Any:
    try:
        import torch
    except Exception as error:  # a broken installation raises anything: OSError for a library, ImportError, ...
        raise _Unusable(f"PyTorch is installed but cannot be loaded ({_first_line(error)})") from None
    return torch


def _self_test(torch: Any, device: str) -> None:
    """One convolution there and back through numpy: finds unsupported GPUs, and torch built for another numpy."""
    import numpy as np

    ones = np.ones((1, 1, 8, 8), np.float32)
    try:
        there = torch.from_numpy(ones).to(device)
        back = torch.nn.functional.conv2d(there, there[..., :3, :3]).cpu().numpy()
    except Exception as error:  # drivers and old builds raise many types
        raise _Unusable(f"{device} failed its test ({_first_line(error)})") from None
    if not np.allclose(back, 9):
        raise _Unusable(f"{device} failed its test (it computes wrong numbers)")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
