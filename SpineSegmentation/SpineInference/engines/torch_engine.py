"""PyTorch, on a graphics card above all."""

from typing import TYPE_CHECKING

import numpy as np

from .. import networks
from ..errors import SpineError
from ..models.model_package import ModelPackage
from ..models.weights import read_weights
from ..monitor import Monitor
from .cpu import open_cpu_engine
from .cpu_engine import CpuEngine
from .devices import Device
from .engine import require

if TYPE_CHECKING:
    import torch

SLICES_AT_A_TIME = {"cuda": 8, "mps": 4, "cpu": 1}
"""Slices in one pass through the network. More than one is slower on a CPU: they no longer fit its cache."""

PASSES_PER_CALL = 4
"""A call on CUDA should bring this many passes, so that one is copied while another is computed."""


class TorchEngine:
    """The manifest's network in torch with the weights of the package.

    CUDA: half precision (full where numbers overflow or it was asked for), channels-last, batches, copies that overlap
    with computing.
    MPS and CPU: full precision.
    When a GPU's memory runs out, fewer slices are computed at a time; when one is too much, the CPU takes over.
    """

    def __init__(
        self, package: ModelPackage, device: Device, monitor: Monitor | None = None, threads: int | None = None
    ):
        require("torch")
        import torch

        self._package, self._device, self._threads = package, device, threads
        self._place = str(device)
        self._monitor = monitor or Monitor()
        self._slices = SLICES_AT_A_TIME[device.kind]
        half = device.kind == "cuda" and device.precision == "auto"
        self._precision = torch.float16 if half else torch.float32
        self._cpu: CpuEngine | None = None
        self._description = f"PyTorch {torch.__version__} on {device.name} ({device})"
        if device.kind == "cpu" and threads:
            torch.set_num_threads(threads)
        self._network = load_network(package)
        self._activation = package.manifest.output.activation
        self._move_to_device()

    @property
    def batch_size(self) -> int:
        if self._cpu:
            return self._cpu.batch_size
        return self._slices * (PASSES_PER_CALL if self._device.kind == "cuda" else 1)

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        """See Engine. Returns float16 from a GPU."""
        while not self._cpu:
            try:
                return self._on_cuda(batch) if self._device.kind == "cuda" else self._in_passes(batch)
            except RuntimeError as error:
                if self._device.kind == "cpu" or not _is_out_of_memory(error):
                    raise
            # Outside the except block: the traceback keeps the tensors of the failed pass alive.
            self._need_less_memory()
        return self._cpu.probabilities(batch)

    def describe(self) -> str:
        if self._cpu:
            return self._cpu.describe()
        return f"{self._description}, {str(self._precision).removeprefix('torch.')}, {self._slices} slices at a time"

    def close(self) -> None:
        self._network = None
        self._free_device_memory()
        if self._cpu:
            self._cpu.close()

    def _move_to_device(self) -> None:
        import torch

        try:
            self._network.to(self._place, memory_format=torch.channels_last)
            if self._device.kind == "cuda":
                if self._precision == torch.float16:
                    _to_half(self._network)
                self._copies = torch.cuda.Stream(self._place)
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise
            self._slices = 1
        else:
            return
        self._need_less_memory()

    def _on_cuda(self, batch: np.ndarray) -> np.ndarray:
        """The passes of one call, queued without waiting: one is uploaded while the one before is computed."""
        import torch

        result, overflow = None, False
        with torch.cuda.device(self._place), torch.inference_mode():
            compute = torch.cuda.current_stream()
            for start in range(0, len(batch), self._slices):
                part = torch.from_numpy(batch[start : start + self._slices])
                # torch reuses pinned memory only after the copies from it have ended, so that none is overwritten.
                staged = torch.empty(part.shape, dtype=self._precision, pin_memory=True).copy_(part)
                with torch.cuda.stream(self._copies):
                    slices = staged.to(self._place, non_blocking=True)
                compute.wait_stream(self._copies)
                slices.record_stream(compute)
                probabilities = self._forward(slices)
                if result is None:
                    shape = (len(batch), *probabilities.shape[1:])
                    result = torch.empty(shape, dtype=torch.float16, pin_memory=True)
                result[start : start + self._slices].copy_(probabilities, non_blocking=True)
                overflow = probabilities.isnan().any() | overflow
            compute.synchronize()
        if overflow and self._precision == torch.float16:
            self._precision = torch.float32
            self._network.float()
            self._monitor.note(
                "The numbers of this network are too large for half precision: computing in full precision."
            )
            return self._on_cuda(batch)
        return result.numpy()

    def _in_passes(self, batch: np.ndarray) -> np.ndarray:
        import torch

        dtype = torch.float32 if self._device.kind == "cpu" else torch.float16
        with torch.inference_mode():
            parts = [
                self._forward(torch.from_numpy(part).to(self._place)).to(dtype).cpu().numpy()
                for part in np.split(batch, range(self._slices, len(batch), self._slices))
            ]
        return np.concatenate(parts)

    def _forward(self, slices: "torch.Tensor") -> "torch.Tensor":
        import torch

        logits = self._network(slices.contiguous(memory_format=torch.channels_last))
        probabilities = torch.sigmoid(logits) if self._activation == "sigmoid" else torch.softmax(logits, 1)
        return probabilities.contiguous()

    def _need_less_memory(self) -> None:
        """After running out of memory: half as many slices at a time, or the CPU."""
        if self._slices > 1:
            self._slices //= 2
            self._free_device_memory()
            self._monitor.note(
                f"The memory of {self._device.name} is short: computing {self._slices} slices at a time from now on."
            )
            return
        self._network = None
        self._free_device_memory()
        self._cpu = open_cpu_engine(self._package, self._threads, self._device.precision)
        self._monitor.note(
            f"The memory of {self._device.name} is too small for this network: continuing on the CPU, which is slower."
        )

    def _free_device_memory(self) -> None:
        import torch

        if self._device.kind == "cuda":
            torch.cuda.empty_cache()
        elif self._device.kind == "mps":
            torch.mps.empty_cache()


def load_network(package: ModelPackage) -> "torch.nn.Module":
    """The network that the manifest names with the weights of the package, ready to compute, on the CPU.

    Raises SpineError if it cannot be built or the weights are not those of such a network.
    """
    import torch

    manifest = package.manifest
    network = networks.build(
        manifest.network.family, manifest.input.channels, manifest.classes, **manifest.network.arguments
    )
    try:
        network.load_state_dict({name: torch.from_numpy(array) for name, array in read_weights(package).items()})
    except RuntimeError as error:
        raise SpineError(
            f'The weights of the model "{manifest.name}" do not fit the network that its manifest names '
            f"({str(error).splitlines()[-1].strip()}): get the package again."
        ) from error
    return network.eval()


def _to_half(network: "torch.nn.Module") -> None:
    # Batch normalisation keeps single precision: its running variances can exceed half, and cuDNN wants it so.
    import torch

    network.half()
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.float()


def _is_out_of_memory(error: RuntimeError) -> bool:
    # torch's own type on CUDA is a RuntimeError too; MPS, cuDNN and cuBLAS only say it in words.
    return any(words in str(error) for words in ("out of memory", "ALLOC_FAILED"))
