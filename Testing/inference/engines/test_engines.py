"""Engines: torch, OpenVINO and onnxruntime give the same probabilities; a GPU that runs out of memory is survived.

No GPU is needed. What CUDA itself would do is stood in for by the CPU, so that the order of the passes, the halving
and the change to the CPU are really run; streams and pinned memory are not.
"""

import importlib.util
import shutil
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from small_engine import CPU, GPU, noise
from small_packages import TINY_UNET, contents, fields, onnx_model, write_package

from SpineInference import networks
from SpineInference.engines import open_engine
from SpineInference.engines.cpu_engine import CpuEngine, passes_at_a_time
from SpineInference.engines.engine_cache import EngineCache
from SpineInference.engines.onnx_engine import OnnxEngine
from SpineInference.engines.openvino_engine import OpenVinoEngine, shared_core
from SpineInference.engines.torch_engine import TorchEngine
from SpineInference.errors import SpineError
from SpineInference.models.model_package import ModelPackage
from SpineInference.models.weights import read_weights
from SpineInference.monitor import Monitor
from SpineInference.options import SegmentationOptions


def test_a_library_that_is_missing_leaves_the_cpu(tmp_path, monkeypatch):
    """What was imported from MONAI runs without it, on a computer with a GPU too."""
    monkeypatch.setattr(networks, "find_spec", lambda library: None if library == "monai" else importlib.machinery)
    folder = write_package(tmp_path / "p", fields(network={"family": "monai", "arguments": {}}))
    notes = []
    engine = open_engine(ModelPackage.open(folder), GPU, Monitor().collecting(notes), threads=1)
    assert isinstance(engine, CpuEngine)
    assert notes == [
        'The network of "small-sagittal" was made with monai, which is not installed: computing on the CPU.'
    ]


@pytest.mark.parametrize("shape", [(1, 32, 32), (1, 64, 224), (3, 160, 96)])
@pytest.mark.parametrize("engine", [OnnxEngine, partial(OpenVinoEngine, precision="full")])
def test_all_engines_agree(package, engine, shape):
    slices = noise(*shape)
    onnx, torch_ = engine(package, threads=1), TorchEngine(package, CPU)
    found, expected = onnx.probabilities(slices), torch_.probabilities(slices)
    assert found.shape == expected.shape == (shape[0], 1, *shape[1:])
    assert expected.std() > 0.1, "constant output would agree too"
    np.testing.assert_allclose(found, expected, atol=1e-3)
    np.testing.assert_allclose(onnx.run(slices), expected, atol=1e-3)


def test_torch_reads_packages_of_schema_1(package, tmp_path):
    files = {
        "model.onnx": package.read("model.onnx"),
        "model.safetensors": safetensors.numpy.save(read_weights(package)),
    }
    manifest = fields(network={"family": "unet", "arguments": TINY_UNET}, schema_version=1)
    first = ModelPackage.open(write_package(tmp_path / "p", manifest, files))
    slices = noise(1, 32, 64)
    np.testing.assert_array_equal(
        TorchEngine(first, CPU).probabilities(slices), TorchEngine(package, CPU).probabilities(slices)
    )


def test_the_cpu_gets_openvino(package):
    engine = open_engine(package, CPU, threads=2)
    assert isinstance(engine, OpenVinoEngine) and engine.batch_size >= 2
    assert "OpenVINO" in engine.describe() and "2 threads" in engine.describe()
    engine.close()


FIRST_PASSES = """
import sys, threading
import numpy as np
from SpineInference.engines.openvino_engine import OpenVinoEngine
from SpineInference.models.model_package import ModelPackage

engine = OpenVinoEngine(ModelPackage.open(sys.argv[1]), threads=4)
sys.setswitchinterval(1e-6)
for _ in range(2):
    threading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True).start()
batch = np.zeros((8, int(sys.argv[2]), 32, 32), np.float32)
print(len(engine.probabilities(batch)), flush=True)
import os
os._exit(0)
"""
"""Passes at the same time, while other threads want Python's lock as often as they can."""


