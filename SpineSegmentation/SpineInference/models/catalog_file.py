"""What `catalog.json` says: which packages are fused into one result, and where packages can be downloaded.

A catalog folder holds package folders and a `catalog.json` that joins them into sets, with one or more networks for
each plane.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import SpineError
from ..schema import load_json, parse
from .manifest import SCHEMA_VERSION, check_schema_version, is_plain_name

CATALOG = "catalog.json"
BUNDLED = Path(__file__).resolve().parent / "bundled"
"""The program's own catalog. It lies inside the package, so that a checkout, a wheel and Slicer find it alike."""


@dataclass(frozen=True)
class RemotePackage:
    """A package's zip on a server: `name` is that of its manifest, `size` is in bytes."""

    name: str
    url: str
    sha256: str
    size: int


@dataclass(frozen=True)
class CatalogEntry:
    """A set of the catalog; `packages` are names of package folders beside the catalog, or zips on a server."""

    name: str
    title: str
    description: str
    anatomy: str
    modality: str
    licence: str
    packages: list[str | RemotePackage]

    @property
    def remote(self) -> list[RemotePackage]:
        """The packages that have to be downloaded."""
        return [package for package in self.packages if isinstance(package, RemotePackage)]

    @property
    def package_names(self) -> list[str]:
        """The names of all packages."""
        return [package.name if isinstance(package, RemotePackage) else package for package in self.packages]


@dataclass(frozen=True)
class Catalog:
    """The content of `catalog.json`."""

    sets: list[CatalogEntry]
    schema_version: int = SCHEMA_VERSION


def catalog_folders(explicit: str | Path | None) -> list[Path]:
    """The one given, else those of SPINE_MODELS before the program's own: earlier ones win."""
    if explicit is not None:
        return [Path(explicit)]
    wished = [Path(part) for part in os.environ.get("SPINE_MODELS", "").split(os.pathsep) if part]
    return [folder for folder in [*wished, BUNDLED] if folder.is_dir()]


def read_entries(catalog_folder: str | Path | None) -> list[tuple[Path, CatalogEntry]]:
    """Every set of every catalog with the folder of its catalog."""
    entries = []
    for folder in catalog_folders(catalog_folder):
        file = folder / CATALOG
        if file.is_file():
            what = f"the catalog {file}"
            raw = load_json(file.read_bytes(), what)
            check_schema_version(raw, what)
            for entry in parse(raw, Catalog, what).sets:
                if not entry.packages or not all(map(is_plain_name, [entry.name, *entry.package_names])):
                    raise SpineError(f'{what} is not valid: "{entry.name}" must list packages by plain names.')
                entries.append((folder, entry))
    return entries
