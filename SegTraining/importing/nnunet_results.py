"""The results folder of a training of nnU-Net v2: its plans, its data set's description, its folds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from SpineInference.errors import SpineError
from SpineInference.schema import load_json

from .checkpoints import is_state_dict, read_checkpoint

CHECKPOINT = "checkpoint_final.pth"


@dataclass(frozen=True)
class Fold:
    """A trained fold ("0", ..., or "all"): its weights, and what its checkpoint tells of its training."""

    name: str
    weights: dict[str, torch.Tensor]
    configuration: str
    trainer: str
    epochs: int | None
    mirrored: tuple[int, ...]
    """Axes of a slice that the training has mirrored, so that prediction may do so too: 0 rows, 1 columns."""


@dataclass(frozen=True)
class Results:
    """What `folder` says; the checkpoints of `folds` are read one by one, as each may have hundreds of megabytes."""

    folder: Path
    plans: dict[str, Any]
    dataset: dict[str, Any]
    folds: tuple[str, ...]
    checkpoint: str

    def read_fold(self, name: str) -> Fold:
        """Raises SpineError for a checkpoint that is none of nnU-Net v2, or that holds code."""
        path = self.folder / f"fold_{name}" / self.checkpoint
        content = read_checkpoint(path)
        try:
            configuration, weights = content["init_args"]["configuration"], content["network_weights"]
            mirrored = tuple(int(axis) for axis in content.get("inference_allowed_mirroring_axes") or ())
            trainer, epochs = str(content.get("trainer_name", "nnUNetTrainer")), content.get("current_epoch")
        except (KeyError, TypeError, AttributeError, ValueError):
            configuration, weights = None, None
        if not isinstance(configuration, str) or not is_state_dict(weights):
            raise SpineError(f'"{path}" is no checkpoint of nnU-Net v2: name one that its training has written.')
        return Fold(name, dict(weights), configuration, trainer, epochs, mirrored)


def read_results(folder: Path, folds: tuple[str, ...] = (), checkpoint: str = CHECKPOINT) -> Results:
    """The results in `folder` (NAME_OF_TRAINER__PLANS__CONFIGURATION) with these `folds`, or all that are there.

    Raises SpineError, in one sentence, where something is missing.
    """
    texts = {}
    for name in ("plans.json", "dataset.json"):
        try:
            texts[name] = (folder / name).read_bytes()
        except OSError:
            raise SpineError(
                f'There is no {name} in "{folder}": give the folder that nnU-Net has written for one configuration, '
                "such as nnUNet_results/DatasetNNN_NAME/nnUNetTrainer__nnUNetPlans__2d."
            ) from None
    plans, dataset = (load_json(text, f'{name} in "{folder}"') for name, text in texts.items())
    if not isinstance(plans, dict) or not isinstance(dataset, dict):
        raise SpineError(f'The plans.json or dataset.json in "{folder}" is none of nnU-Net: give its results folder.')
    present = sorted(path.parent.name.removeprefix("fold_") for path in folder.glob(f"fold_*/{checkpoint}"))
    if not present:
        raise SpineError(
            f'"{folder}" has no fold with a {checkpoint}: the training has not ended; name another file that is there '
            "with --checkpoint."
        )
    if missing := [fold for fold in folds if fold not in present]:
        raise SpineError(
            f'"{folder}" has no {checkpoint} of fold {missing[0]}: there are those of {", ".join(present)}.'
        )
    return Results(folder, plans, dataset, folds or tuple(present), checkpoint)
