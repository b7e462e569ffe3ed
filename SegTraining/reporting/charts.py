"""The charts of a report, as SVG: training curves, Dice per slice, and all runs beside each other."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .runs import Evaluation, RunRecord, number

BLUE, ORANGE, GREEN, SKY, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#56B4E9", "#CC79A7", "#8A8A8A"
"""Of the palette of Okabe and Ito, which colour-blind people can tell apart."""

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.hashsalt": "report",
    "figure.constrained_layout.use": True,
}

SHOWN_CASES = 3
_WIDTH = 9.5


@contextmanager
def drawing(width: float, height: float) -> Iterator[Figure]:
    """A figure of so many inches in the common style; save it within the block."""
    with matplotlib.rc_context(STYLE):
        yield Figure(figsize=(width, height))


def as_svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def training_curves(run: RunRecord) -> bytes | None:
    """Loss and validation Dice over the epochs; None where no epoch has ended."""
    if not run.epochs:
        return None
    epochs = [int(row["epoch"]) for row in run.epochs]
    best = run.result.get("epoch")
    with drawing(_WIDTH, 3.2) as figure:
        left, right = figure.subplots(1, 2)
        for name, title, colour in (("loss", "training", BLUE), ("validation_loss", "validation", ORANGE)):
            _line(left, epochs, [number(row.get(name)) for row in run.epochs], title, colour)
        left.set(title="Loss", xlabel="Epoch")
        for name in [key for key in run.epochs[-1] if key.startswith("dice ")]:
            _line(right, epochs, [number(row.get(name)) for row in run.epochs], None, "#B9CFDD", 1.0)
        _line(right, epochs, [number(row.get("validation_dice")) for row in run.epochs], "mean of the cases", BLUE)
        right.set(title="Validation Dice, each case and their mean", xlabel="Epoch")
        for axes in (left, right):
            if best in epochs:
                axes.axvline(best, color=GREEN, linestyle="--", linewidth=1.2, label=f"kept: epoch {best}")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set_xlim(0.5, epochs[-1] + 0.5)
            axes.legend()
        return as_svg(figure)


def _line(
    axes: Axes, xs: list[int], ys: list[float | None], label: str | None, colour: str, width: float = 2.0
) -> None:
    points = [(x, y) for x, y in zip(xs, ys, strict=True) if y is not None]
    if points:
        marker = "o" if len(points) < 15 else None
        axes.plot(*zip(*points, strict=True), color=colour, linewidth=width, marker=marker, markersize=3, label=label)


def dice_per_slice(evaluation: Evaluation, planes: str, label: str) -> bytes | None:
    """Bars as in Figure 4.5 of the thesis, for the worst, the middle and the best case.

    None where nothing is judged, and for images of a single slice.

    Unlike there, slices in which there was nothing to find and nothing was found have no bar, and those before and
    after all others are left out.
    """
    by_case: dict[str, list[dict[str, str]]] = {}
    for row in evaluation.slices:
        if (row["planes"], row["label"]) == (planes, label):
            by_case.setdefault(row["case"], []).append(row)
    dice = evaluation.dice_of_cases(planes, label)
    order = sorted((case for case in by_case if dice.get(case) is not None), key=lambda case: dice[case])
    if not order or all(len(by_case[case]) == 1 for case in order):
        return None
    places = [0, len(order) // 2, len(order) - 1] if len(order) >= SHOWN_CASES else range(len(order))
    with drawing(_WIDTH, 0.6 + 1.75 * len(places)) as figure:
        all_axes = figure.subplots(len(places), 1, squeeze=False)[:, 0]
        for axes, place in zip(all_axes, places, strict=True):
            case = order[place]
            plane = by_case[case][0]["slice_plane"]
            _bars(axes, [row for row in by_case[case] if row["slice_plane"] == plane])
            axes.set_title(f"{case}: Dice of the volume {dice[case]:.3f}")
            axes.set_ylabel("Dice")
        all_axes[-1].set_xlabel(f"{plane.capitalize()} slice")
        handles, names = max((axes.get_legend_handles_labels() for axes in all_axes), key=lambda found: len(found[0]))
        figure.legend(handles, names, loc="outside lower center", ncols=3)
        return as_svg(figure)


def _bars(axes: Axes, rows: list[dict[str, str]]) -> None:
    judged = {int(row["slice"]): float(row["dice"]) for row in rows if row["dice"]}
    false_positive = [int(row["slice"]) for row in rows if row["reference_pixels"] == "0" and row["dice"]]
    false_negative = [int(row["slice"]) for row in rows if row["predicted_pixels"] == "0" and row["dice"]]
    axes.bar(list(judged), list(judged.values()), width=0.85, color=BLUE, label="Dice of the slice")
    for places, colour, marker, name in (
        (false_negative, ORANGE, "v", "all of it missed (Dice 0)"),
        (false_positive, PURPLE, "^", "found where nothing is (Dice 0)"),
    ):
        if places:
            axes.plot(places, [0.04] * len(places), marker, color=colour, markersize=5, linestyle="none", label=name)
    axes.set(xlim=(min(judged) - 3, max(judged) + 3), ylim=(0, 1.02), yticks=(0, 0.25, 0.5, 0.75, 1))
    axes.grid(visible=False, axis="x")


def all_runs(rows: list[tuple[str, list[float], float, tuple[float, float] | None]]) -> bytes:
    """One line for each run: its name, the Dice of its cases as dots, their mean and 95 % interval, None for none."""
    with drawing(_WIDTH, 1.0 + 0.27 * len(rows)) as figure:
        axes = figure.subplots()
        for place, (_, values, mean, interval) in enumerate(rows):
            axes.plot(values, [place] * len(values), "o", color=SKY, markersize=4.5, alpha=0.7, markeredgewidth=0)
            if interval is not None:
                axes.plot(interval, [place, place], color=BLUE, linewidth=2.2, solid_capstyle="butt")
            axes.plot(mean, place, "D", color=BLUE, markersize=6)
        legend = {
            "one case": {"marker": "o", "color": SKY, "linestyle": "none"},
            "mean": {"marker": "D", "color": BLUE, "linestyle": "none"},
        }
        if any(interval is not None for *_, interval in rows):
            legend["95 % interval"] = {"color": BLUE, "linewidth": 2.2}
        for label, style in legend.items():
            axes.plot([], [], label=label, **style)
        axes.set(yticks=range(len(rows)), yticklabels=[name for name, *_ in rows], xlabel="Dice")
        axes.set_ylim(len(rows) - 0.5, -0.5)
        figure.legend(loc="outside upper right", ncols=len(legend))
        return as_svg(figure)
