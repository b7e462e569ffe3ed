"""Where a scan shows something: what correction of distortion and resampling leave empty at its borders is outside."""

from dataclasses import dataclass

import numpy as np

from .boxes import BORDER_MM, Box

_LEAST_CUT = 0.05
"""Of the lines through a body, the share that must end with the content: single ones cross dark tissue."""


@dataclass(frozen=True, eq=False)
class Content:
    """For each of three array axes, of each line along it in the `box` of the other two [n, m], the index of the
    `first` and of the `last` voxel that is not empty. `shape` is that of the whole array."""

    shape: tuple[int, ...]
    box: Box
    first: tuple[np.ndarray, ...]
    last: tuple[np.ndarray, ...]

    def holds(self, index: np.ndarray, margin: float = -0.5) -> np.ndarray:
        """Which of the continuous indices [n, 3] lie inside by more than `margin` voxels; not along a single slice."""
        inside = np.ones(len(index), bool)
        for axis, (first, last) in enumerate(zip(self.first, self.last, strict=True)):
            if self.shape[axis] == 1:
                continue
            others = [other for other in range(3) if other != axis]
            line = tuple(
                np.clip(np.rint(index[:, other]).astype(int) - self.box[other].start, 0, length - 1)
                for other, length in zip(others, first.shape, strict=True)
            )
            inside &= (index[:, axis] > first[line] + margin) & (index[:, axis] < last[line] - margin)
        return inside

    def cuts_along(self, mask: np.ndarray, start: tuple[int, ...], spacing: np.ndarray) -> list[int]:
        """The axes along which what is in `mask`, which begins at the index `start`, ends with the content, before the
        border of the array. `spacing` is in mm along each axis; the mask may reach a voxel beyond the box."""
        axes = []
        for axis, (first, last) in enumerate(zip(self.first, self.last, strict=True)):
            others = [other for other in range(3) if other != axis]
            lines = np.argwhere(mask.any(axis=axis))
            runs = np.moveaxis(mask, axis, 2)[tuple(lines.T)]
            here = tuple(lines.T + [[start[other] - self.box[other].start] for other in others])
            lowest = start[axis] + runs.argmax(axis=1)
            highest = start[axis] + runs.shape[1] - 1 - runs[:, ::-1].argmax(axis=1)
            below, above = first[here], last[here]
            near = BORDER_MM / spacing[axis]
            cut = (below > 0) & (lowest - below < near) | (above < self.shape[axis] - 1) & (above - highest < near)
            if np.count_nonzero(cut) > _LEAST_CUT * len(lines):
                axes.append(axis)
        return axes


def content_of(voxels: np.ndarray, box: Box) -> Content | None:
    """The content of a scan [3 axes] around what lies in `box`; None where no border there is empty.

    Empty is what has the lowest value of the scan, from its border on.
    """
    empty = voxels.min()
    first, last = [], []
    for axis, length in enumerate(voxels.shape):
        lines = np.moveaxis(voxels[tuple(slice(None) if other == axis else box[other] for other in range(3))], axis, 0)
        first.append(_leading(lines, empty))
        last.append(length - 1 - _leading(lines[::-1], empty))
    unlimited = all(not a.any() and (b == n - 1).all() for a, b, n in zip(first, last, voxels.shape, strict=True))
    return None if unlimited else Content(voxels.shape, box, tuple(first), tuple(last))


def _leading(lines: np.ndarray, empty: float) -> np.ndarray:
    """How many values of each of the `lines` [length, n, m] are empty before the first that is not."""
    count = np.zeros(lines.shape[1:], int)
    begun = lines[0] == empty
    if len(lines) > 1 and begun.any():
        shown = lines[:, begun] != empty
        count[begun] = np.where(shown.any(axis=0), shown.argmax(axis=0), len(lines))
    return count
