"""The cache of prepared cases: memory-mapped volumes and what is known about them.

One folder per case, `CACHE/SETTINGS-HASH/DATASET/CASE/`, holds `image.npy` (float16, normalised), `target.npy` (uint8)
and `case.json`. Both arrays are canonical [I, P, L]: sagittal slices, whose voxels lie furthest apart, take 1.2 ms a
sample from there and 0.6 ms from a transposed copy, which is not worth doubling the cache for next to a training
step of 200 ms and more.
"""

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from SpineInference.errors import SpineError
from SpineInference.volume.geometry import SLICE_AXIS

FORMAT = 3
"""Part of the hash of the settings: raised whenever the same settings would give other arrays."""


@dataclass(frozen=True)
class CaseRecord:
    """What is known about a prepared case. Counts are per slice along the slice axis of each plane."""

    name: str
    patient: str
    dataset: str
    source: list[list]
    """Name, size and time of change of each source file: a changed file is prepared again."""
    native_size: list[int]
    native_spacing_mm: list[float]
    shape: list[int]
    spacing_mm: list[float]
    percentiles: dict[str, float]
    """Of the source's intensities: 0, 0.5, 50, 99.5 and 100."""
    background: float
    """The smallest normalised value: air, and what lies outside of the image."""
    voxels: dict[str, int]
    """Number of background, target (of all classes) and ignored voxels."""
    evaluated_slices: list[int]
    """First row (axis 0) that validation looks at and the one after the last."""
    class_pixels: dict[str, list[list[int]]]
    """For each plane and class the pixels of every slice."""
    voxel_hash: str
    """Of the source's voxels and size: the same under another name is the same image."""


class CachedCase:
    """A prepared case, its arrays mapped into memory when first used."""

    def __init__(self, folder: Path, record: CaseRecord):
        self.folder = folder
        self.record = record

    @cached_property
    def image(self) -> np.ndarray:
        """float16 [I, P, L], normalised."""
        return np.load(self.folder / "image.npy", mmap_mode="r")

    @cached_property
    def target(self) -> np.ndarray:
        """uint8 [I, P, L]: 0 background, 1 to n the classes, 255 ignored."""
        return np.load(self.folder / "target.npy", mmap_mode="r")

    def stack(self, plane: str) -> tuple[np.ndarray, np.ndarray]:
        """Image and target as views [slice, row, column] of `plane`."""
        axis = SLICE_AXIS[plane]
        return np.moveaxis(self.image, axis, 0), np.moveaxis(self.target, axis, 0)

    def __getstate__(self) -> dict:
        # Worker processes map the files themselves instead of receiving copies of the arrays.
        return {"folder": self.folder, "record": self.record}


def read_record(folder: Path) -> CaseRecord | None:
    """The record of the case prepared in `folder`, or None where there is none that can be used."""
    try:
        return CaseRecord(**json.loads((folder / "case.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_record(folder: Path, record: CaseRecord) -> None:
    (folder / "case.json").write_text(json.dumps(asdict(record)), "utf-8")


def open_case(folder: Path) -> CachedCase:
    """The case prepared in `folder`. Raises SpineError where it has not been prepared."""
    record = read_record(folder)
    if record is None:
        raise SpineError(f'The case "{folder.name}" has not been prepared: run "segtraining prepare" first.')
    return CachedCase(folder, record)
