"""The tables of a report: what the runs have reached, in layouts that can be laid beside the published ones."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import mean, stdev

from SpineInference.measuring.intervals import LEAST_PATIENTS, interval_of

from . import published as published
from .runs import ARCHITECTURES, ENCODERS, RANDOM, RunRecord, evaluation_rows

MISSING = "missing"
"""What stands where a run would have to be made first."""

DICE_NOTE = (
    "Ours: mean Dice of whole test volumes, slices without target never counted as perfect. The thesis took the mean "
    "over batches of slices in which two empty masks count as 100 %, which gives higher numbers."
)


@dataclass(frozen=True)
class Pair:
    """Our number beside the published one; None where there is none."""

    ours: str | None
    published: str | None

    @property
    def is_missing(self) -> bool:
        """Whether `ours` is a word instead of a number."""
        return self.ours is not None and not self.ours[:1].isdigit()


TableCell = str | Pair | None


@dataclass(frozen=True)
class Table:
    """`key` names its CSV file. Columns whose cells are `Pair`s become two columns there."""

    key: str
    title: str
    columns: tuple[str, ...]
    rows: list[tuple[TableCell, ...]]
    note: str = ""

    def as_rows(self) -> list[dict[str, str]]:
        """For a CSV file."""
        flat = []
        for row in self.rows:
            values: dict[str, str] = {}
            for column, cell in zip(self.columns, row, strict=True):
                if isinstance(cell, Pair):
                    values |= {f"{column} (ours)": cell.ours or "", f"{column} (published)": cell.published or ""}
                else:
                    values[column] = cell or ""
            flat.append(values)
        return flat


def run_table(runs: list[RunRecord]) -> Table:
    """What each run is, and how far it got."""
    columns = ("Run", "Network", "Start", "Plane", "N4", "Training cases", "Epochs", "Best epoch", "Minutes")
    rows = [
        (
            run.name,
            run.network or "several",
            f"{run.start}, {run.weights_file}" if run.weights_file else run.start,
            "none" if run.of_single_images else run.plane,
            "yes" if run.corrected else "no",
            _text(run.training_cases, 0),
            _text(len(run.epochs), 0),
            _text(run.result.get("epoch"), 0),
            _text(run.result.get("minutes"), 1),
            _text(run.result.get("validation_dice"), 4),
        )
        for run in runs
        if run.config
    ]
    note = "Validation Dice: of the raw network during training, which is what the best epoch was chosen by."
    return Table("runs", "Runs", (*columns, "Validation Dice"), rows, note)


_SCORES: dict[str, Callable[[dict], str]] = {
    "n": lambda r: f"{r['cases']}",
    "Dice": lambda r: _text(r["dice"], 4),
    "95 % CI or range": lambda r: interval.text(3) if (interval := interval_of(r)) else "–",
    "sd": lambda r: _text(r["dice_sd"], 3),
    "min": lambda r: _text(r["dice_min"], 3),
    "max": lambda r: _text(r["dice_max"], 3),
    "IoU": lambda r: _text(r["iou"], 3),
    "NSD": lambda r: _text(r["nsd"], 3),
    "HD95 mm": lambda r: _text(r["hd95_mm"], 1),
    "ASSD mm": lambda r: _text(r["assd_mm"], 2),
    "Volume %": lambda r: _text(r["volume_error_percent"], 1),
    "|Volume| %": lambda r: _text(r["volume_error_percent_magnitude"], 1),
    "Bodies found": lambda r: f"{r['found']}/{r['bodies']}" if r["bodies"] else "–",
    "Missed": lambda r: f"{r['missed'] or '–'}",
    "False positive": lambda r: f"{r.get('false_positive_cases') or '–'}",
    "Not judged": lambda r: f"{r['not_judged'] or '–'}",
}


def score_table(runs: list[RunRecord]) -> Table:
    """The numbers of every evaluation, all data sets together; without the columns that are empty throughout."""
    scored = list(evaluation_rows(runs))
    columns = {name: text for name, text in _SCORES.items() if any(text(result) != "–" for *_, result in scored)}
    rows = [(name, evaluation.name, *(text(r) for text in columns.values())) for name, evaluation, r in scored]
    note = (
        "Whole volumes, or what of them is labelled completely. 95 % CI of the mean: BCa bootstrap over patients; of "
        f"fewer than {LEAST_PATIENTS} the smallest and the largest value. NSD: share of both surfaces within 1 mm of "
        "each other. Volume: predicted minus true, in per cent of the true one, and its magnitude. A structure "
        "that was missed or is not there counts Dice 0, NSD 0 and the diagonal of the volume as distance; a case "
        "with nothing to find in which nothing was found is not judged."
    )
    return Table("scores", "Scores", ("Run", "Cases of", *columns), rows, note)


def published_tables(runs: list[RunRecord]) -> list[Table]:
    """Those published tables of which at least one run is there."""
    trained = [run for run in runs if run.config]
    grid = _grid(trained)
    tables = [_grid_table(grid, _start_note(trained)), *_derived_tables(grid, _start_note(trained))] if grid else []
    makers = (_custom_table, _skeleton_table, _lung_table, _robustness_table)
    return tables + [table for make in makers if (table := make(trained)) is not None]


ThesisGrid = dict[tuple[str, str, bool], dict[str, float]]
"""(architecture, start, corrected) -> plane -> Dice in per cent, the mean where there are several such runs."""


def _grid(runs: list[RunRecord]) -> ThesisGrid:
    found: dict[tuple[tuple[str, str, bool], str], list[float]] = {}
    for run in runs:
        key = (ARCHITECTURES.get(run.family, ""), run.start, run.corrected)
        # A random start says nothing of the encoder: any of the grid's two will do.
        of_grid = run.config.get("network", {}).get("arguments", {}).get("encoder") in ENCODERS
        if key in published.GRID and of_grid and (dice := run.dice("test")) is not None:
            found.setdefault((key, run.plane), []).append(100 * dice)
    grid: ThesisGrid = {}
    for (key, plane), values in found.items():
        grid.setdefault(key, {})[plane] = mean(values)
    return grid


def _start_note(runs: list[RunRecord]) -> str:
    """Names what the encoders started from, where that was another file than the published weights."""
    files = sorted({run.weights_file for run in runs if run.family in ARCHITECTURES and run.weights_file})
    told = f" Encoders that started from a file, not from the published ImageNet weights: {', '.join(files)}."
    return told if files else ""


def _grid_table(grid: ThesisGrid, start_note: str) -> Table:
    rows = []
    for key, values in published.GRID.items():
        ours = grid.get(key, {})
        cells = [
            Pair(_text(ours[plane], 1) if plane in ours else MISSING, str(value))
            for plane, value in zip(published.PLANES, values, strict=True)
        ]
        rows.append((key[0], key[1], "Yes" if key[2] else "No", *cells))
    columns = ("Model", "Weights", "Corrected", "Sagittal, %", "Coronal, %", "Axial, %")
    title = "Thesis, Table 4.3: models trained and evaluated on same planes"
    return Table("table-4.3", title, columns, rows, DICE_NOTE + start_note)


def mean_and_sd(
    grid: ThesisGrid, plane: str, chosen: Callable[[tuple[str, str, bool]], bool] = lambda key: True
) -> str:
    """Mean and standard deviation over the chosen configurations, as the thesis's Tables 4.4 to 4.8 are made."""
    values = [planes[plane] for key, planes in grid.items() if chosen(key) and plane in planes]
    if not values:
        return MISSING
    # Half a per cent is rounded up, as in the thesis.
    return f"{int(mean(values) + 0.5)} ± {stdev(values):.1f}" if len(values) > 1 else f"{mean(values):.1f}"


