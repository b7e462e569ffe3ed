"""Reads what runs have left on disk. Nothing is computed again, so a report needs neither the data nor torch."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import mean
from typing import Any

import yaml

from SpineInference.errors import SpineError

from ..evaluation.examples import Example, read_examples
from ..evaluation.output import CASES, EXAMPLES, NETWORK, SLICES, SUMMARY
from ..evaluation.summary import ALL
from .activation_maps import NetworkPictures, read_network_pictures

ARCHITECTURES = {"unet": "U-Net", "fpn": "FPN", "linknet": "Linknet", "pspnet": "PSPNet"}
ENCODERS = {"resnet50": "ResNet-50", "inceptionv4": "Inception-v4"}
RANDOM = "Random"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One output folder of `evaluate`. `name` is that of the split or data set."""

    name: str
    folder: Path
    summary: dict[str, Any] = field(repr=False)

    @property
    def results(self) -> list[dict[str, Any]]:
        """The summaries over all data sets, one for each choice of planes and label."""
        results = self.summary["results"]
        pooled = [result for result in results if result["dataset"] == ALL]
        return pooled or results

    def result(self, planes: str, label: str | None = None) -> dict[str, Any] | None:
        """Of these, that with `planes` and `label`; without a label, of all labels together."""
        found = [result for result in self.results if result["planes"] == planes]
        wanted = label or (ALL if len(found) > 1 else None)
        return next((result for result in found if wanted in (None, result["label"])), None)

    @cached_property
    def cases(self) -> list[dict[str, str]]:
        return _rows(self.folder / CASES)

    @cached_property
    def slices(self) -> list[dict[str, str]]:
        return _rows(self.folder / SLICES)

    def examples(self) -> list[Example]:
        return read_examples(self.folder / EXAMPLES)

    def networks(self) -> list[NetworkPictures]:
        return [read_network_pictures(path) for path in sorted(self.folder.glob(NETWORK.format(plane="*")))]

    def dice_of_cases(self, planes: str, label: str) -> dict[str, float | None]:
        """By case; for `ALL` labels their mean."""
        values: dict[str, list[float | None]] = {}
        for row in self.cases:
            if row["planes"] == planes and label in (ALL, row["label"]):
                values.setdefault(row["case"], []).append(number(row["dice"]))
        known = {case: [value for value in found if value is not None] for case, found in values.items()}
        return {case: mean(found) if found else None for case, found in known.items()}

    @property
    def patient_of(self) -> dict[str, str]:
        return {row["case"]: f"{row['dataset']} {row['patient']}" for row in self.cases}


