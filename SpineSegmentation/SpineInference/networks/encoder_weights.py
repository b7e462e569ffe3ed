"""Weights of an encoder that was trained on other images: from the Hugging Face hub, or from a file.

For training only: a package holds the weights of the whole network and never asks for others.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from segmentation_models_pytorch.encoders import encoders as smp_encoders
from torch import nn

from ..errors import SpineError

_PICKLES = (".pth", ".pt", ".bin")


def load_encoder_weights(encoder: nn.Module, name: str, source: str, sha256: str | None = None) -> None:
    """Give the encoder `name` the weights of `source`.

    `source` is a .safetensors file (files of torch are pickles and refused) or the name of published weights
    ("imagenet"; smp has others for some encoders). `sha256` is what the file must have, as 64 hexadecimal digits.

    Weights for RGB fit any number of input channels: with one channel, the first kernels are summed over red, green
    and blue; with n channels (not 3), each gets an n-th of that sum. A grey image, shown to all channels, then has
    the effect of a grey RGB image. It should be scaled as ImageNet's are, to mean 0 and standard deviation 1.

    Raises SpineError for weights that cannot be had (saying where they are) or do not fit.
    """
    path = Path(source)
    if path.suffix in _PICKLES:
        raise SpineError(f'The encoder weights "{path}" are a pickle, which can run code: use a .safetensors file.')
    if path.suffix != ".safetensors":
        path = _downloaded(name, source)
    weights = {_plain(key): tensor for key, tensor in _read(path, sha256).items()}
    state = encoder.state_dict()
    for key, own in state.items():
        found = weights.get(_plain(key))
        if found is not None:
            state[key] = _for_channels(found, own.shape)
        if state[key].shape != own.shape or (found is None and not key.endswith("num_batches_tracked")):
            raise SpineError(
                f'The weights "{source}" are not those of the encoder "{name}" (first at "{key}"): name the encoder '
                "that they were trained with."
            )
    encoder.load_state_dict(state)


def _for_channels(kernels: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Kernels [filters, 3, rows, cols] for `shape[1]` channels; everything else is returned as it is."""
    if kernels.ndim != 4 or kernels.shape[1] != 3 or len(shape) != 4 or shape[1] == 3:
        return kernels
    return kernels.sum(1, keepdim=True).expand(-1, shape[1], -1, -1) / shape[1]


def _plain(key: str) -> str:
    """The name of a tensor without what smp and timm add: a prefix, and "stages_0" for "stages.0"."""
    return re.sub(r"\b(stages|layers|blocks)_(\d+)\b", r"\1.\2", key.removeprefix("encoder.").removeprefix("model."))


def _read(path: Path, sha256: str | None) -> Mapping[str, torch.Tensor]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SpineError(f'The encoder weights "{path}" cannot be read: {error.strerror or error}.') from None
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256.lower():
        raise SpineError(f'The encoder weights "{path}" do not have the SHA-256 {sha256}: get the file again.')
    try:
        return safetensors.torch.load(content)
    except safetensors.SafetensorError as error:
        first_line = str(error).partition("\n")[0]
        raise SpineError(
            f'The encoder weights "{path}" hold something else than tensors ({first_line}): get the file again.'
        ) from None


def _downloaded(name: str, source: str) -> Path:
    """The file of published weights, from the hub or from what was downloaded before."""
    from huggingface_hub import hf_hub_download

    repository, revision = _published(name, source)
    try:
        return Path(hf_hub_download(repository, "model.safetensors", revision=revision))
    except Exception as error:  # of the hub, of the network, of the disk: they share no base class
        raise SpineError(
            f'The weights "{source}" of the encoder "{name}" cannot be downloaded ({type(error).__name__}): on a '
            f"computer with internet get https://huggingface.co/{repository}/resolve/{revision}/model.safetensors "
            "and give the path of that file as encoder_weights."
        ) from None


def _published(name: str, source: str) -> tuple[str, str]:
    """Repository on the hub and revision of the weights `source` of the encoder `name`."""
    if name.startswith("tu-"):
        import timm

        published = timm.get_pretrained_cfg(name.removeprefix("tu-"), allow_unregistered=True)
        known = {"imagenet": (published.hf_hub_id, "main")} if published and published.hf_hub_id else {}
    else:
        settings = smp_encoders[name]["pretrained_settings"]
        known = {key: (entry["repo_id"], entry["revision"]) for key, entry in settings.items() if "repo_id" in entry}
    if source not in known:
        raise SpineError(
            f'There are no weights "{source}" of the encoder "{name}": known are {", ".join(known) or "none"}, or '
            "give the path of a .safetensors file."
        )
    return known[source]
