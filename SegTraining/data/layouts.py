"""Where the images and label maps of a data set lie: a pair of functions for each layout."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from SpineInference.errors import SpineError
from SpineInference.files.reading import IMAGE_IO

from ..config.data import PLACEHOLDER, Dataset

_FIRST_CHANNEL = "_0000"
_DESCRIPTION = "dataset.json"


@dataclass(frozen=True)
class Files:
    """The image and the label map of one case."""

    name: str
    image: Path
    labels: Path
    labels_are_instances: bool = False
    """Whether every body has a label value of its own."""


def find_files(dataset: Dataset, folder: Path) -> list[Files]:
    """The files of every case of the data set in `folder`, sorted by name.

    Raises SpineError where none is found, where an image has no label map or several, and where a case to exclude
    does not exist.
    """
    find_images, labels_of = _LAYOUTS[dataset.layout]
    images = find_images(dataset, folder)
    unknown_cases = set(dataset.exclude) - set(images)
    if unknown_cases:
        raise SpineError(f'"{folder}" has no case "{min(unknown_cases)}" that could be excluded: correct the list.')
    return [
        Files(name, images[name], labels := labels_of(name, dataset, folder), labels.parent.name == "instancesTr")
        for name in sorted(set(images) - set(dataset.exclude))
    ]


def _nnunet_images(dataset: Dataset, folder: Path) -> dict[str, Path]:
    stems = {_stem(path): path for path in (folder / "imagesTr").glob("*")}
    images = {s.removesuffix(_FIRST_CHANNEL): path for s, path in stems.items() if s.endswith(_FIRST_CHANNEL)}
    if not images:
        raise SpineError(
            f'No image "imagesTr/NAME_0000.nii.gz" was found in "{folder}": check --data and the data set.'
        )
    return images


def _nnunet_labels(name: str, dataset: Dataset, folder: Path) -> Path:
    candidates = [folder / part / f"{name}{suffix}" for part in ("instancesTr", "labelsTr") for suffix in IMAGE_IO]
    labels = next((path for path in candidates if path.exists()), None)
    if labels is None:
        raise SpineError(f'The case "{name}" of "{folder}" has no label map in labelsTr: add it or exclude the case.')
    return labels


def _msd_images(dataset: Dataset, folder: Path) -> dict[str, Path]:
    return {name: image for name, (image, _) in _msd_pairs(folder).items()}


def _msd_labels(name: str, dataset: Dataset, folder: Path) -> Path:
    pair = _msd_pairs(folder)[name]
    missing = next((path for path in pair if not path.exists()), None)
    if missing is not None:
        raise SpineError(
            f'The {_DESCRIPTION} of "{folder}" lists "{missing}", which does not exist: add it or exclude "{name}".'
        )
    return pair[1]


def _msd_pairs(folder: Path) -> dict[str, tuple[Path, Path]]:
    description = folder / _DESCRIPTION
    try:
        listed = [(pair["image"], pair["label"]) for pair in json.loads(description.read_text("utf-8"))["training"]]
        return {_stem(folder / image): (folder / image, folder / label) for image, label in listed}
    except (OSError, ValueError, KeyError, TypeError):
        raise SpineError(
            f'"{description}" cannot be read, or lists no "training" pairs of "image" and "label": '
            "check --data and the data set."
        ) from None


def _pattern_images(dataset: Dataset, folder: Path) -> dict[str, Path]:
    pattern, _ = dataset.patterns
    # The placeholder becomes a group, the wildcards of the pattern what they stand for within a name.
    parts = [re.escape(part).replace(r"\*", "[^/]*").replace(r"\?", "[^/]") for part in pattern.split(PLACEHOLDER)]
    case_of = re.compile("([^/]+?)".join(parts))
    images: dict[str, Path] = {}
    for image in sorted(folder.glob(pattern.replace(PLACEHOLDER, "*"))):
        match = case_of.fullmatch(image.relative_to(folder).as_posix())
        if match is None or image.name.startswith("."):
            continue
        other = images.setdefault(match.group(1), image)
        if other != image:
            raise SpineError(
                f'The pattern "{pattern}" finds both "{other.name}" and "{image.name}" for the case '
                f'"{match.group(1)}" of "{folder}": make it more exact.'
            )
    if not images:
        raise SpineError(f'No image "{pattern}" was found in "{folder}": check --data and the pattern.')
    return images


def _pattern_labels(name: str, dataset: Dataset, folder: Path) -> Path:
    _, pattern = dataset.patterns
    # Brackets in a name are not the wildcards that glob would take them for.
    masks = sorted(folder.glob(pattern.replace(PLACEHOLDER, re.sub(r"([\[*?])", r"[\1]", name))))
    if len(masks) != 1:
        raise SpineError(
            f'The case "{name}" of "{folder}" has {len(masks) or "no"} label maps "{pattern}": '
            "there must be one, or exclude the case."
        )
    return masks[0]


def _stem(path: Path) -> str:
    """The name without the suffix of an image; empty for other files and for hidden ones."""
    suffix = next((suffix for suffix in IMAGE_IO if path.name.endswith(suffix)), "")
    return path.name.removesuffix(suffix) if suffix and not path.name.startswith(".") else ""


_LAYOUTS = {
    "nnunet": (_nnunet_images, _nnunet_labels),
    "msd": (_msd_images, _msd_labels),
    "pairs": (_pattern_images, _pattern_labels),
    "images2d": (_pattern_images, _pattern_labels),
}
