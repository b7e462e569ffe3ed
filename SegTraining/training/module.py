"""One training run as a Lightning module: predict, loss, learning rate, moving average, validation."""

import math
import time

import numpy as np
import torch
from lightning.pytorch import LightningModule

from SpineInference.errors import SpineError
from SpineInference.networks import build

from ..config.config import Config
from ..config.training import Loss, Optimiser
from ..data.cache import CachedCase
from ..data.intensity_transforms import augment
from .fine_tuning import encoder_of, load_start
from .losses import boundary_loss, segmentation_loss
from .moving_average import MovingAverage
from .threads import threads_for
from .validation import CaseResult, validate

METRIC = "validation_dice"


class SegmentationModule(LightningModule):
    """The network being trained and its moving average."""

    def __init__(self, config: Config, network: torch.nn.Module, validation_cases: list[CachedCase]):
        super().__init__()
        self.config = config
        self.network = network.to(memory_format=torch.channels_last)
        self.average = MovingAverage(self.network, config.training.ema_decay)
        self.dice: float | None = None
        """Validation Dice of this epoch, if there was a validation."""
        self.validation_loss: float | None = None
        self.case_results: dict[str, CaseResult] = {}
        self.steps_done = 0
        self.validation_cases = validation_cases
        self.augments_on_device = False
        self._minutes_before = 0.0
        self._started = time.monotonic()

    @property
    def case_dice(self) -> dict[str, float]:
        """Of the cases of this epoch's validation that have one."""
        return {name: result.dice for name, result in self.case_results.items() if result.dice is not None}

    @property
    def minutes(self) -> float:
        """Minutes of training so far, those before a resume included."""
        return self._minutes_before + (time.monotonic() - self._started) / 60

    def prepare_for(self, device: torch.device) -> None:
        """Choose what depends on where the network will run: on CUDA, samples come raw and are augmented there."""
        wish = self.config.training.augment_on_device
        self.augments_on_device = device.type == "cuda" if wish is None else wish

    @property
    def progress(self) -> float:
        """How much of the run is done, 0 to 1: by steps, or by time where that runs out first."""
        training = self.config.training
        done = self.steps_done / (training.max_epochs * training.steps_per_epoch)
        if training.max_minutes is not None:
            # Processes that share the batch go by the clock of the first.
            minutes = self.trainer.strategy.broadcast(self.minutes) if training.devices > 1 else self.minutes
            done = max(done, minutes / training.max_minutes)
        return min(1.0, done)

    def configure_optimizers(self):
        optimiser = _optimiser(self.network, self.config.optimiser)
        if self.config.schedule.name != "plateau":
            return optimiser
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimiser, mode="max", factor=self.config.schedule.factor, patience=self.config.schedule.patience
        )
        after = {"scheduler": scheduler, "monitor": METRIC, "frequency": self.config.validation.every_epochs}
        return {"optimizer": optimiser, "lr_scheduler": after}

    def on_fit_start(self) -> None:
        self._started = time.monotonic()

    def on_train_epoch_start(self) -> None:
        torch.set_num_threads(threads_for(self.config.training.threads, self.config.training.deterministic))
        self.dice, self.validation_loss, self.case_results = None, None, {}
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

    def on_after_batch_transfer(self, batch, dataloader_idx: int):
        if not (self.training and self.augments_on_device):
            return batch
        image, target, background = batch
        training, spacing_mm = self.config.training, self.config.input.spacing_mm
        seed = np.random.SeedSequence((training.seed, self.steps_done, self.global_rank)).generate_state(1)
        generator = torch.Generator(image.device).manual_seed(int(seed[0]))
        return augment(image, target, background, training.crop, self.config.augmentation, generator, spacing_mm)

    def training_step(self, batch, batch_index: int) -> torch.Tensor:
        image, target = batch
        image = image.contiguous(memory_format=torch.channels_last)
        loss = training_loss(self.network, image, target, self.config.loss, self.config.activation == "sigmoid")
        self.log("loss", loss, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def on_train_batch_end(self, outputs, batch, batch_index: int) -> None:
        self.steps_done += 1

    def on_train_epoch_end(self) -> None:
        self.log("learning_rate", self.optimizers().param_groups[0]["lr"])

    def optimizer_step(self, *args, **kwargs) -> None:
        super().optimizer_step(*args, **kwargs)
        self.average.update(self.network)

    def validation_step(self, number: torch.Tensor, batch_index: int) -> None:
        if batch_index % self.trainer.world_size != self.global_rank:
            return  # another process's
        case = self.validation_cases[int(number)]
        self.case_results[case.record.name] = validate(case, self.predict_average, self.config)

    def on_validation_epoch_end(self) -> None:
        if self.trainer.world_size > 1:
            shares: list[dict] = [{}] * self.trainer.world_size
            torch.distributed.all_gather_object(shares, self.case_results)
            found = {name: result for share in shares for name, result in share.items()}
            self.case_results = {name: found[name] for name in sorted(found)}
        self.dice = sum(self.case_dice.values()) / max(1, len(self.case_dice))
        self.validation_loss = sum(r.loss for r in self.case_results.values()) / max(1, len(self.case_results))
        self.log("validation_loss", self.validation_loss)
        self.log(METRIC, torch.tensor(self.dice, dtype=torch.float64).float(), prog_bar=True)

    def predict_average(self, image: torch.Tensor) -> torch.Tensor:
        """What is validated: the logits of the moving average."""
        return self.average.network(image.to(self.device, memory_format=torch.channels_last))

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        checkpoint["minutes"] = self.minutes
        checkpoint["steps_done"] = self.steps_done

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        self._minutes_before = checkpoint["minutes"]
        self.steps_done = checkpoint["steps_done"]


def training_output(network: torch.nn.Module, image: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
    """Logits of full size, or those of every scale of a network that is made for deep supervision."""
    return getattr(network, "deep_supervision_outputs", network)(image)


def training_loss(
    network: torch.nn.Module, image: torch.Tensor, target: torch.Tensor, weights: Loss, alone: bool = False
) -> torch.Tensor:
    """What is minimised: the losses of `weights`, and that of the borders of a network with a boundary stream."""
    if hasattr(network, "boundary_outputs"):
        logits, borders = network.boundary_outputs(image)
        return segmentation_loss(logits, target, weights, alone) + weights.boundary * boundary_loss(borders, target)
    return segmentation_loss(training_output(network, image), target, weights, alone)


def start_network(config: Config) -> torch.nn.Module:
    """The network of `config` as its training starts. Raises SpineError where it cannot be built or does not fit."""
    spec = config.input
    network = build(config.network.family, spec.channels, config.classes, **config.network.arguments)
    multiple = getattr(network, "pad_multiple", 1)
    if spec.pad_multiple % multiple:
        raise SpineError(
            f'The network "{config.network.family}" needs sides that are multiples of {multiple}: '
            "set input.pad_multiple to that, or to a multiple of it."
        )
    if config.fine_tuning is not None:
        load_start(network, config)
    return network


def _optimiser(network: torch.nn.Module, settings: Optimiser) -> torch.optim.Optimizer:
    options = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay}
    if settings.name == "sgd":
        options |= {"momentum": settings.momentum, "nesterov": settings.nesterov}
    elif settings.name == "rmsprop":
        options |= {"momentum": settings.momentum}
    kinds = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "sgd": torch.optim.SGD,
        "rmsprop": torch.optim.RMSprop,
    }
    return kinds[settings.name](network.parameters(), **options)