def _derived_tables(grid: ThesisGrid, start_note: str) -> list[Table]:
    count = sum(len(planes) for planes in grid.values())
    note = f"From {count} of the {3 * len(published.GRID)} configurations of Table 4.3."

    def pairs(values: dict[str, str], chosen: Callable[[tuple[str, str, bool]], bool] = lambda key: True) -> list[Pair]:
        return [Pair(mean_and_sd(grid, plane, chosen), values[plane]) for plane in published.PLANES]

    names = [plane.capitalize() for plane in published.PLANES]
    by_plane = list(zip(names, pairs(published.BY_PLANE), strict=True))
    raw = pairs(published.BY_CORRECTION["raw"], lambda key: not key[2])
    corrected = pairs(published.BY_CORRECTION["corrected"], lambda key: key[2])
    by_correction = list(zip(names, raw, corrected, strict=True))
    by_start = [
        ("Random", *pairs(published.BY_START["Random"], lambda key: key[1] == RANDOM)),
        ("Transfer learning", *pairs(published.BY_START["Transfer learning"], lambda key: key[1] != RANDOM)),
    ]
    by_encoder = [
        (name, *pairs(values, lambda key, name=name: key[1] == name)) for name, values in published.BY_ENCODER.items()
    ]
    planes = ("Sagittal, %", "Coronal, %", "Axial, %")
    return [
        Table("table-4.4", "Thesis, Table 4.4: by plane", ("Plane", "DSC, %"), by_plane, note),
        Table(
            "table-4.5",
            "Thesis, Table 4.5: raw and corrected scans",
            ("Plane", "Raw", "Corrected"),
            by_correction,
            note,
        ),
        Table(
            "table-4.7",
            "Thesis, Table 4.7: random start and transfer learning",
            ("Initialized", *planes),
            by_start,
            note + start_note,
        ),
        Table("table-4.8", "Thesis, Table 4.8: by encoder", ("Encoder", *planes), by_encoder, note + start_note),
    ]


