"""One plane of a volume through one network: slices out, padded batches in, probabilities back."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..engines.engine import Engine
from ..models.manifest import Manifest
from ..monitor import Monitor
from ..processors import one_ahead
from ..volume.geometry import SLICE_AXIS
from .blending import BLENDINGS
from .turning import Turn

NOTHING = 0.05
"""A slice that is nowhere likelier than this to show something shows nothing."""


def predict_plane(
    volume: np.ndarray,
    manifest: Manifest,
    engine: Engine,
    monitor: Monitor,
    indices: Sequence[int] | None = None,
    stage: str = "network",
) -> Iterator[tuple[int, np.ndarray]]:
    """Probabilities of the labels in slices of the manifest's plane, as `(index, [labels, rows, columns])`.

    `volume` is canonical `[I, P, L]`, normalised and on the model's in-plane spacing; `indices` count along
    `SLICE_AXIS[plane]`, and mean all slices by default.
    """
    stack = np.moveaxis(volume, SLICE_AXIS[manifest.plane], 0)
    indices = range(len(stack)) if indices is None else indices
    background = _background(volume, manifest)
    done = 0
    while done < len(indices):
        monitor.progress(stage, done, len(indices), manifest.plane)
        chunk = indices[done : done + engine.batch_size]
        probabilities = _predict_batch(stack, chunk, manifest, engine, background)
        yield from zip(chunk, probabilities, strict=True)
        done += len(chunk)
    monitor.progress(stage, len(indices), len(indices), manifest.plane)


def predict_blocks(
    volume: np.ndarray, manifest: Manifest, engine: Engine, monitor: Monitor, ends_after: int | None = None
) -> Iterator[tuple[slice, np.ndarray]]:
    """As `predict_plane` of all slices, many at a time: which ones, and their probabilities `[labels, n, rows, cols]`.

    They come from the middle to the end and then from the middle to the beginning. With `ends_after`, each way ends
    where so many slices in a row show nothing; the slices beyond are not computed. While some are used the next are
    computed.
    """
    count, plane = volume.shape[SLICE_AXIS[manifest.plane]], manifest.plane
    monitor.progress("network", 0, count, plane)
    for span, probabilities in one_ahead(_blocks(volume, manifest, engine, ends_after)):
        yield span, probabilities
        done = span.stop - count // 2 if span.start >= count // 2 else count - span.start
        monitor.progress("network", done, count, plane)
    monitor.progress("network", count, count, plane)


def _blocks(
    volume: np.ndarray, manifest: Manifest, engine: Engine, ends_after: int | None
) -> Iterator[tuple[slice, np.ndarray]]:
    """See `predict_blocks`."""
    stack = np.moveaxis(volume, SLICE_AXIS[manifest.plane], 0)
    background, count = _background(volume, manifest), len(stack)
    for way in (range(count // 2, count), range(count // 2 - 1, -1, -1)):
        unseen = 0
        while way and unseen != ends_after:
            chunk, way = way[: engine.batch_size], way[engine.batch_size :]
            block = range(min(chunk), max(chunk) + 1)
            probabilities = _predict_batch(stack, block, manifest, engine, background)
            shown = 0
            while shown < len(chunk) and unseen != ends_after:
                unseen = 0 if probabilities[block.index(chunk[shown])].max() >= NOTHING else unseen + 1
                shown += 1
            span = sorted((chunk[0], chunk[shown - 1]))
            first, last = span[0] - block.start, span[1] - block.start
            yield slice(span[0], span[1] + 1), np.moveaxis(probabilities[first : last + 1], 0, 1)


def _background(volume: np.ndarray, manifest: Manifest) -> float:
    """What slices are padded with."""
    return float(volume.min()) if manifest.input.pad_value is None else manifest.input.pad_value


def _predict_batch(
    stack: np.ndarray, chunk: Sequence[int], manifest: Manifest, engine: Engine, background: float
) -> np.ndarray:
    """Probabilities `[n, labels, rows, columns]` of the n slices `chunk` of `stack` `[slices, rows, columns]`."""
    spec, turn = manifest.input, Turn.between(manifest.input.orientation, manifest.plane)
    everywhere, labels = slice(None), slice(foreground_channel(manifest), None)
    channels = 2 * spec.context_slices + 1
    # Slices that follow each other share their neighbours, which are then copied once.
    shared = chunk[-1] - chunk[0] == len(chunk) - 1
    places = np.arange(chunk[0], chunk[-1] + channels) if shared else np.add.outer(chunk, np.arange(channels)).ravel()
    # At the ends of the stack the outermost slice stands in for the missing neighbour.
    wanted = np.clip(places - spec.context_slices, 0, len(stack) - 1)
    slices = turn.to_network(np.array(stack[wanted], np.float32, order="C")[np.newaxis])[0]
    rows, columns = slices.shape[1:]
    inside = (everywhere, everywhere)
    if spec.canvas is None:
        sides = (_multiple(side, spec.pad_multiple) for side in (rows, columns))
        (slices,), inside = pad(slices[np.newaxis], *sides, background)
    windows = sliding_window_view(slices, channels, axis=0, writeable=True)[:: 1 if shared else channels]
    # Mirrored across the slices, the last ones come first, and so do the neighbours of each.
    batch = np.moveaxis(windows[::-1] if 1 in turn.mirrored else windows, -1, 1)
    if spec.canvas is None:
        return turn.from_network(engine.probabilities(batch)[(everywhere, labels, *inside)])

    # A network tied to its canvas (PSPNet, nnU-Net) sees larger slices as overlapping tiles, whose means are taken.
    total = np.zeros((len(batch), manifest.classes, rows, columns), np.float32)
    count = np.zeros((rows, columns), np.float32)
    blending, activation = BLENDINGS[spec.blending], manifest.output.activation
    weight = blending.weight(spec.canvas)
    for top in tile_starts(rows, spec.canvas[0], blending.overlap):
        for left in tile_starts(columns, spec.canvas[1], blending.overlap):
            window = (slice(top, top + spec.canvas[0]), slice(left, left + spec.canvas[1]))
            padded, inside = pad(batch[(everywhere, everywhere, *window)], *spec.canvas, background)
            probabilities = engine.probabilities(padded)[(everywhere, everywhere, *inside)]
            total[(everywhere, everywhere, *window)] += weight[inside] * blending.to_mean(probabilities, activation)
            count[window] += weight[inside]
    return turn.from_network(blending.from_mean(total / count, activation)[:, labels])


def foreground_channel(manifest: Manifest) -> int:
    """The output channel of the first label; with softmax channel 0 is the background."""
    return 0 if manifest.output.activation == "sigmoid" else 1


def pad(batch: np.ndarray, rows: int, columns: int, value: float) -> tuple[np.ndarray, tuple[slice, slice]]:
    """`batch` `[n, c, h, w]` centred on a canvas of `rows` x `columns`, and where in it the original lies."""
    height, width = batch.shape[2:]
    top, left = (rows - height) // 2, (columns - width) // 2
    widths = ((0, 0), (0, 0), (top, rows - height - top), (left, columns - width - left))
    padded = np.pad(batch, widths, constant_values=value)
    return padded, (slice(top, top + height), slice(left, left + width))


def tile_starts(length: int, tile: int, overlap: float = BLENDINGS["equal"].overlap) -> list[int]:
    """First positions of the fewest tiles that cover `length` and overlap by at least this share, a quarter."""
    if length <= tile:
        return [0]
    count = int(np.ceil((length - tile) / (tile * (1 - overlap)))) + 1
    return [round(start) for start in np.linspace(0, length - tile, count)]


def _multiple(length: int, of: int) -> int:
    return -(-length // of) * of
