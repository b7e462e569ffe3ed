"""The settings of the network that recognises levels, as they are written in its configuration."""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from SpineInference.anatomy import LEVELS
from SpineInference.errors import SpineError
from SpineInference.specs import InputSpec, IntensityRule

from .augmentation import StrictModel
from .config import find_settings, read_settings
from .data import Data
from .errors import explain

LevelName = Literal[tuple(LEVELS)]


class Phantoms(StrictModel):
    """Spines of `segtraining phantom`, made for the training: thin slabs around the midline in all contrasts."""

    training: int = Field(2400, ge=0)
    validation: int = Field(300, ge=0)
    seed: int = 70_000
    """Of the first one; the others follow, those for validation last."""


class LevelTraining(StrictModel):
    copies: int = Field(12, ge=1)
    """Patches drawn of each body of a scan, all turned, scaled and shifted differently."""
    phantom_copies: int = Field(3, ge=1)
    batches: int = Field(30_000, ge=1)
    batch_size: int = Field(32, ge=2)
    phantom_share: float = Field(0.4, ge=0, le=1)
    """Of the patches of a level that both scans and phantoms show."""
    learning_rate: float = Field(4e-3, gt=0)
    weight_decay: float = Field(1e-2, ge=0)
    seed: int = 1
    threads: int = Field(1, ge=1)


class LevelConfig(StrictModel):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    description: str
    anatomy: str
    modality: str
    licence: str
    data_statement: str
    data: Data
    lowest_level: dict[str, LevelName] = {}
    """By data set: the level of the lowest labelled body, where the labels do not tell levels."""
    phantoms: Phantoms = Phantoms()
    working_mm: float = Field(1.0, gt=0)
    """In-plane spacing of the volumes that the patches are cut from, that of the segmenting networks."""
    patch_mm: float = Field(2.0, gt=0)
    """Size of a patch's pixels."""
    intensity: IntensityRule = IntensityRule()
    training: LevelTraining = LevelTraining()

    @property
    def input(self) -> InputSpec:
        """What goes into the manifest."""
        return InputSpec(1, self.patch_mm, self.intensity, pad_multiple=64, canvas=(64, 64))


def load_level_config(source: str | Path) -> LevelConfig:
    """The configuration in a YAML file, or the preset of that name. Raises SpineError where it is none."""
    path = find_settings(source)
    try:
        return LevelConfig.model_validate(read_settings(path))
    except ValidationError as error:
        raise SpineError(f'The configuration "{path}" is wrong at {explain(error, LevelConfig)}.') from None
