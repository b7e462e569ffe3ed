"""The weights of nnU-Net's networks by the names that they have in `SpineInference.networks.nnunet`."""

import re
from collections.abc import Mapping

import torch

_TWICE = (".all_modules.", "decoder.encoder.")
"""nnU-Net's modules hold each other: what goes through these names is there by another one too."""

_NAMES = [
    (r"encoder\.stem\.convs\.0\.(.+)", r"stem.\1"),
    (r"encoder\.stages\.(\d+)\.0\.convs\.(\d+)\.(.+)", r"down.\1.\2.\3"),
    (r"encoder\.stages\.(\d+)\.blocks\.(\d+)\.conv1\.(.+)", r"down.\1.\2.first.\3"),
    (r"encoder\.stages\.(\d+)\.blocks\.(\d+)\.conv2\.(.+)", r"down.\1.\2.second.\3"),
    (r"encoder\.stages\.(\d+)\.blocks\.(\d+)\.skip\.\d+\.(.+)", r"down.\1.\2.project.\3"),
    (r"decoder\.transpconvs\.(\d+)\.(.+)", r"up.\1.\2"),
    (r"decoder\.stages\.(\d+)\.convs\.(\d+)\.(.+)", r"merge.\1.\2.\3"),
]
_HEAD = r"decoder\.seg_layers\.(\d+)\.(.+)"


def renamed(weights: Mapping[str, torch.Tensor], levels: int) -> dict[str, torch.Tensor]:
    """`weights` of a network with so many `levels`, each once, without the heads that only the training looks at.

    A name that nnU-Net's networks do not have stays as it is, so that it is found to belong to none.
    """
    result = {}
    for name, tensor in weights.items():
        name = re.sub(r"^(module\.|_orig_mod\.)+", "", name)  # of distributed and of compiled training
        if any(part in name for part in _TWICE):
            continue
        if head := re.fullmatch(_HEAD, name):
            if int(head[1]) == levels - 2:
                result[f"head.{head[2]}"] = tensor
            continue
        result[_new_name(name)] = tensor
    return result


def _new_name(name: str) -> str:
    for old, new in _NAMES:
        if match := re.fullmatch(old, name):
            return match.expand(new)
    return name
