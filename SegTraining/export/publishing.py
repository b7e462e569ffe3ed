"""A model package as one file for a web server, and what a catalog says of it."""

import hashlib
from pathlib import Path

from SpineInference.models.catalog_file import CatalogEntry, RemotePackage
from SpineInference.models.model_package import ModelPackage, pack

PLACEHOLDER = "https://YOUR-SERVER/"
"""The beginning of an address that the publisher has to fill in."""


def publish(package: ModelPackage, zip_path: Path) -> CatalogEntry:
    """Write `package` as a zip, and return the entry with which a `catalog.json` offers it for download.

    Its address is a placeholder before the file's name. Packages of several planes become one set by one entry that
    lists them all.
    """
    pack(package.path, zip_path)
    content = zip_path.read_bytes()
    manifest = package.manifest
    remote = RemotePackage(
        manifest.name, PLACEHOLDER + zip_path.name, hashlib.sha256(content).hexdigest(), len(content)
    )
    return CatalogEntry(
        manifest.name,
        manifest.title,
        manifest.description,
        manifest.anatomy,
        manifest.modality,
        manifest.licence,
        [remote],
    )
