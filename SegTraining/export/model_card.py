"""The model card: what a person should know of a model before using it, made of its manifest alone."""

from collections.abc import Iterable
from typing import Any

from SpineInference.measuring.intervals import LEAST_PATIENTS, interval_of
from SpineInference.models.manifest import Manifest
from SpineInference.prediction.planes import TOO_COARSE


def model_card(manifest: Manifest) -> str:
    """The README.md of the package of `manifest`, in Markdown."""
    sections = {
        "Intended use": _use(manifest),
        "Labels": _labels(manifest),
        "Training data": _data(manifest),
        "How good it is": _metrics(manifest.metrics),
        "Where it fails": _failures(manifest),
        "How to use it": _how_to(manifest),
        "Limits": _limits(manifest),
        "Licence": manifest.licence,
    }
    parts = [f"# {manifest.title}", manifest.description]
    parts += [f"## {title}\n\n{text}" for title, text in sections.items() if text]
    return "\n\n".join(part for part in parts if part) + "\n"


def _use(manifest: Manifest) -> str:
    spec, encoder = manifest.input, manifest.network.arguments.get("encoder")
    network = f"{manifest.network.family} with encoder {encoder}" if encoder else manifest.network.family
    neighbours = f", each with {spec.context_slices} neighbours on both sides" if spec.context_slices else ""
    return (
        f"Finds {_names(manifest)} in {manifest.modality} images of the {manifest.anatomy}, for research. "
        f"A 2D network ({network}) looks at {manifest.plane} slices with pixels of {spec.spacing_mm:g} mm{neighbours}; "
        "together with the models of the other planes it is more reliable than alone."
    )


def _names(manifest: Manifest) -> str:
    return ", ".join(label.name for label in manifest.labels)


def _labels(manifest: Manifest) -> str:
    return _table(
        ("value", "name", "SNOMED CT", "colour"),
        [
            (x.value, x.name, f"{x.code} ({x.meaning})", "#{:02x}{:02x}{:02x}".format(*x.colour))
            for x in manifest.labels
        ],
    )


def _data(manifest: Manifest) -> str:
    statement, details = manifest.training, manifest.training.details
    parts = [statement.data]
    if start := details.get("fine_tuning"):
        weights = f" (SHA-256 of its weights {start['sha256']})" if "sha256" in start else ""
        origin = f" Licence of that model: {start['licence']}. Its training data: {start['data']}" if weights else ""
        parts.append(f"Fine-tuned: the training started from the model {start['model']}{weights}.{origin}")
    if cases := details.get("training_cases"):
        parts.append(_table(("data set", "cases trained on"), [(name, len(names)) for name, names in cases.items()]))
        validation, test = (len(details.get(part, ())) for part in ("validation_cases", "test_cases"))
        parts.append(f"Cases kept aside: {validation} to choose the best weights with, {test} to test them on.")
    parts.append(f"Recipe: {statement.recipe}, {statement.date}.")
    return "\n\n".join(parts)


def _metrics(metrics: dict[str, Any]) -> str:
    parts = []
    if rows := metrics.get("evaluation"):
        columns = ("data set", "planes", "label", "cases", "Dice (95 % interval or range)", "NSD", "HD95 mm", "ASSD mm")
        parts.append("Whole volumes through the program's own pipeline, cases that were not trained on:")
        parts.append(_table(columns, [_result(row) for row in rows]))
        parts.append(
            "NSD is the normalised surface Dice at 1 mm, HD95 the 95th percentile of the Hausdorff distance, ASSD the "
            "mean distance of the surfaces. Intervals are of the mean, bootstrapped over the patients; of fewer than "
            f"{LEAST_PATIENTS} patients the smallest and the largest value are given."
        )
        parts += _gain(metrics.get("before_fine_tuning", ()))
    else:
        parts.append("It has not been evaluated on test cases.")
    if (dice := metrics.get("validation_dice_raw_network")) is not None:
        parts.append(
            f"On the validation cases the network alone, without post-processing, reached a Dice of {dice:.4f}."
        )
    return "\n\n".join(parts)


def _gain(before: Iterable[dict[str, Any]]) -> list[str]:
    """What the models that a fine-tuned one started from reached on the same cases."""
    dice = [f"{row['dice']:.3f} ({row['dataset']}, {row['planes']})" for row in before if row.get("dice") is not None]
    return [f"Before the fine-tuning, Dice on the same cases: {', '.join(dice)}."] if dice else []


def _failures(manifest: Manifest) -> str:
    """Single bodies, of the fused planes or of its own: by level, and the worst ones; empty where none is known."""
    if not (rows := manifest.metrics.get("levels")):
        return ""
    planes = next((row["planes"] for row in rows if row["planes"] != manifest.plane), manifest.plane)
    by_level, worst = (
        [row for row in manifest.metrics[key] if row["planes"] == planes] for key in ("levels", "worst_bodies")
    )
    return "\n\n".join(
        [
            f"Body by body, {planes}; a body that was missed counts 0:",
            _table(
                ("level", "bodies", "found", "mean Dice"),
                [(row["level"], row["bodies"], row["found"], _number(row["dice"], 3)) for row in by_level],
            ),
            "The worst ones:",
            _table(
                ("data set", "case", "level", "Dice"),
                [
                    (row["dataset"], row["case"], row["level"], _number(row["dice"], 3) if row["dice"] else "missed")
                    for row in worst
                ],
            ),
        ]
    )


def _result(row: dict[str, Any]) -> tuple[str, ...]:
    dice = _number(row.get("dice"), 3)
    if interval := interval_of(row):
        dice += f" ({interval.text(3)})"
    distances = (_number(row.get(name), 2) for name in ("hd95_mm", "assd_mm"))
    named = (str(row.get(key, "")) for key in ("dataset", "planes", "label", "cases"))
    return (*named, dice, _number(row.get("nsd"), 3), *distances)


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _how_to(manifest: Manifest) -> str:
    command = "spine-segment SCAN -o RESULTS --model FOLDER-OF-THIS-FILE"
    return (
        f"```\n{command}\n```\n\nOr import the folder in the panel of the 3D Slicer module. A folder that holds the "
        f"models of several planes, each in its own folder, is used as one model whose planes are fused."
    )


def _limits(manifest: Manifest) -> str:
    coarse = TOO_COARSE * manifest.input.spacing_mm
    return "\n".join(
        [
            "- Not a medical device: not for diagnosis or treatment. Every result has to be looked at.",
            "- How good it is on anything but the data above is not known: in another part of the body than the "
            f"{manifest.anatomy}, with another contrast, scanner or disease.",
            f"- Where the pixels of the {manifest.plane} plane are larger than {coarse:g} mm, that plane is left out "
            "unless it is asked for.",
        ]
    )


def _table(header: Iterable[Any], rows: Iterable[Iterable[Any]]) -> str:
    header = tuple(header)
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
