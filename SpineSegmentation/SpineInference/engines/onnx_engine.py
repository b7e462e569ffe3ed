"""onnxruntime on the CPU: small, and everywhere."""

import numpy as np

from ..errors import SpineError
from ..models.model_package import ONNX, ModelPackage
from .cpu_engine import CpuEngine
from .engine import require


class OnnxEngine(CpuEngine):
    """`model.onnx` in onnxruntime, in single precision. The ONNX graph ends in probabilities."""

    def __init__(self, package: ModelPackage, threads: int | None = None):
        require("onnxruntime")
        import onnxruntime

        super().__init__(threads)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.intra_op_num_threads = self.threads // self.passes
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only
        # Waiting threads must not burn the cores that the rest of the computer, Slicer above all, works with.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                package.read(ONNX), options, providers=["CPUExecutionProvider"]
            )
        except SpineError:
            raise
        except Exception as error:  # the exceptions of onnxruntime share no base class
            raise SpineError(
                f'{ONNX} of the model "{package.manifest.name}" cannot be used by onnxruntime '
                f"{onnxruntime.__version__} ({error}): update onnxruntime or the model."
            ) from error
        self._input = self._session.get_inputs()[0].name
        self._description = f"onnxruntime {onnxruntime.__version__} on the CPU, {self.threads} threads, float32"

    def run(self, batch: np.ndarray) -> np.ndarray:
        """See CpuEngine."""
        return self._session.run(None, {self._input: batch})[0]

    def describe(self) -> str:
        """See CpuEngine."""
        return self._description

    def close(self) -> None:
        """See Engine."""
        super().close()
        self._session = None
