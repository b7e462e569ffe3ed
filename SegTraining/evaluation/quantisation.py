"""The 8-bit version of a packaged network for CPUs: made, measured on the validation cases, and added if it is good.

onnxruntime computes 8-bit convolutions as integers where the processor can (AVX-512 VNNI, AVX VNNI, ARM dot product).
The kernels have a scale for each output channel; the range of the values between the layers is calibrated on slices
that the runtime itself made of training cases. The first convolution, the last one and what follows it stay as they
are: they cost next to nothing, and their rounding errors are those that are seen most.
"""

import dataclasses
import logging
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from SpineInference.engines.devices import Device
from SpineInference.engines.engine import Engine
from SpineInference.engines.engine_cache import EngineCache
from SpineInference.engines.onnx_engine import OnnxEngine
from SpineInference.errors import SpineError
from SpineInference.models.catalog import ModelSet
from SpineInference.models.model_package import CARD, INT8_ONNX, ONNX, ModelPackage
from SpineInference.models.package_files import atomic_folder
from SpineInference.monitor import Monitor
from SpineInference.options import Precision, SegmentationOptions

from ..config.config import Config
from ..data.datasets import Case, split_cases
from ..export.model_card import model_card
from ..export.onnx_export import strip, without_unused, write_files
from .evaluate import evaluate
from .predicted_classes import predict
from .summary import ALL

_log = logging.getLogger(__name__)

LARGEST_LOSS = 0.005
"""By how much the Dice on the validation cases may be lower than in full precision."""

_CALIBRATION_CASES = 4
_SLICES_OF_A_CASE = 16
_TIMED_SLICES, _ROUNDS = 12, 3


def add_int8(package: ModelPackage, config: Config, data_folder: Path) -> ModelPackage:
    """Add `model.int8.onnx` to the package of a run with this `config`; what was measured goes into manifest and card.

    Raises SpineError, and leaves the package as it is, when the 8-bit version loses more than LARGEST_LOSS of Dice on
    the validation cases, or there are none.
    """
    parts = split_cases(config.data, data_folder)
    if not parts["validation"]:
        raise SpineError(
            f'"{package.manifest.name}" has no validation cases to measure an int8 version on: leave out --int8.'
        )
    slices = runtime_slices(package, _spread(parts["training"], _CALIBRATION_CASES))
    contents = {name: package.read(name) for name in package.manifest.files}
    contents[INT8_ONNX] = quantise(package.read(ONNX), slices)
    with tempfile.TemporaryDirectory() as folder:
        candidate = write_files(Path(folder), package.manifest, contents)
        full, int8 = (_validation_dice(candidate, parts["validation"], config, p) for p in ("full", "int8"))
        ratio = _speed_ratio(candidate, slices)
    if int8 < full - LARGEST_LOSS:
        raise SpineError(
            f'The int8 version of "{package.manifest.name}" loses more than {LARGEST_LOSS} of Dice on the validation '
            f"cases ({int8:.4f} after {full:.4f} in full precision): the package is left without it."
        )
    measured = {
        "validation_cases": sorted(case.name for case in parts["validation"]),
        "validation_dice": int8,
        "validation_dice_full_precision": full,
        "speed_ratio": round(ratio, 3),
    }
    manifest = dataclasses.replace(package.manifest, metrics=package.manifest.metrics | {"int8": measured})
    contents[CARD] = model_card(manifest).encode()
    with atomic_folder(package.path) as new:
        write_files(new, manifest, contents)
    return ModelPackage.open(package.path)


