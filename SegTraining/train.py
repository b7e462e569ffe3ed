"""Trains the network of a configuration into a run folder.

RUN/config.yaml       the configuration with every default spelt out
RUN/fingerprint.json  what was trained on, in numbers
RUN/metrics.csv       one line per epoch
RUN/last.ckpt         to resume from, written after each epoch
RUN/weights.safetensors, RUN/result.json  the best moving average so far and how good it is
"""

import json
import logging
import sys
import warnings
from pathlib import Path

import torch
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.data import DataLoader

from SpineInference.errors import SpineError

from .cache import CachedCase
from .config import Config, load_config, save_config
from .lightning_module import METRIC, Run
from .prepare import fingerprint, prepare
from .progress import EpochLog, KeepBest, TimeLimit
from .sampling import Batches, Steps


def train(config: Config, data_folder: Path, cache_folder: Path, run_folder: Path, resume: bool = False) -> Path:
    """Train, and return `run_folder`. With `resume`, go on from its `last.ckpt` as if never interrupted.

    Raises SpineError for unusable data, a run folder that is taken, or one that cannot be resumed.
    """
    _check_run_folder(config, run_folder, resume)
    parts = prepare(config, data_folder, cache_folder)
    run_folder.mkdir(parents=True, exist_ok=True)
    save_config(config, run_folder / "config.yaml")
    (run_folder / "fingerprint.json").write_text(json.dumps(fingerprint(config, parts), indent=1), "utf-8")
    settings = config.training
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    seed_everything(settings.seed, workers=True, verbose=False)
    _quieten_lightning()
    run = Run(config, parts["validation"])
    trainer = _trainer(config, run_folder, bool(parts["validation"]))
    trainer.fit(
        run,
        _training_loader(parts["training"], config, run, trainer.global_rank),
        DataLoader(range(len(parts["validation"])), batch_size=1) if parts["validation"] else None,
        ckpt_path=str(run_folder / "last.ckpt") if resume else None,
        weights_only=True,
    )
    return run_folder


def _quieten_lightning() -> None:
    # Advertisements, and warnings about what is meant: a run folder with files in it, an average in evaluation mode,
    # samples prepared in the training process.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for message in ("Checkpoint directory", "Found .* in eval mode", "The .*dataloader.* does not have many workers"):
        warnings.filterwarnings("ignore", message, module="lightning")
    warnings.filterwarnings("ignore", ".*LeafSpec", module="lightning")


def _check_run_folder(config: Config, run_folder: Path, resume: bool) -> None:
    if not resume:
        if (run_folder / "config.yaml").exists():
            raise SpineError(f'"{run_folder}" already holds a run: go on with --resume, or choose another folder.')
        return
    if not (run_folder / "last.ckpt").exists():
        raise SpineError(f'"{run_folder}" holds no checkpoint to resume from: start without --resume.')
    before = load_config(run_folder / "config.yaml")
    # How long to train may be changed in between; anything else would make the result unexplainable.
    length = {"max_epochs", "max_minutes", "early_stopping_epochs", "threads", "workers"}
    if _without(before, length) != _without(config, length):
        raise SpineError(
            f'The configuration differs from that of the run "{run_folder}": resume it with its own config.yaml.'
        )


def _without(config: Config, keys: set[str]) -> dict:
    content = config.model_dump(mode="json")
    for key in keys:
        del content["training"][key]
    return content


def _training_loader(cases: list[CachedCase], config: Config, run: Run, rank: int) -> DataLoader:
    settings = config.training
    return DataLoader(
        Batches(cases, config, rank),
        batch_size=None,
        sampler=Steps(settings.steps_per_epoch, lambda: run.steps_done),
        num_workers=settings.workers,
        persistent_workers=False,
    )


def _trainer(config: Config, run_folder: Path, validates: bool) -> Trainer:
    settings = config.training
    interactive = sys.stderr.isatty()
    callbacks = [TimeLimit(settings.max_minutes), EpochLog(run_folder), KeepBest(run_folder)]
    if settings.early_stopping_epochs is not None:
        if not validates:
            raise SpineError("Early stopping needs validation cases: list some, or set folds in data.split.")
        callbacks.append(EarlyStopping(METRIC, mode="max", patience=settings.early_stopping_epochs))
    # The last one, so that it saves the state that the others have reached.
    callbacks.append(
        ModelCheckpoint(
            run_folder, filename="last", save_top_k=1, enable_version_counter=False, save_on_train_epoch_end=True
        )
    )
    if interactive:
        callbacks.append(TQDMProgressBar())
    return Trainer(
        accelerator=settings.accelerator,
        devices=settings.devices,
        precision=settings.precision,
        max_epochs=settings.max_epochs,
        accumulate_grad_batches=settings.accumulate,
        gradient_clip_val=settings.clip_norm,
        deterministic=settings.deterministic,
        check_val_every_n_epoch=config.validation.every_epochs,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        logger=TensorBoardLogger(run_folder, name="tensorboard", version=""),
        callbacks=callbacks,
        enable_progress_bar=interactive,
        enable_model_summary=False,
        log_every_n_steps=settings.steps_per_epoch,
    )