def test_first_passes_do_not_wait_for_each_other(package):
    for _ in range(6):  # of twelve runs seven never came back where the first passes were not kept apart
        arguments = [sys.executable, "-c", FIRST_PASSES, str(package.path), str(package.manifest.input.channels)]
        said = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)
        assert said.stdout == "8\n"


SIGNAL_AFTER_ENGINES = """
import gc, os, signal, sys, threading
from SpineInference.engines.openvino_engine import OpenVinoEngine
from SpineInference.models.model_package import ModelPackage

signal.signal(signal.SIGINT, lambda *_: print("heard"))
engines = [OpenVinoEngine(ModelPackage.open(sys.argv[1]), threads=1) for _ in range(2)]
if sys.argv[2] == "in the order of opening":
    while engines:
        engines.pop(0).close()
        gc.collect()
else:
    other = threading.Thread(target=lambda: (engines.clear(), gc.collect()))
    other.start()
    other.join()
os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no stacks for signals")
@pytest.mark.parametrize("closed", ["in the order of opening", "in another thread"])
def test_a_signal_after_engines_were_closed_is_heard(package, closed):
    """Each core of OpenVINO has a stack for signals, which must not be freed while it is in use."""
    arguments = [sys.executable, "-c", SIGNAL_AFTER_ENGINES, str(package.path), closed]
    said = subprocess.run(arguments, capture_output=True, text=True, timeout=60)
    assert (said.returncode, said.stdout) == (0, "heard\n"), said.stderr


def test_without_openvino_onnxruntime_computes(package, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "openvino" else object())
    with closing(open_engine(package, CPU, threads=2)) as engine:
        assert isinstance(engine, OnnxEngine) and "onnxruntime" in engine.describe()


def test_what_openvino_cannot_compute_goes_to_onnxruntime(package, monkeypatch):
    def fail(*_):
        raise SpineError("cannot be used by OpenVINO")

    monkeypatch.setattr(OpenVinoEngine, "__init__", fail)
    assert isinstance(open_engine(package, CPU, threads=1), OnnxEngine)


def with_bfloat16(package: ModelPackage, folder: Path, bears_it: bool) -> ModelPackage:
    manifest = fields(network={"family": "unet", "arguments": TINY_UNET, "bfloat16": bears_it})
    files = {name: package.read(name) for name in package.manifest.files}
    return ModelPackage.open(write_package(folder, manifest, files))


def test_half_the_digits_only_where_all_agree(package, tmp_path):
    """The processor must have them, the network must bear them, and nobody may have asked for all of them."""
    offered = "BF16" in shared_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    bears, does_not = (with_bfloat16(package, tmp_path / str(it), it) for it in (True, False))
    assert ("bfloat16" in OpenVinoEngine(bears, 1).describe()) == offered
    assert "float32" in OpenVinoEngine(bears, 1, "full").describe()
    assert "float32" in OpenVinoEngine(does_not, 1).describe()


def test_half_the_digits_are_enough(package):
    slices = noise(2, 64, 96)
    full, half = OpenVinoEngine(package, 1, "full"), OpenVinoEngine(package, 1)
    np.testing.assert_allclose(half.probabilities(slices), full.probabilities(slices), atol=0.05)


def test_a_precision_that_does_not_exist_is_refused():
    with pytest.raises(SpineError, match='"int8" is not a precision: use auto or full'):
        SegmentationOptions(precision="int8")


def test_weights_of_another_network(package, tmp_path):
    other = fields(network={"family": "unet", "arguments": TINY_UNET | {"decoder_channels": [32, 16, 8]}})
    files = {name: package.read(name) for name in package.manifest.files}
    with pytest.raises(SpineError, match="do not fit the network that its manifest names"):
        TorchEngine(ModelPackage.open(write_package(tmp_path / "p", other, files)), CPU)


@pytest.mark.parametrize(("engine", "name"), [(OnnxEngine, "onnxruntime"), (OpenVinoEngine, "OpenVINO")])
def test_onnx_that_an_engine_does_not_know(tmp_path, engine, name):
    model = onnx_model()
    model.graph.node[0].op_type = "Imagination"
    files = contents() | {"model.onnx": model.SerializeToString()}
    with pytest.raises(SpineError, match=f"cannot be used by {name}"):
        engine(ModelPackage.open(write_package(tmp_path / "p", files=files)))


@pytest.mark.parametrize(("device", "missing"), [(CPU, "openvino"), (GPU, "torch")])
def test_software_that_is_not_installed(package, monkeypatch, device, missing):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SpineError, match=f'package "{missing}" is not installed'):
        open_engine(package, device)


def test_importing_needs_no_engine():
    code = (
        "import sys, SpineInference.engines, SpineInference.models.catalog;"
        "import SpineInference.networks;"
        "heavy = {'torch', 'onnxruntime', 'openvino', 'safetensors', 'segmentation_models_pytorch'};"
        "heavy |= {'SimpleITK', 'scipy'};"
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("family", "arguments", "message"),
    [
        ("no-such", {}, r'no network family "no-such": known are .*unet'),
        ("unet", {"depth": 3}, r'"unet" has no argument "depth": known are encoder, encoder_depth'),
        ("unet", {"encoder": "tu-no-such"}, r'The network "unet" cannot be built'),
        ("unet", {"encoder": "mit_b0"}, "licence is not permissive"),
        ("unet", {"encoder": "tu-mobileone_s0"}, "licence is not permissive"),
        ("unet", {"encoder": "tu-hf-hub:somebody/something"}, "is not the name of an encoder"),
        ("unet", {"encoder": "tu-resnet18", "encoder_arguments": {"checkpoint_path": "x.pth"}}, "checkpoint_path"),
        ("unet", {"encoder": "resnet18", "encoder_arguments": {"channels": [8, 8, 8, 8]}}, "tu-resnet18"),
    ],
)
def test_networks_that_are_refused(family, arguments, message):
    with pytest.raises(SpineError, match=message):
        networks.build(family, 3, 1, **arguments)


def test_a_network_returns_logits_of_its_input_size():
    logits = networks.build("unet", 5, 2, **TINY_UNET).eval()(torch.randn(2, 5, 32, 64))
    assert logits.shape == (2, 2, 32, 64)
    assert logits.min() < 0


@pytest.mark.parametrize(
    ("threads", "passes"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (7, 7), (8, 4), (9, 4), (10, 5), (64, 4)]
)
def test_no_more_threads_idle_than_need_be(threads, passes):
    assert passes_at_a_time(threads) == passes


def test_replaced_model_gets_a_new_engine(package, tmp_path):
    """A worker stays alive while a model is replaced: the new one must compute, not the one that is open."""
    place = tmp_path / "model"
    shutil.copytree(package.path, place)
    with closing(EngineCache()) as cache:
        first = cache.get(ModelPackage.open(place), CPU, 1, Monitor())
        assert cache.get(ModelPackage.open(place), CPU, 1, Monitor()) is first
        shutil.rmtree(place)
        write_package(place)
        assert cache.get(ModelPackage.open(place), CPU, 1, Monitor()) is not first
        assert cache.get(package, CPU, 1, Monitor()) is first


def test_cache_is_bounded_and_closes_what_it_drops(package, monkeypatch):
    closed = []
    monkeypatch.setattr(OpenVinoEngine, "close", lambda self: closed.append(self))
    cache = EngineCache(most_open=2)
    engines = [cache.get(package, CPU, threads, Monitor()) for threads in (1, 2)]
    cache.get(package, CPU, 1, Monitor())  # asked for again: the other one is the oldest
    cache.get(package, CPU, 3, Monitor())
    assert closed == [engines[1]]
    cache.close()
    assert len(closed) == 3


def test_networks_are_opened_beside_other_work(package, tmp_path):
    """What cannot be opened is told to whoever asks for it, not to whoever prepares it, and can be tried again."""
    broken = with_bfloat16(package, tmp_path / "broken", False)
    (tmp_path / "broken" / "model.onnx").write_bytes(b"damaged")
    with closing(EngineCache()) as cache:
        cache.prepare([package, broken], CPU, 1, Monitor())
        assert cache.get(package, CPU, 1, Monitor()) is cache.get(package, CPU, 1, Monitor())
        for _ in range(2):
            with pytest.raises(SpineError, match="is not the file that its manifest lists"):
                cache.get(broken, CPU, 1, Monitor())
