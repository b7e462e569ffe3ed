"""The slices in which a model was best and worst, kept for the report so that it needs the data no more."""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from SpineInference.files.atomic import atomic
from SpineInference.measuring.metrics import Spacing
from SpineInference.volume.geometry import SLICE_AXIS

from .metrics import SliceScore, score_slices
from .references import Reference

COUNT = 3
"""So many of the best and of the worst slices are kept."""

APART_MM = 10.0
"""Slices of one case that are kept are at least this far from each other: neighbours look alike."""

SMALLEST = 0.1
"""Only slices that hold at least this share of what the largest one holds are compared; a handful of pixels at the
end of a structure would otherwise always be the worst."""

MARGIN_MM = 25.0
"""What is shown around the structures."""

_ARRAYS = ("image", "prediction", "reference", "judged")


@dataclass(frozen=True, eq=False)
class Example:
    """One slice of a case. `kind` is "best" or "worst" of those with the same `planes`.

    `image` is uint8 [rows, columns] for the eye, `prediction` and `reference` are the classes of the same pixels, and
    `judged` tells which of them count; `pixel_mm` is their height and width.
    """

    kind: str
    case: str
    planes: str
    slice_plane: str
    slice: int
    dice: float
    pixel_mm: tuple[float, float]
    image: np.ndarray = field(repr=False)
    prediction: np.ndarray = field(repr=False)
    reference: np.ndarray = field(repr=False)
    judged: np.ndarray = field(repr=False)

    @property
    def place(self) -> tuple[str, str, int]:
        """Which slice it is."""
        return self.case, self.slice_plane, self.slice


class Examples:
    """Collects case by case, and keeps the best and the worst slices of each choice of planes."""

    def __init__(self):
        self._kept: dict[tuple[str, str], list[tuple[tuple[float, int], Example]]] = {}

    def add(
        self, case: str, planes: str, slice_plane: str, image: np.ndarray, prediction: np.ndarray, reference: Reference
    ) -> None:
        """Offer the slices of one case: the image and the predicted classes, canonical [I, P, L]."""
        anything = replace(reference, classes=(reference.classes > 0).astype(np.uint8))
        scores = score_slices((prediction > 0).astype(np.uint8), anything, (slice_plane,))
        judged = np.zeros(reference.ignored.shape, bool)
        judged[reference.rows] = ~reference.ignored[reference.rows]
        for kind in ("best", "worst"):
            kept = self._kept.setdefault((planes, kind), [])
            for chosen in _choose(scores, kind):
                here = (*[slice(None)] * SLICE_AXIS[slice_plane], chosen.slice - 1)
                maps = (image[here], prediction[here], reference.classes[here], judged[here])
                kept.append((_rank(chosen, kind), _example(kind, case, planes, chosen, maps, reference.spacing)))
            kept.sort(key=lambda ranked: ranked[0])
            del kept[COUNT:]

    def _of(self, planes: str) -> list[Example]:
        """What is kept of `planes`, each slice once: where there are few, the better half is best, the others worst."""
        best, worst = ([example for _, example in self._kept[planes, kind]] for kind in ("best", "worst"))
        slices = {example.place for example in best + worst}
        best = best[: -(-len(slices) // 2)]
        shown = {example.place for example in best}
        return best + [example for example in worst if example.place not in shown]

    def write(self, path: Path) -> None:
        examples = [
            example for planes in dict.fromkeys(planes for planes, _ in self._kept) for example in self._of(planes)
        ]
        arrays = {
            f"{number}_{name}": getattr(example, name) for number, example in enumerate(examples) for name in _ARRAYS
        }
        texts = [{key: value for key, value in asdict(e).items() if key not in _ARRAYS} for e in examples]
        with atomic(path) as aside:
            np.savez_compressed(aside, examples=np.array(json.dumps(texts)), **arrays)


def read_examples(path: Path) -> list[Example]:
    """What `Examples.write` has written; none where there is no such file."""
    if not path.exists():
        return []
    with np.load(path) as content:
        return [
            Example(
                **text | {"pixel_mm": tuple(text["pixel_mm"])},
                **{name: content[f"{number}_{name}"] for name in _ARRAYS},
            )
            for number, text in enumerate(json.loads(str(content["examples"])))
        ]


def _rank(score: SliceScore, kind: str) -> tuple[float, int]:
    """The lower, the more `kind`. Of equals, as slices without any agreement are, the larger one comes first."""
    return (score.dice if kind == "worst" else -score.dice, -max(score.reference_pixels, score.predicted_pixels))


def _choose(scores: list[SliceScore], kind: str) -> list[SliceScore]:
    """The `COUNT` most `kind` ones of those that are large enough and far enough from each other."""
    largest = max((score.reference_pixels for score in scores), default=0)
    chosen: list[SliceScore] = []
    for score in sorted((s for s in scores if s.dice is not None), key=lambda s: _rank(s, kind)):
        large = max(score.reference_pixels, score.predicted_pixels) >= SMALLEST * largest
        if large and all(abs(score.mm - other.mm) >= APART_MM for other in chosen):
            chosen.append(score)
    return chosen[:COUNT]


def _example(
    kind: str, case: str, planes: str, score: SliceScore, maps: tuple[np.ndarray, ...], spacing: Spacing
) -> Example:
    image, prediction, reference, judged = maps
    pixel_mm = tuple(mm for axis, mm in enumerate(spacing) if axis != SLICE_AXIS[score.slice_plane])
    box = _box((prediction > 0) | (reference > 0), pixel_mm)
    low, high = np.percentile(image[box], (1.0, 99.7))
    grey = np.clip((image[box].astype(np.float32) - low) / max(high - low, 1e-6), 0, 1)
    return Example(
        kind,
        case,
        planes,
        score.slice_plane,
        score.slice,
        round(score.dice, 4),
        pixel_mm,
        (255 * grey).astype(np.uint8),
        prediction[box].astype(np.uint8),
        reference[box].astype(np.uint8),
        judged[box],
    )


def _box(mask: np.ndarray, pixel_mm: tuple[float, ...]) -> tuple[slice, ...]:
    box = []
    for axis, mm in enumerate(pixel_mm):
        places, margin = np.flatnonzero(mask.any(axis=1 - axis)), round(MARGIN_MM / mm)
        box.append(slice(max(0, int(places[0]) - margin), int(places[-1]) + margin + 1))
    return tuple(box)
