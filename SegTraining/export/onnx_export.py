"""Makes a model package of a trained network: one ONNX file, from which the engines of the CPU take the graph and torch
the weights.

Weights are stored in half precision, which halves the file, wherever all engines agree on the network then, and
otherwise in single precision. A package is only written if they agree on it. Whether bfloat16 is good enough for the
network is tried here too, and told in the manifest: the runtime then uses it where the processor has it.
"""

import dataclasses
import hashlib
import json
import logging
import platform
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import torch

import SpineInference
from SpineInference import networks
from SpineInference.errors import SpineError
from SpineInference.models.manifest import Manifest, read_manifest
from SpineInference.models.model_package import CARD, MANIFEST, ONNX, ModelPackage
from SpineInference.models.package_files import atomic_folder
from SpineInference.models.weights import HALF_SUFFIX, NETWORK_PREFIX
from SpineInference.schema import as_json

from .engine_agreement import BFLOAT16_TOLERANCE, TOLERANCE, bfloat16_difference, engine_difference, step_of

OPSET = 18
"""What torch exports without a conversion, and onnxruntime 1.23 (the last for some Macs) reads."""

Storage = Literal["float16", "float32"]

_log = logging.getLogger(__name__)


class _Imprecise(SpineError):
    """The network cannot be exported with the precision in which its weights are stored."""


def export_package(
    network: torch.nn.Module,
    manifest_fields: Mapping[str, Any],
    folder: str | Path,
    storage: Storage | None = None,
    card: Callable[[Manifest], str] | None = None,
) -> ModelPackage:
    """Write the package of `network` (the family that the manifest names, returning logits) to `folder`.

    `manifest_fields` are those of `Manifest` as plain JSON values or as its dataclasses; `files` and `made_with` are
    filled in here, and the network's arguments lose those that are for training. `card` makes the text of a README.md.
    `storage` is the precision of the kernels, by default the smaller one in which all engines agree; vectors
    (biases, batch normalisation) always keep single precision. The manifest tells it as `storage` of the training's
    details, beside what `bfloat16_difference` finds. An existing package in `folder` is replaced.
    Raises SpineError for fields that make no valid manifest, for a network that is not the one they name or needs
    another pad_multiple, and if the engines disagree by more than TOLERANCE.
    """
    folder = Path(folder)
    manifest = _complete(manifest_fields)
    if storage is not None:
        return _export(network, manifest, folder, storage, card)
    try:
        return _export(network, manifest, folder, "float16", card)
    except _Imprecise as reason:
        _log.info(f"{reason} The weights are stored as float32.")
        return _export(network, manifest, folder, "float32", card)


def _export(
    network: torch.nn.Module,
    manifest: Manifest,
    folder: Path,
    storage: Storage,
    card: Callable[[Manifest], str] | None,
) -> ModelPackage:
    details = manifest.training.details | {"storage": storage}
    manifest = dataclasses.replace(manifest, training=dataclasses.replace(manifest.training, details=details))
    state = {name: _stored(name, tensor, storage) for name, tensor in network.state_dict().items()}
    network = _rebuilt(manifest, state)
    contents = {ONNX: _onnx_bytes(network, manifest, storage)}
    manifest = _with_bfloat16(manifest, _Probabilities(network, manifest.output.activation))
    if card is not None:
        contents[CARD] = card(manifest).encode()
    with atomic_folder(folder) as new:
        _check_agreement(write_files(new, manifest, contents))
    return ModelPackage.open(folder)


def write_files(folder: Path, manifest: Manifest, contents: Mapping[str, bytes]) -> ModelPackage:
    """The package of these files, written into the empty `folder` with a manifest that lists them, and opened."""
    files = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / MANIFEST).write_bytes(as_json(dataclasses.replace(manifest, files=files)).encode())
    return ModelPackage.open(folder)


def _with_bfloat16(manifest: Manifest, probabilities: torch.nn.Module) -> Manifest:
    """The manifest that says whether bfloat16 is good enough, and what it changes."""
    largest, dice = bfloat16_difference(probabilities, manifest)
    details = manifest.training.details | {
        "bfloat16": {"largest_difference": round(largest, 4), "dice": round(dice, 4)}
    }
    is_enough = largest <= BFLOAT16_TOLERANCE
    _log.info(
        f"bfloat16 changes probabilities of {manifest.name} on noise by {largest:.2g} at most: "
        + ("CPUs that have it use it." if is_enough else "CPUs compute it in single precision.")
    )
    return dataclasses.replace(
        manifest,
        network=dataclasses.replace(manifest.network, bfloat16=is_enough),
        training=dataclasses.replace(manifest.training, details=details),
    )


def _check_agreement(package: ModelPackage) -> None:
    difference = engine_difference(package)
    if not difference <= TOLERANCE:
        raise _Imprecise(
            f'torch and the engines of the CPU disagree on "{package.manifest.name}" by {difference:.2g} in '
            f"probability, more than {TOLERANCE}: the network cannot be exported as it is."
        )


