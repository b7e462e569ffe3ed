"""From a state dict and its description to a model package."""

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from SpineInference.errors import SpineError
from SpineInference.models.model_package import ModelPackage
from SpineInference.networks import build

from ..export.model_card import model_card
from ..export.onnx_export import export_package
from .checkpoints import is_state_dict, read_checkpoint
from .description import Description, ForeignNetwork
from .loading import load_strictly
from .model_info import label_fields

_OF_THE_ENCODER = "encoder_arguments"
_NOT_FOR_INFERENCE = ("encoder_weights", "activation", "in_channels", "classes", "out_channels", "spatial_dims")
"""Arguments of smp and MONAI that a description may repeat, and that the rest of it decides."""


def import_network(description: Description, folder: Path, output: Path) -> ModelPackage:
    """Write the package of the described network, whose state dict lies below `folder`, to `output`.

    Raises SpineError, before anything is written, for weights that are not those of the network.
    """
    path = folder / description.weights
    spec, network = description.input, description.network
    family, arguments = _family(network)
    made = build(family, spec.channels, description.classes, **arguments)
    load_strictly(made, _state_dict(read_checkpoint(path), description, path), f'"{path}"')
    info = description.model_info
    fields = {
        "name": description.name,
        "title": info.title,
        "description": info.description,
        "task": "segmentation",
        "anatomy": info.anatomy,
        "modality": info.modality,
        "plane": description.plane,
        "labels": label_fields(info),
        "input": spec.model_dump(mode="json"),
        "network": {"family": family, "arguments": arguments},
        "output": {"activation": description.activation, "threshold": description.threshold},
        "postprocessing": description.postprocessing,
        "training": {
            "data": info.data_statement,
            "recipe": f"{network.name} of {network.library}, trained elsewhere",
            "date": datetime.date.fromtimestamp(path.stat().st_mtime).isoformat(),
        },
        "licence": info.licence,
    }
    try:
        return export_package(made, fields, output, card=model_card)
    except RuntimeError as error:  # of the exporter, and of layers that do not fit the size
        advice = "give input.canvas, the one size that it gets" if spec.canvas is None else "change input.canvas"
        raise SpineError(
            f'The network "{network.name}" of {network.library} cannot be exported for slices of this kind '
            f"({type(error).__name__}): {advice}."
        ) from error


def _family(network: ForeignNetwork) -> tuple[str, dict[str, Any]]:
    """Family and arguments by which `SpineInference.networks.build` makes the network."""
    if network.library == "own":
        return network.name, network.arguments
    given = {name: value for name, value in network.arguments.items() if name not in _NOT_FOR_INFERENCE}
    own = {"network": network.name}
    if network.library == "smp":
        own["encoder"] = given.pop("encoder_name", "resnet34")
        own[_OF_THE_ENCODER] = given.pop(_OF_THE_ENCODER, {})
    return network.library, own | {"arguments": given}


def _state_dict(content: Any, description: Description, path: Path) -> dict[str, torch.Tensor]:
    for key in filter(None, description.state_dict.split(".")):
        if not isinstance(content, Mapping) or key not in content:
            known = ", ".join(map(str, content)) if isinstance(content, Mapping) else "nothing by name"
            raise SpineError(f'"{path}" has no "{description.state_dict}": it holds {known[:200]}.')
        content = content[key]
    if not is_state_dict(content):
        inner = (
            [str(key) for key, value in content.items() if is_state_dict(value)] if isinstance(content, Mapping) else []
        )
        advice = f"set state_dict to {' or '.join(inner)}" if inner else "save the state_dict() of the network"
        raise SpineError(f'"{path}" is no state dict: {advice}.')
    return {name.removeprefix(description.prefix): tensor for name, tensor in content.items()}
