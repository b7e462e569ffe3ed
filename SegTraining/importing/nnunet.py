"""From a results folder of nnU-Net v2 to model packages: one of each fold, which together are a set."""

import datetime
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from SpineInference.errors import SpineError
from SpineInference.models.model_package import ModelPackage
from SpineInference.models.package_files import atomic_folder
from SpineInference.networks import build

from ..export.model_card import model_card
from ..export.onnx_export import export_package
from .loading import load_strictly
from .model_info import label_fields, merged_info
from .nnunet_plans import channel_of, configuration_of, input_of, labels_of, network_of, orientation_of_plans
from .nnunet_results import Fold, Results
from .nnunet_weights import renamed

FAMILY = "nnunet"


def import_nnunet(
    results: Results,
    output: Path,
    orientation: str | None = None,
    mirroring: bool = False,
    info: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> list[ModelPackage]:
    """Write the package of each fold of `results` to `output`, or to folders in it where there are several.

    `orientation`: in which the training images are stored (where x, y and z grow, such as "LPS"), unless nnU-Net has
    turned them itself. `mirroring`: whether the packages average over mirrored slices, as nnU-Net does by default.
    `info` replaces what nnU-Net says of the model, as the section model_info of a configuration. Raises SpineError,
    before anything is written, for what no package can represent.
    """
    first = results.read_fold(results.folds[0])
    try:
        fields = _fields(results, first, orientation, info or {}, name)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ZeroDivisionError) as error:
        raise SpineError(f'The plans.json in "{results.folder}" is not understood ({error!r}).') from None
    if mirroring and not first.mirrored:
        raise SpineError(f'"{results.folder}" was trained without mirrored slices: leave out --mirroring.')
    if mirroring:
        fields["network"]["arguments"]["mirror"] = [("rows", "cols")[axis] for axis in sorted(first.mirrored)]
    if len(results.folds) == 1:
        return [_export(results, first, fields, output)]
    with atomic_folder(output) as folder:
        for fold in results.folds:
            trained = first if fold == first.name else results.read_fold(fold)
            _export(results, trained, fields | {"name": f"{fields['name']}-fold-{fold}"}, folder / f"fold-{fold}")
    return [ModelPackage.open(output / f"fold-{fold}") for fold in results.folds]


def _fields(
    results: Results, fold: Fold, orientation: str | None, info: Mapping[str, Any], name: str | None
) -> dict[str, Any]:
    """Of the manifest, all but what differs from fold to fold."""
    plans, dataset = results.plans, results.dataset
    configuration = configuration_of(plans, fold.configuration)
    channel, values = channel_of(dataset), labels_of(dataset)
    plane, slices = orientation_of_plans(plans, orientation)
    called = str(plans.get("dataset_name", results.folder.resolve().parent.name))
    told = merged_info(
        {
            "title": f"{called}, nnU-Net",
            "description": f"The configuration {fold.configuration} of nnU-Net, trained on {called}.",
            "anatomy": "spine",
            "modality": channel,
            "licence": "not told: ask whoever has trained it",
            "data_statement": f"{called}: {dataset.get('numTraining', 'an unknown number of')} images.",
        },
        values,
        info,
    )
    return {
        "name": name or re.sub(r"[^a-z0-9.-]+", "-", f"{called}-nnunet-{plane}".lower()).strip("-."),
        "title": told.title,
        "description": told.description,
        "task": "segmentation",
        "anatomy": told.anatomy,
        "modality": told.modality,
        "plane": plane,
        "labels": label_fields(told),
        "input": input_of(plans, configuration, slices),
        "network": {"family": FAMILY, "arguments": network_of(configuration)},
        "output": {"activation": "softmax"},
        "postprocessing": {"fill_holes": False},
        "training": {"data": told.data_statement, "recipe": "", "date": "", "details": {}},
        "licence": told.licence,
    }


def _export(results: Results, fold: Fold, fields: dict[str, Any], folder: Path) -> ModelPackage:
    arguments = fields["network"]["arguments"]
    network = build(FAMILY, 1, len(fields["labels"]) + 1, **arguments)
    weights = renamed(fold.weights, levels=len(arguments["filters"]))
    load_strictly(network, weights, f"Fold {fold.name}, trained by {fold.trainer},")
    written = (results.folder / f"fold_{fold.name}" / results.checkpoint).stat().st_mtime
    training = fields["training"] | {
        "recipe": f"nnU-Net v2, {fold.trainer}, configuration {fold.configuration}, fold {fold.name}",
        "date": datetime.date.fromtimestamp(written).isoformat(),
        "details": {"nnunet": {"trainer": fold.trainer, "fold": fold.name, "epochs": fold.epochs}},
    }
    return export_package(network, fields | {"training": training}, folder, card=model_card)
