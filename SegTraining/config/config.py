"""The configuration of a training run: one YAML file, checked before anything is computed.

A file, or a section of it, may name others with `base:` (files relative to itself or names of presets, one or a list);
each then replaces entries of those before it, key by key, and what stands in the file itself those of all. Unknown keys
are errors, so that a misspelt setting cannot be silently without effect.
"""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from SpineInference.anatomy import STRUCTURE_CODE, distinct_colour
from SpineInference.errors import SpineError
from SpineInference.files.atomic import atomic
from SpineInference.networks import check_family
from SpineInference.specs import PostprocessingSpec

from .augmentation import Augmentation, StrictModel
from .data import Data, Dataset, Input, Label
from .errors import explain, suggestion
from .presets import PRESETS
from .training import FineTuning, Loss, Network, Optimiser, Schedule, Training, Validation


class ModelInfo(StrictModel):
    """What the package says about the model to a person."""

    labels: tuple[Label, ...] = Field((Label(),), min_length=1)
    """What the network finds; the value of each in its results is its number, from 1."""
    title: str
    description: str = ""
    anatomy: str
    modality: str
    licence: str
    data_statement: str

    @model_validator(mode="before")
    @classmethod
    def _distinct_colours(cls, given: Any) -> Any:
        """Labels beside the first one get colours of their own where none are given."""
        labels = given.get("labels") if isinstance(given, dict) else None
        if not isinstance(labels, list) or not all(isinstance(label, dict) for label in labels):
            return given
        coloured = [
            {"colour": distinct_colour(number), **label} if number else label for number, label in enumerate(labels)
        ]
        return {**given, "labels": coloured}

    @property
    def packaged_values(self) -> list[int]:
        """What the package of a trained network calls the labels."""
        return [label.value or place for place, label in enumerate(self.labels, start=1)]

    @property
    def unknown_structures(self) -> list[str]:
        """A sentence for each label of which results cannot say what it is."""
        return [
            f'What "{label.name}" is nobody can know from its SNOMED CT code, {label.code} ("{label.meaning}"): give '
            "the label its code and meaning in model_info.labels."
            for label in self.labels
            if label.code == STRUCTURE_CODE[0]
        ]

    @model_validator(mode="after")
    def _labels_differ(self) -> "ModelInfo":
        values = [value for label in self.labels for value in label.values]
        if len(self.labels) > 1 and not all(label.values for label in self.labels):
            raise ValueError("each of several labels needs the values of the label maps that it stands for")
        if len(set(values)) < len(values) or min(values, default=1) < 1:
            raise ValueError("the values of the labels must be greater than 0 and differ from each other")
        if len({label.name for label in self.labels}) < len(self.labels):
            raise ValueError("the labels must have different names")
        return self


MOST_PARTLY_LABELLED = 6
"""So many labels a model may have whose data sets do not all label them: as many bits a voxel has for that."""


class Config(StrictModel):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    plane: Literal["sagittal", "coronal", "axial"]
    model_info: ModelInfo
    differences: tuple[str, ...] = ()
    """What is different from the publication whose experiment this repeats: sentences that its report shows."""
    data: Data
    input: Input = Input()
    each_label_alone: bool = False
    """Each label has a sigmoid of its own instead of a softmax over all and the background. Always so where a data set
    does not label all of them."""
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
    quality_exponent: float = Field(1.0, gt=0)
    """Of the packaged model: makes the measured Dice of a body of the one that its probabilities promise."""
    postprocessing: PostprocessingSpec = PostprocessingSpec()
    """The defaults that the package carries."""

    @property
    def activation(self) -> Literal["sigmoid", "softmax"]:
        """What makes probabilities of the network's output: softmax with a background channel for several labels."""
        partly = any(dataset.unlabelled for dataset in self.data.datasets)
        alone = self.each_label_alone or partly or len(self.model_info.labels) == 1
        return "sigmoid" if alone else "softmax"

    @property
    def classes(self) -> int:
        """Output channels of the network."""
        return len(self.model_info.labels) + (self.activation == "softmax")

    @model_validator(mode="after")
    def _parts_fit_together(self) -> "Config":
        try:
            check_family(self.network.family)
        except SpineError as error:
            raise ValueError(f"network.family: {str(error).removesuffix('.')}") from None
        if any(side % self.input.pad_multiple for side in self.training.crop):
            raise ValueError(f"training.crop must be multiples of input.pad_multiple ({self.input.pad_multiple})")
        if self.input.canvas not in (None, self.training.crop):
            raise ValueError("training.crop must be the same as input.canvas: a network tied to it is trained on it")
        if len(set(self.model_info.packaged_values)) < len(self.model_info.labels):
            raise ValueError("the labels of model_info need different values in the package: give value to each")
        for dataset in self.data.datasets:
            _check_values(dataset, self.model_info.labels)
        return self


