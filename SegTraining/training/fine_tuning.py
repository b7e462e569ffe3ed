"""Starting from a model that exists: the weights of a package instead of random ones."""

import torch

from SpineInference.errors import SpineError
from SpineInference.models.model_package import ONNX, ModelPackage, open_packages
from SpineInference.models.weights import read_weights

from ..config.config import Config
from .state_dict import state_dict_mismatch


def load_start(network: torch.nn.Module, config: Config) -> None:
    """Give `network` the weights of the package that `config.fine_tuning` names, and freeze what it says.

    If the package finds other labels, the channels of those that both know go on and the others start at random. Raises
    SpineError if the package cannot be used or holds another network than the configuration's.
    """
    package = _package(config)
    weights = {name: torch.from_numpy(array) for name, array in read_weights(package).items()}
    labels = [label.name for label in package.manifest.labels]
    if labels != [label.name for label in config.model_info.labels]:
        _take_over_labels(weights, network.state_dict(), labels, package.manifest.output.activation, config)
    different = state_dict_mismatch(network, weights)
    if different is not None:
        raise SpineError(
            f'The model "{package.path}" holds another network than the configuration (first at "{different}"): '
            "take over its network and its number of neighbouring slices."
        )
    network.load_state_dict(weights)
    if config.fine_tuning.freeze_encoder:
        encoder_of(network).requires_grad_(False)


def _take_over_labels(
    weights: dict[str, torch.Tensor], fresh: dict[str, torch.Tensor], labels: list[str], activation: str, config: Config
) -> None:
    """Replace in `weights`, of a network for `labels`, the layers that have a channel for each of them.

    They become those of the `fresh` network, with the channels of labels of the same name taken over. Only classes that
    are each found by themselves can be: a background is that of all.
    """
    alike = activation == "sigmoid" and config.activation == "sigmoid"
    wanted = [label.name for label in config.model_info.labels]
    for name in [name for name, own in fresh.items() if name in weights and _has_other_channels(own, weights[name])]:
        layer = fresh[name].clone()
        if alike and len(weights[name]) == len(labels):
            for number, label in enumerate(wanted):
                if label in labels:
                    layer[number] = weights[name][labels.index(label)]
        weights[name] = layer


def _has_other_channels(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.ndim > 0 and one.shape != other.shape and one.shape[1:] == other.shape[1:]


def describe_start(config: Config) -> dict[str, str]:
    """What a run tells of the package that it starts from, wherever that lies: name, SHA-256, data and licence."""
    package = _package(config)
    manifest = package.manifest
    return {
        "model": manifest.name,
        "sha256": manifest.files[ONNX],
        "data": manifest.training.data,
        "licence": manifest.licence,
    }


def encoder_of(network: torch.nn.Module) -> torch.nn.Module:
    """The part of a network that can be frozen. Raises SpineError if it has no encoder of its own."""
    encoder = getattr(network, "encoder", None)
    if encoder is None:
        raise SpineError("This network has no separate encoder that could be frozen: set freeze_encoder to false.")
    return encoder


def _package(config: Config) -> ModelPackage:
    path = config.fine_tuning.package
    packages = [package for package in open_packages(path) if not package.manifest.recognises_levels]
    fitting = [package for package in packages if package.manifest.plane == config.plane]
    if len(fitting) == 1:
        return fitting[0]
    if len(packages) == 1:  # another plane: wanted by whoever names a single package
        return packages[0]
    raise SpineError(f'"{path}" holds no model, or several, for the plane {config.plane}: name the folder of one.')
