"""The models at hand: bundled ones, imported ones, and those that can be downloaded when somebody asks for it.

Imported models lie in a folder of the user, each a package or a folder of packages. Nothing here touches the
internet but `download`.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Literal

from ..anatomy import CANAL_CODE, CORD_CODE, DISC_CODE, VERTEBRA_CODE
from ..errors import SpineError
from ..files.temporary import temporary_folder
from ..monitor import Monitor
from .catalog_file import CatalogEntry, RemotePackage, catalog_folders, read_entries
from .downloading import download_file
from .manifest import HIGHEST_BESIDE_VERTEBRAE, Manifest, is_plain_name
from .model_package import MANIFEST, ModelPackage, copy_package, open_packages, read_manifests
from .package_files import atomic_folder


@dataclass(frozen=True)
class ModelSet:
    """Opened, verified packages whose predictions are fused into one result, and one that recognises levels, if any."""

    name: str
    title: str
    packages: list[ModelPackage] = field(hash=False)
    levels: ModelPackage | None = None

    @property
    def recipe(self) -> Manifest:
        """See `recipe_of`."""
        return recipe_of(self.packages)

    @property
    def all_packages(self) -> list[ModelPackage]:
        """Those that segment, and the one that recognises levels."""
        return [*self.packages, *([self.levels] if self.levels else [])]


def recipe_of(packages: Sequence[ModelPackage]) -> Manifest:
    """The manifest of the package that knows most labels, the first of those, with all that only others know."""
    manifests = [package.manifest for package in packages]
    richest = max(manifests, key=lambda manifest: len(manifest.labels))
    labels = dict.fromkeys(label for manifest in (richest, *manifests) for label in manifest.labels)
    return replace(richest, labels=list(labels))


@dataclass(frozen=True)
class SetInfo:
    """A set as a person chooses it. `missing_bytes` have to be downloaded before it can be used, usually 0."""

    name: str
    title: str
    description: str
    anatomy: str
    modality: str
    licence: str
    origin: Literal["catalog", "imported"]
    missing_bytes: int = 0


def open_set(name_or_path: str | Path, catalog_folder: str | Path | None = None) -> ModelSet:
    """The set of that name, else the single package of that name, else what lies at that path.

    A path is a package or several packages, as a folder or a zip. Raises SpineError when there is nothing of that
    name, when it has to be downloaded first, and for packages that are not sound or do not go together.
    """
    located = _locate(str(name_or_path), catalog_folder)
    if located is not None:
        name, title, folders = located
        return _as_set(name, title, [ModelPackage.open(folder) for folder in folders])
    path = Path(name_or_path)
    if not path.exists():
        known = ", ".join(info.name for info in list_sets(catalog_folder)) or "none"
        raise SpineError(
            f'There is no model "{name_or_path}": known are {known}; or give the folder or zip of a model package.'
        )
    return _set_at(path)


def absolute(name_or_path: str) -> str:
    """What `open_set` takes for the same model in any working folder."""
    return name_or_path if _locate(name_or_path, None) else os.path.abspath(name_or_path)


def list_sets(catalog_folder: str | Path | None = None) -> list[SetInfo]:
    """Every set: those of the catalogs, then the imported ones. Reads manifests, opens no weights."""
    infos = {}
    remote_names = set()
    for _, entry in read_entries(catalog_folder):
        text = (entry.title, entry.description, entry.anatomy, entry.modality, entry.licence)
        missing = sum(remote.size for remote in _missing(entry))
        infos.setdefault(entry.name, SetInfo(entry.name, *text, "catalog", missing))
        remote_names |= {remote.name for remote in entry.remote}
    for folder in _imported_folders():
        if folder.name not in remote_names:
            infos.setdefault(folder.name, _imported_info(folder))
    return list(infos.values())


def manifests_of(name: str, catalog_folder: str | Path | None = None) -> list[tuple[Manifest, int]]:
    """What each package of a set says about itself, and its size in bytes; none for what has to be downloaded first.

    Opens no weights. Raises SpineError when there is no set of that name, or for a manifest that is not sound.
    """
    entry = next((entry for _, entry in read_entries(catalog_folder) if entry.name == name), None)
    if entry is not None and _missing(entry):
        return []
    located = _locate(name, catalog_folder)
    if located is None:
        raise SpineError(f'There is no model "{name}".')
    return [
        (manifest, sum(file.stat().st_size for file in folder.iterdir() if file.is_file()))
        for folder in located[2]
        for manifest in read_manifests(folder)
    ]


def downloaded_names(catalog_folder: str | Path | None = None) -> list[str]:
    """The sets of the catalog whose downloaded part is there, and can be removed again."""
    return [entry.name for _, entry in read_entries(catalog_folder) if entry.remote and not _missing(entry)]


def verify(name: str, catalog_folder: str | Path | None = None) -> list[str]:
    """What is wrong with the packages of a set, one sentence each; empty when every file is as it was made.

    Raises SpineError when there is no set of that name or it has to be downloaded first.
    """
    located = _locate(name, catalog_folder)
    if located is None:
        raise SpineError(f'There is no model "{name}".')
    problems = []
    for folder in located[2]:
        try:
            ModelPackage.open(folder)
        except SpineError as error:
            problems.append(str(error))
    return problems


def import_model(path: str | Path, catalog_folder: str | Path | None = None) -> ModelSet:
    """Copy the package or packages at `path` (folder or zip) to the user's folder, verified, and open the copy.

    One package keeps its name, several become a set named after the file. What is there already is left alone.
    Raises SpineError for unsound packages and when another model has the name.
    """
    source = _set_at(Path(path))
    if not is_plain_name(source.name):
        raise SpineError(f'"{source.name}" cannot be the name of a model: rename the file to letters and digits.')
    if _is_bundled(source.name, catalog_folder):
        raise SpineError(f'The program brings a model "{source.name}" of its own, which is not replaced.')
    target = user_folder() / source.name
    if target.exists():
        there = sorted(read_manifests(target), key=lambda manifest: manifest.name)
        if there != sorted((package.manifest for package in source.all_packages), key=lambda manifest: manifest.name):
            raise SpineError(f'There is another model "{source.name}" already: remove it first, or rename the new one.')
    else:
        _store(source.all_packages, target)
    return _set_at(target)


def remove(name: str, catalog_folder: str | Path | None = None) -> None:
    """Delete an imported model, or the downloaded part of a set. Raises SpineError for what was not imported."""
    entry = next((entry for _, entry in read_entries(catalog_folder) if entry.name == name), None)
    names = [remote.name for remote in entry.remote] if entry else [name] if is_plain_name(name) else []
    folders = [user_folder() / name for name in names if (user_folder() / name).is_dir()]
    if not folders:
        where = "it belongs to the program" if _is_bundled(name, catalog_folder) else "there is none of that name"
        raise SpineError(f'The model "{name}" cannot be removed: {where}; only imported models can.')
    try:
        for folder in folders:
            with temporary_folder(user_folder(), name) as aside:
                os.rename(folder, aside / "removed")  # at once, so that nobody finds half a model
    except OSError as error:
        raise SpineError(f'The model "{name}" cannot be removed ({error.strerror or error}).') from None


def download(name: str, monitor: Monitor | None = None, catalog_folder: str | Path | None = None) -> ModelSet:
    """Download what is missing of the catalog's set `name` into the user's folder, and open the set.

    Raises SpineError for an unknown set and for whatever goes wrong on the way, and Cancelled.
    """
    entry = next((entry for _, entry in read_entries(catalog_folder) if entry.name == name), None)
    if entry is None:
        raise SpineError(f'There is no model "{name}" in the catalog.')
    for remote in _missing(entry):
        user_folder().mkdir(parents=True, exist_ok=True)
        with temporary_folder(user_folder(), remote.name) as folder:
            file = folder / f"{remote.name}.zip"
            download_file(remote.url, file, remote.sha256, remote.size, monitor)
            package = ModelPackage.open(file)
            if package.manifest.name != remote.name:
                raise SpineError(f'{remote.url} holds "{package.manifest.name}", not "{remote.name}": report this.')
            _store([package], user_folder() / remote.name)
    return open_set(name, catalog_folder)


def user_folder() -> Path:
    """Where imported and downloaded models lie, one folder for each. It may not exist yet."""
    if base := os.environ.get("XDG_DATA_HOME"):
        return Path(base) / "SpineSegmentation" / "Models"
    places = {
        "win32": Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"),
        "darwin": Path.home() / "Library" / "Application Support",
    }
    return places.get(sys.platform, Path.home() / ".local" / "share") / "SpineSegmentation" / "Models"


def _locate(name: str, catalog_folder: str | Path | None) -> tuple[str, str, list[Path]] | None:
    """Name, title and package folders of the set or, when there is none, of the package called `name`."""
    if not is_plain_name(name):
        return None
    for folder, entry in read_entries(catalog_folder):
        if entry.name == name:
            return name, entry.title, _entry_folders(folder, entry)
    imported = user_folder() / name
    if (imported / MANIFEST).is_file():
        return name, read_manifests(imported)[0].title, [imported]
    if imported.is_dir():
        return name, name, sorted(manifest.parent for manifest in imported.glob(f"*/{MANIFEST}"))
    places = [*(folder / name for folder in catalog_folders(catalog_folder)), *user_folder().glob(f"*/{name}")]
    for place in places:
        if (place / MANIFEST).is_file():
            return name, read_manifests(place)[0].title, [place]
    return None


def _entry_folders(folder: Path, entry: CatalogEntry) -> list[Path]:
    if missing := _missing(entry):
        size = sum(remote.size for remote in missing) / 1e6
        raise SpineError(
            f'The model "{entry.name}" is not on this computer ({size:.0f} MB): download it first, or import its file.'
        )
    return [
        user_folder() / package.name if isinstance(package, RemotePackage) else folder / package
        for package in entry.packages
    ]


def _missing(entry: CatalogEntry) -> list[RemotePackage]:
    return [remote for remote in entry.remote if not (user_folder() / remote.name).is_dir()]


def _is_bundled(name: str, catalog_folder: str | Path | None) -> bool:
    entries = [entry for _, entry in read_entries(catalog_folder)]
    if any(remote.name == name for entry in entries for remote in entry.remote):
        return False  # on a server only: whoever cannot download it imports its file
    if any(entry.name == name for entry in entries):
        return True
    return is_plain_name(name) and any((folder / name).is_dir() for folder in catalog_folders(catalog_folder))


def _imported_folders() -> list[Path]:
    if not user_folder().is_dir():
        return []
    return sorted(f for f in user_folder().iterdir() if f.is_dir() and not f.name.startswith("."))


def _imported_info(folder: Path) -> SetInfo:
    try:
        manifests = read_manifests(folder)
    except SpineError as error:  # one damaged model must not hide the others
        return SetInfo(folder.name, folder.name, str(error), "", "", "", "imported")
    first = next((each for each in manifests if not each.recognises_levels), manifests[0])
    title = first.title if len(manifests) == 1 else folder.name
    return SetInfo(folder.name, title, first.description, first.anatomy, first.modality, first.licence, "imported")


def _set_at(path: Path) -> ModelSet:
    packages = open_packages(path)
    if len(packages) == 1:
        return _as_set(packages[0].manifest.name, packages[0].manifest.title, packages)
    name = path.resolve().name.removesuffix(".zip")
    return _as_set(name, name, packages)


def _as_set(name: str, title: str, packages: list[ModelPackage]) -> ModelSet:
    if not packages:
        raise SpineError(f'The model "{name}" has no packages: import it again.')
    levels = [package for package in packages if package.manifest.recognises_levels]
    segmenting = [package for package in packages if not package.manifest.recognises_levels]
    if not segmenting:
        raise SpineError(f'"{name}" recognises levels but segments nothing: use a set of models that brings it along.')
    if len(levels) > 1:
        raise SpineError(f'The model "{name}" has two networks that recognise levels: keep one of them.')
    whole = recipe_of(segmenting)
    for one, other in combinations((package.manifest for package in segmenting), 2):
        if not _can_be_fused(one, other):
            raise SpineError(
                f'"{one.name}" and "{other.name}" of the model "{name}" find different labels: they cannot be fused.'
            )
    if not whole.values_fit:
        raise SpineError(
            f'The labels beside vertebrae of the model "{name}" must have values of 1 to {HIGHEST_BESIDE_VERTEBRAE}.'
        )
    if levels and levels[0].manifest.input.intensity != whole.input.intensity:
        raise SpineError(
            f'The network that recognises levels in "{name}" wants other intensities than those that segment: train it '
            "with theirs."
        )
    if len({package.manifest.name for package in packages}) < len(packages):
        raise SpineError(f'Two packages of the model "{name}" have the same name: give each its own.')
    return ModelSet(name, title, segmenting, *levels)


def _can_be_fused(one: Manifest, other: Manifest) -> bool:
    """Whether all that two members of a set find is either the same or can be told apart."""
    if one.output.activation != other.output.activation:
        return False
    both = set(one.labels) | set(other.labels)
    if one.output.activation == "softmax":  # what it leaves for the background is what no label of its own has
        return len(both) == len(one.labels) == len(other.labels)
    # All vertebrae or discs, or the canal, as one label do not go with another label for some of them.
    known = [[label.code for label in labels] for labels in (one.labels, other.labels, both)]
    counts = ([codes.count(code) for codes in known] for code, _ in (VERTEBRA_CODE, DISC_CODE, CANAL_CODE, CORD_CODE))
    is_clear = not any(1 in own and together > 1 for *own, together in counts)
    return is_clear and len({label.value for label in both}) == len(both)


def _store(packages: list[ModelPackage], target: Path) -> None:
    try:
        with atomic_folder(target) as new:
            for package in packages:
                folder = new if len(packages) == 1 else new / package.manifest.name
                folder.mkdir(exist_ok=True)
                copy_package(package, folder)
    except OSError as error:
        raise SpineError(
            f"{target} cannot be written ({error.strerror or error}): check the rights and the space."
        ) from None
