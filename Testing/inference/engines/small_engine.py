"""What the tests of engines share: devices and input."""

import numpy as np

from SpineInference.engines.devices import Device

CPU = Device("cpu", 0, "CPU", "test")
GPU = Device("cuda", 0, "Test GPU", "test")


def noise(batch: int, rows: int, cols: int) -> np.ndarray:
    return np.random.default_rng(batch + rows + cols).normal(size=(batch, 3, rows, cols)).astype(np.float32)
