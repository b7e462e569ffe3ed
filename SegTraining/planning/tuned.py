"""The configuration that goes on from a model package: its network and input, with what new cases ask for."""

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from SpineInference.errors import SpineError
from SpineInference.models.manifest import Manifest
from SpineInference.models.model_package import ModelPackage
from SpineInference.specs import InputSpec

from ..config.config import Config, changed, parse_config
from ..config.data import Data, Input, Label
from .rules import augmentations, batch_size, crop, free_memory
from .survey import Survey

STEPS_PER_EPOCH = 25
EPOCHS = 12
LEARNING_RATE = 2e-4
"""A fifth of that of the presets: what the model can do already shall not be lost."""
_WHILE_TIME_LASTS = 1000


def tuned_config(
    package: ModelPackage,
    name: str,
    data: Data,
    labels: tuple[Label, ...],
    survey: Survey,
    epochs: int | None = None,
    minutes: float | None = None,
) -> Config:
    """A short training of `package` on `data`, of which there is a `survey`; none of its cases chooses weights.

    `labels` are those of the package with their values in label maps. Without `epochs` and `minutes` it takes
    `EPOCHS`. Raises SpineError for a package that slices are made for in a way that training does not know.
    """
    manifest = package.manifest
    spec = _input_of(manifest)
    sides = crop(survey, manifest.plane, manifest.input.spacing_mm).value
    sides = list(manifest.input.canvas or [_multiple(side, manifest.input.pad_multiple) for side in sides])
    cases = f"{len(survey.cases)} cases of {survey.patients} patients ({data.datasets[0].name})"
    content: dict[str, Any] = {
        "name": name,
        "plane": manifest.plane,
        "model_info": {
            "labels": [label.model_dump(mode="json") for label in labels],
            "title": f"{manifest.title}, fine-tuned",
            "description": manifest.description,
            "anatomy": manifest.anatomy,
            "modality": manifest.modality,
            "licence": manifest.licence,
            "data_statement": f"Fine-tuned with {cases}.",
        },
        "data": data.model_dump(mode="json"),
        "input": spec,
        "each_label_alone": manifest.output.activation == "sigmoid",
        "network": {"family": manifest.network.family, "arguments": manifest.network.arguments},
        "fine_tuning": {"package": str(_place(package))},
        "augmentation": {
            key: setting.value for key, setting in augmentations(survey, manifest.plane, spec["spacing_mm"]).items()
        },
        "optimiser": {"learning_rate": LEARNING_RATE},
        "schedule": {"warmup_steps": STEPS_PER_EPOCH},
        "training": {
            "crop": sides,
            "batch_size": _batch(sides, manifest),
            "steps_per_epoch": STEPS_PER_EPOCH,
            "max_epochs": epochs or (_WHILE_TIME_LASTS if minutes else EPOCHS),
            "max_minutes": minutes,
            "ema_decay": 0.98,
        },
        "threshold": manifest.output.threshold,
        "quality_exponent": manifest.output.quality_exponent,
        "postprocessing": asdict(manifest.postprocessing),
    }
    return parse_config(content, f'The fine-tuning of "{manifest.name}"')


def _input_of(manifest: Manifest) -> dict[str, Any]:
    told, known = asdict(manifest.input), Input.model_fields
    # What training does not know may be in a manifest only if it changes nothing.
    usual = {field.name: field.default for field in fields(InputSpec)}
    unknown = {key for key, value in told.items() if key not in known and value != usual[key]}
    if unknown:
        raise SpineError(
            f'The model "{manifest.name}" cannot be fine-tuned here: its slices are made with {min(unknown)}, which '
            "training does not know."
        )
    return {key: value for key, value in told.items() if key in known}


def _place(package: ModelPackage) -> Path:
    """What `fine_tuning.package` can name: within a zip nothing can be opened."""
    return (package.source if package.source.is_file() else package.path).resolve()


def _batch(sides: list[int], manifest: Manifest) -> int:
    arguments = manifest.network.arguments
    known = {"filters": arguments.get("filters"), "blocks": arguments.get("blocks")}
    if not all(known.values()):
        known = {"filters": [32, 64, 128, 256, 256], "blocks": [2, 2, 2, 2, 2]}
    return batch_size(sides, known, free_memory()).value


def _multiple(side: int, of: int) -> int:
    return -(-side // of) * of


def changed_config(config: Config, changes: dict[str, Any]) -> Config:
    """The configuration with changes like "training.seed": 1."""
    return parse_config(changed(config.model_dump(mode="json"), changes), f'The configuration "{config.name}"')
