"""Run folders as training and evaluation leave them, written by hand in milliseconds."""

import json
from pathlib import Path

import numpy as np
import yaml

from SegTraining.evaluation.bodies import BodyCount
from SegTraining.evaluation.examples import Examples
from SegTraining.evaluation.metrics import Score, score_slices
from SegTraining.evaluation.output import CASES, EXAMPLES, NETWORK, SLICES, SUMMARY, write_csv
from SegTraining.evaluation.references import Reference
from SegTraining.evaluation.summary import Row, summaries
from SegTraining.reporting.activation_maps import NetworkPictures, write_network_pictures


def write_run(folder: Path, family: str, plane: str = "sagittal", corrected: bool = False, **arguments) -> Path:
    """A run folder of three epochs; the second one was the best. `arguments` are those of the network."""
    folder.mkdir(parents=True)
    config = {
        "name": folder.name,
        "plane": plane,
        "input": {"bias_correction": corrected},
        "network": {"family": family, "arguments": arguments},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config), "utf-8")
    dice = (0.7, 0.8, 0.79)
    epochs = [
        {"epoch": n, "loss": 1 / n, "validation_loss": 1.1 / n, "validation_dice": d, "dice a": d - 0.1}
        for n, d in enumerate(dice, start=1)
    ]
    write_csv(epochs, folder / "metrics.csv")
    result = {"epoch": 2, "step": 500, "minutes": 3.0, "validation_dice": 0.8, "dice": {"a": 0.7}}
    (folder / "result.json").write_text(json.dumps(result), "utf-8")
    write_training_cases(folder, "Dataset001_Blocks", 12)
    return folder


def everything_judged(classes: np.ndarray) -> Reference:
    return Reference(classes, classes, np.zeros(classes.shape, bool), slice(0, len(classes)), (1.0, 1.0, 1.0))


def write_training_cases(folder: Path, dataset: str, count: int) -> None:
    fingerprint = {"training_cases": {dataset: [f"case{n}" for n in range(count)]}}
    (folder / "fingerprint.json").write_text(json.dumps(fingerprint), "utf-8")


def write_evaluation(
    run: Path, dice: list[float | None], split: str = "test", planes: str = "sagittal", label: str = "Body"
) -> Path:
    """The scores of one case for each value of `dice`, with pictures of a body that was found, shifted, in the last."""
    folder = run / "evaluation" / split
    folder.mkdir(parents=True)
    rows = [
        Row(f"case{n}", f"patient{n}", "A", planes, label, 1.0, Score(dice=d, iou=d), BodyCount(5, 5, 0, d))
        for n, d in enumerate(dice)
    ]
    summary = {"model": "by hand", "results": summaries(rows)}
    (folder / SUMMARY).write_text(json.dumps(summary), "utf-8")
    write_csv([row.as_dict() for row in rows], folder / CASES)
    reference = np.zeros((40, 40, 20), np.uint8)
    reference[10:30, 10:30, 5:15] = 1
    prediction, truth = np.roll(reference, 4, axis=1), everything_judged(reference)
    slices = score_slices(prediction, truth, ("sagittal",))
    place = {"case": rows[-1].case, "planes": planes, "label": label}
    write_csv([place | s.__dict__ for s in slices], folder / SLICES)
    examples, image = Examples(), np.random.default_rng(0).normal(size=reference.shape)
    examples.add(rows[-1].case, planes, "sagittal", image, prediction, truth)
    examples.write(folder / EXAMPLES)
    network = NetworkPictures(
        "sagittal",
        "case0",
        np.ones((18, 3, 3), np.float32),
        image[0],
        {"first": image[:8], "last": image[:3, ::2, ::2]},
    )
    write_network_pictures(network, folder / NETWORK.format(plane="sagittal"))
    return folder
