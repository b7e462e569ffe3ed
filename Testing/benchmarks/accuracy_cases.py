"""What `accuracy.py` judges, and the judgement of one scan.

The rules, which `RULES` tells to whoever reads the numbers, are those of `SegTraining.evaluation.metrics`; what is
added here are the levels, bodies cut off by the scan's upper or lower border, and references of whole vertebrae.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from SegTraining.config.data import Dataset, Label
from SegTraining.data.datasets import Case, find_cases
from SegTraining.evaluation.metrics import MATCH_IOU, Score, match_bodies, score_classes
from SegTraining.evaluation.references import Reference, read_reference
from SpineInference.anatomy import LEVELS, NUMBERED_OFFSET
from SpineInference.errors import SpineError
from SpineInference.files.reading import read_labels
from SpineInference.measuring.metrics import agreement_of, labelled_slices
from SpineInference.spine.vertebrae import assign_levels, separate
from SpineInference.volume.boxes import bounding_box
from SpineInference.volume.geometry import canonical

NAME_OF = {segment.label: name for name, segment in LEVELS.items()}
NOT_JUDGED = (26, 27)
"""Sacrum and coccyx have no vertebral body in the models' sense: their voxels count neither for nor against."""

RULES = f"""\
Judged are the axial slices from the first to the last labelled one. There, every voxel counts for volume Dice, HD95 and
mean surface distance; both masks empty: left out, one empty: Dice 0 and the diagonal of the volume as distance.
A body is found when one predicted body overlaps it with IoU > {MATCH_IOU:g}, which makes pairs unique. Precision counts
predicted bodies with their centre in the judged slices: unlabelled levels above and below are not false. Bodies that
the upper or lower border of the scan cuts off, and the sacrum, count neither way for detection.
Level, automatic: of the bodies found in scans for which the pipeline itself names levels, those named rightly.
Level, counted: the lowest body found is given its true level; of the others, those that counting up names rightly.
A scan that fails has Dice 0 and all its bodies missed. Intervals: 95 %, bootstrap by patient; where no patient differs
from another they have no width, which does not mean that none ever will."""

IN_FRONT_OF_CANAL = (
    "The labels are whole vertebrae: only what lies in front of the spinal canal is judged, on both sides, as far to "
    "the left and right as the scan reaches; single bodies are told apart by separating the reference's mask."
)


@dataclass(frozen=True)
class Source:
    """A data set. `canal` is the value of the spinal canal where the labels are whole vertebrae, else None."""

    dataset: Dataset
    cases: list[Case]
    canal: int | None = None


@dataclass(frozen=True, eq=False)
class Truth:
    """The reference of one case. `cut_off` holds the values of bodies that the upper or lower border cuts; `image` is
    the SHA-256 of the scan's voxels."""

    image: str
    reference: Reference
    levels_known: bool
    cut_off: frozenset[int]


@dataclass(frozen=True)
class BodyScore:
    """One body of the reference. None: not known, not found, or (`counted`) the one from which it is counted."""

    name: str
    dice: float
    hd95_mm: float | None = None
    assd_mm: float | None = None
    automatic: bool | None = None
    counted: bool | None = None

    @property
    def found(self) -> bool:
        return self.dice > 0


@dataclass(frozen=True)
class CaseScore:
    """One scan and model. `failure` is the reason why there is no result, None for the usual."""

    model: str
    dataset: str
    case: str
    patient: str
    seconds: float | None
    failure: str | None
    score: Score
    bodies: tuple[BodyScore, ...]
    false: int
    cut_off: int

    @property
    def missed(self) -> list[str]:
        return [body.name for body in self.bodies if not body.found]


def open_source(folder: Path) -> Source:
    """The cases of a folder in nnU-Net's raw layout. Raises SpineError where it is none or cannot be understood."""
    if not (folder / "imagesTr").is_dir():
        raise SpineError(f'"{folder}" has no folder imagesTr: give a data set in nnU-Net\'s raw layout.')
    values = _label_values(folder / "dataset.json")
    canal = next((value for name, value in values.items() if "canal" in name.lower()), None)
    beside: tuple[int, ...] = ()
    if canal is not None:
        beside = tuple(value for name, value in values.items() if value and "vertebra" not in name.lower())
    rules = {"ignore_labels": NOT_JUDGED} if (folder / "instancesTr").is_dir() else {"background_labels": beside}
    dataset = Dataset(name=folder.name, unlabelled_above="ignore", **rules)
    return Source(dataset, find_cases(dataset, folder.parent), canal)


