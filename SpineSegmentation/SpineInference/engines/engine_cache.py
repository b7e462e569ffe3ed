"""Engines that stay open from scan to scan."""

import hashlib
from collections import OrderedDict

from ..models.model_package import ModelPackage
from ..monitor import Monitor
from ..schema import as_json
from . import open_engine
from .devices import Device
from .engine import Engine

MOST_OPEN = 8
"""Two sets of three planes and levels: memory for more is better given back."""


class EngineCache:
    """Open engines, one for each model package, device, precision and number of threads.

    A package is known by its manifest, which holds the checksum of every file: another model at the same place is
    another package. The engine that has not been asked for longest is closed when there are too many; whoever asks for
    one uses it before asking for the next.
    """

    def __init__(self, most_open: int = MOST_OPEN):
        self._most_open = most_open
        self._open: OrderedDict[tuple, Engine] = OrderedDict()

    def get(self, package: ModelPackage, device: Device, threads: int | None, monitor: Monitor) -> Engine:
        """The engine of `package` on `device`, opened if it is not yet. Raises SpineError like `open_engine`."""
        checksum = hashlib.sha256(as_json(package.manifest).encode()).hexdigest()
        key = (checksum, device.kind, device.index, device.precision, threads)
        if key not in self._open:
            self._open[key] = open_engine(package, device, monitor, threads)
        self._open.move_to_end(key)
        while len(self._open) > self._most_open:
            self._open.popitem(last=False)[1].close()
        return self._open[key]

    def close(self) -> None:
        """Close all of them."""
        while self._open:
            self._open.popitem()[1].close()
