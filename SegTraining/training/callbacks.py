"""What happens around each epoch: a line for the person who waits, the best weights kept, and the end in time."""

import csv
import json
import logging
import math
import time
from datetime import UTC, datetime
from pathlib import Path

import safetensors.torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.utilities import rank_zero_only

from SpineInference.errors import SpineError
from SpineInference.files.atomic import atomic

from ..config.console import progress_is_shown, show_progress
from .module import METRIC, SegmentationModule

_log = logging.getLogger(__name__)

WEIGHTS = "weights.safetensors"
RESULT = "result.json"


class FiniteLoss(Callback):
    """Ends a training that has diverged, before the state of that epoch is kept anywhere."""

    def __init__(self, run_folder: Path):
        self._folder = run_folder

    def on_train_epoch_end(self, trainer: Trainer, module: SegmentationModule) -> None:
        losses = (trainer.callback_metrics["loss"].item(), module.validation_loss or 0.0)
        weights = (tensor for tensor in module.state_dict().values() if tensor.is_floating_point())
        finite = all(map(math.isfinite, losses)) and all(bool(tensor.isfinite().all()) for tensor in weights)
        if trainer.strategy.reduce_boolean_decision(finite, all=True):
            return
        kept = f'the best weights until then are in "{self._folder}"' if (self._folder / WEIGHTS).exists() else ""
        raise SpineError(
            f"The training has diverged in epoch {trainer.current_epoch + 1}: loss or weights are no numbers any more; "
            f"lower optimiser.learning_rate, or set training.clip_norm{f' ({kept})' if kept else ''}."
        )


class EpochLog(Callback):
    """Writes `metrics.csv`, one line per epoch, and logs it with the time that is left."""

    def __init__(self, run_folder: Path):
        self._path = run_folder / "metrics.csv"
        self._shown = progress_is_shown()

    @rank_zero_only
    def on_train_start(self, trainer: Trainer, module: SegmentationModule) -> None:
        if self._shown:
            show_progress()  # this may be another process
        if self._path.exists():  # a resumed run: epochs after the checkpoint are run again
            with self._path.open(newline="", encoding="utf-8") as file:
                rows = [row for row in csv.DictReader(file) if int(row["epoch"]) <= trainer.current_epoch]
            self._write(rows)

    def on_train_epoch_end(self, trainer: Trainer, module: SegmentationModule) -> None:
        progress = module.progress
        if not trainer.is_global_zero:
            return
        row = {
            "epoch": trainer.current_epoch + 1,
            "step": module.steps_done,
            "minutes": f"{module.minutes:.2f}",
            "learning_rate": f"{module.optimizers().param_groups[0]['lr']:.3g}",
            "loss": f"{trainer.callback_metrics['loss'].item():.5f}",
            "validation_loss": "" if module.validation_loss is None else f"{module.validation_loss:.5f}",
            METRIC: "" if module.dice is None else f"{module.dice:.5f}",
        } | {f"dice {name}": f"{value:.5f}" for name, value in module.case_dice.items()}
        rows = []
        if self._path.exists():
            with self._path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
        self._write([*rows, row])
        left = module.minutes * (1 / max(1e-6, progress) - 1)
        _log.info(
            f"epoch {row['epoch']}: loss {row['loss']}, validation Dice {row[METRIC] or '-'}, "
            f"{module.minutes:.1f} min, at most {left:.0f} min left"
        )

    def _write(self, rows: list[dict]) -> None:
        names = list(dict.fromkeys(name for row in rows for name in row))
        with atomic(self._path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(rows)


class BestCheckpoint(Callback):
    """Keeps the moving average with the best validation Dice; as long as there has been no validation, the latest."""

    def __init__(self, run_folder: Path):
        self._folder = run_folder
        self._best: float | None = None

    def on_train_epoch_end(self, trainer: Trainer, module: SegmentationModule) -> None:
        if self._best is not None and (module.dice is None or module.dice <= self._best):
            return
        self._best = module.dice
        if trainer.is_global_zero:
            self._keep(trainer, module)

    def _keep(self, trainer: Trainer, module: SegmentationModule) -> None:
        tensors = {name: tensor.contiguous() for name, tensor in module.average.network.state_dict().items()}
        with atomic(self._folder / WEIGHTS) as aside:
            aside.write_bytes(safetensors.torch.save(tensors))
        result = {
            "epoch": trainer.current_epoch + 1,
            "step": module.steps_done,
            "minutes": round(module.minutes, 2),
            METRIC: module.dice,
            "dice": dict(module.case_dice),
            "date": datetime.now(UTC).date().isoformat(),
        }
        with atomic(self._folder / RESULT) as aside:
            aside.write_text(json.dumps(result, indent=1), "utf-8")

    def state_dict(self) -> dict:
        return {"best": self._best}

    def load_state_dict(self, state: dict) -> None:
        self._best = state["best"]


class TimeLimit(Callback):
    """Ends training after the epoch that is nearest to the time limit."""

    def __init__(self, max_minutes: float | None):
        self._max_minutes = max_minutes

    def on_train_epoch_start(self, trainer: Trainer, module: SegmentationModule) -> None:
        self._epoch_started = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, module: SegmentationModule) -> None:
        half_epoch = (time.monotonic() - self._epoch_started) / 60 / 2
        if self._max_minutes is not None:
            over = module.minutes + half_epoch >= self._max_minutes
            trainer.should_stop = trainer.strategy.broadcast(trainer.should_stop or over)
