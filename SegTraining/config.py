"""The configuration of a training run: one YAML file, checked before anything is computed.

A file may name another one with `base:` (relative to itself); its own entries then replace those of the base, key by
key. Unknown keys are errors, so that a misspelt setting cannot be silently without effect.
"""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from SpineInference.errors import SpineError
from SpineInference.intensity import IntensityRule
from SpineInference.levels import VERTEBRA_CODE
from SpineInference.manifest import INTENSITY_RULES, PostprocessingSpec

from .augmentation_settings import Augmentation, Strict

PRESETS = Path(__file__).parent / "presets"


class Dataset(Strict):
    """One folder in nnU-Net raw layout and how its labels are to be read.

    Where `instancesTr` has a label map of a case it is taken instead of that of `labelsTr`. Voxels of
    `ignore_labels` count neither as target nor as background; every other non-zero label is the target.
    """

    name: str
    ignore_labels: tuple[int, ...] = ()
    unlabelled_above: Literal["background", "ignore"] = "background"
    """What the bodies above the topmost labelled one are: some data sets show them without labelling them."""
    ignore_below_mm: float = Field(0.0, ge=0)
    """How far below the lowest labelled voxel nothing is taught; further down is background."""
    patient_pattern: str = r"(.+)"
    """Regular expression whose first group, searched in a case's name, is its patient."""
    sampling_weight: float | None = Field(None, gt=0)
    """Share of the training samples relative to the other data sets; by default its number of training cases."""


class Split(Strict):
    """Which cases are for what: explicit lists, or fold `fold` of `folds` for validation, grouped by patient.

    What is in no list is for training. `test` cases are never looked at during training.
    """

    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    folds: int | None = Field(None, ge=2)
    fold: int = Field(0, ge=0)
    seed: int = 0

    @model_validator(mode="after")
    def _one_way(self) -> "Split":
        if self.folds is not None and self.validation:
            raise ValueError("give either a list of validation cases or a number of folds, not both")
        if self.folds is not None and self.fold >= self.folds:
            raise ValueError(f"fold {self.fold} does not exist: folds are numbered 0 to {self.folds - 1}")
        return self


class Data(Strict):
    datasets: tuple[Dataset, ...] = Field(min_length=1)
    split: Split


class Input(Strict):
    """What the network sees; goes into the manifest of the package as it is."""

    context_slices: int = Field(1, ge=0)
    spacing_mm: float = Field(1.0, gt=0)
    intensity: IntensityRule = IntensityRule()
    bias_correction: bool = False
    pad_multiple: int = Field(32, ge=1)

    @model_validator(mode="after")
    def _known_rule(self) -> "Input":
        if self.intensity.rule not in INTENSITY_RULES:
            raise ValueError(f"the intensity rule must be one of {', '.join(INTENSITY_RULES)}")
        return self


class Network(Strict):
    family: str
    arguments: dict[str, Any] = {}


class FineTuning(Strict):
    """Start from a trained model instead of random weights."""

    package: str
    """Folder or zip of a model package, relative to where the training is started."""
    freeze_encoder: bool = False
    """Train the decoder only; the encoder keeps its weights and its batch statistics."""


class Loss(Strict):
    dice: float = Field(1.0, ge=0)
    cross_entropy: float = Field(1.0, ge=0)

    @model_validator(mode="after")
    def _something(self) -> "Loss":
        if self.dice + self.cross_entropy == 0:
            raise ValueError("one of the weights must be greater than zero")
        return self


