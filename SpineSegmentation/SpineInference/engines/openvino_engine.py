"""OpenVINO on the CPU: the fastest there, with half the digits where the processor computes them twice as fast."""

import sys
from queue import LifoQueue
from threading import Lock
from typing import Any

import numpy as np

from ..errors import SpineError
from ..models.model_package import ONNX, ModelPackage
from ..options import Precision
from .cpu_engine import CpuEngine
from .engine import require

_first_pass, _first_core = Lock(), Lock()
_cores: list[Any] = []
"""The one of this process, once there is one."""


class OpenVinoEngine(CpuEngine):
    """`model.onnx` in OpenVINO. The ONNX graph ends in probabilities.

    `precision` "auto" is bfloat16 where the processor has it and the network bears it (see `NetworkSpec`), else, and
    with "full", single precision.
    """

    _is_set_up = False

    def __init__(self, package: ModelPackage, threads: int | None = None, precision: Precision = "auto"):
        require("openvino")
        openvino = import_openvino()
        super().__init__(threads)
        core = shared_core()
        wanted = precision == "auto" and package.manifest.network.bfloat16
        half = wanted and "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        settings = {
            "INFERENCE_NUM_THREADS": self.threads,
            "NUM_STREAMS": self.passes,
            "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
            # Pinned threads would take processors that this process was not given.
            "ENABLE_CPU_PINNING": False,
        }
        try:
            compiled = core.compile_model(core.read_model(package.read(ONNX)), "CPU", settings)
        except RuntimeError as error:
            raise SpineError(
                f'{ONNX} of the model "{package.manifest.name}" cannot be used by OpenVINO '
                f"{_release(openvino)} ({str(error).strip().splitlines()[-1]}): update OpenVINO or the model."
            ) from error
        self._requests: LifoQueue = LifoQueue()
        for _ in range(self.passes):
            self._requests.put(compiled.create_infer_request())
        digits = "bfloat16" if half else "float32"
        self._description = f"OpenVINO {_release(openvino)} on the CPU, {self.threads} threads, {digits}"

    def run(self, batch: np.ndarray) -> np.ndarray:
        """See CpuEngine.

        The first pass of a process runs alone: OpenVINO's binding sets itself up in it, and two threads that do so at
        the same time can wait for each other for ever, one with Python's lock and one with that of the binding.
        """
        if not OpenVinoEngine._is_set_up:
            with _first_pass:
                result = self._pass(batch)
                OpenVinoEngine._is_set_up = True
                return result
        return self._pass(batch)

    def _pass(self, batch: np.ndarray) -> np.ndarray:
        request = self._requests.get()
        try:
            return request.infer({0: batch}, share_inputs=True)[0]
        finally:
            self._requests.put(request)

    def describe(self) -> str:
        """See CpuEngine."""
        return self._description

    def close(self) -> None:
        """See Engine."""
        super().close()
        self._requests = LifoQueue()


def import_openvino() -> Any:
    """OpenVINO without `openvino_telemetry`, which it brings along and which tells its makers of every import, and
    without its tools, which convert other networks and take longer to import than all the rest."""
    if "openvino" not in sys.modules:
        # What is None cannot be imported, and OpenVINO does without. Who wants the tools can have them afterwards.
        sys.modules |= dict.fromkeys(("openvino_telemetry", "openvino.tools"))
        try:
            import openvino
        finally:
            del sys.modules["openvino.tools"]
    import openvino

    return openvino


def shared_core() -> Any:
    """The one core of this process, which stays to its end.

    With every core for the CPU, OpenVINO gives the calling thread another stack for its signals, and frees it with the
    core. After two cores, or one that another thread has freed, the first signal (Ctrl+C) would crash the process.
    """
    openvino = import_openvino()
    with _first_core:
        if not _cores:
            _cores.append(openvino.Core())
        return _cores[0]


def _release(openvino: Any) -> str:
    return openvino.__version__.split("-")[0]
