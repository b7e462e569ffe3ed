"""Engines run a model's network on a device: one file each, behind the interface of `engine.Engine`.

None of torch, OpenVINO and onnxruntime is imported before an engine is opened.
"""

from ..models.model_package import ModelPackage
from ..monitor import Monitor
from ..networks import missing_library
from .cpu import open_cpu_engine
from .devices import Device
from .engine import Engine
from .torch_engine import TorchEngine


def open_engine(
    package: ModelPackage, device: Device, monitor: Monitor | None = None, threads: int | None = None
) -> Engine:
    """The engine for `device`; `threads` is for the CPU (None: as many as it may use).

    Where the library is missing from which a network was imported, the CPU computes, which needs none.

    Raises SpineError for missing software and for a network that cannot be built or does not fit its weights.
    """
    library = missing_library(package.manifest.network.family)
    if device.kind != "cpu" and library:
        (monitor or Monitor()).note(
            f'The network of "{package.manifest.name}" was made with {library}, which is not installed: computing on '
            "the CPU."
        )
    if device.kind == "cpu" or library:
        return open_cpu_engine(package, threads, device.precision)
    return TorchEngine(package, device, monitor, threads)
