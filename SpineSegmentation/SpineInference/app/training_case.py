"""Training cases: scans with segments that a person has corrected, in nnU-Net's raw layout, which `segtraining` reads.

    imagesTr/NAME_0000.nii.gz   the scan
    labelsTr/NAME.nii.gz        a value for each kind of thing, which dataset.json names
    instancesTr/NAME.nii.gz     the number of its level for each body; only where nothing but vertebrae is labelled
    provenanceTr/NAME.json      which model began, and with which programs
    dataset.json                what the values of labelsTr are called

Nothing of the patient but the voxels goes into them. A case appears whole: its image, without which there is no case,
comes last. An existing case is never touched, and neither is a data set that somebody else has made.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from .. import __version__
from ..anatomy import LEVELS, NUMBERED_OFFSET
from ..errors import SpineError
from ..files.atomic import atomic
from ..files.reading import READERS, read_labels, read_volume
from ..files.result_folder import PROGRAM
from ..files.temporary import publish, temporary_folder
from ..files.writing import write_labelmap, write_volume
from ..formats.voxels import image_on
from ..models.manifest import is_plain_name
from ..monitor import Monitor
from ..placement import SlicePlacement
from ..volume.geometry import Grid
from ..volume.slice_placement import placed

BODY = "vertebral_body"
"""What dataset.json calls the voxels of all vertebrae."""

DISC = "intervertebral_disc"
"""And those of all discs, which are told apart by the vertebrae beside them."""

_DESCRIPTION = "dataset.json"
_IMAGES, _LABELS, _INSTANCES, _PROVENANCE = "imagesTr", "labelsTr", "instancesTr", "provenanceTr"
_ANONYMOUS = re.compile(r"case_(\d+)")
_NUMBERED = re.compile(r"Vertebra (\d+)")
_DISC = re.compile(r"Disc (above |below )?([CTLS]?\d+)(-[CTLS]?\d+)?")
_RESERVED = ("background", "ignore", BODY, DISC)


@dataclass(frozen=True)
class CaseSegment:
    """One segment of a label map: its value there, and its name."""

    value: int
    name: str
    is_vertebra: bool


@dataclass(frozen=True)
class TrainingCase:
    """Files of a scan and of a label map on the same grid, which become the case `name` of the data set in `folder`.

    `placement` is that in the record of a single slice, `provenance` whatever is known of how the segments came about.
    """

    scan: str
    labels: str
    folder: str
    name: str
    segments: tuple[CaseSegment, ...]
    modality: str = "MR"
    placement: SlicePlacement | None = None
    provenance: dict[str, Any] = field(default_factory=dict)


def next_name(folder: Path) -> str:
    """The first name "case_001", "case_002", ... after all those in `folder`, which says nothing of the patient."""
    numbers = [int(match.group(1)) for name in _names_in(folder) if (match := _ANONYMOUS.fullmatch(name))]
    return f"case_{max(numbers, default=0) + 1:03d}"


def check_case(folder: Path, name: str, segments: Sequence[CaseSegment]) -> None:
    """Raise SpineError unless these segments can become the case `name` in `folder`. Looks at no voxel."""
    if not is_plain_name(name):
        raise SpineError(f'"{name}" cannot be the name of a case: use letters, digits, dashes and underscores.')
    if name.casefold() in _names_in(folder):
        raise SpineError(f'the folder {folder} has a case "{name}" already, which is kept: choose another name.')
    _body_numbers(segments)
    _label_values(_description_in(folder), folder, segments)


def save_case(case: TrainingCase, monitor: Monitor | None = None) -> Path:
    """Write the case, all of it or nothing; the path of its image.

    Raises SpineError as `check_case` does, where nothing is labelled, for a scan that is a case of `folder` already,
    and where the disk does not take it.
    """
    folder = Path(case.folder)
    check_case(folder, case.name, case.segments)
    image, labels = read_volume(case.scan, monitor), read_labels(case.labels, monitor)
    voxels = _hash_of(image)
    if other := next((name for name, known in _hashes_in(folder) if known == voxels), None):
        raise SpineError(
            f'this scan is in {folder} already, as the case "{other}": remove the files of that case to save it anew.'
        )
    if case.placement is not None:
        image, labels = placed(image, case.placement), placed(labels, case.placement)
    values = _label_values(_description_in(folder), folder, case.segments)
    files = _files_of(case, image, labels, values)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with temporary_folder(folder, "case") as aside:
            for name, content in files.items():
                (aside / name).parent.mkdir()
                (write_volume if content is image else write_labelmap)(content, aside / name)
            provenance = f"{_PROVENANCE}/{case.name}.json"
            (aside / provenance).parent.mkdir()
            _write_json(aside / provenance, _provenance_of(case, voxels))
            publish(aside, lambda: _move((provenance, *files), aside, folder, _described(folder, case, values)))
    except OSError as error:
        reason = error.strerror or error
        raise SpineError(f"the folder {folder} cannot be written ({reason}): choose another one.") from None
    return folder / list(files)[-1]


def _files_of(
    case: TrainingCase, image: sitk.Image, labels: sitk.Image, values: Mapping[str, int]
) -> dict[str, sitk.Image]:
    """The images of the case by their paths in the data set, that of the scan last."""
    array = sitk.GetArrayViewFromImage(labels)
    if not array.any():
        raise SpineError("nothing is labelled: draw something, or bring the segments back.")
    kinds = {segment.value: values[_kind_of(segment)] for segment in case.segments}
    files = {f"{_LABELS}/{case.name}.nii.gz": image_on(_mapped(array, kinds), Grid.of(labels))}
    if values.keys() <= {"background", BODY}:
        bodies = _mapped(array, _body_numbers(case.segments))
        files[f"{_INSTANCES}/{case.name}.nii.gz"] = image_on(bodies, Grid.of(labels))
    return files | {f"{_IMAGES}/{case.name}_0000.nii.gz": image}


def _move(names: Iterable[str], source: Path, target: Path, description: Mapping[str, Any]) -> None:
    """Move the files into the data set, the image last; where one cannot be moved, none is there."""
    moved: list[Path] = []
    *others, image = names
    try:
        for name in (*others, image):
            if name == image:
                with atomic(target / _DESCRIPTION) as aside:
                    _write_json(aside, description)
            (target / name).parent.mkdir(exist_ok=True)
            if (target / name).exists():
                raise SpineError(f"{target / name} has appeared meanwhile and is kept: choose another name.")
            (source / name).rename(target / name)
            moved.append(target / name)
    except Exception:
        for path in moved:
            path.unlink(missing_ok=True)
        raise


def _names_in(folder: Path) -> set[str]:
    """The names of all cases of which there is any file, in small letters, as not all file systems tell the two."""
    return set(_names(folder))


def _names(folder: Path) -> Iterator[str]:
    for part in (_IMAGES, _LABELS, _INSTANCES, _PROVENANCE):
        for path in (folder / part).glob("*"):
            name = path.name.casefold()
            suffix = next((each for each in (*READERS, ".json") if name.endswith(each)), "")
            stem = name.removesuffix(suffix)
            yield re.sub(r"_\d{4}$", "", stem) if part == _IMAGES else stem


def _description_in(folder: Path) -> dict[str, Any] | None:
    """What our dataset.json in `folder` says, None in a new folder. Raises SpineError for a data set of others."""
    path = folder / _DESCRIPTION
    if not path.exists():
        if any((folder / part).is_dir() for part in (_IMAGES, _LABELS, _INSTANCES)):
            raise SpineError(f"{folder} holds a data set without {_DESCRIPTION}: choose a folder for your own cases.")
        return None
    try:
        description = json.loads(path.read_bytes())
        if description["program"] == PROGRAM and all(type(value) is int for value in description["labels"].values()):
            return description
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    raise SpineError(f"{folder} holds a data set that was made by other means: choose a folder for your own cases.")


def _kind_of(segment: CaseSegment) -> str:
    if segment.is_vertebra:
        return BODY
    return DISC if _DISC.fullmatch(segment.name) else segment.name


def _label_values(description: dict[str, Any] | None, folder: Path, segments: Sequence[CaseSegment]) -> dict[str, int]:
    """The value of each kind of thing in labelsTr: those that the data set has given, and new ones after them."""
    reserved = next((s.name for s in segments if not s.is_vertebra and s.name in _RESERVED), None)
    if reserved is not None:
        raise SpineError(f'the segment "{reserved}" has a name that means something else in a data set: rename it.')
    kinds = dict.fromkeys(map(_kind_of, segments))
    values = {"background": 0} if description is None else dict(description["labels"])
    others = [kind for kind in kinds if kind != BODY]
    if description is not None and values.keys() <= {"background", BODY} and others:
        raise SpineError(
            f'the cases in {folder} have vertebral bodies only, this one has "{others[0]}" too: choose another folder.'
        )
    for kind in kinds:
        values.setdefault(kind, max(values.values()) + 1)
    return values


def _body_numbers(segments: Sequence[CaseSegment]) -> dict[int, int]:
    """The number of its level for the value of each vertebra. Raises SpineError for one that is no level, or twice."""
    numbers: dict[int, int] = {}
    for segment in segments:
        if not segment.is_vertebra:
            continue
        level, match = LEVELS.get(segment.name), _NUMBERED.fullmatch(segment.name)
        if level is None and match is None:
            raise SpineError(
                f'the segment "{segment.name}" is called neither like a vertebra nor like anything that the model '
                'finds: rename it ("L3", "Vertebra 3") or remove it.'
            )
        number = level.label if level else NUMBERED_OFFSET + int(match.group(1))
        if number in numbers.values():
            raise SpineError(f'two segments are called "{segment.name}": rename one of them.')
        numbers[segment.value] = number
    return numbers


def _mapped(array: np.ndarray, numbers: Mapping[int, int]) -> np.ndarray:
    """The array with these numbers in place of its values, and 0 for other values."""
    table = np.zeros(int(max(array.max(), *numbers)) + 1, np.uint16 if max(numbers.values()) > 255 else np.uint8)
    for value, number in numbers.items():
        table[value] = number
    return table[array]


def _hash_of(image: sitk.Image) -> str:
    """The SHA-256 of the voxels: a scan under another name is a case of the same patient."""
    return hashlib.sha256(np.ascontiguousarray(sitk.GetArrayViewFromImage(image))).hexdigest()


def _hashes_in(folder: Path) -> Iterator[tuple[str, str]]:
    for path in (folder / _PROVENANCE).glob("*.json"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            yield path.stem, json.loads(path.read_bytes())["voxels_sha256"]


def _provenance_of(case: TrainingCase, voxels: str) -> dict[str, Any]:
    return {
        "program": PROGRAM,
        "version": __version__,
        "saved": datetime.now(UTC).isoformat(timespec="seconds"),
        "voxels_sha256": voxels,
        **case.provenance,
        "segments": [segment.name for segment in case.segments],
        "placement": None if case.placement is None else asdict(case.placement),
    }


def _described(folder: Path, case: TrainingCase, values: Mapping[str, int]) -> dict[str, Any]:
    return {
        "name": folder.name,
        "program": PROGRAM,
        "channel_names": {"0": case.modality},
        "labels": dict(values),
        "numTraining": 1 + len(list((folder / _IMAGES).glob("*_0000.nii.gz"))),
        "file_ending": ".nii.gz",
    }


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
