"""Whether all engines compute the same of a network, and how much of it bfloat16 changes."""

import logging
from collections.abc import Callable, Iterator

import numpy as np
import torch

from SpineInference.engines.cpu_engine import CpuEngine
from SpineInference.engines.devices import choose_device
from SpineInference.engines.onnx_engine import OnnxEngine
from SpineInference.engines.openvino_engine import OpenVinoEngine
from SpineInference.engines.torch_engine import TorchEngine
from SpineInference.errors import SpineError
from SpineInference.models.manifest import Manifest
from SpineInference.models.model_package import ModelPackage
from SpineInference.prediction.slices import foreground_channel
from SpineInference.specs import InputSpec

TOLERANCE = 1e-3
"""Largest difference in probability that torch and the engines of the CPU may have."""

BFLOAT16_TOLERANCE = 0.05
"""Largest difference in probability that bfloat16 may make. It moves the borders of the bundled models by 1 pixel of a
thousand, less than another way of padding does."""

_SMALLEST_STEP = 32

_log = logging.getLogger(__name__)


def engine_difference(package: ModelPackage, seed: int = 0) -> float:
    """Largest difference in probability between torch and the engines of the CPU, on noise in batches.

    OpenVINO is left out where it cannot compute the network, as it is by `open_cpu_engine`.
    """
    engines: list[CpuEngine] = [OnnxEngine(package)]
    try:
        engines.append(OpenVinoEngine(package, precision="full"))
    except SpineError as reason:
        _log.info(str(reason))
    torch_engine = TorchEngine(package, choose_device("cpu"))
    differences = []
    for noise in _noise(package.manifest.input, seed):
        expected = torch_engine.probabilities(noise)
        # The network itself too, because engines give it one slice at a time and the batch size is dynamic.
        for found in [compute(noise) for engine in engines for compute in (engine.probabilities, engine.run)]:
            if found.shape != expected.shape:
                return float("inf")
            differences.append(np.abs(found - expected).max())
    return float(np.max(differences))  # NaN stays NaN


def bfloat16_difference(
    probabilities: Callable[[torch.Tensor], torch.Tensor], manifest: Manifest, seed: int = 0
) -> tuple[float, float]:
    """What bfloat16 changes on noise: the largest difference in probability, and the Dice of the two foregrounds.

    `probabilities` is the network with its activation. torch computes it on every processor, slowly where that has no
    such numbers.
    """
    channel = foreground_channel(manifest)
    largest, common, total = 0.0, 0, 0
    for noise in map(torch.from_numpy, _noise(manifest.input, seed)):
        with torch.inference_mode():
            full = probabilities(noise)
            with torch.autocast("cpu", torch.bfloat16):
                half = probabilities(noise).float()
        largest = max(largest, float((full - half).abs().nan_to_num(nan=1.0).max()))
        one, other = (part[:, channel:] > manifest.output.threshold for part in (full, half))
        common, total = common + int((one & other).sum()), total + int(one.sum() + other.sum())
    return largest, 2 * common / total if total else 1.0


def _noise(spec: InputSpec, seed: int) -> Iterator[np.ndarray]:
    """Batches float32 [n, channels, rows, cols] of several sizes."""
    step = step_of(spec)
    sizes = [spec.canvas] if spec.canvas else [(2 * step, 3 * step), (5 * step, 3 * step)]
    random = np.random.default_rng(seed)
    for batch, (rows, cols) in enumerate([*sizes, sizes[0]], start=1):
        yield random.normal(size=(batch, spec.channels, rows, cols)).astype(np.float32)


def step_of(spec: InputSpec) -> int:
    """The multiple of rows and cols that networks are tried with: large enough for numbers to differ."""
    return spec.pad_multiple * -(-_SMALLEST_STEP // spec.pad_multiple)
