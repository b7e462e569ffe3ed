"""Trains the network of a configuration into a run folder (see `run_folder` for what is in it)."""

import json
import logging
import re
import signal
import sys
import warnings
from pathlib import Path

import torch
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy
from torch.multiprocessing import ProcessRaisedException
from torch.utils.data import DataLoader

from SpineInference.errors import SpineError
from SpineInference.files.atomic import atomic

from ..config.config import Config, save_config
from ..data.cache import CachedCase
from ..data.prepare import fingerprint, prepare
from ..data.sampling import PatchDataset, StepBatchSampler
from .callbacks import BestCheckpoint, EpochLog, FiniteLoss, TimeLimit
from .fine_tuning import describe_start
from .module import METRIC, SegmentationModule, start_network
from .out_of_memory import is_out_of_memory, out_of_memory_error
from .overlays import Overlays
from .run_folder import CHECKPOINT, CONFIG, AtomicCheckpoints, check_checkpoint, check_run_folder
from .run_lock import run_lock
from .validation import validation_cases

_log = logging.getLogger(__name__)


def train(config: Config, data_folder: Path, cache_folder: Path, run_folder: Path, resume: bool = False) -> Path:
    """Train, and return `run_folder`. With `resume`, go on from its `last.ckpt` as if never interrupted.

    Raises SpineError for unusable data or settings, a run folder that is taken or in use, one that cannot be resumed,
    a full disk, a batch that does not fit into the memory, and a loss that is no number any more.
    """
    check_run_folder(config, run_folder, resume)
    _quieten_lightning()
    for sentence in config.model_info.unknown_structures:
        _log.warning(sentence)
    seed_everything(config.training.seed, workers=True, verbose=False)
    network = start_network(config)
    start = {"fine_tuning": describe_start(config)} if config.fine_tuning else {}
    parts = prepare(config, data_folder, cache_folder)
    _check_validation(config, parts["validation"])
    with run_lock(run_folder):
        save_config(config, run_folder / CONFIG)
        with atomic(run_folder / "fingerprint.json") as aside:
            aside.write_text(json.dumps(fingerprint(config, parts) | start, indent=1), "utf-8")
        _fit(
            SegmentationModule(config, network, validation_cases(parts["validation"], config)),
            parts["training"],
            run_folder,
        )
    return run_folder


def _fit(module: SegmentationModule, cases: list[CachedCase], run_folder: Path) -> None:
    config, checkpoint = module.config, run_folder / CHECKPOINT
    if checkpoint.exists():
        check_checkpoint(checkpoint, module)
    trainer = _trainer(config, run_folder)
    device = trainer.strategy.root_device
    module.prepare_for(device)
    validation = range(len(module.validation_cases))
    try:
        trainer.fit(
            module,
            _training_loader(cases, module, device),
            DataLoader(validation, batch_size=1) if validation else None,
            ckpt_path=str(checkpoint) if checkpoint.exists() else None,
            weights_only=True,
        )
    except OSError as error:
        raise SpineError(f'"{run_folder}" cannot be written ({error}): make room, then go on with --resume.') from error
    except ProcessRaisedException as error:  # one of several processes that share the batch
        told = re.search(rf"\b{SpineError.__name__}: (.+)", str(error))
        if told is None:
            raise
        raise SpineError(told.group(1)) from None
    except SystemExit:  # what Lightning makes of Ctrl-C, which it ignores from then on
        if not trainer.interrupted:
            raise
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt from None
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
    else:
        return
    # Outside the except block: the traceback keeps the tensors of the failed step alive.
    raise out_of_memory_error(module.network, config, device)


def _quieten_lightning() -> None:
    # Advertisements, and warnings about what is meant: a run folder with files in it, an average in evaluation mode,
    # samples prepared in the training process, no validation cases.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for message in (
        "Checkpoint directory",
        "Found .* in eval mode",
        "The .*dataloader.* does not have many workers",
        "You defined a `validation_step` but have no",
    ):
        warnings.filterwarnings("ignore", message, module="lightning")
    warnings.filterwarnings("ignore", ".*LeafSpec", module="lightning")


def _check_validation(config: Config, cases: list[CachedCase]) -> None:
    needs = {
        "Early stopping": config.training.early_stopping_epochs is not None,
        "The schedule plateau": config.schedule.name == "plateau",
    }
    for what, needed in needs.items():
        if needed and not cases:
            raise SpineError(f"{what} needs validation cases: list some, or set folds or a fraction in data.split.")


def _training_loader(cases: list[CachedCase], module: SegmentationModule, device: torch.device) -> DataLoader:
    return DataLoader(
        PatchDataset(cases, module.config, raw=module.augments_on_device),
        batch_sampler=StepBatchSampler(module.config, module),
        num_workers=module.config.training.workers,
        pin_memory=device.type == "cuda",
    )


def _trainer(config: Config, run_folder: Path) -> Trainer:
    settings, every = config.training, config.validation.every_epochs
    interactive = sys.stderr.isatty()
    callbacks: list[Callback] = [
        FiniteLoss(run_folder),  # the first one, so that the others keep nothing of an epoch that it stops
        TimeLimit(settings.max_minutes),
        EpochLog(run_folder),
        BestCheckpoint(run_folder),
        Overlays(),
    ]
    if settings.early_stopping_epochs is not None:
        # It counts validations.
        callbacks.append(EarlyStopping(METRIC, mode="max", patience=-(-settings.early_stopping_epochs // every)))
    # The last one, so that it saves the state that the others have reached.
    callbacks.append(
        ModelCheckpoint(
            run_folder,
            filename=Path(CHECKPOINT).stem,
            save_top_k=1,
            enable_version_counter=False,
            save_on_train_epoch_end=True,
        )
    )
    if interactive:
        callbacks.append(TQDMProgressBar())
    return Trainer(
        accelerator=settings.accelerator,
        devices=settings.devices,
        strategy=DDPStrategy(start_method="spawn") if settings.devices > 1 else "auto",
        sync_batchnorm=settings.devices > 1 and torch.cuda.is_available() and settings.accelerator != "cpu",
        precision=settings.precision,
        plugins=[AtomicCheckpoints()],
        max_epochs=settings.max_epochs,
        accumulate_grad_batches=settings.accumulate,
        gradient_clip_val=settings.clip_norm,
        deterministic=settings.deterministic,
        check_val_every_n_epoch=every,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        logger=TensorBoardLogger(run_folder, name="tensorboard", version=""),
        callbacks=callbacks,
        enable_progress_bar=interactive,
        enable_model_summary=False,
        log_every_n_steps=settings.steps_per_epoch,
    )
