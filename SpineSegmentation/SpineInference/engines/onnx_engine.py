"""onnxruntime on the CPU."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..errors import SpineError
from ..models.model_package import INT8_ONNX, ONNX, ModelPackage
from ..processors import available_processors
from .engine import require

PASSES_AT_A_TIME = 4
"""Slices computed at the same time on a CPU: each needs its own memory, so more only where that keeps threads busy."""


class OnnxEngine:
    """`model.onnx`, or `model.int8.onnx`, in onnxruntime on the CPU. The ONNX graph ends in probabilities.

    Each slice is a pass of its own, several at the same time: threads that share a pass wait for each other, those with
    passes of their own do not (1.4 times as fast with two threads).
    """

    def __init__(self, package: ModelPackage, threads: int | None = None, int8: bool = False):
        require("onnxruntime")
        import onnxruntime

        file = INT8_ONNX if int8 else ONNX

        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        threads = threads or available_processors()
        self.batch_size = passes_at_a_time(threads)
        options.intra_op_num_threads = threads // self.batch_size
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only
        # Waiting threads must not burn the cores that the rest of the computer, Slicer above all, works with.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                package.read(file), options, providers=["CPUExecutionProvider"]
            )
        except SpineError:
            raise
        except Exception as error:  # the exceptions of onnxruntime share no base class
            raise SpineError(
                f'{file} of the model "{package.manifest.name}" cannot be used by onnxruntime '
                f"{onnxruntime.__version__} ({error}): update onnxruntime or the model."
            ) from error
        self._input = self._session.get_inputs()[0].name
        self._passes = ThreadPoolExecutor(self.batch_size)
        self._description = (
            f"onnxruntime {onnxruntime.__version__} on the CPU, {threads} threads{', int8' if int8 else ''}"
        )

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        """See Engine. Returns float32."""
        outputs = list(self._passes.map(self.run, np.split(batch, len(batch))))
        return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)

    def run(self, batch: np.ndarray) -> np.ndarray:
        """As `probabilities`, but the whole batch in one pass: more memory, and slower."""
        return self._session.run(None, {self._input: batch})[0]

    def describe(self) -> str:
        return self._description

    def close(self) -> None:
        self._passes.shutdown()
        self._session = None


def passes_at_a_time(threads: int) -> int:
    """The number of passes that shares `threads` so that the fewest are idle: about `PASSES_AT_A_TIME` of them.

    Every pass has the same number of threads: 4 passes would keep only four of six or seven busy.
    """
    if threads < PASSES_AT_A_TIME:
        return threads
    return max(range(PASSES_AT_A_TIME, 2 * PASSES_AT_A_TIME), key=lambda passes: passes * (threads // passes))
