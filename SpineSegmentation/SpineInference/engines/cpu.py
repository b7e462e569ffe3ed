"""Which engine computes on the CPU."""

import importlib.util

from ..errors import SpineError
from ..models.model_package import ModelPackage
from ..options import Precision
from .cpu_engine import CpuEngine
from .onnx_engine import OnnxEngine
from .openvino_engine import OpenVinoEngine


def open_cpu_engine(package: ModelPackage, threads: int | None = None, precision: Precision = "auto") -> CpuEngine:
    """OpenVINO, or onnxruntime where OpenVINO is not installed or cannot compute this network.

    Raises SpineError where neither is installed, and for a network that none of them can compute.
    """
    small_is_there = importlib.util.find_spec("onnxruntime") is not None
    if small_is_there and importlib.util.find_spec("openvino") is None:
        return OnnxEngine(package, threads)
    try:
        return OpenVinoEngine(package, threads, precision)
    except SpineError:
        if not small_is_there:
            raise
        return OnnxEngine(package, threads)
