"""The pictures of a report, as WebP: best and worst slices, misclassified pixels, kernels and activation maps."""

import io
import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..evaluation.examples import Example
from .activation_maps import NetworkPictures
from .charts import drawing

RED, WHITE, GREY = "#E8112D", "#FFFFFF", "#9A9A9A"
FALSE_POSITIVE, FALSE_NEGATIVE, CONFUSED, RIGHT = "#E69F00", "#56B4E9", "#CC79A7", "#4D4D4D"
CLASS_COLOURS = (RED, "#009E73", "#F0E442", "#0072B2", "#CC79A7", "#E69F00", "#56B4E9")
"""The predicted classes, one after the other; a single one is red."""

_WIDTH = 9.5
_GAP, _TITLE, _LEGEND = 0.1, 0.6, 0.4
"""Between pictures, above and below them; in inches, like all the lengths here."""
_TITLE_POINTS, _TITLE_LINE, _TITLE_LETTER = 8.5, 0.15, 0.078
"""Of the titles above examples: their font, and the room that a line and a letter take."""
_HIGHEST, _NARROWEST = 3.6, 1.3
_HIGHEST_MAP = 1.7
_ACROSS = 16


def as_webp(figure: Figure) -> bytes:
    """A tenth of the size of a PNG, and sharp enough for single pixels."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="webp", dpi=120, pil_kwargs={"quality": 88, "method": 6})
    return buffer.getvalue()


def overlays(examples: list[Example], tell_slice: bool = True) -> bytes:
    """For each example the prediction over the image with the reference's contour, and below it what is wrong.

    `tell_slice`: the titles say which slice of its case it is.
    """
    shapes = [np.multiply(example.image.shape, example.pixel_mm) for example in examples]
    aspects = [width / height for height, width in shapes]
    height = min(_HIGHEST, (_WIDTH - _GAP * (len(examples) + 1)) / sum(aspects))
    widths = [max(_NARROWEST, aspect * height) for aspect in aspects]
    titles = [_title(example, width, tell_slice) for example, width in zip(examples, widths, strict=True)]
    above = _TITLE_LINE * (max(map(len, titles)) + 1)
    total = (sum(widths) + _GAP * (len(widths) + 1), 2 * height + _GAP + above + _LEGEND)
    with drawing(max(total[0], 0.7 * _WIDTH), total[1]) as figure:
        figure.set_layout_engine("none")
        left = _GAP
        for example, width, title in zip(examples, widths, titles, strict=True):
            axes = _place(figure, left, _LEGEND + height + _GAP, width, height)
            _overlay(axes, example)
            axes.set_title("\n".join(title), fontsize=_TITLE_POINTS)
            _errors(_place(figure, left, _LEGEND, width, height), example)
            left += width + _GAP
        legend = [
            Patch(facecolor=RED, alpha=0.6, label="prediction"),
            Patch(facecolor=GREY, edgecolor=WHITE, linewidth=1.5, label="contour: reference"),
            Patch(facecolor=RIGHT, label="right"),
            Patch(facecolor=FALSE_NEGATIVE, label="false negative"),
            Patch(facecolor=FALSE_POSITIVE, label="false positive"),
        ]
        if any(_confused(example).any() for example in examples):
            legend.append(Patch(facecolor=CONFUSED, label="wrong class"))
        if not all(example.judged.all() for example in examples):
            legend.append(Patch(facecolor=WHITE, edgecolor=GREY, hatch="////", label="not judged"))
        figure.legend(handles=legend, loc="lower center", ncols=len(legend), handlelength=1.2)
        return as_webp(figure)


def _place(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes for one picture at a place in inches, which it fills from the upper left."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up), anchor="NW")


def _overlay(axes: Axes, example: Example) -> None:
    _show(axes, np.repeat(example.image[..., None] / 255, 3, axis=2), example)
    for value in np.unique(example.prediction[example.prediction > 0]):
        colour = CLASS_COLOURS[(value - 1) % len(CLASS_COLOURS)]
        axes.imshow(_tinted(example.prediction == value, colour, 0.5), **_extent(example))
    for value in np.unique(example.reference[example.reference > 0]):
        axes.contour(
            example.reference == value,
            [0.5],
            colors=WHITE,
            linewidths=1.1,
            extent=_extent(example)["extent"],
            origin="upper",
        )


def _title(example: Example, width: float, tell_slice: bool) -> list[str]:
    """The lines above a picture of this width, none of them wider."""
    name = textwrap.wrap(example.case, max(8, int(width / _TITLE_LETTER)))
    return [f"{example.kind}: Dice {example.dice:.2f}", *name, *([f"slice {example.slice}"] if tell_slice else [])]


def _errors(axes: Axes, example: Example) -> None:
    picture = np.repeat(0.35 + 0.65 * example.image[..., None] / 255, 3, axis=2)
    truth, found = example.reference > 0, example.prediction > 0
    for mask, colour in (
        (truth & found, RIGHT),
        (truth & ~found, FALSE_NEGATIVE),
        (found & ~truth, FALSE_POSITIVE),
        (_confused(example), CONFUSED),
    ):
        picture[mask & example.judged] = to_rgb(colour)
    _show(axes, picture, example)
    if not example.judged.all():
        axes.contourf(
            ~example.judged,
            [0.5, 1.5],
            colors="none",
            hatches=["////"],
            extent=_extent(example)["extent"],
            origin="upper",
        )


def _confused(example: Example) -> np.ndarray:
    both = (example.reference > 0) & (example.prediction > 0)
    return both & (example.reference != example.prediction) & example.judged


def _show(axes: Axes, picture: np.ndarray, example: Example) -> None:
    axes.imshow(picture, **_extent(example), interpolation="nearest")
    axes.axis("off")


def _extent(example: Example) -> dict:
    rows, columns = example.image.shape
    return {"extent": (0, columns * example.pixel_mm[1], rows * example.pixel_mm[0], 0)}


def _tinted(mask: np.ndarray, colour: str, opacity: float) -> np.ndarray:
    return np.dstack([np.broadcast_to(channel, mask.shape) for channel in to_rgb(colour)] + [opacity * mask])


def kernels(pictures: NetworkPictures) -> bytes:
    """The kernels of the first layer, each on its own scale: negative weights blue, positive ones red, 0 white."""
    count = len(pictures.kernels)
    rows = -(-count // _ACROSS)
    with drawing(_WIDTH, 0.62 * rows) as figure:
        axes = figure.subplots(rows, _ACROSS, squeeze=False).ravel()
        for place, kernel in zip(axes, pictures.kernels, strict=False):
            most = np.abs(kernel).max() or 1.0
            place.imshow(kernel, cmap="RdBu_r", vmin=-most, vmax=most, interpolation="nearest")
            place.set(xticks=(), yticks=())
            place.spines[:].set(visible=True, color="#8A8A8A", linewidth=0.5)
        for place in axes[count:]:
            place.axis("off")
        return as_webp(figure)


def activations(pictures: NetworkPictures) -> bytes:
    """One line for each layer: those channels that vary most; the slice itself stands first."""
    layers = list(pictures.layers.items())
    across = 1 + max(len(maps) for _, maps in layers)
    rows, columns = pictures.input.shape
    width = (_WIDTH - _GAP * (across + 1)) / across
    height = min(_HIGHEST_MAP, width * rows / columns)
    width = height * columns / rows
    line = height + _TITLE / 2
    with drawing(_GAP + across * (width + _GAP), len(layers) * line + _GAP) as figure:
        figure.set_layout_engine("none")
        for number, (name, maps) in enumerate(layers):
            bottom = (len(layers) - 1 - number) * line + _GAP
            shown = [maps[place] for place in range(len(maps))]
            for place, channel in enumerate([pictures.input, *shown] if number == 0 else shown, start=number > 0):
                axes = _place(figure, _GAP + place * (width + _GAP), bottom, width, height)
                low, high = np.percentile(channel.astype(np.float32), (1, 99))
                axes.imshow(channel, cmap="viridis" if place else "gray", vmin=low, vmax=max(high, low + 1e-6))
                axes.axis("off")
                if place < 2:
                    title = f"{name}  ({maps.shape[1]} × {maps.shape[2]})" if place else "input"
                    axes.set_title(title, fontsize=8.5)
        return as_webp(figure)
