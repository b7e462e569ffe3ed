"""An experiment: one YAML file that stands for many training configurations.

    name: thesis-grid
    configuration: {...}                       # what all runs have in common
    axes:                                      # one run for each combination
      network: {unet: {...}, fpn: {...}}       # its name, and the settings that it changes
      correction: {raw: {}, n4: {input: {bias_correction: true}}}
    exclude: [{network: fpn, correction: n4}]  # combinations that are left out
    extra_runs: {custom-v1: {...}}             # runs beside them
    prerequisites: {pretrained: {...}}         # made first, for others: "{prerequisites}/pretrained/..."

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

PREREQUISITES = "{prerequisites}"
"""In a text of a configuration: the folder of the prerequisites."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]
Changes = dict[str, Any]


class Resources(StrictModel):
    """What each run takes of a node of a cluster; of no meaning on one's own computer."""

    cpus: int = Field(1, ge=1)
    gpus: int = Field(0, ge=0)
    memory_gb: float = Field(4.0, gt=0)


class Experiment(StrictModel):
    name: Name
    configuration: Changes
    axes: dict[str, dict[Name, Changes]] = {}
    exclude: tuple[dict[str, str], ...] = ()
    extra_runs: dict[Name, Changes] = {}
    prerequisites: dict[Name, Changes] = {}
    evaluate: tuple[Literal["training", "validation", "test"], ...] = ("test",)
    """On whose cases every network is evaluated after its training; `prerequisites` are not."""
    resources: Resources = Resources()

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
            raise ValueError("there is no run: give axes, or extra_runs")
        return self

    def combinations(self) -> list[tuple[str, list[Changes]]]:
        """The name of each run, and what it changes in `configuration`, in this order; without `prerequisites`."""
        runs = []
        for values in product(*self.axes.values()) if self.axes else ():
            chosen = dict(zip(self.axes, values, strict=True))
            if not any(excluded.items() <= chosen.items() for excluded in self.exclude):
                runs.append(("-".join(values), [self.axes[axis][value] for axis, value in chosen.items()]))
        return runs + [(name, [changes]) for name, changes in self.extra_runs.items()]


@dataclass(frozen=True)
class ExperimentRun:
    """One run of an experiment; others may build upon a `prerequisite`."""

    name: str
    config: Config
    prerequisite: bool


def load_experiment(source: str | Path) -> Experiment:
    """The experiment in a YAML file, or the preset of that name. Raises SpineError where it is none."""
    path = find_settings(source)
    try:
        return Experiment.model_validate(read_settings(path))
    except ValidationError as error:
        raise SpineError(f'The experiment "{path}" is wrong at {explain(error, Experiment)}.') from None


def expand(experiment: Experiment, prerequisites_folder: Path, changes: Changes | None = None) -> list[ExperimentRun]:
    """All runs with their resolved configurations, `prerequisites` (into `prerequisites_folder`) at the beginning.

    `changes` ("training.seed": 1) go over every configuration. Raises SpineError for one that is none, with its name.
    """

    def run(name: str, parts: list[Changes], prerequisite: bool) -> ExperimentRun:
        content = experiment.configuration
        for part in parts:
            content = merged(content, part)
        content = changed(content, {"name": f"{experiment.name}-{name}", **(changes or {})})
        config = parse_config(_filled(content, str(prerequisites_folder)), f'The run "{name}" of {experiment.name}')
        return ExperimentRun(name, config, prerequisite)

    return [
        *(run(name, [part], True) for name, part in experiment.prerequisites.items()),
        *(run(name, parts, False) for name, parts in experiment.combinations()),
    ]


def _filled(content: Any, prerequisites_folder: str) -> Any:
    """`content` with every placeholder for `prerequisites_folder` filled in."""
    if isinstance(content, dict):
        return {key: _filled(value, prerequisites_folder) for key, value in content.items()}
    if isinstance(content, list):
        return [_filled(value, prerequisites_folder) for value in content]
    return content.replace(PREREQUISITES, prerequisites_folder) if isinstance(content, str) else content