@dataclass(frozen=True, eq=False)
class RunRecord:
    """One run folder, or one output folder of `evaluate` without a run (then `config` and `epochs` are empty)."""

    name: str
    folder: Path
    config: dict[str, Any] = field(repr=False)
    result: dict[str, Any] = field(repr=False)
    fingerprint: dict[str, Any] = field(repr=False)
    epochs: list[dict[str, str]] = field(repr=False)
    evaluations: dict[str, Evaluation] = field(repr=False)

    @property
    def plane(self) -> str | None:
        return self.config.get("plane")

    @property
    def of_single_images(self) -> bool:
        """Whether its data are radiographs or the like, which have no planes."""
        datasets = self.config.get("data", {}).get("datasets", [])
        return bool(datasets) and all(dataset.get("layout") == "images2d" for dataset in datasets)

    @property
    def family(self) -> str | None:
        return self.config.get("network", {}).get("family")

    @property
    def differences(self) -> list[str]:
        """Sentences: what is not as in the publication whose experiment it repeats."""
        return list(self.config.get("differences", ()))

    @property
    def corrected(self) -> bool:
        """Whether the bias field was corrected."""
        return bool(self.config.get("input", {}).get("bias_correction"))

    @property
    def start(self) -> str:
        """The model that was fine-tuned, the encoder whose pretrained weights training started from, or `RANDOM`."""
        if tuning := self.config.get("fine_tuning"):
            told = self.fingerprint.get("fine_tuning") or {"model": Path(tuning["package"]).name}
            return f"fine-tuned from {told['model']}"
        arguments = self.config.get("network", {}).get("arguments", {})
        if arguments.get("encoder_weights") is None:
            return RANDOM
        return ENCODERS.get(arguments.get("encoder"), str(arguments.get("encoder")))

    @property
    def weights_file(self) -> str | None:
        """The file that the encoder started from, with its folder; None for a random start, published weights and
        fine-tuning."""
        if self.config.get("fine_tuning"):
            return None
        path = Path(self.config.get("network", {}).get("arguments", {}).get("encoder_weights") or "")
        return f"{path.parent.name}/{path.name}".lstrip("/") if path.suffix else None

    @property
    def network(self) -> str:
        """For people: the family and its encoder."""
        arguments = self.config.get("network", {}).get("arguments", {})
        name = ARCHITECTURES.get(self.family, self.family or "")
        encoder = arguments.get("encoder")
        return f"{name}, {ENCODERS.get(encoder, encoder)}" if encoder else name

    @property
    def training_cases(self) -> int | None:
        names = self.fingerprint.get("training_cases")
        return None if names is None else sum(len(cases) for cases in names.values())

    @property
    def validation_dice(self) -> float | None:
        """Of whole validation cases if they were evaluated, else what training has measured on the raw network."""
        evaluated = self.dice("validation")
        return self.result.get("validation_dice") if evaluated is None else evaluated

    def dice(self, split: str) -> float | None:
        """Mean over the cases of `split` with the run's own plane, None where it was not evaluated."""
        evaluation = self.evaluations.get(split)
        result = evaluation.result(self.plane) if evaluation is not None and self.plane else None
        return None if result is None else result["dice"]

    @property
    def validation_loss(self) -> float | None:
        """Of the epoch whose weights were kept, where the training has measured it."""
        kept = next((row for row in self.epochs if int(row["epoch"]) == self.result.get("epoch")), {})
        return number(kept.get("validation_loss"))


def evaluation_rows(runs: list[RunRecord]) -> Iterator[tuple[str, Evaluation, dict[str, Any]]]:
    """Everything that was scored: its name for people, the evaluation, and the summary over all data sets.

    The name tells the planes unless they are the run's own, and the label where there are several.
    """
    for run in runs:
        for evaluation in run.evaluations.values():
            several = len({result["label"] for result in evaluation.results}) > 1
            for result in evaluation.results:
                planes = [] if result["planes"] == run.plane else [result["planes"]]
                label = [result["label"]] if several else []
                yield ", ".join([run.name, *planes, *label]), evaluation, result


def number(text: str | None) -> float | None:
    """A field of a CSV file as a number; None for an empty one."""
    return float(text) if text else None


def read_runs(folders: list[Path]) -> list[RunRecord]:
    """One record for each folder. Raises SpineError for a folder that holds neither a run nor an evaluation."""
    runs = []
    for folder in folders:
        run = _read_run(folder)
        taken = {other.name for other in runs}
        if run.name in taken:
            run = replace(run, name=f"{folder.resolve().parent.name}/{run.name}")
        runs.append(run)
    return runs


def _read_run(folder: Path) -> RunRecord:
    evaluations = [*(folder / "evaluation").glob(f"*/{SUMMARY}"), *folder.glob(SUMMARY)]
    if not evaluations and not (folder / "config.yaml").exists():
        raise SpineError(f'"{folder}" holds neither a run nor an evaluation: give the folder of "segtraining train".')
    try:
        config = yaml.safe_load((folder / "config.yaml").read_text("utf-8"))
    except FileNotFoundError:
        config = {}
    return RunRecord(
        folder.resolve().name,
        folder,
        config,
        _json(folder / "result.json"),
        _json(folder / "fingerprint.json"),
        _rows(folder / "metrics.csv"),
        {path.parent.name: Evaluation(path.parent.name, path.parent, _json(path)) for path in sorted(evaluations)},
    )


def _rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file, every value a text; none where there is no such file."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        return []


def _json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SpineError(f'"{path}" cannot be read ({error}): evaluate or train that run again.') from None
