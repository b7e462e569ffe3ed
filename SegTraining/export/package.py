"""From a run folder to a model package, with everything about its making in the manifest."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors.torch

from SpineInference.errors import SpineError
from SpineInference.models.model_package import ModelPackage
from SpineInference.networks import architecture, build
from SpineInference.specs import IntensityRule

from ..config.config import Config, load_config
from ..config.data import THESIS_RULE
from ..training.callbacks import RESULT, WEIGHTS
from .model_card import model_card
from .onnx_export import export_package


def package(run_folder: Path, output: Path, metrics: Mapping[str, Any] | None = None) -> ModelPackage:
    """Write the best weights of the run as a package to `output`.

    `metrics` are what an evaluation has measured (`evaluation.manifest_metrics`); they go into the manifest. Raises
    SpineError for a folder that holds no finished run.
    """
    config = load_config(run_folder / "config.yaml")
    result, data = (_read_json(run_folder / name) for name in (RESULT, "fingerprint.json"))
    spec = config.input
    network = build(config.network.family, spec.channels, config.classes, **architecture(config.network.arguments))
    try:
        network.load_state_dict(safetensors.torch.load_file(run_folder / WEIGHTS))
    except (OSError, RuntimeError) as error:
        raise SpineError(f'The weights of "{run_folder}" cannot be used: {str(error).splitlines()[0]}') from None
    fields = {
        "name": config.name,
        "title": config.model_info.title,
        "description": config.model_info.description,
        "task": "segmentation",
        "anatomy": config.model_info.anatomy,
        "modality": config.model_info.modality,
        "plane": config.plane,
        "labels": [
            {"value": value, **label.model_dump(mode="json", exclude={"values", "value"})}
            for value, label in zip(config.model_info.packaged_values, config.model_info.labels, strict=True)
        ],
        "input": {
            "context_slices": spec.context_slices,
            "spacing_mm": spec.spacing_mm,
            "intensity": asdict(_intensity(spec.intensity)),
            "pad_multiple": spec.pad_multiple,
            "canvas": spec.canvas,
            "bias_correction": spec.bias_correction,
        },
        "network": config.network.model_dump(mode="json"),
        "output": {
            "activation": config.activation,
            "threshold": config.threshold,
            "quality_exponent": config.quality_exponent,
        },
        "postprocessing": asdict(config.postprocessing),
        "training": {
            "data": config.model_info.data_statement,
            "recipe": f"configuration {config.name} of SegTraining",
            "date": result["date"],
            "seed": config.training.seed,
            "details": {
                "training_cases": data["training_cases"],
                "validation_cases": data["validation_cases"],
                "test_cases": data["test_cases"],
                "steps": result["step"],
                "minutes": result["minutes"],
                "config": config.model_dump(mode="json", include={"augmentation", "loss", "optimiser", "schedule"}),
                **_fine_tuning(config, data),
            },
        },
        "licence": config.model_info.licence,
        "metrics": {"validation_dice_raw_network": result["validation_dice"], **(metrics or {})},
    }
    return export_package(network, fields, output, card=model_card)


def _fine_tuning(config: Config, fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """Of a fine-tuned run what it started from. The path of that is of no use to anyone else."""
    if config.fine_tuning is None:
        return {}
    start = fingerprint.get("fine_tuning") or {"model": Path(config.fine_tuning.package).name}
    return {"fine_tuning": {**start, "freeze_encoder": config.fine_tuning.freeze_encoder}}


def _intensity(rule: IntensityRule) -> IntensityRule:
    """What the thesis's rule comes to without the reference mask: its last step undoes those before (`prepare`)."""
    return IntensityRule("minmax") if rule.rule == THESIS_RULE else rule


def _read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        raise SpineError(f'"{path}" cannot be read: give a folder that "segtraining train" has finished.') from None
