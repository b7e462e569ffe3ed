"""The way of a GPU, on a CUDA that is none: half precision, what it overflows, and memory that is too small."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_engine import CPU, GPU, noise

from SpineInference.engines import open_engine
from SpineInference.engines.cpu_engine import CpuEngine
from SpineInference.engines.onnx_engine import OnnxEngine
from SpineInference.engines.torch_engine import TorchEngine
from SpineInference.monitor import Monitor


def test_a_gpu_computes_in_full_precision_when_asked(package, fake_cuda):
    engine = TorchEngine(package, replace(GPU, precision="full"))
    assert "float32" in engine.describe()
    np.testing.assert_allclose(
        engine.probabilities(noise(1, 32, 32)), OnnxEngine(package, 1).probabilities(noise(1, 32, 32)), atol=1e-3
    )


def short_of_memory(engine: TorchEngine, slices_that_fit: int) -> list[int]:
    """From now on `engine` runs out of memory with more slices at a time; returns the list of passes tried."""
    forward, passes = engine._forward, []

    def limited(slices):
        passes.append(len(slices))
        if len(slices) > slices_that_fit:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.00 TiB.")
        return forward(slices)

    engine._forward = limited
    return passes


def test_passes_of_a_gpu_are_put_together_in_order(package, fake_cuda):
    engine = open_engine(package, GPU)
    slices = noise(19, 32, 64)
    found = engine.probabilities(slices)
    assert found.dtype == np.float16 and found.shape == (19, 1, 32, 64)
    assert engine.batch_size > 8 and "float16" in engine.describe()
    np.testing.assert_allclose(found, OnnxEngine(package, 1).probabilities(slices), atol=0.02)


def test_batch_normalisation_stays_in_single_precision(package, fake_cuda):
    kinds = {
        (type(module).__name__, module.weight.dtype)
        for module in open_engine(package, GPU)._network.modules()
        if getattr(module, "weight", None) is not None
    }
    assert ("Conv2d", torch.float16) in kinds and ("Conv2d", torch.float32) not in kinds
    assert all(dtype is torch.float32 for name, dtype in kinds if "BatchNorm" in name)


def test_overflow_of_half_precision_changes_to_full(package, fake_cuda):
    notes = []
    engine = open_engine(package, GPU, Monitor(on_note=notes.append))
    forward = engine._forward
    engine._forward = lambda slices: forward(slices) * (float("nan") if slices.dtype is torch.float16 else 1)
    slices = noise(9, 32, 64)
    expected = OnnxEngine(package, 1).probabilities(slices)
    np.testing.assert_allclose(engine.probabilities(slices), expected, atol=1e-3)
    assert len(notes) == 1 and "computing in full precision" in notes[0]
    assert "float32" in engine.describe()


def test_out_of_memory_halves_the_passes(package, fake_cuda):
    notes = []
    engine = open_engine(package, GPU, Monitor(on_note=notes.append))
    slices, full = noise(9, 32, 64), engine.batch_size
    expected = engine.probabilities(slices)
    passes = short_of_memory(engine, 2)
    np.testing.assert_array_equal(engine.probabilities(slices), expected)
    assert passes == [8, 4, 2, 2, 2, 2, 1]
    assert len(notes) == 2 and "Test GPU is short: computing 2 slices" in notes[-1]
    assert engine.batch_size == full // 4


def test_out_of_memory_ends_on_the_cpu(package, fake_cuda):
    notes = []
    engine = open_engine(package, GPU, Monitor(on_note=notes.append), threads=1)
    passes = short_of_memory(engine, 0)
    slices = noise(5, 32, 64)
    expected = open_engine(package, CPU, threads=1).probabilities(slices)
    np.testing.assert_array_equal(engine.probabilities(slices), expected)
    assert passes == [5, 4, 2, 1]
    assert "continuing on the CPU" in notes[-1]
    assert "on the CPU" in engine.describe() and isinstance(engine._cpu, CpuEngine)
    engine.close()


def test_too_large_for_the_gpu_runs_on_the_cpu(package, fake_cuda, monkeypatch):
    def no_room(self, *_, **__):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(torch.nn.Module, "to", no_room)
    notes = []
    engine = open_engine(package, GPU, Monitor(on_note=notes.append))
    assert engine.probabilities(noise(1, 32, 32)).shape == (1, 1, 32, 32)
    assert len(notes) == 1 and "too small for this network" in notes[0]


def test_other_gpu_errors_are_no_lack_of_memory(package, fake_cuda):
    def broken(slices):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    engine = open_engine(package, GPU)
    engine._forward = broken
    with pytest.raises(RuntimeError, match="illegal memory access"):
        engine.probabilities(noise(1, 32, 32))
