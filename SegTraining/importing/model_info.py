"""What a package of an imported network tells a person: what its makers have written, and what the user adds."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from SpineInference.errors import SpineError

from ..config.config import ModelInfo
from ..config.errors import explain, suggestion


def merged_info(known: Mapping[str, Any], values: Mapping[str, int], told: Mapping[str, Any]) -> ModelInfo:
    """`known`, with what the section model_info of a configuration would say (`told`) in its place.

    `values` are those of the labels by name; labels that are `told` are given their codes and colours by these names.
    Raises SpineError for settings and labels that do not exist.
    """
    labels = {name: {"name": name, "values": [value]} for name, value in values.items()}
    given = told.get("labels", [])
    for label in given if isinstance(given, list) else []:
        name = label.get("name") if isinstance(label, dict) else None
        if name not in labels:
            raise SpineError(f'The network has no label "{name}": {suggestion(str(name), labels)}.')
        labels[name] |= {key: value for key, value in label.items() if key != "values"}
    try:
        return ModelInfo.model_validate({**known, **told, "labels": list(labels.values())})
    except ValidationError as error:
        raise SpineError(f"What is told of the model is wrong at {explain(error, ModelInfo)}.") from None


def label_fields(info: ModelInfo) -> list[dict[str, Any]]:
    """The labels as a manifest has them; each stands for one value."""
    return [
        {"value": label.value or label.values[0], **label.model_dump(mode="json", exclude={"values", "value"})}
        for label in info.labels
    ]
