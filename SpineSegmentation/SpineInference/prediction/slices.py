"""One plane of a volume through one network: slices out, padded batches in, probabilities back."""

from collections.abc import Iterator, Sequence

import numpy as np

from ..engines.engine import Engine
from ..models.manifest import Manifest
from ..monitor import Monitor
from ..volume.geometry import SLICE_AXIS
from .blending import BLENDINGS
from .turning import Turn


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
    spec, turn = manifest.input, Turn.between(manifest.input.orientation, manifest.plane)
    stack = np.moveaxis(volume, SLICE_AXIS[manifest.plane], 0)
    indices = range(len(stack)) if indices is None else indices
    background = float(volume.min()) if spec.pad_value is None else spec.pad_value
    done = 0
    while done < len(indices):
        monitor.progress(stage, done, len(indices), manifest.plane)
        chunk = indices[done : done + engine.batch_size]
        batch = np.stack([stack[_neighbours(i, spec.context_slices, len(stack))] for i in chunk])
        batch = turn.to_network(batch.astype(np.float32, copy=False))
        probabilities = turn.from_network(_predict_batch(batch, manifest, engine, background))
        yield from zip(chunk, probabilities, strict=True)
        done += len(chunk)
    monitor.progress(stage, len(indices), len(indices), manifest.plane)


def _neighbours(index: int, context: int, count: int) -> np.ndarray:
    # At the ends of the stack the outermost slice stands in for the missing neighbour.
    return np.clip(np.arange(index - context, index + context + 1), 0, count - 1)


def _predict_batch(batch: np.ndarray, manifest: Manifest, engine: Engine, background: float) -> np.ndarray:
    """Probabilities `[n, labels, rows, columns]` of a batch `[n, channels, rows, columns]` of any size."""
    spec = manifest.input
    everywhere, labels = slice(None), slice(foreground_channel(manifest), None)
    rows, columns = batch.shape[2:]
    if spec.canvas is None:
        padded, inside = pad(
            batch, _multiple(rows, spec.pad_multiple), _multiple(columns, spec.pad_multiple), background
        )
        return engine.probabilities(padded)[(everywhere, labels, *inside)]

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
    return blending.from_mean(total / count, activation)[:, labels]


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