class Optimiser(Strict):
    name: Literal["adam", "adamw", "sgd"] = "adamw"
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(1e-4, ge=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    """For sgd only."""


class Schedule(Strict):
    """How the learning rate falls: over the epochs, or over `max_minutes` where that comes first.

    `plateau` multiplies it by `factor` after `patience` epochs without a better validation Dice.
    """

    name: Literal["constant", "cosine", "poly", "plateau"] = "cosine"
    warmup_steps: int = Field(100, ge=0)
    power: float = 0.9
    factor: float = Field(0.3, gt=0, lt=1)
    patience: int = Field(5, ge=1)


class Training(Strict):
    crop: tuple[int, int] = (224, 224)
    """Rows and columns of a sample, multiples of the input's `pad_multiple`."""
    batch_size: int = Field(8, ge=1)
    steps_per_epoch: int = Field(250, ge=1)
    max_epochs: int = Field(100, ge=1)
    max_minutes: float | None = Field(None, gt=0)
    early_stopping_epochs: int | None = Field(None, ge=1)
    """Epochs without a better validation Dice after which training ends."""
    foreground_fraction: float = Field(0.7, ge=0, le=1)
    """Share of the samples that are centred on a target; the others are any slice, empty ones too."""
    accumulate: int = Field(1, ge=1)
    clip_norm: float | None = Field(1.0, gt=0)
    ema_decay: float = Field(0.999, ge=0, lt=1)
    """Of the moving average of the weights, which is what is validated and kept."""
    precision: Literal["bf16-mixed", "16-mixed", "32-true"] = "bf16-mixed"
    accelerator: Literal["auto", "cpu", "gpu", "mps"] = "auto"
    devices: int = Field(1, ge=1)
    threads: int | None = Field(None, ge=1)
    workers: int = Field(0, ge=0)
    """Processes that prepare samples; 0 prepares them in the training process."""
    seed: int = 0
    deterministic: bool = False


class Validation(Strict):
    every_epochs: int = Field(1, ge=1)
    slice_step: int = Field(2, ge=1)
    """Every n-th slice of each validation case is predicted."""


class Label(Strict):
    """The name, colour (r, g, b; 0-255) and SNOMED CT type of the target."""

    name: str = "Vertebral body"
    colour: tuple[int, int, int] = (241, 214, 145)
    code: str = VERTEBRA_CODE[0]
    meaning: str = VERTEBRA_CODE[1]


class Card(Strict):
    """What the package says about the model to a person."""

    label: Label = Label()
    title: str
    description: str = ""
    anatomy: str
    modality: str
    licence: str
    data_statement: str


class Config(Strict):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    plane: Literal["sagittal", "coronal", "axial"]
    card: Card
    data: Data
    input: Input = Input()
    network: Network
    fine_tuning: FineTuning | None = None
    augmentation: Augmentation = Augmentation()
    loss: Loss = Loss()
    optimiser: Optimiser = Optimiser()
    schedule: Schedule = Schedule()
    training: Training = Training()
    validation: Validation = Validation()
    threshold: float = Field(0.5, gt=0, lt=1)
    """Of the packaged model: from which probability a voxel is foreground."""
    postprocessing: PostprocessingSpec = PostprocessingSpec()
    """The defaults that the package carries."""

    @model_validator(mode="after")
    def _crop_fits_network(self) -> "Config":
        if any(side % self.input.pad_multiple for side in self.training.crop):
            raise ValueError(f"training.crop must be multiples of input.pad_multiple ({self.input.pad_multiple})")
        return self


def load_config(source: str | Path, changes: dict[str, Any] | None = None) -> Config:
    """The configuration in a YAML file, or the preset of that name, with `changes` ("training.seed": 1) applied.

    Raises SpineError when the file is missing, is no YAML, or holds something that is no configuration.
    """
    path = Path(source)
    if not path.suffix and not path.exists():
        path = PRESETS / f"{source}.yaml"
    content = _read(path)
    for key, value in (changes or {}).items():
        content = _merged(content, _nested(key.split("."), value))
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise SpineError(f'The configuration "{path}" is wrong at {place}: {first["msg"]}.') from None


def save_config(config: Config, path: Path) -> None:
    """Write the resolved configuration, every default spelt out."""
    path.write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True), "utf-8")


def _read(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    if path.resolve() in seen:
        raise SpineError(f'The configuration "{path}" is its own base: remove a "base:" line.')
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        presets = ", ".join(sorted(p.stem for p in PRESETS.glob("*.yaml")))
        raise SpineError(f'There is no configuration "{path}": give a YAML file or a preset ({presets}).') from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise SpineError(f'The configuration "{path}" cannot be read: {" ".join(str(error).split())}') from None
    if not isinstance(content, dict):
        raise SpineError(f'The configuration "{path}" is not a list of settings ("name: value").')
    base = content.pop("base", None)
    if base is None:
        return content
    return _merged(_read(path.parent / base, (*seen, path.resolve())), content)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _merged(result[key], value) if both else value
    return result


def _nested(keys: list[str], value: Any) -> dict[str, Any]:
    return {keys[0]: value if len(keys) == 1 else _nested(keys[1:], value)}
