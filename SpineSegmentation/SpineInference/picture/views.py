"""Which slices of a scan show a result best: one per anatomical plane, through the vertebral bodies."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..measuring.matching import find_labels
from ..volume.geometry import PLANES, SLICE_AXIS, oriented_view

AROUND_MM = (22.0, 55.0, 55.0)
"""How much of the scan is shown around the bodies along I, P and L: enough to know where one is."""
AROUND_ONE_MM = (0.0, 30.0, 45.0)
"""The same around the one body of the axial view."""
BLACK_PERCENTILE, WHITE_PERCENTILE = 1.0, 99.7

Box = tuple[slice, ...]


@dataclass(frozen=True, eq=False)
class View:
    """One slice as radiologists look at it.

    `image` is float32 [rows, columns] from 0 (black) to 1 (white), `labels` are the label values of the same pixels,
    and `pixel_mm` is their (height, width). `cuts` says where the slices of the other planes cut this one:
    plane -> (0 for a row or 1 for a column, its position in pixels). Rows and columns run along the canonical array's
    `axes`, from its indices `first` on.
    """

    plane: str
    image: np.ndarray
    labels: np.ndarray
    pixel_mm: tuple[float, float]
    cuts: dict[str, tuple[int, float]]
    axes: tuple[int, int]
    first: tuple[int, int]

    @property
    def size_mm(self) -> tuple[float, float]:
        """Height and width."""
        return self.image.shape[0] * self.pixel_mm[0], self.image.shape[1] * self.pixel_mm[1]


def make_views(scan: sitk.Image, labels: sitk.Image, partial: set[int]) -> list[View]:
    """The views of `scan` and `labels` (3D, the same grid), in the order of `PLANES`.

    A plane in which the scan is a single row or column is left out. `partial`: bodies that the axial view avoids.
    """
    (grey, grid), (values, _) = oriented_view(scan), oriented_view(labels)
    spacing = tuple(reversed(grid.spacing))
    boxes = {value: box for value, (_, box) in find_labels(values).items()}
    index, shown = _slice_indices(values, boxes, partial)
    around = dict.fromkeys(PLANES, _surroundings(list(boxes.values()), AROUND_MM, grey.shape, spacing))
    if shown is not None:
        around["axial"] = _surroundings([boxes[shown]], AROUND_ONE_MM, grey.shape, spacing)

    def in_plane(plane: str) -> tuple[int, int]:
        return tuple(axis for axis in range(3) if axis != SLICE_AXIS[plane])

    planes = [plane for plane in PLANES if all(grey.shape[axis] > 1 for axis in in_plane(plane))]
    views = []
    for plane in planes:
        box = list(around[plane])
        rows, columns = in_plane(plane)
        cuts = {}
        for other in planes:
            axis = SLICE_AXIS[other]
            if other != plane:
                cuts[other] = (0 if axis == rows else 1, index[axis] + 0.5 - box[axis].start)
        box[SLICE_AXIS[plane]] = index[SLICE_AXIS[plane]]
        here = tuple(box)
        first = around[plane][rows].start, around[plane][columns].start
        pixel_mm = spacing[rows], spacing[columns]
        views.append(View(plane, _windowed(grey[here]), values[here].copy(), pixel_mm, cuts, (rows, columns), first))
    return views


def _slice_indices(values: np.ndarray, boxes: dict[int, Box], partial: set[int]) -> tuple[list[int], int | None]:
    """The slice along each array axis, and the label of the body that the axial one goes through."""
    index = [length // 2 for length in values.shape]
    if not boxes:
        return index, None
    for plane in ("sagittal", "coronal"):
        index[SLICE_AXIS[plane]] = _best_slice(values, boxes, SLICE_AXIS[plane])
    # The axial slice goes through the whole body nearest to the middle of the column.
    candidates = [label for label in boxes if label not in partial] or list(boxes)
    middle = {label: (boxes[label][0].start + boxes[label][0].stop - 1) / 2 for label in boxes}
    centre = (min(middle.values()) + max(middle.values())) / 2
    shown = min(candidates, key=lambda label: abs(middle[label] - centre))
    index[0] = round(middle[shown])
    return index, shown


def _best_slice(values: np.ndarray, boxes: dict[int, Box], axis: int) -> int:
    """The slice that cuts as many bodies as possible, each as near to its largest section as possible.

    Of a curved or scoliotic column no slice shows all: every body counts alike, not by its size.
    """
    score = np.zeros(values.shape[axis])
    for label, box in boxes.items():
        section = (values[box] == label).sum(axis=tuple(a for a in range(3) if a != axis))
        score[box[axis]] += section / section.max()
    return int(np.argmax(score))


def _surroundings(
    boxes: list[Box], around_mm: tuple[float, ...], shape: tuple[int, ...], spacing: tuple[float, ...]
) -> Box:
    """The box around all `boxes` with a margin, within the scan; the whole scan when there are none."""
    if not boxes:
        return tuple(slice(0, length) for length in shape)
    box = []
    for axis, (length, mm, around) in enumerate(zip(shape, spacing, around_mm, strict=True)):
        margin = round(around / mm)
        start, stop = min(b[axis].start for b in boxes), max(b[axis].stop for b in boxes)
        box.append(slice(max(0, start - margin), min(length, stop + margin)))
    return tuple(box)


def _windowed(grey: np.ndarray) -> np.ndarray:
    """`grey` as float32 from 0 to 1, without the few brightest and darkest pixels that would take all contrast."""
    low, high = np.percentile(grey, (BLACK_PERCENTILE, WHITE_PERCENTILE))
    return np.clip((grey - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
