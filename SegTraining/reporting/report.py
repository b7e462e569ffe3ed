"""Writes the report of some runs: one HTML file, and its tables as CSV files beside it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from SpineInference.files.atomic import atomic
from SpineInference.measuring.intervals import LEAST_PATIENTS, interval_of

from ..evaluation.examples import Example
from ..evaluation.output import write_csv
from .activation_maps import NetworkPictures
from .charts import all_runs, dice_per_slice, training_curves
from .comparison import comparisons
from .figures import activations, kernels, overlays
from .html import Part, Picture, Section, page
from .runs import Evaluation, RunRecord, evaluation_rows, read_runs
from .thesis_tables import Table, published_tables, run_table, score_table


def write_report(run_folders: list[Path], output: Path) -> list[Path]:
    """Write the report of `run_folders` to `output` (.html), and its tables into a folder beside it; all files.

    A folder is that of a run, with its evaluations in it, or the output of `segtraining evaluate`. What was not
    computed is said to be missing. Raises SpineError for a folder that holds neither, or a file that is damaged.
    """
    runs = read_runs(run_folders)
    own, published = [run_table(runs), score_table(runs), *comparisons(runs)], published_tables(runs)
    sections = [_overview(runs, own)]
    if published:
        sections.append(Section("Published results", [*_differences(runs), *published]))
    sections += [Section(run.name, list(_of_run(run))) for run in runs]
    date = datetime.now(UTC).date().isoformat()
    subtitle = f"{len(runs)} {'run' if len(runs) == 1 else 'runs'}, {date}. Research use; not for clinical decisions."
    output.parent.mkdir(parents=True, exist_ok=True)
    with atomic(output) as aside:
        aside.write_text(page("Segmentation report", subtitle, sections), "utf-8")
    tables = [part for part in [*own, *published] if isinstance(part, Table)]
    return [output, *_write_tables(tables, runs, output.with_name(f"{output.stem}-tables"))]


def _write_tables(tables: list[Table], runs: list[RunRecord], folder: Path) -> list[Path]:
    folder.mkdir(exist_ok=True)
    contents = {table.key: table.as_rows() for table in tables}
    contents["cases"] = [
        {"run": run.name, "cases of": evaluation.name} | row
        for run in runs
        for evaluation in run.evaluations.values()
        for row in evaluation.cases
    ]
    written = []
    for name, rows in contents.items():
        if rows:
            write_csv(rows, folder / f"{name}.csv")
            written.append(folder / f"{name}.csv")
    return written


def _overview(runs: list[RunRecord], tables: list[Part]) -> Section:
    parts: list[Part] = []
    for split in dict.fromkeys(name for run in runs for name in run.evaluations):
        lines = []
        for name, evaluation, result in evaluation_rows(runs):
            values = evaluation.dice_of_cases(result["planes"], result["label"]).values()
            if evaluation.name == split and result["dice"] is not None:
                interval = interval_of(result)
                bounds = (interval.low, interval.high) if interval and interval.is_confidence else None
                lines.append((name, [v for v in values if v is not None], result["dice"], bounds))
        if lines:
            caption = (
                "Dice coefficient of every case, their mean, and its 95 % interval by bootstrap over patients, of "
                f"{LEAST_PATIENTS} patients and more."
            )
            chart = all_runs(sorted(lines, key=lambda line: -line[2]))
            parts.append(Picture(f"All runs: {split}", chart, caption))
    parts += [part for part in tables if not isinstance(part, Table) or part.rows]
    missing = [run.name for run in runs if not run.evaluations]
    if missing:
        parts.append(
            f"Not evaluated yet, so without scores: {', '.join(missing)}. "
            'Run "segtraining evaluate --run RUN" for each of them.'
        )
    return Section("Overview", parts)


def _differences(runs: list[RunRecord]) -> list[Part]:
    """What the runs do in another way than the publications, each sentence once."""
    sentences = list(dict.fromkeys(sentence for run in runs for sentence in run.differences))
    return [f"Different from what was published: {' '.join(sentences)}"] if sentences else []


def _of_run(run: RunRecord) -> Iterator[Part]:
    if run.config:
        seen = "single images" if run.of_single_images else f"{run.plane} slices"
        yield f"{run.network}, {seen}, start: {run.start}."
    if (curves := training_curves(run)) is not None:
        yield Picture("Training", curves, "Loss and validation Dice over the epochs of the training.")
    evaluations = list(run.evaluations.values())
    for evaluation in evaluations:
        yield from _of_evaluation(evaluation, "images" if run.of_single_images else "slices")
    for pictures in evaluations[0].networks() if evaluations else ():  # the weights are the same in all of them
        yield from _of_network(pictures, "" if run.of_single_images else f": {pictures.plane}")


def _of_evaluation(evaluation: Evaluation, pictures: str) -> Iterator[Part]:
    """`pictures` is what the images are called, for people."""
    for result in evaluation.results:
        planes, label = result["planes"], result["label"]
        where = f"{evaluation.name}, {planes}, {label}"
        chart = dice_per_slice(evaluation, planes, label)
        if chart is not None:
            caption = (
                "Dice coefficient slice by slice, as in Figure 4.5 of the thesis, for the worst, the middle and the "
                "best case. No bar: nothing to find, and nothing found."
            )
            yield Picture(f"Dice per slice: {where}", chart, caption)
    by_planes: dict[str, list[Example]] = {}
    for example in evaluation.examples():
        by_planes.setdefault(example.planes, []).append(example)
    for planes, examples in by_planes.items():
        has_worst = any(example.kind == "worst" for example in examples)
        order = f"Left the best, right the worst {pictures}" if has_worst else f"The best of the {pictures}"
        if pictures == "slices":
            order += " of those that hold at least a tenth of what the largest slice of their case holds"
        caption = f"{order}. Above: prediction and contour of the reference. Below: misclassified pixels."
        title = f"{'Best and worst' if has_worst else 'Best'} {pictures}: {evaluation.name}"
        title += f", {planes}" if pictures == "slices" else ""
        yield Picture(title, overlays(examples, tell_slice=pictures == "slices"), caption)


def _of_network(pictures: NetworkPictures, which: str) -> Iterator[Part]:
    """`which` of several networks of the run they are of, for people."""
    caption = "Red: positive, blue: negative weights, each kernel on its own scale; of several channels the middle one."
    yield Picture(f"Kernels of the first layer{which}", kernels(pictures), caption)
    caption = (
        f"What single channels answer to {pictures.case}: layers from the first to the last, of each "
        "those channels that vary most, each on its own scale."
    )
    yield Picture(f"Activation maps{which}", activations(pictures), caption)