def _complete(fields: Mapping[str, Any]) -> Manifest:
    plain = json.loads(json.dumps(dict(fields), default=dataclasses.asdict))
    if "arguments" in plain.get("network", {}):
        plain["network"]["arguments"] = networks.architecture(plain["network"]["arguments"])
    packages = ("torch", "onnx", "segmentation-models-pytorch", "timm")
    plain["made_with"] = {
        "SpineSegmentation": SpineInference.__version__,
        "Python": platform.python_version(),
        **{name: version(name) for name in packages},
    }
    return read_manifest(json.dumps(plain), f'the manifest of "{plain.get("name")}"')


def _stored(name: str, tensor: torch.Tensor, storage: Storage) -> torch.Tensor:
    tensor = tensor.detach().cpu()
    if not tensor.isfinite().all():
        raise SpineError(f"the weights {name} hold NaN or infinity: the training failed, use an earlier checkpoint.")
    if storage == "float16" and tensor.is_floating_point() and tensor.ndim >= 2:
        tensor = tensor.half()
        if not tensor.isfinite().all():
            raise _Imprecise(f"the weights {name} are too large for half precision: store them as float32.")
    return tensor.contiguous()


def _rebuilt(manifest: Manifest, state: dict[str, torch.Tensor]) -> torch.nn.Module:
    """The network that the manifest names with the stored weights: what everyone else will compute with."""
    spec = manifest.network
    network = networks.build(spec.family, manifest.input.channels, manifest.classes, **spec.arguments)
    if manifest.input.pad_multiple % network.pad_multiple:
        raise SpineError(
            f'the network {spec.family} of "{manifest.name}" needs rows and cols that are multiples of '
            f"{network.pad_multiple}, not of {manifest.input.pad_multiple}: change input.pad_multiple."
        )
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise SpineError(
            f'the network is not the one that the manifest of "{manifest.name}" names ({spec.family}, '
            f"{spec.arguments}): {str(error).splitlines()[-1].strip()}"
        ) from error
    return network.eval()


class _Probabilities(torch.nn.Module):
    def __init__(self, network: torch.nn.Module, activation: str):
        super().__init__()
        self.network = network
        self.activation = torch.nn.Sigmoid() if activation == "sigmoid" else torch.nn.Softmax(dim=1)

    def forward(self, slices: torch.Tensor) -> torch.Tensor:
        return self.activation(self.network(slices))


def _onnx_bytes(network: torch.nn.Module, manifest: Manifest, storage: Storage) -> bytes:
    """The network and its activation as ONNX, "slices" to "probabilities", any batch and (without canvas) any size."""
    from onnxscript import optimizer

    spec = manifest.input
    # Two different sizes and two slices, so that nothing can be taken for a constant or for one another.
    rows, cols = spec.canvas or (2 * step_of(spec), 3 * step_of(spec))
    dynamic = [0] if spec.canvas else [0, 2, 3]
    program = torch.onnx.export(
        _Probabilities(network, manifest.output.activation).eval(),
        (torch.zeros(2, spec.channels, rows, cols),),
        dynamo=True,
        opset_version=OPSET,
        # torch's optimisation folds batch normalisation into the kernels, which then are not those of the network any
        # more and lose twice by rounding. onnxruntime folds it when it loads the file.
        optimize=False,
        verbose=False,
        input_names=["slices"],
        output_names=["probabilities"],
        dynamic_shapes=(dict.fromkeys(dynamic, torch.export.Dim.DYNAMIC),),
    )
    optimizer.fold_constants(program.model)
    optimizer.remove_unused_nodes(program.model)
    model = program.model_proto
    strip(model)
    for value in (model.graph.input[0], model.graph.output[0]):
        for axis in dynamic:
            value.type.tensor_type.shape.dim[axis].dim_param = ("n", "channels", "rows", "cols")[axis]
    _complete_weights(model.graph, network.state_dict())
    if storage == "float16":
        _store_half(model.graph)
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def strip(message: Any) -> None:
    """Remove what torch adds for debugging, on every level: stack traces with the paths of this machine."""
    for field in ("metadata_props", "doc_string", "value_info"):
        if field in message.DESCRIPTOR.fields_by_name:
            message.ClearField(field)
    for field, value in message.ListFields():
        if field.message_type is not None:
            for item in value if hasattr(value, "add") else [value]:
                strip(item)


def _complete_weights(graph: onnx.GraphProto, state: Mapping[str, torch.Tensor]) -> None:
    """Add the weights that the graph does not compute with: heads for training only, and what was folded."""
    present = {tensor.name for tensor in graph.initializer}
    for name, tensor in state.items():
        if (stored := NETWORK_PREFIX + name) not in present:
            graph.initializer.append(onnx.numpy_helper.from_array(tensor.numpy(), stored))


def _store_half(graph: onnx.GraphProto) -> None:
    """Store kernels as float16, each followed by a cast that onnxruntime computes once, when it loads the file."""
    used = {name for node in graph.node for name in node.input}
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or len(tensor.dims) < 2:
            continue
        kernel = onnx.numpy_helper.to_array(tensor)
        half = kernel.astype(np.float16)
        if np.array_equal(half, kernel):
            name, stored = tensor.name, tensor.name + HALF_SUFFIX
            tensor.CopyFrom(onnx.numpy_helper.from_array(half, stored))
            if name in used:
                casts.append(onnx.helper.make_node("Cast", [stored], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
