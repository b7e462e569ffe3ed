"""From what was typed to requests: which scans, into which folders, with which reference masks."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .errors import SpineError
from .reading import find_scans, scan_name
from .requests import Request

_FIRST_CHANNEL = "_0000"
"""nnU-Net ends the names of its images with the number of the channel; those of its masks have none."""


def plan(
    scans: Sequence[str], output: str, reference: str | None, choices: Request
) -> tuple[list[Request], list[SpineError]]:
    """One request with the `choices` for every scan that `scans` stand for, and what is wrong with the others.

    `output` gets a folder for each scan, named after it; further scans of the same name get _2, _3, ... appended.
    Raises SpineError when `reference` cannot be used for the scans.
    """
    found, failures = [], []
    for scan in scans:
        try:
            found += find_scans(scan)
        except SpineError as error:
            failures.append(error)
    masks = _masks(reference, len(found))
    requests, taken = [], set()
    for scan in found:
        name = _unique(scan_name(scan), taken)
        request = replace(choices, input=str(scan), output=str(Path(output, name)))
        try:
            requests.append(replace(request, reference=masks and str(_mask_of(scan, masks, reference))))
        except SpineError as error:
            failures.append(error)
    return requests, failures


def _masks(reference: str | None, scans: int) -> dict[str, Path] | Path | None:
    """The only mask, or the masks of a folder by name."""
    if reference is None:
        return None
    if Path(reference).is_dir():
        return {scan_name(path): path for path in find_scans(reference)}
    if scans > 1:
        raise SpineError(
            f"there are {scans} scans but only one reference mask ({reference}): give a folder that holds a mask "
            "with the name of each scan."
        )
    return Path(reference)


def _mask_of(scan: Path, masks: dict[str, Path] | Path, reference: str) -> Path:
    if isinstance(masks, Path):
        return masks
    name = scan_name(scan)
    for candidate in (name, name.removesuffix(_FIRST_CHANNEL)):
        if candidate in masks:
            return masks[candidate]
    raise SpineError(f"{scan}: the folder {reference} holds no reference mask named {name}, add it or leave it out.")


def _unique(name: str, taken: set[str]) -> str:
    """`name`, or `name` with a number, that no other scan has; file systems may not tell upper from lower case."""
    number, chosen = 1, name
    while chosen.casefold() in taken:
        number += 1
        chosen = f"{name}_{number}"
    taken.add(chosen.casefold())
    return chosen
