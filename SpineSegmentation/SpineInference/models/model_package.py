"""A model package: one folder or zip with `manifest.json` and `model.onnx`, which holds graph and weights.

It may also hold a card, `README.md`; one of schema 1 holds the weights again, as `model.safetensors`. There is no
pickle and no code in it, and the manifest lists the SHA-256 of every file. Opening a package checks all of it; `read`
checks again the very bytes that are used.
"""

import hashlib
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import SpineError
from ..schema import as_json
from .manifest import Manifest, read_manifest
from .package_files import PackageFiles
from .weight_files import check_weights

MANIFEST, ONNX, SAFETENSORS, CARD = "manifest.json", "model.onnx", "model.safetensors", "README.md"
_REQUIRED = (ONNX,)
_LISTED = (ONNX, SAFETENSORS, CARD, "model.int8.onnx")  # the last one may be there, and is not used
# What systems and people leave in folders and no program ever runs.
_HARMLESS = (".DS_Store", "Thumbs.db", "desktop.ini", "LICENSE", ".md", ".txt", ".png")
_MAX_MANIFEST = 2**20


@dataclass(frozen=True)
class ModelPackage:
    """An opened, verified package. `source` is a folder or zip, `folder` where in it the package lies ("" or "x/")."""

    manifest: Manifest = field(hash=False)
    source: Path
    folder: str = ""

    @property
    def path(self) -> Path:
        """Names the package's place, different for each package; within a zip nothing can be opened there."""
        return self.source / self.folder

    @staticmethod
    def open(path: str | Path) -> "ModelPackage":
        """The package at `path`. Raises SpineError if it is not sound, or is several packages."""
        packages = open_packages(path)
        if len(packages) > 1:
            names = ", ".join(package.manifest.name for package in packages)
            raise SpineError(f"{path} holds several model packages ({names}): choose one of them.")
        return packages[0]

    @property
    def size_bytes(self) -> int:
        """Bytes of all files that the manifest lists."""
        files = PackageFiles(self.source)
        return sum(files.size(self.folder + name) for name in self.manifest.files)

    def read(self, name: str) -> bytes:
        """The bytes of a listed file ("model.onnx"). Raises SpineError if they are not what the manifest lists."""
        return _read_verified(PackageFiles(self.source), self.folder, name, self.manifest)


def open_packages(path: str | Path) -> list[ModelPackage]:
    """The packages at `path`: the folder or zip is one itself, or holds several in folders of their own.

    Raises SpineError, in one sentence, for whatever makes one of them unusable.
    """
    files = PackageFiles(Path(path))
    return [_open(files, folder) for folder in _package_folders(files)]


def read_manifests(path: str | Path) -> list[Manifest]:
    """Only the manifests of the packages at `path`: quick, nothing else is looked at. Raises SpineError."""
    files = PackageFiles(Path(path))
    return [_read_manifest(files, folder) for folder in _package_folders(files)]


def copy_package(package: ModelPackage, folder: Path) -> None:
    """Write the package's files, verified, into the existing empty `folder`."""
    for name in package.manifest.files:
        (folder / name).write_bytes(package.read(name))
    (folder / MANIFEST).write_text(as_json(package.manifest), encoding="utf-8", newline="\n")


def pack(folder: str | Path, zip_path: str | Path) -> None:
    """Write the package or the packages in `folder` into a zip whose bytes depend on nothing but their files."""
    from ..files.atomic import atomic  # brings SimpleITK along, which reading a package does not need

    files = PackageFiles(Path(folder))
    with atomic(Path(zip_path)) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for package in open_packages(folder):
            for name in [MANIFEST, *sorted(package.manifest.files)]:
                # Stored, not deflated: weights hardly compress, and zlib's output differs between its versions.
                entry = zipfile.ZipInfo(package.folder + name, date_time=(1980, 1, 1, 0, 0, 0))
                entry.create_system, entry.external_attr = 3, 0o100644 << 16
                archive.writestr(entry, files.read(package.folder + name))


def _package_folders(files: PackageFiles) -> list[str]:
    folders = sorted(
        name.removesuffix(MANIFEST)
        for name in files.names
        if name == MANIFEST or (name.endswith("/" + MANIFEST) and name.count("/") == 1)
    )
    if not folders:
        raise SpineError(f"{files.path} holds no {MANIFEST}: give the folder or zip of a model package.")
    return [""] if "" in folders else folders


def _read_manifest(files: PackageFiles, folder: str) -> Manifest:
    what = f"the manifest of {files.path / folder}"
    if files.size(folder + MANIFEST) > _MAX_MANIFEST:
        raise SpineError(f"{what} is larger than 1 MB: this is no model package.")
    return read_manifest(files.read(folder + MANIFEST), what)


def _open(files: PackageFiles, folder: str) -> ModelPackage:
    manifest = _read_manifest(files, folder)
    present = {name.removeprefix(folder) for name in files.names if name.startswith(folder)}
    where = f'the model package "{manifest.name}" ({files.path})'
    for name in [*_REQUIRED, *manifest.files]:
        if name not in _LISTED:
            raise SpineError(f"{where} lists {name}, which a model package must not hold: do not use it.")
        if name not in manifest.files:
            raise SpineError(f"{where} does not list {name}: export it again.")
        if name not in present:
            raise SpineError(f"{where} lacks {name}: get the package again.")
    for name in sorted(present - set(manifest.files) - {MANIFEST}):
        if not name.endswith(_HARMLESS):
            raise SpineError(f"{where} holds {name}, which its manifest does not list: remove it or do not use it.")
    for name in manifest.files:
        content = _read_verified(files, folder, name, manifest)
        if name != CARD:
            check_weights(name, content)
    return ModelPackage(manifest, files.path, folder)


def _read_verified(files: PackageFiles, folder: str, name: str, manifest: Manifest) -> bytes:
    if folder + name not in files.names:
        raise SpineError(f'The model package "{manifest.name}" ({files.path}) has no {name}: get the package again.')
    content = files.read(folder + name)
    if hashlib.sha256(content).hexdigest() != manifest.files.get(name):
        raise SpineError(
            f'{name} of the model package "{manifest.name}" ({files.path}) is not the file that its manifest lists '
            "(SHA-256 differs), it was damaged or exchanged: get the package again."
        )
    return content
