"""One training run as a Lightning module: predict, loss, learning rate, moving average, validation."""

import math
import time

import torch
from lightning.pytorch import LightningModule

from SpineInference.networks import build

from .cache import CachedCase
from .config import Config
from .fine_tuning import encoder_of, load_start
from .losses import segmentation_loss
from .moving_average import MovingAverage
from .validation import volume_dice

METRIC = "validation_dice"


class Run(LightningModule):
    """The network being trained and its moving average."""

    def __init__(self, config: Config, validation_cases: list[CachedCase]):
        super().__init__()
        self.config = config
        channels = 2 * config.input.context_slices + 1
        network = build(config.network.family, channels, 1, **config.network.arguments)
        if config.fine_tuning is not None:
            load_start(network, config)
        self.network = network.to(memory_format=torch.channels_last)
        self.average = MovingAverage(self.network, config.training.ema_decay)
        self.case_dice: dict[str, float] = {}
        self.steps_done = 0
        self._validation_cases = validation_cases
        self._minutes_before = 0.0
        self._started = time.monotonic()

    @property
    def minutes(self) -> float:
        """Minutes of training so far, those before a resume included."""
        return self._minutes_before + (time.monotonic() - self._started) / 60

    @property
    def progress(self) -> float:
        """How much of the run is done, 0 to 1: by steps, or by time where that runs out first."""
        training = self.config.training
        done = self.steps_done / (training.max_epochs * training.steps_per_epoch)
        if training.max_minutes is not None:
            done = max(done, self.minutes / training.max_minutes)
        return min(1.0, done)

    def configure_optimizers(self):
        settings = self.config.optimiser
        options = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay}
        parameters = self.network.parameters()
        if settings.name == "sgd":
            optimiser = torch.optim.SGD(parameters, momentum=settings.momentum, nesterov=True, **options)
        else:
            kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings.name]
            optimiser = kind(parameters, **options)
        if self.config.schedule.name != "plateau":
            return optimiser
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimiser, mode="max", factor=self.config.schedule.factor, patience=self.config.schedule.patience
        )
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": scheduler, "monitor": METRIC}}

    def on_fit_start(self) -> None:
        self._started = time.monotonic()

    def on_train_epoch_start(self) -> None:
        if self.config.fine_tuning is not None and self.config.fine_tuning.freeze_encoder:
            encoder_of(self.network).eval()  # Lightning has just set it to training

    def on_train_batch_start(self, batch, batch_index: int) -> None:
        # Dropout and the like draw from the global generator: seeded per step, a resumed run draws the same.
        torch.manual_seed(hash((self.config.training.seed, self.global_rank, self.steps_done)))
        if self.config.schedule.name != "plateau":
            for group in self.optimizers().param_groups:
                group["lr"] = self.config.optimiser.learning_rate * self._rate_factor()

    def _rate_factor(self) -> float:
        schedule = self.config.schedule
        warm = min(1.0, (self.steps_done + 1) / max(1, schedule.warmup_steps))
        if schedule.name == "cosine":
            return warm * (1 + math.cos(math.pi * self.progress)) / 2
        if schedule.name == "poly":
            return warm * (1 - self.progress) ** schedule.power
        return warm

    def training_step(self, batch, batch_index: int) -> torch.Tensor:
        image, target = batch
        image = image.contiguous(memory_format=torch.channels_last)
        loss = segmentation_loss(self.network(image), target, self.config.loss)
        self.log("loss", loss, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def on_train_batch_end(self, outputs, batch, batch_index: int) -> None:
        self.steps_done += 1

    def optimizer_step(self, *args, **kwargs) -> None:
        super().optimizer_step(*args, **kwargs)
        self.average.update(self.network)

    def validation_step(self, number: torch.Tensor, batch_index: int) -> None:
        case = self._validation_cases[int(number)]
        self.case_dice[case.record.name] = volume_dice(case, self._predict, self.config)

    def on_validation_epoch_end(self) -> None:
        mean = sum(self.case_dice.values()) / max(1, len(self.case_dice))
        self.log(METRIC, torch.tensor(mean, dtype=torch.float64).float(), prog_bar=True)

    def _predict(self, image: torch.Tensor) -> torch.Tensor:
        return self.average.network(image.to(self.device, memory_format=torch.channels_last))

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        checkpoint["minutes"] = self.minutes
        checkpoint["steps_done"] = self.steps_done

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        self._minutes_before = checkpoint["minutes"]
        self.steps_done = checkpoint["steps_done"]
