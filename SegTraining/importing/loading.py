"""Weights from elsewhere into a network: all of them or none."""

from collections.abc import Mapping

import torch

from SpineInference.errors import SpineError

from ..training.state_dict import state_dict_mismatch


def load_strictly(network: torch.nn.Module, weights: Mapping[str, torch.Tensor], origin: str) -> None:
    """Give `network` the `weights` of `origin` (a name for messages). Raises SpineError unless they fit one by one."""
    if different := state_dict_mismatch(network, weights):
        here, there = (_shape(tensors.get(different)) for tensors in (network.state_dict(), weights))
        raise SpineError(
            f'{origin} holds another network than described: "{different}" is {there} there and {here} in the network.'
        )
    network.load_state_dict(weights)


def _shape(tensor: torch.Tensor | None) -> str:
    return "missing" if tensor is None else " x ".join(map(str, tensor.shape)) or "one number"
