"""How a folder of scans and masks is laid out, and what its labels are, where no configuration says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from SpineInference.anatomy import STRUCTURE_CODE, VERTEBRA_CODE, distinct_colour
from SpineInference.errors import SpineError
from SpineInference.files.reading import READERS

from ..config.data import PLACEHOLDER, Dataset, Label
from ..data.datasets import Case, find_cases
from ..data.description import DESCRIPTION, read_description
from ..data.raw_folder import describe_raw_folder
from ..data.structures import is_vertebra, structure_code

_IMAGES = ("images", "image", "scans", "imgs", "img", "volumes")
_MASKS = ("masks", "mask", "labels", "label", "segmentations", "seg", "annotations")
_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
_SAID = "give a folder with imagesTr and labelsTr (nnU-Net), with images and masks, or one folder for each case"


@dataclass(frozen=True)
class Folder:
    """A data set as a configuration describes it, with the classes that its labels are, and why."""

    dataset: Dataset
    labels: tuple[Label, ...]
    why: str


def understand(folder: Path, patient_pattern: str | None = None) -> Folder:
    """What lies in `folder`. Raises SpineError, in one sentence, where it is no data set or its labels are unknown."""
    if not folder.is_dir():
        raise SpineError(f'There is no folder "{folder}": {_SAID}.')
    description = read_description(folder)
    names = {} if description is None else {value: name for value, name in description.names.items() if value}
    layout = _layout(folder)
    pattern = {} if patient_pattern is None else {"patient_pattern": patient_pattern}
    structures = [name for name in names.values() if not is_vertebra(name)]
    if (not names and (folder / "instancesTr").is_dir()) or (names and not structures):
        dataset = describe_raw_folder(folder) if "layout" not in layout else Dataset(name=folder.name, **layout)
        why = "every value is a vertebral body: the runtime separates and names them"
        rules = {"ignore_below_mm": 40.0, "unlabelled_above": "ignore"}
        return Folder(_valid(dataset, rules | pattern), (Label(),), why)
    if names and (folder / "instancesTr").is_dir():
        # Label maps of instances know bodies only: the classes are those of labelsTr.
        layout = {
            "layout": "pairs",
            "images": f"imagesTr/{PLACEHOLDER}_0000.*",
            "masks": f"labelsTr/{PLACEHOLDER}.*",
        }
    dataset = _valid(Dataset(name=folder.name, **layout), pattern)
    if names:
        return Folder(dataset, _classes(names), f"as {DESCRIPTION} names them; single vertebrae are one class")
    values = _values(find_cases(dataset, folder.parent))
    if len(values) == 1:
        return Folder(_valid(dataset, {"unlabelled_above": "ignore", "ignore_below_mm": 40.0}), (Label(),), _unnamed())
    listed = ", ".join(map(str, values[:8]))
    raise SpineError(
        f'Nobody says what the values {listed} in the label maps of "{folder}" are: write a {DESCRIPTION} there with '
        '"labels": {"background": 0, "vertebra": 1, ...}.'
    )


def _unnamed() -> str:
    return f"there is one value and no {DESCRIPTION} that names it: taken for vertebral bodies"


def _valid(dataset: Dataset, changes: dict) -> Dataset:
    try:
        return Dataset.model_validate(dataset.model_dump() | changes)
    except ValueError:
        raise SpineError(
            "--patient-pattern is no regular expression with a group: write one like (p[0-9]+)_."
        ) from None


def _layout(folder: Path) -> dict[str, str]:
    """The settings of the layout of `folder`; {} for nnU-Net's."""
    if (folder / "imagesTr").is_dir() and (folder / "labelsTr").is_dir() | (folder / "instancesTr").is_dir():
        return {}
    inside = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_dir()}
    images = next((inside[name] for name in _IMAGES if name in inside), None)
    masks = next((inside[name] for name in _MASKS if name in inside), None)
    if images and masks:
        flat = any(path.suffix.lower() in _PICTURES for path in images.iterdir())
        patterns = {kind: f"{path.name}/{PLACEHOLDER}.*" for kind, path in (("images", images), ("masks", masks))}
        return {"layout": "images2d" if flat else "pairs", **patterns}
    if (folder / DESCRIPTION).is_file() and (folder / "imagesTr").is_dir():
        return {"layout": "msd"}
    return _case_folders(folder, list(inside.values()))


def _case_folders(folder: Path, cases: Sequence[Path]) -> dict[str, str]:
    """For folders of cases that hold files of the same two names."""
    names = [sorted(p.name for p in case.iterdir() if p.name.lower().endswith(tuple(READERS))) for case in cases]
    if not names or len(names[0]) != 2 or any(own != names[0] for own in names):
        raise SpineError(f'"{folder}" is not understood: {_SAID} with two files of the same names, a scan and a mask.')
    is_mask = [any(word in name.lower() for word in _MASKS) for name in names[0]]
    if sum(is_mask) != 1:
        raise SpineError(f'Which of {" and ".join(names[0])} is the mask is not clear: call it "mask".')
    mask = names[0][is_mask.index(True)]
    image = names[0][is_mask.index(False)]
    return {"layout": "pairs", "images": f"{PLACEHOLDER}/{image}", "masks": f"{PLACEHOLDER}/{mask}"}


def _classes(names: dict[int, str]) -> tuple[Label, ...]:
    """A label for all vertebrae and one for each other structure, with codes and colours."""
    bodies = tuple(value for value, name in names.items() if is_vertebra(name))
    named = [name for name in names.values() if is_vertebra(name)]
    code, meaning = VERTEBRA_CODE
    title = _title(named[0]) if len(named) == 1 else "Vertebra"
    labels = [Label(name=title, code=code, meaning=meaning, values=bodies)] if bodies else []
    for value, name in names.items():
        if value in bodies:
            continue
        code, meaning = structure_code(name) or STRUCTURE_CODE
        colour = distinct_colour(len(labels)) if labels else Label().colour
        labels.append(Label(name=_title(name), colour=colour, code=code, meaning=meaning, values=(value,)))
    if len(labels) == 1:
        return (labels[0].model_copy(update={"values": ()}),)
    return tuple(labels)


def _title(name: str) -> str:
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def _values(cases: Sequence[Case]) -> list[int]:
    found: set[int] = set()
    for case in cases:
        _, labels = case.read()
        found |= set(np.unique(sitk.GetArrayViewFromImage(labels)).tolist())
    return sorted(int(value) for value in found - {0})
