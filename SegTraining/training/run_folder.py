"""The folder of a training run: whose it is, whether it can be gone on with, and files that are never half there.

RUN/config.yaml       the configuration with every default spelt out
RUN/fingerprint.json  what was trained on, in numbers
RUN/metrics.csv       one line per epoch
RUN/last.ckpt         to resume from, written after each epoch
RUN/weights.safetensors, RUN/result.json  the best moving average so far and how good it is
RUN/tensorboard/      losses, validation Dice, learning rate, samples and validation slices for TensorBoard
RUN/.lock             held by the process that trains, which .lock-owner names (see `run_lock`)
"""

import os
from pathlib import Path

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from SpineInference.errors import SpineError
from SpineInference.files.atomic import atomic

from ..config.config import Config, load_config
from .state_dict import state_dict_mismatch

CONFIG = "config.yaml"
CHECKPOINT = "last.ckpt"
_CHANGEABLE = {"max_epochs", "max_minutes", "early_stopping_epochs", "threads", "workers"}
"""How long to train may be changed in between; anything else would make the result unexplainable."""


def check_run_folder(config: Config, folder: Path, resume: bool) -> None:
    """Raise SpineError unless a run can be begun in `folder`, or with `resume` gone on with."""
    exists = (folder / CONFIG).exists()
    if exists and not resume:
        raise SpineError(f'"{folder}" already holds a run: go on with --resume, or choose another folder.')
    if resume and not exists:
        raise SpineError(f'"{folder}" holds no checkpoint and no run to resume: start without --resume.')
    if resume and _explained(load_config(folder / CONFIG)) != _explained(config):
        raise SpineError(f'The configuration differs from that of the run "{folder}": resume it with its own {CONFIG}.')


def _explained(config: Config) -> dict:
    content = config.model_dump(mode="json")
    content["training"] = {key: value for key, value in content["training"].items() if key not in _CHANGEABLE}
    return content


class AtomicCheckpoints(TorchCheckpointIO):
    """Checkpoints that are there whole or not at all.

    Lightning writes them in the folder for temporary files, which may be on another disk, and then copies.
    """

    def save_checkpoint(self, checkpoint: dict, path: str | Path, storage_options: object = None) -> None:
        """Raises SpineError where it cannot be written; what was at `path` is then still there."""
        with atomic(path) as aside, aside.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())


def check_checkpoint(path: Path, module: torch.nn.Module) -> None:
    """Raise SpineError unless the checkpoint at `path` can be read and is one of `module`."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)["state_dict"]
    except Exception as error:  # torch has many ways of saying that a file is damaged
        reason = str(error).splitlines()[0]
        raise SpineError(
            f'The checkpoint "{path}" cannot be read ({reason}): delete it to start the run again from the beginning.'
        ) from None
    different = state_dict_mismatch(module, state)
    if different is not None:
        raise SpineError(
            f'The checkpoint "{path}" is of another network than the configuration (first at "{different}"): '
            "put the right one there, or delete it to start the run again from the beginning."
        )