def _label_values(description: Path) -> dict[str, int]:
    """The values by name that a dataset.json gives; none where it has other ones or there is no such file."""
    try:
        labels = json.loads(description.read_text("utf-8"))["labels"]
        return {str(name): int(value) for name, value in labels.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def same_images_one_patient(sources: Sequence[Source]) -> tuple[list[Source], list[str]]:
    """The sources with one patient for identical images, and a sentence for each of those.

    Reads every case, so that what cannot be read or does not fit is found before the work: raises SpineError.
    """
    first_of: dict[str, Case] = {}
    sentences, result = [], []
    for source in sources:
        cases = []
        for case in source.cases:
            first = first_of.setdefault(read_truth(case, source.canal).image, case)
            if first is not case:
                sentences.append(f"{first.name} and {case.name} are the same image: counted as one patient.")
            cases.append(replace(case, patient=first.patient))
        result.append(replace(source, cases=cases))
    return result, sentences


def read_truth(case: Case, canal: int | None) -> Truth:
    """The reference of `case`; with a `canal`, what lies behind the canal's front cannot be judged.

    Raises SpineError for a case that cannot be read or has no canal.
    """
    scan, reference = read_reference(case, (Label(),))
    instances, classes, ignored = reference.instances, reference.classes, reference.ignored
    if canal is not None:
        drawn = read_labels(case.labels.parents[1] / "labelsTr" / case.labels.name)
        ignored = ignored | _behind_front(sitk.GetArrayFromImage(canonical(drawn)) == canal, case.name)
        instances, classes = np.where(ignored, 0, instances), np.where(ignored, 0, classes)
    values = set(np.unique(instances[instances > 0]).tolist())
    if not case.labels_are_instances and len(values) == 1:
        instances = separate(classes > 0, reference.spacing)[0]
    rows = labelled_slices(classes) if classes.any() else slice(0, 0)
    cut_off = frozenset(int(value) for value in np.unique(instances[[0, -1]]) if value)
    judged = Reference(instances, classes, ignored, rows, reference.spacing)
    return Truth(_sha256(scan), judged, case.labels_are_instances and values <= set(NAME_OF), cut_off)


def _sha256(scan: sitk.Image) -> str:
    content = hashlib.sha256(repr((scan.GetSize(), scan.GetSpacing())).encode())
    content.update(np.ascontiguousarray(sitk.GetArrayViewFromImage(scan)))
    return content.hexdigest()


def _behind_front(canal: np.ndarray, case: str) -> np.ndarray:
    """Whether voxels [I, P, L] lie at or behind the front of the canal in their axial slice, or in the nearest one."""
    there = canal.any(axis=1)
    rows = np.flatnonzero(there.any(axis=1))
    if not len(rows):
        raise SpineError(
            f'The labels of "{case}" have no spinal canal to tell bodies from the rest: leave the case out.'
        )
    edges = canal.argmax(axis=1)
    front = np.interp(np.arange(len(canal)), rows, [np.median(edges[row][there[row]]) for row in rows])
    return np.arange(canal.shape[1])[None, :, None] >= front[:, None, None]


def judge(truth: Truth, labels: np.ndarray, order: Sequence[int]) -> tuple[Score, tuple[BodyScore, ...], int]:
    """Overall score, score of each body and number of false bodies of a canonical label map [I, P, L].

    `order` holds its values from the top of the spine to the bottom.
    """
    reference = truth.reference
    score = score_classes((labels > 0).astype(np.uint8), reference, 1)[0]
    matches = match_bodies(labels, reference)
    counted = _counted_up(matches.found, order) if truth.levels_known else {}
    bodies = []
    for number, label in enumerate(matches.dice, start=1):
        if label in truth.cut_off:
            continue
        name = NAME_OF.get(label, str(label)) if truth.levels_known else f"body {number}"
        value = matches.found.get(label)
        if value is None:
            bodies.append(BodyScore(name, 0.0))
            continue
        found, wanted = (labels == value) & ~reference.ignored, reference.instances == label
        box = bounding_box(found | wanted)
        agreement = agreement_of(found[box], wanted[box], reference.spacing)
        automatic = value == label if truth.levels_known and value <= NUMBERED_OFFSET else None
        distances = agreement.hd95_mm, agreement.assd_mm
        bodies.append(BodyScore(name, matches.dice[label], *distances, automatic, counted.get(label)))
    return score, tuple(bodies), sum(not _on_cut_off(truth, labels == value) for value in matches.spurious)


def _counted_up(found: dict[int, int], order: Sequence[int]) -> dict[int, bool]:
    """Of each body found but the lowest, whether counting up from that one gives it its true level."""
    if not found:
        return {}
    places = {label: order.index(value) for label, value in found.items()}
    lowest = max(places, key=places.get)
    highest = min(places.values())
    try:
        names = assign_levels(places[lowest] - highest + 1, bottom_level=NAME_OF[lowest])
    except SpineError:  # counted beyond C1
        names = []
    given = {place: segment.label for place, segment in enumerate(names, start=highest)}
    return {label: given.get(place) == label for label, place in places.items() if label != lowest}


def _on_cut_off(truth: Truth, body: np.ndarray) -> bool:
    """Whether most of a predicted body lies on bodies that are cut off."""
    return 2 * np.count_nonzero(np.isin(truth.reference.instances[body], list(truth.cut_off))) > np.count_nonzero(body)
