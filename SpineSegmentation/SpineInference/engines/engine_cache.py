"""Engines that stay open from scan to scan."""

from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from ..models.model_package import ModelPackage
from ..monitor import Monitor
from . import open_engine
from .devices import Device
from .engine import Engine

MOST_OPEN = 8
"""Two sets of three planes and levels: memory for more is better given back."""


class EngineCache:
    """Open engines, one for each model package, device, precision and number of threads.

    A package is known by the checksums of its files and by its network: another model at the same place is another
    package. The engine that has not been asked for longest is closed when there are too many; whoever asks for
    one uses it before asking for the next.
    """

    def __init__(self, most_open: int = MOST_OPEN):
        self._most_open = most_open
        self._open: OrderedDict[tuple, Future[Engine]] = OrderedDict()
        self._opener = ThreadPoolExecutor(1)

    def prepare(self, packages: Iterable[ModelPackage], device: Device, threads: int | None, monitor: Monitor) -> None:
        """Begin to open the engines of `packages`, in this order, while other things are done."""
        for package in packages:
            self._opening(package, device, threads, monitor)

    def get(self, package: ModelPackage, device: Device, threads: int | None, monitor: Monitor) -> Engine:
        """The engine of `package` on `device`, opened if it is not yet. Raises SpineError like `open_engine`."""
        key = self._opening(package, device, threads, monitor)
        try:
            engine = self._open[key].result()
        except BaseException:
            del self._open[key]
            raise
        self._open.move_to_end(key)
        while len(self._open) > self._most_open:
            _close(self._open.popitem(last=False)[1])
        return engine

    def close(self) -> None:
        """Close all of them."""
        while self._open:
            _close(self._open.popitem()[1])

    def _opening(self, package: ModelPackage, device: Device, threads: int | None, monitor: Monitor) -> tuple:
        manifest = package.manifest
        network = repr((manifest.files, manifest.network, manifest.input, manifest.output, manifest.classes))
        key = (network, device.kind, device.index, device.precision, threads)
        if key not in self._open:
            self._open[key] = self._opener.submit(open_engine, package, device, monitor, threads)
        return key


def _close(opening: "Future[Engine]") -> None:
    if opening.cancel() or opening.exception() is not None:
        return
    opening.result().close()