def quantise(model: bytes, slices: Sequence[np.ndarray]) -> bytes:
    """The ONNX `model` with 8-bit convolutions, calibrated on `slices`, each float32 [1, channels, rows, columns].

    Weights are signed, activations unsigned: the other combinations are computed with full-precision speed. Weights
    use 7 of the 8 bits, so that processors without VNNI, whose sums would overflow, compute the same numbers.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        full, prepared, quantised = (Path(folder) / name for name in ("full.onnx", "prepared.onnx", "int8.onnx"))
        full.write_bytes(without_unused(model))
        # Folds batch normalisation into the kernels, so that none is left between a convolution and its integers.
        quant_pre_process(full, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            quantised,
            _Slices(slices),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_kept_nodes(onnx.load(prepared).graph),
        )
        result = onnx.load(quantised)
    strip(result)
    used = {node.domain for node in result.graph.node}
    domains = [entry for entry in result.opset_import if entry.domain in used]
    del result.opset_import[:]
    result.opset_import.extend(domains)
    onnx.checker.check_model(result)
    return result.SerializeToString(deterministic=True)


class _Slices:
    """What onnxruntime calls a calibration data reader."""

    def __init__(self, slices: Sequence[np.ndarray]):
        self._left = iter(slices)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(({"slices": each} for each in self._left), None)


def _kept_nodes(graph: onnx.GraphProto) -> list[str]:
    convolutions = [n for n, node in enumerate(graph.node) if node.op_type in ("Conv", "ConvTranspose")]
    return [graph.node[n].name for n in (convolutions[0], *range(convolutions[-1], len(graph.node)))]


def runtime_slices(package: ModelPackage, cases: Sequence[Case]) -> list[np.ndarray]:
    """Some slices of each case, float32 [1, channels, rows, columns], as the runtime gives them to the network."""
    alone = ModelSet(package.manifest.name, package.manifest.title, [package])
    slices: list[np.ndarray] = []
    for case in cases:
        sample = _Sample(_SLICES_OF_A_CASE)
        predict(case.read_image(), alone, SegmentationOptions(device="cpu"), _Listening(sample))
        slices += sample.slices
    return slices


class _Sample:
    """As many slices as wished for of all that are offered, each with the same chance."""

    def __init__(self, count: int):
        self.slices: list[np.ndarray] = []
        self._count, self._offered = count, 0
        self._random = np.random.default_rng(0)

    def offer(self, batch: np.ndarray) -> None:
        for each in np.split(batch, len(batch)):
            self._offered += 1
            if len(self.slices) < self._count:
                self.slices.append(each.copy())
            elif (place := self._random.integers(self._offered)) < self._count:
                self.slices[place] = each.copy()


class _Listening(EngineCache):
    """Engines that offer what they are given to a sample."""

    def __init__(self, sample: _Sample):
        super().__init__()
        self._sample = sample

    def get(self, package: ModelPackage, device: Device, threads: int | None, monitor: Monitor) -> Engine:
        return _Listener(super().get(package, device, threads, monitor), self._sample)


class _Listener:
    def __init__(self, engine: Engine, sample: _Sample):
        self._engine, self._sample = engine, sample

    @property
    def batch_size(self) -> int:
        return self._engine.batch_size

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        self._sample.offer(batch)
        return self._engine.probabilities(batch)


def _spread(items: Sequence, count: int) -> list:
    """At most `count` of them, evenly spread."""
    places = np.linspace(0, len(items) - 1, min(count, len(items)))
    return [items[round(place)] for place in places]


def _validation_dice(package: ModelPackage, cases: list[Case], config: Config, precision: Precision) -> float:
    alone = ModelSet(package.manifest.name, package.manifest.title, [package])
    options = SegmentationOptions(device="cpu", precision=precision)
    _log.info(f"Validation with precision {precision}:")
    with tempfile.TemporaryDirectory() as folder:
        results = evaluate(alone, cases, Path(folder), config.model_info.labels, options=options)["results"]
    # Where there are several data sets or labels, the row of all of them.
    row = max(results, key=lambda row: (row["dataset"] == ALL, row["label"] == ALL))
    if row["dice"] is None:
        raise SpineError("The validation cases hold nothing that could be judged: leave out --int8.")
    return row["dice"]


def _speed_ratio(package: ModelPackage, slices: Sequence[np.ndarray]) -> float:
    """How many times as fast int8 is: the fastest of some rounds of each, taken in turns, with one thread."""
    timed = _spread(slices, _TIMED_SLICES)
    engines = [OnnxEngine(package, 1, int8) for int8 in (False, True)]
    seconds = [[_seconds(engine, timed) for engine in engines] for _ in range(_ROUNDS + 1)]
    full, int8 = np.min(seconds[1:], axis=0)
    return float(full / int8)


def _seconds(engine: OnnxEngine, slices: Sequence[np.ndarray]) -> float:
    started = time.process_time()  # not that of what else the computer does
    for each in slices:
        engine.probabilities(each)
    return time.process_time() - started
