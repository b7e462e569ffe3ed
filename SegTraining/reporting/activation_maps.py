"""What a network has learned, as far as one can see it: the kernels of its first layer and activation maps."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from SpineInference.engines.torch_engine import load_network
from SpineInference.files.atomic import atomic
from SpineInference.models.catalog import ModelSet
from SpineInference.models.manifest import Manifest
from SpineInference.models.model_package import ModelPackage
from SpineInference.prediction.slices import pad
from SpineInference.volume.geometry import SLICE_AXIS, plane_grid, resample
from SpineInference.volume.preprocessing import preprocess

from ..config.data import Label
from ..data.datasets import Case
from ..evaluation.output import NETWORK
from ..evaluation.references import read_reference

MOST_KERNELS = 64
LAYERS = 6
CHANNELS = 8
"""So many layers are shown, from the first to the last, and of each so many channels: those that vary most."""

SMALLEST_MAP = 4
"""Rows and columns of a map that shows anything."""


@dataclass(frozen=True, eq=False)
class NetworkPictures:
    """`kernels` float32 [kernel, rows, columns] of the first convolution, for the middle input channel; `input` the
    middle channel of the slice that the network was shown; `layers` activation maps [channel, rows, columns] of some
    convolutions by name, in the order in which they compute."""

    plane: str
    case: str
    kernels: np.ndarray = field(repr=False)
    input: np.ndarray = field(repr=False)
    layers: dict[str, np.ndarray] = field(repr=False)


def write_activation_maps(model_set: ModelSet, case: Case, labels: tuple[Label, ...] | None, output: Path) -> None:
    """Show each plane's network the slice of `case` with most of the reference, and write what it answers to `output`.

    `labels` are those of the evaluation; without, everything labelled counts. The files are those that
    `evaluation.output` names. Raises SpineError where the case cannot be read.
    """
    scan, reference = read_reference(case, labels or (Label(),))
    output.mkdir(parents=True, exist_ok=True)
    for package in model_set.packages:
        plane = package.manifest.plane
        held = np.count_nonzero(reference.classes, axis=tuple({0, 1, 2} - {SLICE_AXIS[plane]}))
        place = float(np.argmax(held) / max(1, len(held) - 1)) if held.any() else 0.5
        maps = activation_maps(package, case.name, scan, place)
        write_network_pictures(maps, output / NETWORK.format(plane=plane))


def activation_maps(package: ModelPackage, case: str, scan: sitk.Image, place: float) -> NetworkPictures:
    """Show the network of `package` one slice of `scan`: the one at `place`, 0 to 1 from the first to the last."""
    import torch  # only here, so that a report can be written without it

    network = load_network(package)
    convolutions = {name: module for name, module in network.named_modules() if isinstance(module, torch.nn.Conv2d)}
    maps: dict[str, np.ndarray] = {}

    def keep(name: str, output: torch.Tensor) -> None:
        if min(output.shape[2:]) >= SMALLEST_MAP:
            maps.setdefault(name, output[0].numpy().copy())  # the next layer may work in place

    for name, module in convolutions.items():
        module.register_forward_hook(lambda _, __, output, name=name: keep(name, output))
    sample = _input(package.manifest, scan, place)
    with torch.inference_mode():
        network(torch.from_numpy(sample[None]))
    computed = list(maps)
    weights = convolutions[computed[0]].weight.detach().float().numpy()
    chosen = [computed[round(index)] for index in np.linspace(0, len(computed) - 1, min(LAYERS, len(computed)))]
    return NetworkPictures(
        package.manifest.plane,
        case,
        weights[:MOST_KERNELS, weights.shape[1] // 2],
        sample[len(sample) // 2],
        {name: _top_activations(maps[name]) for name in chosen},
    )


def _input(manifest: Manifest, scan: sitk.Image, place: float) -> np.ndarray:
    """float32 [channels, rows, columns] as the pipeline gives it to the network, padded."""
    spec = manifest.input
    working = preprocess(scan, spec.spacing_mm, spec.intensity, spec.bias_correction)
    image = resample(working, plane_grid(working, manifest.plane, spec.spacing_mm))
    stack = np.moveaxis(sitk.GetArrayFromImage(image), SLICE_AXIS[manifest.plane], 0)
    index = round(place * (len(stack) - 1))
    context = np.arange(-spec.context_slices, spec.context_slices + 1)
    sample = stack[np.clip(index + context, 0, len(stack) - 1)].astype(np.float32)
    if spec.canvas is not None:
        sample = sample[:, : spec.canvas[0], : spec.canvas[1]]
    rows, columns = spec.canvas or (-(-side // spec.pad_multiple) * spec.pad_multiple for side in sample.shape[1:])
    return pad(sample[None], rows, columns, float(stack.min()))[0][0]


def _top_activations(maps: np.ndarray) -> np.ndarray:
    order = np.argsort(maps.std(axis=(1, 2)))[::-1][:CHANNELS]
    return maps[np.sort(order)].astype(np.float16)


def write_network_pictures(pictures: NetworkPictures, path: Path) -> None:
    layers = {f"layer_{number}": maps for number, maps in enumerate(pictures.layers.values())}
    text = json.dumps({"plane": pictures.plane, "case": pictures.case, "layers": list(pictures.layers)})
    with atomic(path) as aside:
        np.savez_compressed(
            aside, text=np.array(text), kernels=pictures.kernels, input=pictures.input.astype(np.float16), **layers
        )


def read_network_pictures(path: Path) -> NetworkPictures:
    with np.load(path) as content:
        text = json.loads(str(content["text"]))
        layers = {name: content[f"layer_{number}"] for number, name in enumerate(text["layers"])}
        return NetworkPictures(text["plane"], text["case"], content["kernels"], content["input"], layers)
