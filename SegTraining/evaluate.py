"""Evaluates a set of models as a user will run it: whole volumes through the runtime's own pipeline."""

import csv
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from SpineInference.catalog import ModelSet, open_set
from SpineInference.errors import SpineError
from SpineInference.geometry import canonical, spacing_ipl
from SpineInference.options import Options
from SpineInference.pipeline import Engines, segment
from SpineInference.writing import atomic

from .datasets import Case
from .scoring import FUSED, Score, score, summarise


@dataclass(frozen=True)
class Row:
    """The score of one case with some planes: one plane's name, or `FUSED`."""

    case: str
    dataset: str
    planes: str
    seconds: float
    score: Score


def evaluate(
    models: str,
    cases: list[Case],
    output: Path,
    each_plane: bool,
    threads: int | None,
    restrict_to_spine: bool = True,
) -> dict:
    """Score `cases` with the fused planes and, if asked, with each plane alone; the summary, also printed.

    Without `restrict_to_spine` the whole volume is computed, to see what the saving costs.

    Writes `cases.csv` (one line per case and planes) and `summary.json` into `output`. Raises SpineError where
    there is nothing to evaluate or a case cannot be read.
    """
    if not cases:
        raise SpineError("There is no case to evaluate: name some with --cases, or another --split.")
    model_set = open_set(models)
    engines = Engines()
    options = Options(threads=threads, restrict_to_spine=restrict_to_spine)
    rows = []
    for number, case in enumerate(cases, start=1):
        for row in _evaluate_case(model_set, case, each_plane, options, engines):
            rows.append(row)
            shown = "-" if row.score.dice is None else f"{row.score.dice:.4f}"
            print(f"{number} of {len(cases)}: {case.name}, {row.planes}: Dice {shown}, {row.seconds:.1f} s", flush=True)
    summary = {
        "model": model_set.name,
        "packages": {p.manifest.name: p.manifest.files for p in model_set.packages},
        "cases": sorted(case.name for case in cases),
        "results": _summaries(rows),
    }
    output.mkdir(parents=True, exist_ok=True)
    _write_cases(rows, output / "cases.csv")
    with atomic(output / "summary.json") as path:
        path.write_text(json.dumps(summary, indent=1), "utf-8")
    print(_table(summary["results"]))
    return summary


def _evaluate_case(
    model_set: ModelSet, case: Case, each_plane: bool, options: Options, engines: Engines
) -> Iterator[Row]:
    image, labels = case.read()
    reference_image = canonical(labels)
    reference = sitk.GetArrayFromImage(reference_image)
    ignored = np.isin(reference, case.dataset.ignore_labels)
    reference[ignored] = 0
    planes = [package.manifest.plane for package in model_set.packages]
    runs: list[tuple[str, tuple[str, ...] | None]] = [(FUSED, None)]
    if len(planes) == 1:
        runs = [(planes[0], None)]
    elif each_plane:
        runs = [*((plane, (plane,)) for plane in planes), *runs]
    for name, chosen in runs:
        result = segment(image, model_set, replace(options, planes=chosen), engines=engines)
        prediction = sitk.GetArrayFromImage(canonical(result.labels))
        found = score(prediction, reference, ignored, spacing_ipl(reference_image), case.labels_are_instances)
        yield Row(case.name, case.dataset.name, name, sum(result.timings.values()), found)


def _summaries(rows: list[Row]) -> list[dict]:
    """One summary for each data set and each choice of planes."""
    groups: dict[tuple[str, str], list[Score]] = {}
    for row in rows:
        groups.setdefault((row.dataset, row.planes), []).append(row.score)
    return [{"dataset": dataset, "planes": planes, **summarise(scores)} for (dataset, planes), scores in groups.items()]


def _write_cases(rows: list[Row], path: Path) -> None:
    flat = [
        {"case": r.case, "dataset": r.dataset, "planes": r.planes, "seconds": round(r.seconds, 2), **asdict(r.score)}
        for r in rows
    ]
    with atomic(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(flat[0]))
        writer.writeheader()
        writer.writerows(flat)


def _table(results: list[dict]) -> str:
    columns = ("data set", "planes", "n", "Dice", "95 % CI", "worst", "HD95 mm", "ASSD mm", "found", "spurious")
    lines = [columns]
    for r in results:
        interval = "-".join(f"{bound:.3f}" for bound in r["dice_ci95"]) if r["dice_ci95"] else ""
        numbers = [_number(r[name], digits) for name, digits in (("dice", 4), ("dice_min", 4), ("hd95_mm", 2))]
        found = f"{r['found']}/{r['bodies']}" if r["bodies"] else ""
        assd, spurious = _number(r["assd_mm"], 2), str(r["spurious"]) if r["bodies"] else ""
        lines.append(
            (r["dataset"], r["planes"], str(r["cases"]), numbers[0], interval, *numbers[1:], assd, found, spurious)
        )
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
