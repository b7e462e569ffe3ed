"""An experiment: one YAML file that stands for many training configurations.

    name: thesis-grid
    configuration: {...}                       # what all runs have in common
    axes:                                      # one run for each combination
      network: {unet: {...}, fpn: {...}}       # its name, and the settings that it changes
      correction: {raw: {}, n4: {input: {bias_correction: true}}}
    exclude: [{network: fpn, correction: n4}]  # combinations that are left out
    also: {custom-v1: {...}}                   # runs beside them
    first: {pretrained: {...}}                 # runs that others build upon, with "{first}/pretrained/..."

A smaller version is a second file with `base: LARGE.yaml` and what differs, section by section (see `config`).
"""

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError, model_validator

from SpineInference.errors import SpineError

from .augmentation import StrictModel
from .config import Config, changed, find_settings, merged, parse_config, read_settings
from .errors import explain, suggestion

FIRST = "{first}"
"""In a text of a configuration: the folder of the runs that are made first."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]
Changes = dict[str, Any]


class Wants(StrictModel):
    """What each run wants of the computer that it is given to; of no meaning on one's own computer."""

    cpus: int = Field(1, ge=1)
    gpus: int = Field(0, ge=0)
    memory_gb: float = Field(4.0, gt=0)


class Experiment(StrictModel):
    name: Name
    configuration: Changes
    axes: dict[str, dict[Name, Changes]] = {}
    exclude: tuple[dict[str, str], ...] = ()
    also: dict[Name, Changes] = {}
    first: dict[Name, Changes] = {}
    evaluate: tuple[Literal["training", "validation", "test"], ...] = ("test",)
    """On whose cases every network is evaluated after its training; those of `first` are not."""
    wants: Wants = Wants()

    @model_validator(mode="after")
    def _consistent(self) -> "Experiment":
        for number, excluded in enumerate(self.exclude):
            for axis, value in excluded.items():
                if axis not in self.axes:
                    raise ValueError(f'exclude.{number}: there is no axis "{axis}", {suggestion(axis, self.axes)}')
                if value not in self.axes[axis]:
                    raise ValueError(
                        f'exclude.{number}: the axis {axis} has no "{value}", {suggestion(value, self.axes[axis])}'
                    )
        names = [name for name, _ in self.combinations()]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f'two runs would be called "{twice}": change the name of one')
        if not names:
            raise ValueError("there is no run: give axes, or also")
        return self

    def combinations(self) -> list[tuple[str, list[Changes]]]:
        """The name of each run, and what it changes in `configuration`, in this order; not those of `first`."""
        runs = []
        for values in product(*self.axes.values()) if self.axes else ():
            chosen = dict(zip(self.axes, values, strict=True))
            if not any(excluded.items() <= chosen.items() for excluded in self.exclude):
                runs.append(("-".join(values), [self.axes[axis][value] for axis, value in chosen.items()]))
        return runs + [(name, [changes]) for name, changes in self.also.items()]


@dataclass(frozen=True)
class ExperimentRun:
    """One run of an experiment; `first` for those that others build upon."""

    name: str
    config: Config
    first: bool


def load_experiment(source: str | Path) -> Experiment:
    """The experiment in a YAML file, or the preset of that name. Raises SpineError where it is none."""
    path = find_settings(source)
    try:
        return Experiment.model_validate(read_settings(path))
    except ValidationError as error:
        raise SpineError(f'The experiment "{path}" is wrong at {explain(error, Experiment)}.') from None


def expand(experiment: Experiment, first_folder: Path, changes: Changes | None = None) -> list[ExperimentRun]:
    """All runs with their resolved configurations, those of `first` (into `first_folder`) at the beginning.

    `changes` ("training.seed": 1) go over every configuration. Raises SpineError for one that is none, with its name.
    """

    def run(name: str, parts: list[Changes], first: bool) -> ExperimentRun:
        content = experiment.configuration
        for part in parts:
            content = merged(content, part)
        content = changed(content, {"name": f"{experiment.name}-{name}", **(changes or {})})
        config = parse_config(_filled(content, str(first_folder)), f'The run "{name}" of {experiment.name}')
        return ExperimentRun(name, config, first)

    return [
        *(run(name, [part], True) for name, part in experiment.first.items()),
        *(run(name, parts, False) for name, parts in experiment.combinations()),
    ]


def _filled(content: Any, first_folder: str) -> Any:
    """`content` with every placeholder for `first_folder` filled in."""
    if isinstance(content, dict):
        return {key: _filled(value, first_folder) for key, value in content.items()}
    if isinstance(content, list):
        return [_filled(value, first_folder) for value in content]
    return content.replace(FIRST, first_folder) if isinstance(content, str) else content
