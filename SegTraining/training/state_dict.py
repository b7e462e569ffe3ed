"""Whether weights belong to a network, told before torch fails with a page of text."""

from collections.abc import Mapping

import torch


def state_dict_mismatch(network: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> str | None:
    """The first tensor that only one of both has or that has another shape in `weights`; None where they fit."""
    expected = {name: tensor.shape for name, tensor in network.state_dict().items()}
    found = {name: tensor.shape for name, tensor in weights.items()}
    return next((name for name in expected | found if expected.get(name) != found.get(name)), None)