def _custom_table(runs: list[RunRecord]) -> Table | None:
    ours = {
        name: [100 * dice for run in runs if _is_custom(run, name) and (dice := run.dice("test")) is not None]
        for name in published.CUSTOM
    }
    if not any(ours.values()):
        return None
    rows = [
        (name, Pair(_text(mean(ours[name]), 1) if ours[name] else MISSING, str(value)))
        for name, value in published.CUSTOM.items()
    ]
    return Table(
        "table-4.6", "Thesis, Table 4.6: custom networks, sagittal, raw", ("Model name", "DSC, %"), rows, DICE_NOTE
    )


def _is_custom(run: RunRecord, name: str) -> bool:
    return run.family == f"custom-{name}" and run.plane == "sagittal" and not run.corrected


def _skeleton_table(runs: list[RunRecord]) -> Table | None:
    families = {family for family, *_ in published.SKELETON.values()}
    data = _skeleton_data(runs)
    of_family = {run.family: run for run in reversed(runs) if run.family in families and _data_of(run) in data}
    if not of_family:
        return None
    rows = []
    for name, (family, *values) in published.SKELETON.items():
        run = of_family.get(family)
        ours = [None] * 4
        if run is not None:
            ours = [run.validation_loss, run.dice("training"), run.validation_dice, run.dice("test")]
        without = MISSING if run is None else "not measured"
        pairs = [Pair(_text(o, 4) if o is not None else without, f"{p:.4f}") for o, p in zip(ours, values, strict=True)]
        rows.append((name, *pairs))
    columns = ("Network", "Validation loss", "Training Dice", "Validation Dice", "Test Dice")
    note = 'Dice of the splits: "segtraining evaluate --run RUN --split training", and so on.'
    return Table("scintigraphy", "Fully dilated networks and their rivals (scintigraphy)", columns, rows, note)


def _skeleton_data(runs: list[RunRecord]) -> set[tuple[str, ...]]:
    """What the networks for scintigraphy were trained on; the U-Net, also the poster's, is one if that is the same."""
    families = {family for family, *_ in published.SKELETON.values()} - {"poster-unet"}
    return {_data_of(run) for run in runs if run.family in families}


def _data_of(run: RunRecord) -> tuple[str, ...]:
    return tuple(sorted(run.fingerprint.get("training_cases", ())))


def _lung_table(runs: list[RunRecord]) -> Table | None:
    run = next((r for r in runs if r.family == "segnet" and r.dice("test") is not None), None)
    if run is None:
        return None
    result = run.evaluations["test"].result(run.plane)
    ours = {"mean": result["dice"], **{key: result[f"dice_{key}"] for key in ("min", "max", "sd")}}
    row = [Pair(_text(ours[key], 3), f"{value:.3f}") for key, value in published.LUNGS.items()]
    columns = ("Network", "Mean", "Minimum", "Maximum", "Standard deviation")
    note = f"Ours: {result['cases']} test cases."
    return Table("xray", "SegNet-type network: Dice over the test set (X-ray)", columns, [(run.name, *row)], note)


def _robustness_table(runs: list[RunRecord]) -> Table | None:
    data = _skeleton_data(runs)
    poster = [run for run in runs if run.family == "poster-unet" and _data_of(run) not in data]
    ours = [run for run in poster if run.validation_dice is not None]
    if not ours:
        return None
    rows = []
    for run in ours:
        known = next((v for name, v in published.ROBUSTNESS.items() if run.config["name"].endswith(f"-{name}")), None)
        pair = Pair(_text(100 * run.validation_dice, 3), None if known is None else f"{known:.3f}".rstrip("0"))
        rows.append((run.name, _text(run.training_cases, 0), pair))
    columns = ("Experiment", "Training cases", "Validation Dice, %")
    return Table("robustness", "U-Net of the X-ray poster: noise and training-set size", columns, rows)


def _text(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
