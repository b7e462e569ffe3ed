"""Where the images and label maps of a data set lie: a pair of functions for each layout."""

import json
import re
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from SpineInference.errors import SpineError
from SpineInference.files.reading import READERS

from ..config.data import PLACEHOLDER, Dataset
from .description import DESCRIPTION

DESCRIBED_LAYOUTS = ("nnunet", "msd")
"""Those with a dataset.json."""

_MOST_NAMES = 6
_CHANNEL = re.compile(r"_\d{4}$")
_DETACHED = (".raw", ".zraw", ".raw.gz")
"""The voxels of a header that is a file of its own."""


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


def left_out(dataset: Dataset, folder: Path) -> list[str]:
    """Sentences that name each file beside the cases of the data set in `folder` that is no part of any, and why.

    What the configuration excludes, and what lies in folders that the layout does not know, is not spoken of. Raises
    SpineError as `find_files` does.
    """
    everything = dataset.model_copy(update={"exclude": ()})
    images, labels_of = _LAYOUTS[dataset.layout]
    cases = images(everything, folder)
    used = set(cases.values())
    for name in cases:
        with suppress(SpineError) if name in dataset.exclude else nullcontext():
            used.add(labels_of(name, dataset, folder))
    why: dict[str, list[str]] = {}
    for path in sorted(_neighbours(dataset, folder, used)):
        if path not in used and not (dataset.layout == "nnunet" and _nnunet_labels_of(path) in cases):
            why.setdefault(_reason(dataset, path), []).append(path.relative_to(folder).as_posix())
    return [f'Left out of "{dataset.name}", {reason}: {_some(names)}.' for reason, names in why.items()]


def _some(names: list[str]) -> str:
    """As many of the names as anybody reads."""
    more = len(names) - _MOST_NAMES
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:_MOST_NAMES])} and {more} more"


def _neighbours(dataset: Dataset, folder: Path, used: set[Path]) -> Iterator[Path]:
    """The files that somebody may take for a part of the data set."""
    if dataset.layout in ("pairs", "images2d"):
        candidates = (path for path in folder.rglob("*") if _suffix(path) or path.suffix.lower() == ".dcm")
    else:
        parts = {folder / part for part in ("imagesTr", "labelsTr", "instancesTr")} | {path.parent for path in used}
        candidates = (path for part in sorted(parts) if part.is_dir() for path in part.iterdir())
    for path in candidates:
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden and not path.name.lower().endswith(_DETACHED):
            yield path


def _nnunet_labels_of(path: Path) -> str:
    """The case that a file of labelsTr or instancesTr is a label map of; empty for other files."""
    return _stem(path) if path.parent.name in ("labelsTr", "instancesTr") else ""


def _reason(dataset: Dataset, path: Path) -> str:
    if not _suffix(path):
        return "no image file"
    if dataset.layout != "nnunet":
        return "not listed" if dataset.layout == "msd" else "not found by the patterns"
    if path.parent.name != "imagesTr":
        return "without an image"
    return "another channel" if _CHANNEL.search(_stem(path)) else "not called NAME_0000"


def _nnunet_images(dataset: Dataset, folder: Path) -> dict[str, Path]:
    suffix = f"_{dataset.channel or 0:04d}"
    images: dict[str, Path] = {}
    others: dict[str, Path] = {}
    for path in sorted((folder / "imagesTr").glob("*")):
        stem = _stem(path)
        if not stem.endswith(suffix):
            if _CHANNEL.search(stem):
                others[_CHANNEL.sub("", stem)] = path
            continue
        other = images.setdefault(stem.removesuffix(suffix), path)
        if other != path:
            raise SpineError(f'"{other}" and "{path.name}" have the name of the same case: remove one of them.')
    if not images:
        raise SpineError(
            f'No image "imagesTr/NAME{suffix}.nii.gz" was found in "{folder}": check --data and the data set.'
        )
    second = next((name for name in others if name in images and name not in dataset.exclude), None)
    if dataset.channel is None and second is not None:
        raise SpineError(
            f'The case "{second}" of "{folder}" has another channel, "{others[second].name}", and networks here see '
            'one: choose it with "channel: 0" in the data set\'s settings.'
        )
    return images


def _nnunet_labels(name: str, dataset: Dataset, folder: Path) -> Path:
    for part in ("instancesTr", "labelsTr"):
        found = [path for suffix in READERS if (path := folder / part / f"{name}{suffix}").exists()]
        # Only then the slow way, which finds suffixes in capitals too.
        found = found or [path for path in sorted((folder / part).glob("*")) if _stem(path) == name]
        if len(found) > 1:
            raise SpineError(
                f'The case "{name}" has two label maps, "{found[0]}" and "{found[1]}": remove one of them.'
            )
        if found:
            return found[0]
    raise SpineError(f'The case "{name}" of "{folder}" has no label map in labelsTr: add it or exclude the case.')


def _msd_images(dataset: Dataset, folder: Path) -> dict[str, Path]:
    return {name: image for name, (image, _) in _msd_pairs(folder).items()}


def _msd_labels(name: str, dataset: Dataset, folder: Path) -> Path:
    pair = _msd_pairs(folder)[name]
    missing = next((path for path in pair if not path.exists()), None)
    if missing is not None:
        raise SpineError(
            f'The {DESCRIPTION} of "{folder}" lists "{missing}", which does not exist: add it or exclude "{name}".'
        )
    return pair[1]


def _msd_pairs(folder: Path) -> dict[str, tuple[Path, Path]]:
    description = folder / DESCRIPTION
    try:
        listed = [(pair["image"], pair["label"]) for pair in json.loads(description.read_text("utf-8"))["training"]]
        pairs = [(_stem(folder / image), (folder / image, folder / label)) for image, label in listed]
    except (OSError, ValueError, KeyError, TypeError):
        raise SpineError(
            f'"{description}" cannot be read, or lists no "training" pairs of "image" and "label": '
            "check --data and the data set."
        ) from None
    by_name = dict(pairs)
    for name, pair in pairs:
        if by_name[name] != pair:
            raise SpineError(f'"{description}" lists two images for the case "{name}": keep one of them.')
    return by_name


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
    suffix = _suffix(path)
    return path.name[: -len(suffix)] if suffix and not path.name.startswith(".") else ""


def _suffix(path: Path) -> str:
    """The suffix of an image, in small letters; empty for other files."""
    return next((suffix for suffix in READERS if path.name.lower().endswith(suffix)), "")


_LAYOUTS = {
    "nnunet": (_nnunet_images, _nnunet_labels),
    "msd": (_msd_images, _msd_labels),
    "pairs": (_pattern_images, _pattern_labels),
    "images2d": (_pattern_images, _pattern_labels),
}