def _check_values(dataset: Dataset, labels: tuple[Label, ...]) -> None:
    names = [label.name for label in labels]
    if strange := sorted(set(dataset.unlabelled) - set(names)):
        raise ValueError(
            f'unlabelled of the data set "{dataset.name}" names "{strange[0]}", which is no label of model_info: '
            f"{suggestion(strange[0], names)}"
        )
    if dataset.unlabelled and len(labels) > MOST_PARTLY_LABELLED:
        raise ValueError(f"unlabelled is for models with up to {MOST_PARTLY_LABELLED} labels")
    if unknown_labels := sorted(set(dataset.label_values) - set(names)):
        raise ValueError(
            f'label_values of the data set "{dataset.name}" name "{unknown_labels[0]}", which is no label of '
            f"model_info: {suggestion(unknown_labels[0], names)}"
        )
    values = [value for label in labels for value in dataset.values_of(label)]
    if len(set(values)) < len(values) or min(values, default=1) < 1:
        raise ValueError(
            f'the values of the labels in the data set "{dataset.name}" must be greater than 0 and differ from each '
            "other: give label_values to all labels that have others than model_info says"
        )


def load_config(source: str | Path, changes: dict[str, Any] | None = None) -> Config:
    """The configuration in a YAML file, or the preset of that name, with `changes` ("training.seed": 1) applied.

    Raises SpineError when the file is missing, is no YAML, or holds something that is no configuration.
    """
    path = find_settings(source)
    return parse_config(changed(read_settings(path), changes or {}), f'The configuration "{path}"')


def parse_config(content: dict[str, Any], name: str) -> Config:
    """The configuration with these settings; SpineError, which calls it `name`, where they are none."""
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        raise SpineError(f"{name} is wrong at {explain(error, Config)}.") from None


def save_config(config: Config, path: Path) -> None:
    """Write the resolved configuration, every default spelt out."""
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    with atomic(path) as aside:
        aside.write_text(text, "utf-8")


def find_settings(source: str | Path, folder: Path = Path()) -> Path:
    """The YAML file `source`, relative to `folder`, or the preset of that name."""
    path = folder / source
    return path if path.suffix or path.is_file() else PRESETS / f"{source}.yaml"


def read_settings(path: Path, _seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """What stands in a YAML file and in those that it names as `base`. Raises SpineError where one cannot be used."""
    if path.resolve() in _seen:
        raise SpineError(f'The configuration "{path}" is its own base: remove a "base:" line.')
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        presets = [preset.relative_to(PRESETS).with_suffix("").as_posix() for preset in PRESETS.rglob("*.yaml")]
        raise SpineError(
            f'There is no configuration "{path}": give a YAML file or the name of a preset, '
            f"{suggestion(path.stem, presets)}."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise SpineError(f'The configuration "{path}" cannot be read: {" ".join(str(error).split())}') from None
    if not isinstance(content, dict):
        raise SpineError(f'The configuration "{path}" is not a list of settings ("name: value").')
    return _on_bases(content, path, (*_seen, path.resolve()))


def _on_bases(section: dict[str, Any], path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    bases = section.get("base", [])
    result: dict[str, Any] = {}
    for base in [bases] if isinstance(bases, str) else bases:
        result = merged(result, read_settings(find_settings(base, path.parent), seen))
    own = {
        key: _on_bases(value, path, seen) if isinstance(value, dict) else value
        for key, value in section.items()
        if key != "base"
    }
    return merged(result, own)


def changed(content: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`content` with `changes` ("training.seed": 1) applied."""
    for key, value in changes.items():
        content = merged(content, _nested(key.split("."), value))
    return content


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`base` with the entries of `over`, section by section."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def _nested(keys: list[str], value: Any) -> dict[str, Any]:
    return {keys[0]: value if len(keys) == 1 else _nested(keys[1:], value)}
