"""The settings of the training itself, as they are written in a configuration."""

from typing import Any, Literal

from pydantic import Field, model_validator

from .augmentation import StrictModel


class Network(StrictModel):
    family: str
    arguments: dict[str, Any] = {}


class FineTuning(StrictModel):
    """Start from a trained model instead of random weights."""

    package: str
    """Folder or zip of a model package, relative to where the training is started."""
    freeze_encoder: bool = False
    """Train the decoder only; the encoder keeps its weights and its batch statistics."""


class Loss(StrictModel):
    """The weights of the losses, whose sum is minimised."""

    dice: float = Field(1.0, ge=0)
    cross_entropy: float = Field(1.0, ge=0)
    two_sided_dice: float = Field(0.0, ge=0)
    boundary: float = Field(1.0, ge=0)
    """Of the borders that a network with a boundary stream shows; of no meaning for others."""

    @model_validator(mode="after")
    def _something(self) -> "Loss":
        if self.dice + self.cross_entropy + self.two_sided_dice == 0:
            raise ValueError("one of the weights must be greater than zero")
        return self


class Optimiser(StrictModel):
    name: Literal["adam", "adamw", "sgd", "rmsprop"] = "adamw"
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(1e-4, ge=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    """For sgd and rmsprop."""
    nesterov: bool = False
    """Look ahead with the momentum of sgd, as nnU-Net does; Caffe, and so the X-ray article, does not."""

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> "Optimiser":
        if self.nesterov and (self.name != "sgd" or self.momentum == 0):
            raise ValueError("nesterov is for sgd with a momentum")
        return self


class Schedule(StrictModel):
    """How the learning rate falls: over the epochs, or over `max_minutes` where that comes first.

    `plateau` multiplies it by `factor` after `patience` epochs without a better validation Dice.
    """

    name: Literal["constant", "cosine", "poly", "plateau"] = "cosine"
    warmup_steps: int = Field(100, ge=0)
    power: float = 0.9
    factor: float = Field(0.3, gt=0, lt=1)
    patience: int = Field(5, ge=1)


class Training(StrictModel):
    crop: tuple[int, int] = (224, 224)
    """Rows and columns of a sample, multiples of the input's `pad_multiple`."""
    batch_size: int = Field(8, ge=1)
    """Samples of a step, of all devices together."""
    steps_per_epoch: int = Field(250, ge=1)
    max_epochs: int = Field(100, ge=1)
    max_minutes: float | None = Field(None, gt=0)
    early_stopping_epochs: int | None = Field(None, ge=1)
    """Epochs without a better validation Dice after which training ends."""
    foreground_fraction: float = Field(0.7, ge=0, le=1)
    """Share of the samples that are centred on a target, each class as often; the others are any slice, as are those
    of cases without a target."""
    accumulate: int = Field(1, ge=1)
    """Steps whose gradients are added up before the weights change."""
    clip_norm: float | None = Field(1.0, gt=0)
    ema_decay: float = Field(0.999, ge=0, lt=1)
    """Of the moving average of the weights, which is what is validated and kept."""
    precision: Literal["bf16-mixed", "16-mixed", "32-true"] = "bf16-mixed"
    accelerator: Literal["auto", "cpu", "gpu", "mps"] = "auto"
    devices: int = Field(1, ge=1)
    """GPUs, or processes on a CPU, that share each batch."""
    threads: int | None = Field(None, ge=1)
    """Of torch on the CPU; by default as many as processors are idle when an epoch begins, with `deterministic` one."""
    workers: int = Field(0, ge=0)
    """Processes that prepare samples; 0 prepares them in the training process."""
    augment_on_device: bool | None = None
    """Augment whole batches where the network runs; by default on CUDA only, elsewhere one sample at a time."""
    seed: int = 0
    deterministic: bool = False

    @model_validator(mode="after")
    def _batch_can_be_shared(self) -> "Training":
        if self.batch_size % self.devices:
            raise ValueError(f"batch_size must be a multiple of devices ({self.devices})")
        return self


class Validation(StrictModel):
    every_epochs: int = Field(1, ge=1)
    slice_step: int = Field(2, ge=1)
    """Every n-th slice of each validation case is predicted."""
    noisy_copies: float | None = Field(None, gt=0)
    """Validate on a second, noisy copy of each case too: the noise's standard deviation as a fraction of its range."""
