"""Where to look, and how closely: a coarse pass over every few millimetres finds the box that holds the spine.

The networks then run inside that box only, which is the largest saving of the whole pipeline: most slices and most
of each slice hold no vertebra. The same pass tells how large the bodies are, from which `magnification` follows.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..engines.engine import Engine
from ..models.manifest import Manifest
from ..models.model_package import ModelPackage
from ..monitor import Monitor
from ..volume.body_scale import typical_part
from ..volume.boxes import Box, bounding_box, box_around
from ..volume.geometry import SLICE_AXIS, plane_grid, resample, spacing_ipl
from ..volume.postprocessing import remove_small_islands
from .slices import predict_plane

COARSE_STEP_MM = 8.0
"""Distance of the slices looked at: two of them meet even a small cervical body."""
MARGIN_MM = 14.0
"""Context left around what the coarse pass found; bodies missed at an end are nearer than this to found ones."""
CERTAIN = 0.6
"""Probability from which a pixel shows how large a body is."""
LUMBAR_MM = {"sagittal": 24.0, "coronal": 24.0, "axial": 30.0}
"""The shorter side of a lumbar body in each plane, between its hollows: its height, and from above its depth."""
ROI_THRESHOLD = 0.3
"""Probability from which a pixel counts: lower than any threshold of a model, so that doubtful parts stay in."""
MIN_AREA_MM2, MIN_SHARE = 200.0, 0.2
"""A connected part counts when its slices add up to this much, half a slice through a lumbar body, or to this share of
a typical part where that is less; the small ones that a network sees here and there, in one slice mostly, must not
widen the box."""

STRAY = 0.1
"""A column is seen in slices that follow each other: others, apart from them, with less than this share of what these
show, have seen something else, such as the noise in front of a patient."""

LEAST_FILL = 0.01
"""A column fills a fifth of the box around it. What a network sees in noise lies everywhere and fills a three-hundredth
of its box: this plane has seen nothing then."""


@dataclass(frozen=True)
class Region:
    """The `box` `[I, P, L]` that holds the spine, the part of it that holds its `vertebrae`, and the size of its bodies
    relative to lumbar ones."""

    box: Box
    vertebrae: Box
    body_size: float = 1.0

    def on_grid(self, shape: tuple[int, ...], finer: tuple[int, ...]) -> "Region":
        """The same region of an image of `shape` on a grid of `finer` shape over the same field of view.

        Longer by a third, because of small bodies some may have been missed at both ends.
        """
        beyond = math.ceil((self.box[0].stop - self.box[0].start) / 6)

        def finer_box(box: Box) -> Box:
            sides = []
            for span, old, new, more in zip(box, shape, finer, (beyond, 0, 0), strict=True):
                start, stop = max(0, span.start - more), min(old, span.stop + more)
                sides.append(slice(math.floor(start * new / old), math.ceil(stop * new / old)))
            return tuple(sides)

        return Region(finer_box(self.box), finer_box(self.vertebrae), self.body_size)


def coarse_places(count: int, mm: float) -> range:
    """Which of `count` slices, so many `mm` apart, are looked at."""
    step = max(1, round(COARSE_STEP_MM / mm))
    return range((count - 1) % step // 2, count, step)


def find_region(
    image: sitk.Image,
    packages: Sequence[ModelPackage],
    engine_for: Callable[[ModelPackage], Engine],
    monitor: Monitor,
    seen: Mapping[int, np.ndarray] | None = None,
) -> Region | None:
    """The region of canonical `image` that holds its vertebrae and what lies beside them, or None where there is none.

    The `packages` are asked in this order until one has seen something. If the sagittal plane is one of theirs, which
    shows most of a spine at once, it is always asked: where slices are thick, the plane with the smallest pixels has
    only a few of them. The box has a margin of `MARGIN_MM` on every side, as far as the image reaches. The size is what
    the first of them has seen. `seen`: what this one has said of some slices of `image` already, as `predict_plane`
    puts it.
    """
    found: list[Region] = []
    to_be_asked = {package.manifest.plane for package in packages} & {"sagittal"}
    for package in packages:
        region = _seen_by(package.manifest, engine_for(package), image, monitor, seen or {})
        seen, found = None, found + ([] if region is None else [region])
        to_be_asked.discard(package.manifest.plane)
        if found and not to_be_asked:
            break
    if not found:
        return None
    box, vertebrae = (box_around(*boxes) for boxes in zip(*((each.box, each.vertebrae) for each in found), strict=True))
    return Region(box, vertebrae, found[0].body_size)


def clear_inner_faces(mask: np.ndarray, box: Box, shape: tuple[int, ...]) -> None:
    """Make background of the faces of `mask`, in place, at which its `box` ends inside the whole volume of `shape`.

    What reaches a face of the mask is taken to be cut off by the scan, which it is not there.
    """
    for axis, (span, length) in enumerate(zip(box, shape, strict=True)):
        faces = np.moveaxis(mask, axis, 0)
        if span.start > 0:
            faces[0] = False
        if span.stop < length:
            faces[-1] = False


def _seen_by(
    manifest: Manifest, engine: Engine, image: sitk.Image, monitor: Monitor, seen: Mapping[int, np.ndarray]
) -> Region | None:
    """Where the plane of one network sees something, with the margin."""
    axis = SLICE_AXIS[manifest.plane]
    shape = image.GetSize()[::-1]
    # What the network knows are pixels of its own size: squeezed into thick slices a spine looks like none.
    own_grid = resample(image, plane_grid(image, manifest.plane, manifest.input.spacing_mm))
    seen = seen if own_grid is image else {}
    volume, spacing = sitk.GetArrayViewFromImage(own_grid), spacing_ipl(own_grid)
    looked_at = coarse_places(volume.shape[axis], spacing[axis])
    step = looked_at.step
    likely, of_vertebrae = _likely(volume, manifest, engine, monitor, looked_at, seen)
    # Each slice stands for the step, and small parts are judged as the islands of a result are.
    steps = tuple(step * mm if other == axis else mm for other, mm in enumerate(spacing))
    parts = remove_small_islands(of_vertebrae > ROI_THRESHOLD, steps, MIN_AREA_MM2 * steps[axis], MIN_SHARE)
    if manifest.plane != "axial":  # between vertebrae lie discs
        parts = _without_stray_slices(parts, axis)
    found = bounding_box(parts)
    if found is None or parts[found].mean() < LEAST_FILL:
        return None

    def with_margin(hits: Box) -> Box:
        sides = []
        for other, side in enumerate(hits):
            first, last, beyond = side.start, side.stop - 1, math.ceil(MARGIN_MM / spacing[other])
            if other == axis:  # it may begin right after the slice before, and end right before the slice after
                first, last, beyond = looked_at[first], looked_at[last], beyond + step - 1
            scale = shape[other] / volume.shape[other]
            start, stop = math.floor((first - beyond) * scale), math.ceil((last + 1 + beyond) * scale)
            sides.append(slice(max(0, start), min(shape[other], stop)))
        return tuple(sides)

    pixel = tuple(mm for other, mm in enumerate(spacing) if other != axis)
    bodies = np.moveaxis((of_vertebrae > CERTAIN)[found], axis, 0)
    everything = _with_what_lies_beside(found, likely > ROI_THRESHOLD)
    size = _shorter_side_mm(bodies, pixel) / LUMBAR_MM[manifest.plane]
    return Region(with_margin(everything), with_margin(found), size)


def _without_stray_slices(parts: np.ndarray, axis: int) -> np.ndarray:
    """`parts` in those slices along `axis` that follow each other and show most of them."""
    shown = np.count_nonzero(parts, axis=tuple(other for other in range(3) if other != axis))
    runs, count = ndimage.label(shown)
    of_run = np.concatenate([[0], ndimage.sum_labels(shown, runs, np.arange(1, count + 1))])
    keep = (of_run >= STRAY * of_run.max()) & (of_run > 0)
    return parts & np.expand_dims(keep[runs], [other for other in range(3) if other != axis])


def _with_what_lies_beside(found: Box, foreground: np.ndarray) -> Box:
    """The box of the vertebrae, wide enough for all `foreground` beside them; above and below them nothing is added.

    The canal goes on to the head and into the sacrum, where there is nothing to be found but false bodies.
    """
    beside = bounding_box(foreground[found[0]])
    return found if beside is None else (found[0], *box_around(found, beside)[1:])


def _likely(
    volume: np.ndarray,
    manifest: Manifest,
    engine: Engine,
    monitor: Monitor,
    looked_at: range,
    seen: Mapping[int, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """How likely each pixel of the slices `looked_at` shows anything, and a vertebra: `[I, P, L]`, these slices only.

    Every second slice is looked at, and then those beside one that shows something: a column is seen in all sagittal
    and coronal slices between its sides, so that those far from it need not be computed. Of axial slices, of which some
    meet discs only, and where nothing was seen, all are.
    """
    axis = SLICE_AXIS[manifest.plane]
    shape = list(volume.shape)
    shape[axis] = len(looked_at)
    likely = np.zeros(shape, np.float32)
    of_vertebrae = likely if len(manifest.labels) == 1 else likely.copy()
    by_slice, vertebrae_by_slice = np.moveaxis(likely, axis, 0), np.moveaxis(of_vertebrae, axis, 0)
    shows = np.zeros(len(looked_at), bool)

    def look(places: Sequence[int]) -> None:
        indices = [looked_at[place] for place in places]
        new = [index for index in indices if index not in seen]
        slices = {**seen, **dict(predict_plane(volume, manifest, engine, monitor, new, stage="region"))}
        for place, index in zip(places, indices, strict=True):
            probability = slices[index]
            by_slice[place] = probability.max(axis=0)
            vertebrae_by_slice[place] = probability[manifest.vertebra_class - 1]
            shows[place] = (by_slice[place] > ROI_THRESHOLD).any()

    every_second = range(0, len(looked_at), 2)
    look(every_second)
    beside = ndimage.binary_dilation(shows) if manifest.plane != "axial" and shows.any() else np.ones_like(shows)
    beside[every_second] = False
    look(np.flatnonzero(beside).tolist())
    return likely, of_vertebrae


def _shorter_side_mm(slices: np.ndarray, spacing: tuple[float, float]) -> float:
    """The shorter side of a typical part of `slices` [slice, row, column] (bool): twice its largest inner distance.

    0 where there is none. Unlike an area it hardly changes where bodies touch.
    """
    within_slices = ndimage.generate_binary_structure(3, 1)
    within_slices[[0, 2]] = False
    parts, count = ndimage.label(slices, structure=within_slices)
    if not count:
        return 0.0
    bordered = np.pad(slices, ((0, 0), (1, 1), (1, 1)))
    inner = np.stack([ndimage.distance_transform_edt(one, sampling=spacing) for one in bordered])[:, 1:-1, 1:-1]
    numbers = np.arange(1, count + 1)
    sizes = np.bincount(parts.ravel())[1:]
    sides = 2 * ndimage.maximum(inner, parts, numbers) - min(spacing)
    return float(sides[sizes == typical_part(sizes)].max())
